"""Every gate of the table: its value, its gradient and its second derivative, by independent means.

Values are held against NumPy's own function, or the formula in extended precision. Derivatives of
analytic gates are held against the complex step, f'(x) = Im f(x + ih) / h, which has no truncation
error [Squire & Trapp 1998]; the others are piecewise linear, where central differences are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings

import retrograd as rg
from retrograd.gates.layout import SLICE, UNSLICE
from retrograd.gates.reduce import FIRST_MAX
from retrograd.graph.node import GATES, Node, apply
from retrograd.graph.order import rebuild
from tests.philox import philox_of_integers

Array = np.ndarray[Any, np.dtype[Any]]
Draw = Any

VALUE = {np.dtype("float64"): 2e-15, np.dtype("float32"): 2e-6}  # of the largest entry
GRADIENT = {np.dtype("float64"): 1e-12, np.dtype("float32"): 1e-5}

few = settings(max_examples=20, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Case:
    """A gate applied: `operands` to perturb, `build` from nodes, `oracle` from arrays."""

    operands: list[Array]
    build: Callable[..., Node]
    oracle: Callable[..., Any]


# Layouts: the same numbers, differently in memory.


def c_order(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(x.shape)


def backwards(x: Array) -> Array:
    turned = tuple(slice(None, None, -1) for _ in x.shape)
    return c_order(x[turned])[turned]


def strided(x: Array) -> Array:
    wide = np.repeat(x, 2, axis=-1) if x.ndim else x
    return wide[..., ::2] if x.ndim else x


LAYOUTS = [c_order, np.asfortranarray, backwards, strided]


def arranged(draw: Draw, x: Array) -> Array:
    return draw(st.sampled_from(LAYOUTS))(x) if x.ndim else x


def numbers(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


# What operands a gate is tried on.


def elementwise(
    build: Callable[..., Node], oracle: Callable[..., Any], *ranges: tuple[float, float]
) -> Callable[[Draw], Case]:
    def draw_case(draw: Draw) -> Case:
        shapes = draw(
            hnp.mutually_broadcastable_shapes(
                num_shapes=len(ranges), max_dims=3, min_side=0, max_side=3
            )
        ).input_shapes
        rng = numbers(draw)
        operands = [
            arranged(draw, rng.uniform(low, high, shape))
            for shape, (low, high) in zip(shapes, ranges, strict=True)
        ]
        return Case(operands, build, oracle)

    return draw_case


def grid(
    build: Callable[..., Node], oracle: Callable[..., Any], *offsets: float
) -> Callable[[Draw], Case]:
    """Operands on grids offset against each other, so that none is near a kink or a tie."""

    def draw_case(draw: Draw) -> Case:
        shapes = draw(
            hnp.mutually_broadcastable_shapes(
                num_shapes=len(offsets), max_dims=3, min_side=0, max_side=3
            )
        ).input_shapes
        rng = numbers(draw)
        operands = [
            arranged(draw, np.asarray(rng.integers(-4, 4, shape) + offset))
            for shape, offset in zip(shapes, offsets, strict=True)
        ]
        return Case(operands, build, oracle)

    return draw_case


def some_array(draw: Draw, *, min_dims: int = 1, min_side: int = 0) -> Array:
    shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=3))
    return arranged(draw, numbers(draw).uniform(-2, 2, shape))


def some_axes(draw: Draw, ndim: int) -> Any:
    signed = st.integers(-ndim, ndim - 1)
    several = st.lists(signed, min_size=1, unique_by=lambda axis: axis % ndim).map(tuple)
    return draw(st.one_of(signed, several))


def reduction(
    build: Callable[..., Node],
    oracle: Callable[..., Any],
    *,
    takes_keepdims: bool = True,
    min_side: int = 1,
    distinct: bool = False,
) -> Callable[[Draw], Case]:
    def draw_case(draw: Draw) -> Case:
        x = some_array(draw, min_side=min_side)
        if distinct:
            x = numbers(draw).permutation(x.size).reshape(x.shape) - 3.5
        axis = draw(st.none()) if draw(st.booleans()) else some_axes(draw, x.ndim)
        if axis is None and not takes_keepdims:
            axis = -1
        options = {"keepdims": draw(st.booleans())} if takes_keepdims else {}
        return Case(
            [x],
            lambda node: build(node, axis, **options),
            lambda value: oracle(value, axis, **options),
        )

    return draw_case


def _long(x: Array) -> Any:
    return x.astype(np.longdouble)


def _logsumexp(x: Array, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(_long(x)), axis=axis, keepdims=keepdims))


def _softmax(x: Array, axis: Any) -> Any:
    e = np.exp(_long(x))
    return e / np.sum(e, axis=axis, keepdims=True)


def draw_matmul(draw: Draw) -> Case:
    kind = draw(st.sampled_from(["matrices", "stacks", "left vector", "right vector", "vectors"]))
    b, i, o = (draw(st.integers(0, 3)) for _ in range(3))
    shapes = {
        "matrices": ((b, i), (i, o)),
        "stacks": ((2, 1, b, i), (3, i, o)),
        "left vector": ((i,), (2, i, o)),
        "right vector": ((b, i), (i,)),
        "vectors": ((i,), (i,)),
    }[kind]
    rng = numbers(draw)
    return Case([arranged(draw, rng.uniform(-1, 1, s)) for s in shapes], rg.matmul, np.matmul)


def draw_reshape(draw: Draw) -> Case:
    x = some_array(draw)
    shape = draw(st.sampled_from([x.shape[::-1], (x.size,), (1, x.size, 1), (*x.shape, 1)]))
    return Case([x], lambda node: rg.reshape(node, shape), lambda value: value.reshape(shape))


def draw_transpose(draw: Draw) -> Case:
    x = some_array(draw, min_dims=2)
    axes = draw(st.permutations(range(x.ndim)))
    signed = [axis - x.ndim if draw(st.booleans()) else axis for axis in axes]
    return Case([x], lambda node: rg.transpose(node, signed), lambda value: value.transpose(axes))


def draw_broadcast_to(draw: Draw) -> Case:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    x = arranged(draw, numbers(draw).uniform(-1, 1, shapes.input_shapes[0]))
    shape = shapes.result_shape
    return Case(
        [x], lambda node: rg.broadcast_to(node, shape), lambda value: np.broadcast_to(value, shape)
    )


SLICES = st.sampled_from([(0, 2, 1), (2, 0, -1), (2, -1, -2), (1, 1, 1), (0, 3, 2)])


def _sliced(start: int, stop: int, step: int) -> slice:
    return slice(start, None if stop < 0 else stop, step)


def draw_slice(draw: Draw) -> Case:
    x = arranged(draw, numbers(draw).uniform(-1, 1, (2, 3)))
    start, stop, step = draw(SLICES)
    at = _sliced(start, stop, step)
    return Case(
        [x],
        lambda node: apply(SLICE, node, axis=1, start=start, stop=stop, step=step),
        lambda value: value[:, at],
    )


def draw_unslice(draw: Draw) -> Case:
    start, stop, step = draw(SLICES)
    at = _sliced(start, stop, step)
    x = arranged(draw, numbers(draw).uniform(-1, 1, (2, len(range(start, stop, step)))))

    def oracle(value: Array) -> Array:
        result = np.zeros((2, 3))
        result[:, at] = value
        return result

    return Case(
        [x],
        lambda node: apply(UNSLICE, node, axis=1, start=start, stop=stop, step=step, size=3),
        oracle,
    )


def draw_concatenate(draw: Draw) -> Case:
    axis = draw(st.sampled_from([0, 1, -1, -2]))
    rng = numbers(draw)
    operands = []
    for _ in range(draw(st.integers(1, 3))):
        shape = [2, 2]
        shape[axis] = draw(st.integers(0, 3))
        operands.append(arranged(draw, rng.uniform(-1, 1, shape)))
    return Case(
        operands,
        lambda *nodes: rg.concatenate(nodes, axis),
        lambda *values: np.concatenate(values, axis),
    )


def draw_take(draw: Draw) -> Case:
    x = some_array(draw, min_side=1)
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    size = x.shape[axis]
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4))
    indices = numbers(draw).integers(-size, size, shape)
    return Case(
        [x],
        lambda node: rg.take(node, indices, axis),
        lambda value: np.take(value, indices, axis),
    )


def draw_scatter_add(draw: Draw) -> Case:
    axis = draw(st.sampled_from([0, 1, -1, -2]))
    indices = numbers(draw).integers(-4, 4, (3, 2))
    shape = (3, 2, 2) if axis % 2 == 0 else (2, 3, 2)
    x = arranged(draw, numbers(draw).uniform(-1, 1, shape))

    def oracle(value: Array) -> Array:
        result = np.zeros((4, 2) if axis % 2 == 0 else (2, 4))
        for at in np.ndindex(3, 2):
            if axis % 2 == 0:
                result[indices[at]] += value[at]
            else:
                result[:, indices[at]] += value[:, at[0], at[1]]
        return result

    return Case([x], lambda node: rg.scatter_add(node, indices, 4, axis), oracle)


def draw_where(draw: Draw) -> Case:
    shapes = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3)
    ).input_shapes
    rng = numbers(draw)
    condition = rng.integers(0, 2, shapes[0]).astype(bool)
    operands = [arranged(draw, rng.uniform(-1, 1, shape)) for shape in shapes[1:]]
    return Case(
        operands,
        lambda a, b: rg.where(condition, a, b),
        lambda a, b: np.where(condition, a, b),
    )


def draw_cast(draw: Draw) -> Case:
    x = some_array(draw)
    return Case([x], lambda node: rg.cast(node, "complex128"), lambda v: v.astype(complex))


def draw_row_count(draw: Draw) -> Case:
    return Case([], rg.row_count, lambda: 1.0)


def draw_one_hot(draw: Draw) -> Case:
    indices = numbers(draw).integers(0, 3, draw(hnp.array_shapes(min_dims=0, min_side=0)))
    return Case([], lambda: rg.one_hot(indices, 3), lambda: np.eye(3)[indices])


def draw_first_max(draw: Draw) -> Case:
    x = numbers(draw).integers(0, 3, (2, 3)).astype(float)

    def oracle(value: Array) -> Array:
        return np.arange(3) == np.argmax(value, axis=1)[:, None]

    return Case([arranged(draw, x)], lambda node: apply(FIRST_MAX, node, axes=(1,)), oracle)


def draw_uniform(draw: Draw) -> Case:
    """Every draw anew by Python's integers, one number at a time."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    rng = numbers(draw)
    seed, offset, stream = (int(rng.integers(0, 2**k)) for k in (63, 62, 32))

    def oracle() -> Array:
        words = [
            philox_of_integers(
                (offset % 2**32, offset >> 32, i, stream), (seed % 2**32, seed >> 32)
            )
            for i in range(math.prod(shape))
        ]
        fractions = [((a >> 5) * 2**26 + (b >> 6)) * 2.0**-53 for a, b, _, _ in words]
        return np.array(fractions, float).reshape(shape)

    return Case([], lambda: rg.uniform(shape, seed=seed, offset=offset, stream=stream), oracle)


