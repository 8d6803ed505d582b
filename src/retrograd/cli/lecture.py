"""`retrograd lecture NAME`: replay a lecture's example with the package's own objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from retrograd.cli.lectures import batch, chain, cost, matrix, node
from retrograd.cli.terminal import print_table
from retrograd.errors import unknown_name

LECTURES: dict[str, tuple[str, Callable[[], bool]]] = {
    "node": ("backpropagation inside a node: f = (w + x*y) * z", node.replay),
    "chain": ("the delta rule and the scalar chain", chain.replay),
    "cost": ("finite differences against backpropagation: passes and times", cost.replay),
    "matrix": ("training a two-layer network with matrices", matrix.replay),
    "batch": ("m examples at once: softmax and cross-entropy", batch.replay),
}


def lecture(
    name: Annotated[
        str | None, typer.Argument(help="Which one. Without a name they are listed.")
    ] = None,
) -> None:
    """Replay a lecture's example, every number computed here and checked.

    The exit code is 1 if a number is not the lecture's.

    Example: retrograd lecture cost
    """
    if name is None:
        print_table(
            ("lecture", "what it shows"), [(n, t) for n, (t, _) in LECTURES.items()], left=(0, 1)
        )
        typer.echo("\nretrograd lecture NAME replays one")
        return
    if name not in LECTURES:
        raise unknown_name("lecture", name, LECTURES)
    if not LECTURES[name][1]():
        raise typer.Exit(1)
