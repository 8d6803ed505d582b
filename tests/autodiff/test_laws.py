"""Laws of differentiation, on random graphs of smooth gates."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

import retrograd as rg
from retrograd.graph.order import rebuild

few = settings(max_examples=40, deadline=None, derandomize=True)
SIZE = 3

ONE = [
    rg.tanh,
    rg.sigmoid,
    rg.softplus,
    rg.square,
    lambda a: rg.exp(rg.tanh(a)),
    lambda a: rg.log1p(rg.square(a)),
    lambda a: rg.sqrt(1.0 + rg.square(a)),
    rg.softmax,
    rg.log_softmax,
    lambda a: a - rg.mean(a),
    lambda a: a[::-1],
    lambda a: rg.take(a, [2, 2, 0]),
    lambda a: rg.reshape(rg.transpose(rg.reshape(a, (1, SIZE))), -1),
    lambda a: rg.concatenate([a[1:], a[:1]]),
    lambda a: rg.broadcast_to(rg.logsumexp(a), (SIZE,)),
]
TWO = [
    rg.add,
    rg.subtract,
    rg.multiply,
    lambda a, b: a / (2.0 + rg.square(b)),
    lambda a, b: (1.0 + rg.square(a)) ** rg.tanh(b),
    lambda a, b: rg.reshape(a, (SIZE, 1)) @ rg.reshape(b, (1, SIZE)) @ a,
    lambda a, b: rg.where(np.array([True, False, True]), a, b),
]


@st.composite
def graphs(draw):
    """A vector function of two vectors, made of gates picked at random, and the generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = [rg.variable(name, rng.uniform(-1, 1, SIZE)) for name in "ab"]
    nodes = list(inputs)
    for _ in range(draw(st.integers(2, 8))):
        pick = st.sampled_from(nodes[-3:])
        if draw(st.booleans()):
            nodes.append(draw(st.sampled_from(ONE))(draw(pick)))
        else:
            nodes.append(draw(st.sampled_from(TWO))(draw(pick), draw(pick)))
    return inputs, nodes[-1], rng


def close(found, expected, at_least=1e-3):
    """Up to 1e-12 of the largest entry; sums that cancel are measured against `at_least`."""
    scale = max(float(np.max(np.abs(expected))), at_least)
    return float(np.max(np.abs(np.subtract(found, expected)))) <= 1e-12 * scale


def jacobian_times(y, inputs, directions):
    """J u, from the imaginary part of y(x + i h u)."""
    h = 1e-30
    moved = {x: rg.constant(x.value + 1j * h * u) for x, u in zip(inputs, directions, strict=True)}
    return np.imag(rg.evaluate(rebuild([y], moved)[0])) / h


@few
@given(graphs())
def test_the_sweep_is_the_transpose_of_the_derivative(case):
    """<v, J u> = <J^T v, u> for any u and v."""
    inputs, y, rng = case
    v, u = rng.uniform(-1, 1, SIZE), [rng.uniform(-1, 1, SIZE) for _ in inputs]
    pulled = rg.evaluate(rg.gradient(y, inputs, seed=v))
    forward = v @ jacobian_times(y, inputs, u)
    assert close(sum(p @ d for p, d in zip(pulled, u, strict=True)), forward)


@few
@given(graphs(), st.floats(-3, 3))
def test_the_gradient_is_linear_in_its_seed(case, factor):
    inputs, y, rng = case
    v, u = rng.uniform(-1, 1, SIZE), rng.uniform(-1, 1, SIZE)
    together = rg.evaluate(rg.gradient(y, inputs, seed=v + factor * u))
    of_v = rg.evaluate(rg.gradient(y, inputs, seed=v))
    of_u = rg.evaluate(rg.gradient(y, inputs, seed=u))
    for a, b, c in zip(together, of_v, of_u, strict=True):
        assert close(a, b + factor * c, at_least=float(np.max(np.abs(b))))


@few
@given(graphs())
def test_the_gradient_is_linear_in_the_output(case):
    inputs, y, _ = case
    total = rg.sum(2.0 * y + rg.square(y))
    expected = rg.evaluate(rg.gradient(y, inputs, seed=2.0 + 2.0 * rg.evaluate(y)))
    for a, b in zip(rg.evaluate(rg.gradient(total, inputs)), expected, strict=True):
        assert close(a, b)


@settings(few, max_examples=20)
@given(graphs())
def test_the_second_derivative_is_symmetric(case):
    inputs, y, _ = case
    total = rg.sum(y)
    hessian = np.block(
        [
            [
                np.stack([rg.evaluate(rg.gradient(d[i], other)) for i in range(SIZE)])
                for other in inputs
            ]
            for d in rg.gradient(total, inputs)
        ]
    )
    assert close(hessian, hessian.T)


@settings(few, max_examples=20)
@given(graphs())
def test_a_second_derivative_is_the_derivative_of_the_first(case):
    inputs, y, rng = case
    total = rg.sum(y)
    u = [rng.uniform(-1, 1, SIZE) for _ in inputs]
    first = rg.gradient(total, inputs)
    # H u as the gradient of <dJ, u>, against the imaginary part of dJ(x + i h u).
    along = rg.sum(sum(d * step for d, step in zip(first, u, strict=True)))
    for i, found in enumerate(rg.evaluate(rg.gradient(along, inputs))):
        assert close(found, jacobian_times(first[i], inputs, u))


@few
@given(graphs())
def test_the_gradient_of_a_part_goes_on_to_the_gradient_of_the_whole(case):
    """dJ/dx by way of a value in between: the chain rule."""
    inputs, y, rng = case
    middle = rg.tanh(y)
    total = rg.sum(middle * rng.uniform(-1, 1, SIZE))
    seed = rg.evaluate(rg.gradient(total, middle))
    by_parts = rg.evaluate(rg.gradient(middle, inputs, seed=seed))
    for a, b in zip(rg.evaluate(rg.gradient(total, inputs)), by_parts, strict=True):
        assert close(a, b)