def draw_cumsum(draw: Draw) -> Case:
    x = some_array(draw)
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    if draw(st.booleans()):
        return Case(
            [x],
            lambda node: rg.cumsum(node, axis, reverse=True),
            lambda value: np.flip(np.cumsum(np.flip(value, axis), axis), axis),
        )
    return Case([x], lambda node: rg.cumsum(node, axis), lambda value: np.cumsum(value, axis))


def _centered(x: Array, axis: Any) -> Any:
    return _long(x) - np.mean(_long(x), axis=axis, keepdims=True)


EPSILON = 0.1  # two entries have a gradient of that order, beside which others cancel


def _standardize(x: Node, axis: Any) -> Node:
    return rg.standardize(x, axis, epsilon=EPSILON)


def _standardized(x: Array, axis: Any) -> Any:
    return _centered(x, axis) / np.sqrt(np.var(_long(x), axis=axis, keepdims=True) + EPSILON)


ANY, POSITIVE = (-3.0, 3.0), (0.2, 3.0)

SMOOTH: dict[str, Callable[[Draw], Case]] = {
    "add": elementwise(rg.add, np.add, ANY, ANY),
    "subtract": elementwise(rg.subtract, np.subtract, ANY, ANY),
    "multiply": elementwise(rg.multiply, np.multiply, ANY, ANY),
    "divide": elementwise(rg.divide, np.divide, ANY, POSITIVE),
    "negative": elementwise(rg.negative, np.negative, ANY),
    "square": elementwise(rg.square, np.square, ANY),
    "sqrt": elementwise(rg.sqrt, np.sqrt, POSITIVE),
    "power": elementwise(rg.power, np.power, POSITIVE, ANY),
    "exp": elementwise(rg.exp, np.exp, ANY),
    "erfc": elementwise(rg.erfc, scipy.special.erfc, ANY),
    "log": elementwise(rg.log, np.log, POSITIVE),
    "log1p": elementwise(rg.log1p, np.log1p, (-0.8, 3.0)),
    "expm1": elementwise(rg.expm1, np.expm1, ANY),
    "tanh": elementwise(rg.tanh, np.tanh, ANY),
    "sigmoid": elementwise(rg.sigmoid, lambda x: 1 / (1 + np.exp(-_long(x))), ANY),
    "softplus": elementwise(rg.softplus, lambda x: np.log1p(np.exp(_long(x))), ANY),
    "where": draw_where,
    "reshape": draw_reshape,
    "transpose": draw_transpose,
    "broadcast_to": draw_broadcast_to,
    "slice": draw_slice,
    "unslice": draw_unslice,
    "concatenate": draw_concatenate,
    "matmul": draw_matmul,
    "sum": reduction(rg.sum, np.sum, min_side=0),
    "logsumexp": reduction(rg.logsumexp, _logsumexp),
    "softmax": reduction(rg.softmax, _softmax, takes_keepdims=False),
    "log_softmax": reduction(
        rg.log_softmax, lambda x, axis: np.log(_softmax(x, axis)), takes_keepdims=False
    ),
    "take": draw_take,
    "scatter_add": draw_scatter_add,
    "sin": elementwise(rg.sin, np.sin, ANY),
    "cos": elementwise(rg.cos, np.cos, ANY),
    "erf": elementwise(rg.erf, scipy.special.erf, ANY),
    "cumsum": draw_cumsum,
    "center": reduction(rg.center, _centered, takes_keepdims=False),
}
LINEAR_IN_PIECES: dict[str, Callable[[Draw], Case]] = {
    "abs": grid(rg.abs, np.abs, 0.5),
    "relu": grid(rg.relu, lambda x: np.maximum(x, 0), 0.5),
    "maximum": grid(rg.maximum, np.maximum, 0.0, 0.5),
    "minimum": grid(rg.minimum, np.minimum, 0.0, 0.5),
    "max": reduction(rg.max, np.max, distinct=True),
}


