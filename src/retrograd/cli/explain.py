"""`retrograd explain DATA|MODEL`: what a network becomes, from graph to machine code, as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from retrograd import datasets
from retrograd.cli.choices import Choices
from retrograd.cli.data import NoiseOption, read_data
from retrograd.cli.fitting import ready, training_step
from retrograd.cli.options import (
    ActivationOption,
    DropOption,
    HiddenOption,
    L2Option,
    OptimizerOption,
    SeedOption,
    TargetOption,
    TaskOption,
    TestOption,
    ValidationOption,
    sizes,
)
from retrograd.errors import OptionError, unknown_name
from retrograd.files.tables import SUFFIXES
from retrograd.graph.step import Step
from retrograd.graph.text import as_text
from retrograd.load import load
from retrograd.nn.network import Network
from retrograd.run import compile
from retrograd.tabular.model import TableModel

# What a stage is called by engines, and in words.
STAGES = {
    "graph": ("graph", "every gate"),
    "program": ("program", "the kernels that the gates become"),
    "ir": ("llvm_ir", "LLVM's intermediate language, optimised"),
    "asm": ("assembly", "machine code for this processor"),
}
COMMENT = {"ir": ";"}  # the sign of a comment is the language's own, # in the others


def explain(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA|MODEL",
            help="A table or a bundled set, as `retrograd train` takes it, or a model file.",
            show_default=False,
        ),
    ],
    *,
    stage: Annotated[
        str,
        typer.Option(help="graph: every gate. program: kernels. ir: LLVM's code. asm: assembly."),
    ] = "program",
    target: TargetOption = None,
    task: TaskOption = "auto",
    drop: DropOption = None,
    noise: NoiseOption = None,
    hidden: HiddenOption = None,
    activation: ActivationOption = None,
    optimizer: OptimizerOption = "adam",
    l2: L2Option = None,
    validation: ValidationOption = 0.15,
    test: TestOption = 0.15,
    seed: SeedOption = 0,
) -> None:
    """Show what the engine makes of a network: graph, program, LLVM's code or assembly.

    For DATA the step that `retrograd train` runs for each batch: forward, backward and update. For
    a MODEL its prediction; the options of `train` are then not for it.

    Example: retrograd explain digits --hidden 100 --stage program
    """
    if stage not in STAGES:
        raise unknown_name("stage", stage, STAGES)
    if _is_data(source):
        choices = Choices(
            hidden=sizes(hidden), activation=activation, optimizer=optimizer, l2=l2, seed=seed
        )
        found = read_data(source, noise=noise)
        prepared, network, choices = ready(
            found, choices, target=target, drop=drop, task=task, validation=validation, test=test
        )
        name, made = training_step(prepared, network, choices)
        title = f"{prepared.data.name}: the step {name!r} of {network!r}, {optimizer}"
        text = as_text(made.named) if stage == "graph" else _listing(made, stage)
    else:
        _require_no_options(context, source)
        network = _network(load(source), source)
        title = f"{source}: the prediction of {network!r}"
        output, inputs = network.prediction()
        text = as_text([output])
        if stage != "graph":
            text = getattr(compile([output], inputs, engine="cpu"), STAGES[stage][0])
    typer.echo(f"{COMMENT.get(stage, '#')} {title}: {STAGES[stage][1]}")
    typer.echo(text)


def _is_data(source: str) -> bool:
    """Whether a name is one of data: a bundled set, a table, or of nothing that there is."""
    path = Path(source)
    is_table = path.suffix.lower() in SUFFIXES
    return source in datasets.names() or is_table or not path.exists()


def _listing(step: Step, stage: str) -> str:
    from retrograd.engines.cpu.engine import CpuEngine  # loads LLVM

    return str(getattr(CpuEngine().listing(step), STAGES[stage][0]))


def _network(model: Any, path: str) -> Network:
    """The network in what a model file holds."""
    if isinstance(model, Network):
        return model
    if isinstance(model, TableModel):
        return model.network
    from retrograd.estimators.base import network_of  # scikit-learn takes long to import

    return network_of(model)


def _require_no_options(context: typer.Context, source: str) -> None:
    for name in context.params:
        origin = context.get_parameter_source(name)
        is_given = origin is not None and origin.name == "COMMANDLINE"
        if is_given and name not in ("source", "stage"):
            raise OptionError(f"--{name} is for DATA; {source} is a model, which has its network")
