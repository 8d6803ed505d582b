"""Write docs/vocabulary.md: every public name with its formula, its source, and where it is tested.

Run by `make vocabulary`. The formulas and sources are those of the docstrings:

- The formula is the block behind `::`, or the first block that is indented, else the summary line.
- Sources stand in brackets: [Kingma & Ba 2015, algorithm 1], [PyTorch: StepLR], [L1.2] for a
  lecture. A gate without one has the name and the meaning of NumPy's function.

Tests are the files under tests/ that name the thing, or go through the table that it is in.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import retrograd as rg
from retrograd import datasets, gates
from retrograd.nn import initializers
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.layers import Layer
from retrograd.nn.losses import LOSSES
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS
from retrograd.training.scores import SCORES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "vocabulary.md"

HEAD = """\
# The vocabulary

Every public name, with its formula, its source, and where it is tested. Made from the docstrings by
`make vocabulary`; `help(rg.gelu)` says more.

z is a layer's pre-activation, e an output less its target, W any parameter, g its gradient dJ/dW, t
the number of a step from 1; B counts the rows of a batch, I and O the inputs and outputs of a
layer; dy is the propagated gradient. A source such as L1.2 is a lecture, which tests/lectures
replays; one such as "PyTorch: MSELoss, times O" is a definition that ours agrees with, but for the
factor. Where none is given there is none: the thing is this package's own.
"""

CITED = re.compile(r"\[((?:[A-Za-z][\w.&' -]*:|[A-Z][^\[\]]*\b\d{4}|L\d)[^\[\]]*)\]")
OWNERS = "rg|gates|schedules|initializers|datasets"  # modules through which tests name things
FEW = 2  # test files shown of those that name a thing


@dataclass(frozen=True)
class Formula:
    """The lines of a formula. `is_code`: they stand as they are; else they are a sentence."""

    lines: tuple[str, ...]
    is_code: bool = False


@dataclass(frozen=True)
class Row:
    """What the page says of one name."""

    name: str
    formula: Formula
    source: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A table of the page.

    `things`: by their names as they are written. `rooms`: of tests, the first counts most.
    `tables`: names of the tables in code that hold them, through which tests may go.
    """

    title: str
    things: Mapping[str, Any]
    rooms: tuple[str, ...]
    tables: tuple[str, ...] = ()
    is_cited: bool = True


def sections() -> list[Section]:
    """The tables of the page, in order; a public name is in the first that fits."""
    public = {name: getattr(rg, name) for name in rg.__all__}
    modules = {name for name, thing in public.items() if inspect.ismodule(thing)}

    def kind(base: Any) -> dict[str, Any]:
        return {
            f"rg.{name}": thing
            for name, thing in public.items()
            if isinstance(thing, type) and issubclass(thing, base)
        }

    optimizers = kind(Optimizer | FullBatch)
    wrappers = {
        name: thing for name, thing in optimizers.items() if thing not in OPTIMIZERS.values()
    }
    named = {f'"{name}"': thing for name, thing in OPTIMIZERS.items()}
    found = [
        Section("Layers", kind(Layer), ("nn",)),
        Section("Activations", _activations(public), ("nn", "gates"), ("ACTIVATIONS",)),
        Section("Losses", {f'"{n}"': thing for n, thing in LOSSES.items()}, ("nn",), ("LOSSES",)),
        Section(
            "Initializers",
            {f'"{name}"': thing for name, thing in initializers.INITIALIZERS.items()}
            | {"rg.unit_variance": rg.unit_variance},
            ("nn",),
            ("INITIALIZERS", "VARIANCES"),
        ),
        Section("Optimizers", named, ("optim", "training"), ("OPTIMIZERS",)),
        Section("Around an optimizer", wrappers, ("optim", "training")),
        Section(
            "Schedules of the learning rate",
            {f"rg.schedules.{name}": vars(rg.schedules)[name] for name in rg.schedules.__all__}
            | {"rg.learning_rate_range": rg.learning_rate_range},
            ("optim", "training"),
        ),
        Section("Least squares", {"rg.least_squares": rg.least_squares}, ("training",)),
        Section("Scores", {f'"{n}"': thing for n, thing in SCORES.items()}, ("training",)),
        Section(
            "Data sets made by a formula",
            {
                f"datasets.{name}": getattr(datasets, name)
                for name in datasets.__all__
                if name in datasets.names()
            },
            ("datasets",),
        ),
        Section(
            "Gates",
            {f"rg.{name}": getattr(rg, name) for name in sorted(gates.__all__)},
            ("gates", "engines"),
        ),
    ]
    seen = {id(thing) for section in found for thing in section.things.values()}
    rest = {
        f"rg.{name}": thing
        for name, thing in sorted(public.items(), key=lambda item: item[0].lower())
        if id(thing) not in seen or name in modules
    }
    rooms = ("graph", "autodiff", "inspect", "training", "nn", "estimators", "plots")
    return [*found, Section("All else", rest, rooms, is_cited=False)]


def _activations(public: Mapping[str, Any]) -> dict[str, Any]:
    """Those with a name, and the functions of the same module that have none."""
    own = {
        f"rg.{name}": thing
        for name, thing in public.items()
        if getattr(thing, "__module__", "") == "retrograd.nn.nonlinearities"
        and thing not in ACTIVATIONS.values()
    }
    return {f'"{name}"': thing for name, thing in ACTIVATIONS.items()} | own


