"""Options that say which network is trained, on what: of every command that makes one."""

from __future__ import annotations

from typing import Annotated

import typer

from retrograd.errors import OptionError

MOST_UNITS = 1_000_000  # of a layer; more would not fit into memory

TargetOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="What to predict. A bundled set knows its own."),
]
TaskOption = Annotated[
    str, typer.Option(help="auto, classification or regression: auto looks at the target.")
]
DropOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Leave a column out. Can be given several times."),
]
HiddenOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Units of each hidden layer, 0 for none. "
        "(default: 300 for classes, 64,64 for numbers)",
        show_default=False,
    ),
]
ActivationOption = Annotated[
    str | None,
    typer.Option(
        help="Of the hidden layers: relu, tanh, sigmoid, softplus, ... "
        "(default: relu for classes, tanh for numbers)",
        show_default=False,
    ),
]
OptimizerOption = Annotated[
    str,
    typer.Option(
        help="adam, adamw, sgd, muon; for all rows at once lbfgs, conjugate_gradient, "
        "scaled_conjugate_gradient or levenberg_marquardt (regression, few units); "
        "a wrong name lists all."
    ),
]
L2Option = Annotated[
    float | None,
    typer.Option(
        help="The penalty l2/2 times the sum of the squared weights. "
        "(default: 0.002 for classes, 0.00001 for numbers)",
        show_default=False,
    ),
]
ValidationOption = Annotated[
    float, typer.Option(help="The share of rows that tell which epoch was best.")
]
TestOption = Annotated[
    float, typer.Option(help="The share of rows that only score the trained model.")
]
SeedOption = Annotated[
    int, typer.Option(min=0, help="Of the held-out rows, the first weights and the shuffling.")
]


def sizes(hidden: str | None) -> tuple[int, ...] | None:
    """The units of each layer that `--hidden` names; None where it is left to the task.

    >>> sizes("100,50"), sizes("0")
    ((100, 50), ())
    """
    if hidden is None:
        return None
    try:
        found = tuple(int(word) for word in hidden.split(","))
    except ValueError:
        found = (-1,)
    if found == (0,):
        return ()
    if min(found) < 1 or max(found) > MOST_UNITS:
        raise OptionError(
            f"--hidden: expected the units of each layer, as in 100,50 (or 0), "
            f"at most {MOST_UNITS:,} each; got {hidden!r}"
        )
    return found
