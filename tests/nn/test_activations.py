"""Activations: value and gradient against 50 digits, far out in float32, and on both engines."""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
from mpmath import exp, expm1, log1p, mpf, sech, tanh

import retrograd as rg
from retrograd.errors import OptionError
from retrograd.nn import nonlinearities
from retrograd.nn.activations import ACTIVATIONS
from tests.nn.exact import LIMIT, at_50_digits, error, error_nearby

FAR = 1e4
POSITIVE = np.concatenate(
    [np.logspace(-300, -4, 12), np.linspace(1e-3, 45, 150), np.linspace(46, 700, 20), [1e3, FAR]]
)
Z = np.concatenate([-POSITIVE[::-1], POSITIVE])

SELU = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")


def sigmoid(z):
    return 1 / (1 + exp(-z))


def softplus(z):
    return log1p(exp(z))


def normal(z):
    return mpmath.erfc(-z / mpmath.sqrt(2)) / 2


def bell(z):
    return exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)


def twice_u(z):
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (z + mpf("0.044715") * z**3)


def d_twice_u(z):
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpf("0.044715") * z**2)


def d_gelu_tanh(z):
    s, rest = sigmoid(twice_u(z)), sigmoid(-twice_u(z))
    return s + z * s * rest * d_twice_u(z)


def held(z, low, high):
    return min(max(z, low), high)


# The function and its derivative.
EXACT = {
    "celu": (lambda z: z if z > 0 else expm1(z), lambda z: 1 if z > 0 else exp(z)),
    "elu": (lambda z: z if z > 0 else expm1(z), lambda z: 1 if z > 0 else exp(z)),
    "exp": (exp, exp),
    "gelu": (lambda z: z * normal(z), lambda z: normal(z) + z * bell(z)),
    "gelu_tanh": (lambda z: z * sigmoid(twice_u(z)), d_gelu_tanh),
    "hard_sigmoid": (lambda z: held(z + 3, 0, 6) / 6, lambda z: mpf(-3 < z < 3) / 6),
    "hard_swish": (
        lambda z: z * held(z + 3, 0, 6) / 6,
        lambda z: held(z + 3, 0, 6) / 6 + z * mpf(-3 < z < 3) / 6,
    ),
    "hard_tanh": (lambda z: held(z, -1, 1), lambda z: mpf(-1 < z < 1)),
    "identity": (lambda z: z, lambda z: 1),
    "leaky_relu": (
        lambda z: z if z > 0 else z * mpf("0.01"),
        lambda z: 1 if z > 0 else mpf("0.01"),
    ),
    "mish": (
        lambda z: z * tanh(softplus(z)),
        lambda z: tanh(softplus(z)) + z * sech(softplus(z)) ** 2 * sigmoid(z),
    ),
    "relu": (lambda z: max(z, 0), lambda z: mpf(z > 0)),
    "relu6": (lambda z: held(z, 0, 6), lambda z: mpf(0 < z < 6)),
    "selu": (
        lambda z: SELU[0] * (z if z > 0 else SELU[1] * expm1(z)),
        lambda z: SELU[0] * (1 if z > 0 else SELU[1] * exp(z)),
    ),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softplus": (softplus, sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    "tanh": (tanh, lambda z: sech(z) ** 2),
}
# Their gates' gradients are y (1 - y) and 1 - y**2: exact to the digits of 1, not to their own.
SATURATING = {"sigmoid", "tanh"}


def arguments(name):
    return Z[Z <= 700] if name == "exp" else Z


def value_and_gradient(function, z, dtype=np.float64):
    node = rg.variable("z", np.asarray(z, dtype))
    y = function(node)
    return y, rg.gradient(rg.sum(y), node)


def test_every_activation_is_held_against_50_digits():
    assert set(EXACT) == set(ACTIVATIONS) - {"softmax"}


@pytest.mark.parametrize("name", EXACT)
def test_value_and_gradient_are_right_over_the_whole_range(name):
    z = arguments(name)
    value, slope = rg.evaluate([*value_and_gradient(ACTIVATIONS[name], z)])
    exact_value, exact_slope = (at_50_digits(f, z) for f in EXACT[name])
    assert error_nearby(value, exact_value) <= LIMIT
    measure = error if name in SATURATING else error_nearby
    assert measure(slope, exact_slope) <= LIMIT


def test_gelu_at_minus_8_has_its_digits():
    """PyTorch's is 2 % off there."""
    value, slope = rg.evaluate([*value_and_gradient(rg.gelu, -8.0)])
    assert value == pytest.approx(-4.976768e-15, rel=1e-6)
    assert value == pytest.approx(at_50_digits(EXACT["gelu"][0], [-8.0])[0], rel=1e-14)
    assert slope == pytest.approx(at_50_digits(EXACT["gelu"][1], [-8.0])[0], rel=1e-14)


@pytest.mark.parametrize("name", EXACT)
def test_far_out_in_float32_value_and_gradient_are_the_limits(name):
    z = np.array([-FAR, -100, 0, 100, FAR], np.float32)
    if name == "exp":
        z = z[:3]  # e**100 is no float32
    found = rg.evaluate([*value_and_gradient(ACTIVATIONS[name], z, np.float32)])
    for f, exact in zip(found, EXACT[name], strict=True):
        assert f.dtype == np.float32
        apart = z != 0
        expected = at_50_digits(exact, z)
        np.testing.assert_allclose(f[apart], expected[apart], rtol=1e-5, atol=1e-37)
        assert np.isfinite(f).all()


