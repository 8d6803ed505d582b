"""What a diagnosis says: verdicts, each with its figure, its threshold, its source and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrograd.frames import as_rich, data_frame

# What the items are, where they are no units.
ITEMS = {"unscaled inputs": "columns", "suspect labels": "rows"}


@dataclass(frozen=True)
class Verdict:
    """One ailment looked for in one place.

    - `ailment`: its name, one of `AILMENTS`. `is_found`: whether the figure is past the threshold.
    - `where`: the layer, parameter or column; empty where it is the whole.
    - `figure`, `threshold`: the numbers compared; `meaning`: what the figure is, in words.
    - `items`: the units, columns or rows that are meant, the worst first, by their index: from 0;
      of a table model rows of the table. `names`: of columns, where the data have names for them.
    - `first`: the number of the first item in words: 0, but 1 for rows of a table, as in errors.
    - `source`: where the rule comes from. `remedy`: what to try.
    """

    ailment: str
    is_found: bool
    where: str
    figure: float
    threshold: float
    meaning: str
    source: str
    remedy: str
    items: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    first: int = 0

    def listed(self, most: int = 10) -> str:
        """The items in words: "rows, counted from 0: 50, 7"; at most so many."""
        shown = (self.names or tuple(str(self.first + item) for item in self.items))[:most]
        rest = len(self.items) - len(shown)
        more = f" and {rest} more" if rest else ""
        counted = "" if self.names else f", counted from {self.first}"
        return f"{ITEMS.get(self.ailment, 'units')}{counted}: {', '.join(shown)}{more}"

    def __str__(self) -> str:
        sign = "past" if self.is_found else "within"
        place = f" in {self.where}" if self.where else ""
        text = (
            f"{self.ailment}{place}: {self.meaning} is {self.figure:.3g}, {sign} the threshold "
            f"of {self.threshold:.3g}"
        )
        return f"{text}. Try: {self.remedy}  [{self.source}]" if self.is_found else text


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `rg.diagnose` returns; printed, what was found in words.

    - `verdicts`: one for each ailment that could be judged, at its worst place.
    - `not_judged`: the other ailments, each with what is missing to judge it.
    """

    verdicts: tuple[Verdict, ...]
    not_judged: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    @property
    def found(self) -> tuple[Verdict, ...]:
        """The verdicts past their threshold."""
        return tuple(verdict for verdict in self.verdicts if verdict.is_found)

    def verdict(self, ailment: str) -> Verdict | None:
        """The verdict on an ailment; None where it could not be judged."""
        return next((x for x in self.verdicts if x.ailment == ailment), None)

    def table(self) -> list[tuple[str, ...]]:
        """A header, then a line for each verdict."""
        rows = [("ailment", "verdict", "where", "figure", "threshold")]
        for x in self.verdicts:
            numbers = f"{x.figure:.4g}", f"{x.threshold:.4g}"
            rows.append((x.ailment, "FOUND" if x.is_found else "ok", x.where, *numbers))
        return [*rows, *((name, f"not judged: {why}", "", "", "") for name, why in self.not_judged)]

    def to_frame(self) -> Any:
        """A pandas data frame of the verdicts."""
        return data_frame("diagnose", [vars(verdict) for verdict in self.verdicts])

    def __repr__(self) -> str:
        names = ", ".join(verdict.ailment for verdict in self.found) or "nothing wrong"
        return f"<diagnosis: {names}>"

    def __str__(self) -> str:
        looked = f"{len(self.verdicts)} ailments looked for"
        if self.ok:
            return f"nothing wrong found; {looked}"
        return "\n".join([f"{len(self.found)} found, {looked}", *map(str, self.found)])

    def __rich__(self) -> Any:
        """The table as rich prints it."""
        return as_rich(self.table())