def _to_bfloat16(x: Array) -> Array:
    part, exponent = np.frexp(x.astype(np.float32))
    return np.ldexp(np.rint(part * 256) / 256, exponent)  # part is in [1/2, 1): 8 binary digits


CONSTANT_IN_PIECES: dict[str, Callable[[Draw], Case]] = {
    "round_bfloat16": grid(rg.round_bfloat16, _to_bfloat16, 0.1),
    "sign": grid(rg.sign, np.sign, 0.0),
    "floor": grid(rg.floor, np.floor, 0.5),
    "uniform": draw_uniform,
    "equal": grid(rg.equal, np.equal, 0.0, 0.0),
    "not_equal": grid(rg.not_equal, np.not_equal, 0.0, 0.0),
    "less": grid(rg.less, np.less, 0.0, 0.0),
    "less_equal": grid(rg.less_equal, np.less_equal, 0.0, 0.0),
    "greater": grid(rg.greater, np.greater, 0.0, 0.0),
    "greater_equal": grid(rg.greater_equal, np.greater_equal, 0.0, 0.0),
    "first_max": draw_first_max,
    "one_hot": draw_one_hot,
    "row_count": draw_row_count,
    "cast": draw_cast,  # its gradient: test_cast_passes_the_gradient_back_in_the_operands_dtype
}
SMOOTH_COMPOSED: dict[str, Callable[[Draw], Case]] = {
    "variance": reduction(rg.variance, np.var),
    "standardize": reduction(_standardize, _standardized, takes_keepdims=False),
}
COMPOSED: dict[str, Callable[[Draw], Case]] = {
    **SMOOTH_COMPOSED,
    "mean": reduction(rg.mean, np.mean),
    "min": reduction(rg.min, np.min, distinct=True),
    "clip": grid(lambda x: rg.clip(x, -1.0, 2.0), lambda x: np.clip(x, -1.0, 2.0), 0.5),
}
EVERY = {**SMOOTH, **LINEAR_IN_PIECES, **CONSTANT_IN_PIECES, **COMPOSED}


