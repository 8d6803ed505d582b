"""What tests of compiled engines share: one step on an engine and on the reference, compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.engines.numpy import NumpyEngine
from retrograd.graph.shape import has_rows, with_rows

DTYPES = [np.float32, np.float64]
ROUNDINGS = {"f4": 2.0**-23, "f8": 2.0**-52}


def tolerance(dtype: Any, length: int = 1, depth: int = 1) -> float:
    """Of the largest entry: for a sum of `length` terms, after `depth` gates one upon the other."""
    kind = np.dtype(dtype)
    return ROUNDINGS[kind.str[1:]] * (8 + length**0.5) * 4 * depth if kind.kind == "f" else 0.0


def require_close(found: Any, expected: Any, *, length: int = 1, depth: int = 1, what: str = ""):
    """Shapes and dtypes equal, NaN and infinities in the same places, the rest close."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), what
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, what)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite], what)
    if finite.any():
        largest = max(1.0, float(np.abs(expected[finite]).max()))
        error = np.abs(found[finite].astype(np.float64) - expected[finite]) / largest
        assert error.max() <= tolerance(found.dtype, length, depth), (what, error.max())


def values_of(nodes: Any, rng: np.random.Generator, n_rows: int = 0) -> dict[str, Any]:
    """An array for each variable by name: floats in (-1, 1), small integers, bools."""
    return {name: _value(node, rng, n_rows) for name, node in nodes.items()}


def _value(node: Any, rng: np.random.Generator, n_rows: int) -> Any:
    shape = with_rows(node.shape, n_rows)
    if node.dtype.kind == "f":
        return rng.uniform(-1, 1, shape).astype(node.dtype)
    return rng.integers(0, 2 if node.dtype.kind == "b" else 3, shape).astype(node.dtype)


def require_same_runs(
    engine: Any,
    step: Any,
    *,
    n_rows: int = 20,
    order: Any = None,
    batch_size: int | None = None,
    length: int = 64,
    depth: int = 4,
    seed: int = 0,
    data: Any = None,
    state: Any = None,
    scalars: Any = None,
) -> dict[str, Any]:
    """Run a step on an engine and on the reference: outputs and state must agree."""
    rng = np.random.default_rng(seed)
    state = values_of(step.state, rng) if state is None else state
    data = values_of(step.inputs, rng, n_rows) if data is None else data
    order = rng.permutation(n_rows) if order is None else order
    scalars = values_of(step.scalars, rng) if scalars is None else scalars
    results, sessions = [], []
    for each in (engine, NumpyEngine()):
        session = each.open({"step": step}, state, data)
        results.append(session.run("step", order, scalars, batch_size=batch_size))
        sessions.append(session)
    for name, node in step.outputs.items():
        what = f"output {name}, {'rows of ' * has_rows(node.shape)}{node!r}"
        require_close(*(one[name] for one in results), length=length, depth=depth, what=what)
    for name in step.updates:
        found, expected = (session.read(name) for session in sessions)
        require_close(found, expected, length=length, depth=depth, what=f"next value of {name}")
    return results[0]