def rows_of(section: Section) -> list[Row]:
    """The rows of a table."""
    return [_row(section, name, thing) for name, thing in section.things.items()]


def _row(section: Section, name: str, thing: Any) -> Row:
    tests = tests_of(section, name, thing)
    if isinstance(thing, initializers.VarianceScaling):
        return Row(name, *_scaled(thing), tests)
    text = prose(thing)
    source = "; ".join(dict.fromkeys(CITED.findall(" ".join(text.split()))))
    if not source and getattr(thing, "__module__", "").startswith("retrograd.gates."):
        source = f"NumPy: {bare(name)}" if hasattr(np, bare(name)) else ""
    return Row(name, formula_of(text), source, tests)


def _scaled(thing: initializers.VarianceScaling) -> tuple[Formula, str]:
    """The formula and the source of an initializer by its rule, from the table of its module."""
    table = re.findall(r"^\| (\w+) \| (.+?) \| (.+?) \|$", initializers.__doc__ or "", re.MULTILINE)
    rules = {rule: (variance, source) for rule, variance, source in table}
    variance, source = rules[thing.rule]
    kind = thing.distribution.replace("_", " ")
    return Formula((f"{kind}, of mean 0 and variance {variance}",)), source


def prose(thing: Any) -> str:
    """A docstring up to its arguments or its example."""
    text = inspect.getdoc(thing) or ""
    if inspect.ismodule(thing):
        text = text.partition("\n")[0]
    return re.split(r"^(?:Args:|Returns:|Raises:|>>>|- `)", text, maxsplit=1, flags=re.MULTILINE)[0]


def formula_of(text: str) -> Formula:
    """The formula of a docstring: the first block that is indented, else the summary line."""
    block = re.search(r"\n\n((?:    .*\n?(?:\n(?=    ))?)+)", f"{text}\n")
    if block is None:
        summary = text.strip().partition("\n")[0]
        return Formula((_uncited(summary).rstrip(" :;."),))
    lines = textwrap.dedent(block[1]).replace("`", "").splitlines()
    spaced = [re.sub(r" {2,}#", "  #", _uncited(line)) for line in lines if line.strip()]
    return Formula(tuple(spaced), is_code=True)


def _uncited(line: str) -> str:
    return CITED.sub("", line).rstrip().replace(" ,", ",").replace(" .", ".")


@dataclass(frozen=True)
class Words:
    """What a test file names: as part of the package or by import; in quotes; and anywhere."""

    named: frozenset[str]
    quoted: frozenset[str]
    all: frozenset[str]


def _words(text: str) -> Words:
    imported = re.findall(r"(?:^from .* import |^    (?=\w+,$))(.*)", text, re.MULTILINE)
    return Words(
        frozenset(re.findall(rf"\b(?:{OWNERS})\.(?=(\w+))", text))
        | frozenset(re.findall(r"\w+", " ".join(imported))),
        frozenset(re.findall(r"[\"'](\w+)[\"']", text)),
        frozenset(re.findall(r"\w+", text)),
    )


def _files() -> dict[str, Words]:
    """The test files by their path in tests/, without those that list every name."""
    return {
        path.relative_to(ROOT / "tests").as_posix(): _words(path.read_text("utf-8"))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path.name not in ("test_public_names.py", "test_vocabulary.py", "test_wrong_types.py")
    }


FILES = _files()


def tests_of(section: Section, name: str, thing: Any) -> tuple[str, ...]:
    """Test files that name a thing or go through its table, the nearest first; a few of them."""
    own, rooms, tables = bare(name), section.rooms, {*section.tables}
    names = {own, thing.__name__} if inspect.isclass(thing) or inspect.isfunction(thing) else {own}

    def place(path: str) -> int:
        room = path.partition("/")[0]
        return rooms.index(room) if room in rooms else len(rooms)

    def is_tested(path: str, words: Words) -> bool:
        # Elsewhere, a name in quotes may be that of another thing.
        is_near = place(path) < len(rooms) and bool(names & words.quoted or tables & words.all)
        return is_near or bool(names & words.named)

    def rank(path: str) -> tuple[bool, int, str]:
        is_ours = place(path) < len(rooms) or "/" not in path
        is_home = is_ours and own in Path(path).stem.split("_")
        return not is_home, place(path), path

    found = [path for path, words in FILES.items() if is_tested(path, words)]
    return tuple(sorted(found, key=rank)[:FEW])


def bare(name: str) -> str:
    """The last part of a name as it is written: `gelu` of `rg.gelu` and of `"gelu"`."""
    return name.rpartition(".")[2].strip('"')


def page() -> str:
    """The page, as Markdown."""
    parts = [HEAD]
    for section in sections():
        what = "formula" if section.is_cited else "what it is"
        lines = [
            f"## {section.title}",
            "",
            f"| name | {what} | source | tested |",
            "|---|---|---|---|",
        ]
        lines += [_line(row) for row in rows_of(section)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(row: Row) -> str:
    formula = "<br>".join(map(_code if row.formula.is_code else _plain, row.formula.lines))
    tests = "<br>".join(f"[{path}](../tests/{path})" for path in row.tests)
    return f"| {_code(row.name)} | {formula} | {_plain(row.source)} | {tests} |"


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")


def _plain(text: str) -> str:
    """Text in which Markdown sees no signs of its own, but for code between backticks."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([*_<\[\]~])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