def difference(found: Any, expected: Any) -> float:
    """The largest difference, as a part of the largest expected entry (of 1 where that is 0)."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    if not expected.size:
        return 0.0
    largest = float(np.max(np.abs(expected.astype(found.dtype))))
    return float(np.max(np.abs(found - expected.astype(found.dtype)))) / (largest or 1.0)


def variables(operands: list[Array]) -> list[Node]:
    return [rg.variable(f"x{i}", shape=x.shape, dtype=x.dtype) for i, x in enumerate(operands)]


def complex_step(outputs: list[Node], inputs: list[Node], operands: list[Array]) -> list[Array]:
    """For each input the derivative of the sum of each output's entries, entry by entry."""
    h = 1e-30
    moved = [rg.variable(str(x.name), shape=x.shape, dtype=complex) for x in inputs]
    function = rg.compile(
        [rg.sum(y) for y in rebuild(outputs, dict(zip(inputs, moved, strict=True)))], moved
    )
    results = []
    for i, x in enumerate(operands):
        slope = np.empty((len(outputs), *x.shape))
        for at in np.ndindex(x.shape):
            shifted = [value.astype(complex) for value in operands]
            shifted[i][at] += 1j * h
            slope[(slice(None), *at)] = [np.imag(y) / h for y in function(*shifted)]
        results.append(slope)
    return results


