"""The errors that retrograd raises, as one tree: catch the root to catch them all.

::

    RetrogradError                    anything below
    ├── GraphError (ValueError)       a graph that cannot be built or run: an unbound variable,
    │   │                             a gate out of place
    │   ├── ShapeError                operands whose sizes do not fit a gate
    │   └── DtypeError (TypeError)    operands of a kind that a gate does not take
    ├── DataError (ValueError)        a user's arrays: NaN, no rows, lengths that differ,
    │                                 labels out of range
    ├── OptionError (ValueError)      an argument out of its range, or of the wrong kind
    │   └── UnknownNameError          a name that is not known; the message lists the known ones
    ├── DivergenceError (ArithmeticError)
    │   │                             training left the finite numbers; says at which epoch and step
    │   └── FitDivergenceError (ValueError)
    │                                 the same in an estimator's fit: scikit-learn's is a ValueError
    ├── FileError (OSError)           a file that cannot be read or written
    │   ├── TableError                a table (CSV, Parquet) that is not one
    │   └── ModelFileError            a model file that is damaged, cut, or of another format
    └── MissingDependencyError (ImportError)
                                      an extra that is not installed; the message says
                                      how to install it

A message names what was wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any


class RetrogradError(Exception):
    """The root of every error that retrograd raises on purpose."""


class GraphError(RetrogradError, ValueError):
    """A graph that cannot be built or run."""


class ShapeError(GraphError):
    """Operands whose sizes do not fit a gate."""


class DtypeError(GraphError, TypeError):
    """Operands of a kind that a gate does not take."""


class DataError(RetrogradError, ValueError):
    """A user's arrays cannot be used as they are."""


class OptionError(RetrogradError, ValueError):
    """An argument is out of its range or of the wrong kind."""


class UnknownNameError(OptionError):
    """A name that is not known. The message lists the known names."""


class DivergenceError(RetrogradError, ArithmeticError):
    """Training left the finite numbers.

    `epoch` and `step` count from 1: the first step of the first epoch is (1, 1). `origin`: where
    the first NaN or infinity came from, layer, gate and operand; None where it was not found.
    """

    def __init__(self, message: str, *, epoch: int, step: int, origin: Any = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.origin = origin

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled as its positional arguments; these go by keyword.
        return partial(type(self), epoch=self.epoch, step=self.step, origin=self.origin), self.args


class FitDivergenceError(DivergenceError, ValueError):
    """Training of an estimator left the finite numbers: a ValueError, as in scikit-learn."""


class FileError(RetrogradError, OSError):
    """A file that cannot be read or written."""


class TableError(FileError):
    """A table (CSV, Parquet) that cannot be understood."""


class ModelFileError(FileError):
    """A model file that is damaged, cut, or not one of ours."""


class MissingDependencyError(RetrogradError, ImportError):
    """An optional dependency is not installed."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """The error for an unknown name: it lists the known ones and the nearest.

    >>> str(unknown_name("activation", "rellu", ["relu", "tanh"]))
    "unknown activation 'rellu' (did you mean 'relu'?); known: relu, tanh"
    """
    from difflib import get_close_matches  # only an error needs it

    names = sorted(known)
    near = get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UnknownNameError(f"unknown {kind} {name!r}{hint}; known: {', '.join(names)}")
