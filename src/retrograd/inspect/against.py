"""An engine's gradients in float32, compared with the reference's in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrograd.arrays import Array, is_finite
from retrograd.autodiff.checked import CheckedEntry, CheckedVariable, GradientCheck
from retrograd.autodiff.gradient import gradient
from retrograd.engines.base import Engine
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError
from retrograd.inspect.passes import Passes, fresh_passes
from retrograd.inspect.subject import Subject
from retrograd.training.origin import find_origin, replayed

NARROW = np.dtype(np.float32)


def compare_engine(
    subject: Subject,
    engine: Engine,
    *,
    tolerance: float | None = None,
    is_still: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> GradientCheck:
    """Every entry of dJ/d(parameter): the engine's in float32 against the reference's in float64.

    Both start from the same float32 numbers. An error is relative to the largest entry of the
    array. It passes up to 32 u sqrt(n), with u the unit of float32 and n the longest sum, of rows
    or inputs [Higham & Mary 2019: rounding errors of n terms grow as sqrt(n)]; and where terms
    cancel, as near a minimum, up to 8 times what the reference engine itself is off in float32.

    Raises DataError for rows or parameters that do not fit float32, and where a number on the way
    does not, naming the gate.
    """
    _require_fitting(subject)
    data = replace(subject.rows, X=subject.X.astype(NARROW))
    parameters = {name: value.astype(NARROW) for name, value in subject.parameters.items()}
    subject = replace(subject, rows=data, parameters=parameters)
    narrow = fresh_passes(subject, dtype=NARROW, is_still=is_still, frozen=frozen)
    wide = fresh_passes(subject, dtype=np.float64, is_still=is_still, frozen=frozen)
    found, usual = _slopes(narrow, subject, engine), _slopes(narrow, subject, NumpyEngine())
    truth = _slopes(wide, subject, NumpyEngine())
    if not all(map(is_finite, usual.values())) and all(map(is_finite, truth.values())):
        raise _overflow(narrow, subject)
    n = max(len(subject.rows), *(w.shape[0] for w in subject.parameters.values()))
    limit = 32.0 * float(np.finfo(NARROW).eps) / 2.0 * float(np.sqrt(n))
    if tolerance is not None:
        limit = tolerance
    variables = tuple(
        _compared(name, value, truth[name], 8.0 * _distance(usual[name], truth[name]) / limit)
        for name, value in found.items()
    )
    return GradientCheck("float64", limit, 1, variables)


def _require_fitting(subject: Subject) -> None:
    targets = {
        f"Y{head and f'[{head!r}]'}": y.array for head, y in subject.rows.target.parts.items()
    }
    for name, array in {"X": subject.X, **targets, **subject.parameters}.items():
        largest = float(np.abs(array).max(initial=0.0)) if array.dtype.kind == "f" else 0.0
        if largest > float(np.finfo(NARROW).max):
            raise DataError(f"{name} does not fit float32: its largest number is {largest:.3g}")


def _overflow(made: Passes, subject: Subject) -> DataError:
    """The error for a pass whose numbers float64 holds and float32 does not."""
    values, n = made.values(subject), len(subject.rows)
    layers = subject.network.architecture.layers
    with np.errstate(over="ignore"):
        given = {node: np.asarray(value, node.dtype) for node, value in values.items()}
    numbers = np.arange(n) if subject.numbers is None else subject.numbers + 1  # as errors do
    origin = find_origin(replayed(made.objective, layers, {}, given, n), numbers, 1, 1)
    return DataError(
        "check_gradient: the network leaves the finite numbers in float32, in float64 it does "
        f"not{'' if origin is None else f'; {origin}'}"
    )


def _distance(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max(initial=0.0))


def _slopes(made: Passes, subject: Subject, engine: Engine) -> dict[str, Array]:
    """dJ/d(parameter) by name."""
    values, trained = made.values(subject), made.objective.trained
    slopes = gradient(made.objective.J, [*trained.values()])
    call = engine.function(slopes, [*values])
    arrays = [np.asarray(value, node.dtype) for node, value in values.items()]
    return dict(zip(trained, call(arrays), strict=True))


def _compared(name: str, found: Array, truth: Array, scale: float) -> CheckedVariable:
    largest = float(np.abs(truth).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        errors = np.abs(found - truth) / (max(largest, scale) or 1.0)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(errors)), errors.shape))
    worst = CheckedEntry(
        name, index, float(found[index]), float(truth[index]), float(errors[index])
    )
    by_entry = dict(enumerate(errors.ravel().tolist()))
    return CheckedVariable(name, truth.shape, truth.size, 0, largest, worst, by_entry)