def weighted(draw: Draw, y: Node) -> Node:
    shape = tuple(int(str(size)) for size in y.shape)
    return y * rg.constant(numbers(draw).uniform(0.5, 2, shape))


def test_every_gate_of_the_table_has_a_case() -> None:
    assert set(GATES) - {"variable", "constant"} == set(EVERY) - set(COMPOSED)


@pytest.mark.parametrize("name", EVERY)
@few
@given(data=st.data())
def test_the_value_is_numpys(name: str, data: Draw) -> None:
    case = EVERY[name](data.draw)
    inputs = variables(case.operands)
    y = case.build(*inputs)
    found = rg.evaluate(y, dict(zip(inputs, case.operands, strict=True)))
    expected = np.asarray(case.oracle(*case.operands))
    assert np.shape(found) == expected.shape == y.shape
    assert np.asarray(found).dtype == y.dtype
    tolerance = VALUE[np.dtype("float64")] * (4 if name in {"power", "log_softmax"} else 1)
    if expected.dtype.kind == "b":
        assert np.array_equal(found, expected)
    else:
        assert difference(found, expected) <= tolerance


@pytest.mark.parametrize("name", [*SMOOTH, *SMOOTH_COMPOSED])
@few
@given(data=st.data())
def test_the_gradient_is_that_of_the_complex_step(name: str, data: Draw) -> None:
    case = EVERY[name](data.draw)
    inputs = variables(case.operands)
    y = weighted(data.draw, case.build(*inputs))
    found = rg.evaluate(
        rg.gradient(rg.sum(y), inputs), dict(zip(inputs, case.operands, strict=True))
    )
    for dx, slope in zip(found, complex_step([y], inputs, case.operands), strict=True):
        assert difference(dx, slope[0]) <= GRADIENT[np.dtype("float64")]


@pytest.mark.parametrize("name", [*SMOOTH, *SMOOTH_COMPOSED])
@settings(few, max_examples=6)
@given(data=st.data())
def test_the_second_derivative_is_that_of_the_complex_step(name: str, data: Draw) -> None:
    case = EVERY[name](data.draw)
    inputs = variables(case.operands)
    values = dict(zip(inputs, case.operands, strict=True))
    y = case.build(*inputs)
    first = [weighted(data.draw, dx) for dx in rg.gradient(rg.sum(weighted(data.draw, y)), inputs)]
    slopes = complex_step(first, inputs, case.operands)
    for k, dx in enumerate(first):
        found = rg.evaluate(rg.gradient(rg.sum(dx), inputs), values)
        for second, slope in zip(found, slopes, strict=True):
            assert difference(second, slope[k]) <= GRADIENT[np.dtype("float64")]


