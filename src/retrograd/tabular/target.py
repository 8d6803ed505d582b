"""The column to be predicted: as class labels or standardised numbers, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import DataError, unknown_name
from retrograd.files.table import Column, as_column, is_text, missing, parse_numbers
from retrograd.tabular.columns import MOST_CATEGORIES
from retrograd.tabular.fields import entries, number, positive, read_fields, text
from retrograd.tabular.scaling import finite_numbers, mean_and_scale, row_in_words, standardise

Task: TypeAlias = Literal["auto", "classification", "regression"]

_TASKS = ("auto", "classification", "regression")
_MOST_AUTO_CLASSES = 20
_FEW_WORDS = 10  # so many different words may be classes in any number of rows
_WHOLE = 2.0**53  # up to here every whole number is a float64


@dataclass(frozen=True)
class ClassTarget:
    """Classes. `classes`: words or numbers, at least two, ascending; a label is an index in them.

    >>> target = fit_target(["no", "yes", "no"], name="ill")
    >>> target.encode(["yes", "no"])
    array([1, 0])
    >>> target.decode([[0.9, 0.1], [0.2, 0.8]])
    array(['no', 'yes'], dtype=object)
    """

    name: str
    classes: tuple[str, ...] | tuple[int, ...] | tuple[float, ...]

    def encode(self, values: Any, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Labels (n,). Raises DataError for a missing value and a class not seen in training.

        `rows`: what messages call the rows, `Table.row_numbers`; by default from the first.
        """
        column = _complete(self.name, values)
        index: dict[Any, int] = {c: j for j, c in enumerate(self.classes)}
        labels = np.array([index.get(value, -1) for value in column.tolist()], np.int64)
        unseen = np.flatnonzero(labels < 0)
        if unseen.size:
            row = unseen[0]
            listed = ", ".join(map(repr, self.classes[:20]))
            more = f", ... ({len(self.classes)} classes)" if len(self.classes) > 20 else ""
            raise DataError(
                f"target {self.name!r}: {_shown(column[row])} in row {row_in_words(row, rows)} "
                f"was not a class in training; the classes: {listed}{more}"
            )
        return labels

    def decode(self, outputs: ArrayLike) -> NDArray[Any]:
        """Classes (n,) from probabilities (n, n_classes), or of the second of two (n,) or (n, 1).

        The most probable class wins, of equals the first. Words come as objects.
        """
        outputs = np.asarray(outputs, np.float64)
        n_classes = len(self.classes)
        if n_classes == 2 and (outputs.ndim == 1 or outputs.shape[1:] == (1,)):
            labels = (outputs.reshape(-1) > 0.5).astype(np.int64)
        elif outputs.ndim == 2 and outputs.shape[1] == n_classes:
            labels = outputs.argmax(axis=1)
        else:
            wanted = f"(n, {n_classes})" + (", (n, 1) or (n,)" if n_classes == 2 else "")
            problem = f"outputs have the shape {wanted}; got {outputs.shape}"
            raise DataError(f"target {self.name!r}: {problem}")
        classes = np.array(self.classes, object if isinstance(self.classes[0], str) else None)
        return classes[labels]

    def to_json(self) -> dict[str, Any]:
        """As an object of strict JSON."""
        return {"kind": "classes", "name": self.name, "classes": list(self.classes)}


