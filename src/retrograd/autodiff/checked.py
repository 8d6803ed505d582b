"""What a gradient check found: entry by entry, variable by variable, and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from retrograd.frames import as_lines
from retrograd.graph.shape import show

TITLES = {
    "complex": "the complex step",
    "central": "central differences",
    "float64": "backpropagation in float64",
}


@dataclass(frozen=True)
class CheckedEntry:
    """One entry of a gradient, from backpropagation (`analytic`) and from numbers (`numeric`).

    `layer`: the place of the layer that has the parameter, "2"; empty for other variables.
    """

    variable: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    relative_error: float
    layer: str = ""

    def __str__(self) -> str:
        index = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        layer = f" of layer {self.layer}" if self.layer else ""
        return (
            f"{self.variable}{index}{layer}: analytic {self.analytic:.10g}, "
            f"numeric {self.numeric:.10g}, relative error {self.relative_error:.1e}"
        )


@dataclass(frozen=True)
class CheckedVariable:
    """What the check of one variable found.

    - `entries`: how many were looked at; `kinks`: how many of them lie at a kink, where there is no
      derivative to compare with, and are right beside it.
    - `largest`: the largest entry of its gradient, by magnitude.
    - `worst`: the entry with the largest relative error; None if none could be compared.
    - `errors`: the relative error of each entry that was compared, by its number in the array.
    """

    name: str
    shape: tuple[int, ...]
    entries: int
    kinks: int
    largest: float
    worst: CheckedEntry | None
    errors: Mapping[int, float] = field(default_factory=dict, repr=False)

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of its entries."""
        return self.worst.relative_error if self.worst else 0.0


@dataclass(frozen=True)
class GradientCheck:
    """The result of `check_gradient`; printed, it is a table.

    - `method`: "complex" or "central"; "float64" where an engine's gradient was compared with the
      reference's. `passes`: the forward passes that it took.
    - `variables`: what was found, variable by variable.
    - `gates`: where the gradient is wrong, the names of the gates whose own derivative is.
    """

    method: str
    tolerance: float
    passes: int
    variables: tuple[CheckedVariable, ...] = field(repr=False)
    gates: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every entry agrees within the tolerance."""
        return self.max_relative_error <= self.tolerance

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of all entries; infinite where a derivative is not finite."""
        return self.worst.relative_error

    @property
    def worst(self) -> CheckedEntry:
        """The entry with the largest relative error."""
        return max((x.worst for x in self.variables if x.worst), key=lambda x: x.relative_error)

    def __str__(self) -> str:
        rows = [("variable", "shape", "entries", "kinks", "largest", "max relative error")]
        for x in self.variables:
            mark = "" if x.max_relative_error <= self.tolerance else "  <- wrong"
            counts = str(x.entries), str(x.kinks)
            error = f"{x.max_relative_error:.1e}{mark}"
            rows.append((x.name, show(x.shape), *counts, f"{x.largest:.4g}", error))
        lines = [self.verdict, as_lines(rows), f"worst: {self.worst}"]
        return "\n".join([*lines, self.blame] if self.gates else lines)

    @property
    def verdict(self) -> str:
        """Whether it agrees, with what, in one line."""
        passes = f"{self.passes} forward pass{'' if self.passes == 1 else 'es'}"
        return (
            f"the gradient {'agrees' if self.ok else 'DISAGREES'} with {TITLES[self.method]} "
            f"(tolerance {self.tolerance:.0e}, {passes})"
        )

    @property
    def blame(self) -> str:
        """Which gates are wrong, in one line; empty where none was found."""
        if not self.gates:
            return ""
        many = "s" if len(self.gates) > 1 else ""
        return f"wrong: the derivative of the gate{many} {', '.join(self.gates)}"