@pytest.mark.parametrize("name", [*LINEAR_IN_PIECES, "min", "clip"])
@few
@given(data=st.data())
def test_the_gradient_away_from_kinks_is_the_central_difference(name: str, data: Draw) -> None:
    case = EVERY[name](data.draw)
    inputs = variables(case.operands)
    y = rg.sum(weighted(data.draw, case.build(*inputs)))
    function = rg.compile([y], inputs)
    found = rg.compile(rg.gradient(y, inputs), inputs)(*case.operands)
    h = 2.0**-4
    for i, x in enumerate(case.operands):
        slope = np.empty(x.shape)
        for at in np.ndindex(x.shape):
            up, down = ([v.copy() for v in case.operands] for _ in range(2))
            up[i][at] += h
            down[i][at] -= h
            slope[at] = (function(*up)[0] - function(*down)[0]) / (2 * h)
        assert difference(found[i], slope) <= GRADIENT[np.dtype("float64")]


@pytest.mark.parametrize("name", [n for n, case in CONSTANT_IN_PIECES.items() if n != "cast"])
@settings(few, max_examples=3)
@given(data=st.data())
def test_a_gate_that_is_constant_in_pieces_passes_no_gradient(name: str, data: Draw) -> None:
    assert GATES[name].vjp is None
    case = CONSTANT_IN_PIECES[name](data.draw)
    inputs = variables(case.operands)
    y = rg.sum(case.build(*inputs))
    for dx, x in zip(
        rg.evaluate(rg.gradient(y, inputs), dict(zip(inputs, case.operands, strict=True))),
        case.operands,
        strict=True,
    ):
        assert np.array_equal(dx, np.zeros(x.shape))


@pytest.mark.parametrize("name", [*SMOOTH, *LINEAR_IN_PIECES, *COMPOSED])
@settings(few, max_examples=6)
@given(data=st.data())
def test_float32_operands_give_float32_values_and_gradients(name: str, data: Draw) -> None:
    case = EVERY[name](data.draw)
    single = [x.astype(np.float32) for x in case.operands]
    double = [x.astype(np.float64) for x in single]
    results = []
    for operands in (single, double):
        inputs = variables(operands)
        y = case.build(*inputs)
        nodes = [y, *rg.gradient(rg.sum(rg.square(y)), inputs)]
        assert all(node.dtype == operands[0].dtype for node in nodes)
        results.append(rg.evaluate(nodes, dict(zip(inputs, operands, strict=True))))
    for found, expected in zip(*results, strict=True):
        if isinstance(found, np.ndarray):
            assert found.dtype == np.float32
        assert difference(found, expected) <= GRADIENT[np.dtype("float32")]


def test_cast_passes_the_gradient_back_in_the_operands_dtype() -> None:
    x = rg.variable("x", np.array([1.0, 2.0], np.float32))
    y = rg.sum(rg.square(rg.cast(x, "float64")))
    dx = rg.gradient(y, x)
    assert (y.dtype, dx.dtype) == (np.float64, np.float32)
    assert np.array_equal(rg.evaluate(dx), np.float32([2, 4]))
    through_integers = rg.sum(rg.cast(rg.cast(x, "int64"), "float64"))
    assert np.array_equal(rg.evaluate(rg.gradient(through_integers, x)), np.zeros(2))


@pytest.mark.parametrize("name", [n for n, g in GATES.items() if n not in {"variable", "constant"}])
def test_a_definition_writes_into_the_array_given(name: str) -> None:
    """Where `out` is given, the result is `out`, and equals the result without it."""

    @settings(few, max_examples=4)
    @given(data=st.data())
    def check(data: Draw) -> None:
        case = EVERY[name](data.draw)
        y = case.build(*(rg.constant(x) for x in case.operands))
        while y.gate.name != name and y.inputs:
            y = y.inputs[0]
        gate = y.gate
        if gate.name != name or gate.is_view or not y.shape:
            return
        values = [np.asarray(rg.evaluate(x)) for x in y.inputs]
        plain = gate.numpy(*values, **y.params)
        out = np.full(plain.shape, 7, plain.dtype)
        written = gate.numpy(*values, **y.params, out=out)
        assert written is out
        assert np.array_equal(out, plain)

    check()