@dataclass(frozen=True)
class NumberTarget:
    """A number, standardised for training.

    >>> target = fit_target([1.0, 1.5, 3.5], name="h", task="regression")
    >>> target.mean, target.decode(target.encode([2.0]))
    (2.0, array([2.]))
    """

    name: str
    mean: float
    scale: float

    def encode(self, values: Any, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Standardised numbers (n,). Raises DataError for a missing or infinite value or a word.

        `rows`: what messages call the rows, `Table.row_numbers`; by default from the first.
        """
        numbers = finite_numbers(self.name, _complete(self.name, values), rows)
        return standardise(self.name, numbers, self.mean, self.scale, rows)

    def decode(self, outputs: ArrayLike) -> NDArray[np.float64]:
        """Numbers (n,) in the target's own unit from outputs (n,) or (n, 1)."""
        outputs = np.asarray(outputs, np.float64)
        if outputs.ndim != 1 and outputs.shape[1:] != (1,):
            problem = f"outputs have the shape (n, 1) or (n,); got {outputs.shape}"
            raise DataError(f"target {self.name!r}: {problem}")
        return outputs.reshape(-1) * self.scale + self.mean

    def to_json(self) -> dict[str, Any]:
        """As an object of strict JSON."""
        return {"kind": "number", **asdict(self)}


Target: TypeAlias = ClassTarget | NumberTarget


def fit_target(values: Any, *, name: str, task: Task = "auto") -> Target:
    """Learn from a column (n,), or a sequence that `as_column` takes, how to encode a target.

    "auto": words are classes; numbers are classes if all are whole, at most 20 different ones
    occur and each occurs twice on average; other numbers are regressed.

    Raises DataError for a missing value, an infinite number, fewer than two classes or more than
    1000, more than 10 different words that do not occur twice on average, words or a constant to be
    regressed; UnknownNameError for a task that is not one.

    >>> fit_target([0, 1, 1, 0], name="ill").classes
    (0, 1)
    >>> fit_target([4.1, 5.9], name="h")
    NumberTarget(name='h', mean=5.0, scale=0.9000000000000004)
    """
    if task not in _TASKS:
        raise unknown_name("task", task, _TASKS)
    column = _complete(name, values)
    if not len(column):
        raise DataError(f"target {name!r} has no rows")
    if task == "regression" or not (is_text(column) or task == "classification"):
        numbers = finite_numbers(name, column)
        if task == "regression" or not _are_classes(numbers):
            if numbers.min() == numbers.max():
                raise DataError(f"target {name!r} is {numbers[0]} in every row: nothing to learn")
            return NumberTarget(name, *mean_and_scale(name, numbers))
    return ClassTarget(name, _classes(name, column))


def target_from_json(data: Any) -> Target:
    """The target that `to_json` wrote. Raises DataError for anything else.

    >>> target_from_json({"kind": "classes", "name": "ill", "classes": ["no", "yes"]})
    ClassTarget(name='ill', classes=('no', 'yes'))
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    readers = _READERS.get(kind) if isinstance(kind, str) else None
    if readers is None:
        raise DataError(f"a target's kind is one of {', '.join(_READERS)}; got {kind!r}")
    fields = read_fields(data, "target", {"kind": text, **readers})
    del fields["kind"]
    return ClassTarget(**fields) if kind == "classes" else NumberTarget(**fields)


def _complete(name: str, values: Any) -> Column:
    """The values as a column without missing entries."""
    column = as_column(values)
    absent = np.flatnonzero(missing(column))
    if absent.size:
        rows = f"{absent.size} of {len(column)} rows, first in row {absent[0] + 1}"
        raise DataError(f"target {name!r} is missing in {rows}; drop these rows")
    return column


def _are_classes(numbers: NDArray[np.float64]) -> bool:
    n_different = np.unique(numbers).size
    is_few = n_different <= _MOST_AUTO_CLASSES and len(numbers) >= 2 * n_different
    return is_few and _are_whole(numbers)


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    return bool(np.all((numbers == np.rint(numbers)) & (np.abs(numbers) <= _WHOLE)))


def _classes(name: str, column: Column) -> tuple[Any, ...]:
    if is_text(column):
        classes: tuple[Any, ...] = tuple(sorted(set(column)))
    else:
        different = np.unique(finite_numbers(name, column))
        is_whole = _are_whole(different)
        classes = tuple(different.astype(np.int64 if is_whole else np.float64).tolist())
    if len(classes) < 2:
        raise DataError(f"target {name!r} has one class only, {_shown(classes[0])}")
    if is_text(column) and 2 * len(classes) > max(len(column), 2 * _FEW_WORDS):
        raise DataError(_no_classes(name, column, len(classes)))
    if len(classes) > MOST_CATEGORIES:
        problem = f"has {len(classes)} different values; at most {MOST_CATEGORIES} can be classes"
        raise DataError(f"target {name!r} {problem}")
    return classes


def _no_classes(name: str, column: Column, n_classes: int) -> str:
    """What is wrong with words of which most occur once: often one bad cell among numbers."""
    said = f"target {name!r} has {n_classes} different words in {len(column)} rows"
    words = [row for row, word in enumerate(column) if parse_numbers([word]) is None]
    if len(words) < len(column) / 2:
        return (
            f"{said}: {len(column) - len(words)} are numbers, but row {words[0] + 1} holds "
            f"{_shown(column[words[0]])}; mend or empty such entries"
        )
    return f"{said}; classes must occur twice on average"


def _shown(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, str) else str(value)


def _classes_from_json(value: Any) -> tuple[Any, ...]:
    classes = tuple(entries(value))
    for one in classes:
        text(one) if isinstance(classes[0], str) else number(one)
    if len(classes) < 2 or list(classes) != sorted(set(classes)):
        raise ValueError("are words or numbers in ascending order, at least two, none twice")
    return classes


_READERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "classes": {"name": text, "classes": _classes_from_json},
    "number": {"name": text, "mean": number, "scale": positive},
}