def test_the_compiled_engine_gives_the_same_to_the_last_places():
    z = rg.variable("z", shape=(rg.rows, 2))
    names, nodes = [], []
    for name in EXACT:
        y = ACTIVATIONS[name](z)
        names += [name, name]
        nodes += [y, rg.gradient(rg.sum(y), z)]
    values = Z[np.abs(Z) <= 700]
    pairs = np.stack([values, values[::-1]], axis=1)
    compiled = rg.compile(nodes, [z], engine="cpu")(pairs)
    reference = rg.compile(nodes, [z], engine="numpy")(pairs)
    for name, ours, theirs in zip(names, compiled, reference, strict=True):
        measure = error if name in SATURATING else error_nearby
        assert measure(ours[:, 0], theirs[:, 0]) <= 64 * 2.0**-52, name


def test_a_row_of_softmax_is_right_in_value_and_gradient():
    rows = np.array([[0.0, -40.0, 3.0], [FAR, FAR, -FAR], [1e-9, -1e-9, 0.0], [700.0, 1.0, 699.0]])
    seed = np.array([1.0, -2.0, 0.5])
    z = rg.variable("z", rows)
    y = rg.softmax(z)
    value, slope = rg.evaluate([y, rg.gradient(rg.sum(seed * y), z)])
    for row, found, dz in zip(rows, value, slope, strict=True):
        with mpmath.workdps(50):
            e = [exp(mpf(v) - mpf(row.max())) for v in row]
            p = [v / mpmath.fsum(e) for v in e]
            mean = mpmath.fsum(a * b for a, b in zip(p, seed, strict=True))
            expected = np.array([float(a * (b - mean)) for a, b in zip(p, seed, strict=True)])
        assert error(found, np.array([float(v) for v in p])) <= LIMIT
        assert error(dz, expected) <= LIMIT


# name: (where the kink is, PyTorch's gradient there)
KINKS = {
    "relu": ([0.0], [0.0]),
    "relu6": ([0.0, 6.0], [0.0, 0.0]),
    "leaky_relu": ([0.0], [0.01]),
    "elu": ([0.0], [1.0]),
    "celu": ([0.0], [1.0]),
    "selu": ([0.0], [float(SELU[0] * SELU[1])]),
    "softsign": ([0.0, 1.0, -1.0], [1.0, 0.25, 0.25]),
    "hard_tanh": ([-1.0, 1.0], [0.0, 0.0]),
    "hard_sigmoid": ([-3.0, 3.0], [0.0, 0.0]),
}


@pytest.mark.parametrize("name", KINKS)
def test_at_a_kink_the_gradient_is_pytorchs(name):
    z, expected = KINKS[name]
    found = rg.evaluate(value_and_gradient(ACTIVATIONS[name], z)[1])
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (partial(rg.leaky_relu, slope=0.2), lambda z: z if z > 0 else z * mpf(0.2)),
        (partial(rg.elu, alpha=1.5), lambda z: z if z > 0 else expm1(z) * 1.5),
        (partial(rg.celu, alpha=0.7), lambda z: z if z > 0 else expm1(z / mpf(0.7)) * mpf(0.7)),
    ],
)
def test_other_numbers_are_given_by_partial(function, exact):
    value = rg.evaluate(value_and_gradient(function, Z)[0])
    assert error_nearby(value, at_50_digits(exact, Z)) <= LIMIT
    net = rg.MLP([2, 3, 1], activation=function)
    assert net.predict([[1.0, 2.0]]).shape == (1, 1)


def test_a_slope_can_be_learned():
    slope, z = rg.variable("slope", [0.1, 0.2]), rg.variable("z", [[1.0, -2.0], [-3.0, -4.0]])
    d_slope, dz = rg.evaluate(rg.gradient(rg.sum(rg.prelu(z, slope)), [slope, z]))
    np.testing.assert_array_equal(d_slope, [-3.0, -6.0])
    np.testing.assert_array_equal(dz, [[1.0, 0.2], [0.1, 0.2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rg.leaky_relu(1.0, slope=-0.1), r"leaky_relu: slope must be in \[0, inf\)"),
        (lambda: rg.elu(1.0, alpha=0.0), r"elu: alpha must be in \(0, inf\)"),
        (lambda: rg.celu(1.0, alpha="1"), r"celu: alpha must be in \(0, inf\), got '1'"),
    ],
)
def test_a_number_out_of_range_is_an_option_error(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def test_every_activation_of_one_argument_has_a_name():
    functions = {
        name
        for name, value in vars(nonlinearities).items()
        if getattr(value, "__module__", "") == nonlinearities.__name__
    }
    assert functions - {"prelu"} <= set(ACTIVATIONS)
    assert all(getattr(rg, name) is ACTIVATIONS[name] for name in ACTIVATIONS)


def test_prelu_by_name_is_told_to_be_a_layer():
    with pytest.raises(OptionError, match=r"a layer of its own: rg\.PReLU"):
        rg.Dense(2, 3, "prelu")
