"""Exponentials and logarithms over their whole range, held against 150 digits."""

import mpmath
import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.node import GATES

mpmath.mp.dps = 150

REAL = np.concatenate(
    [
        [0.0, 1.0, -1.0, 1e4, -1e4, 1e-300, -1e-300, 700.0, -700.0, 37.0, -37.0, 0.5, -0.5],
        *(sign * np.logspace(-20, 2.8, 40) for sign in (1, -1)),
    ]
)
H = 1e-30
TINY = np.finfo(float).tiny  # below it numbers have fewer digits


def error_function(exact, slope):
    """mpmath's where x is real; beside the real axis to first order, mpmath's own cancels there."""

    def function(x):
        a, b = mpmath.re(x), mpmath.im(x)
        bell = slope * mpmath.exp(-a * a) / mpmath.sqrt(mpmath.pi)
        return mpmath.mpc(exact(a), b * bell) if b else exact(a)

    return function


FUNCTIONS = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "expm1": mpmath.expm1,
    "tanh": mpmath.tanh,
    "sqrt": mpmath.sqrt,
    "square": lambda x: x * x,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": error_function(mpmath.erf, 2),
    "erfc": error_function(mpmath.erfc, -2),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}
DOMAIN = {"log": 0.0, "log1p": -1.0, "sqrt": 0.0}


def arguments(name):
    return REAL[
        (REAL > DOMAIN.get(name, -np.inf)) & (np.abs(REAL) < (700 if name[0] == "e" else 1e5))
    ]


def numbers(values):
    return np.array([float(mpmath.re(value)) for value in values])


def ulps(found, expected, at_least=TINY):
    """The largest error, in units of the last place of each expected entry."""
    unit = np.spacing(np.maximum(np.abs(expected), at_least))
    return float(np.max(np.abs(found - expected) / unit))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_right_to_the_last_places_of_every_entry(name):
    x = arguments(name)
    found = rg.evaluate(getattr(rg, name)(x))
    assert ulps(found, numbers(FUNCTIONS[name](mpmath.mpf(v)) for v in x)) <= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_a_complex_argument_both_parts_are_right_to_the_last_places(name):
    x = arguments(name)
    found = rg.evaluate(getattr(rg, name)(x + 1j * H))
    assert found.dtype == complex
    exact = np.array([complex(FUNCTIONS[name](mpmath.mpc(v, H))) for v in x])
    assert ulps(found.real, exact.real) <= 8
    assert ulps(found.imag, exact.imag) <= 16


@pytest.mark.parametrize("name", ["exp", "expm1", "log1p", "tanh", "sigmoid", "softplus", "sqrt"])
def test_far_from_the_real_axis_the_definitions_hold_too(name):
    x = np.array([0.3 + 0.4j, -0.3 + 1j, 2 - 1j, -2 + 0.5j, 1e-9 + 1e-9j])
    exact = [complex(FUNCTIONS[name](mpmath.mpc(v))) for v in x]
    np.testing.assert_allclose(rg.evaluate(getattr(rg, name)(x)), exact, rtol=1e-14)


BASES = np.array([1e-8, 0.3, 1.0, 1.0 + 1e-9, 7.0, 1e8])
EXPONENTS = np.array([-30.0, -2.5, -1.0, 1e-9, 0.5, 1.0, 2.0, 3.0, 30.5])


@pytest.mark.parametrize("base_step, exponent_step", [(H, 0.0), (0.0, H), (0.0, 0.0)])
def test_power_keeps_its_digits_at_complex_arguments(base_step, exponent_step):
    a, b = np.meshgrid(BASES, EXPONENTS)
    found = rg.evaluate(rg.power(rg.constant(a + 1j * base_step), b + 1j * exponent_step))
    exact = np.vectorize(lambda p, q: float(mpmath.mpf(p) ** mpmath.mpf(q)))(a, b)
    by_a = np.vectorize(lambda p, q: float(H * q * mpmath.mpf(p) ** (mpmath.mpf(q) - 1)))(a, b)
    by_b = np.vectorize(
        lambda p, q: float(H * mpmath.mpf(p) ** mpmath.mpf(q) * mpmath.log(mpmath.mpf(p)))
    )(a, b)
    assert ulps(found.real, exact) <= 8
    slope = by_a * (base_step > 0) + by_b * (exponent_step > 0)
    assert ulps(found.imag, slope) <= 16


@pytest.mark.parametrize("exponent", [2, 3, 4, 5, 200, 201, -1, -2, -201])
def test_power_of_a_negative_base_by_an_integer_stays_real(exponent):
    a = np.array([-1.5, -1.0, -0.9])
    found = rg.evaluate(rg.power(rg.constant(a + 1j * H), float(exponent) + 0j))
    np.testing.assert_allclose(found.real, a**exponent, rtol=1e-14)
    np.testing.assert_allclose(found.imag / H, exponent * a ** (exponent - 1.0), rtol=1e-14)


def test_a_complex_power_is_that_of_mpmath():
    a, b = np.array([-2 + 1j, -2 - 1j, 0.5j, 3 + 0j]), np.array([0.5 + 1j, 1.5, -2.5 + 0j, 1j])
    exact = [complex(mpmath.power(mpmath.mpc(p), mpmath.mpc(q))) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(rg.evaluate(rg.power(a, b)), exact, rtol=1e-14)


def test_power_of_zero_at_complex_arguments():
    zero = rg.constant(np.array([0j, 0j, 0j]))
    assert np.array_equal(rg.evaluate(rg.power(zero, np.array([0.0, 1.0, 2.5]))), [1, 0, 0])


ROWS = [
    [0.0, -40.0],
    [1e4, 1e4],
    [-1e4, -1e4],
    [1e4, -1e4],
    [1e-12, -1e-12],
    [3.0, 3.0],
    [-745.0, -700.0],
    [709.0, 710.0],
]


def exact_logsumexp(row):
    return mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in row))


def test_logsumexp_is_right_to_the_last_places_of_its_largest_entry():
    found = rg.evaluate(rg.logsumexp(ROWS, axis=1))
    exact = numbers(exact_logsumexp(row) for row in ROWS)
    largest = np.maximum(1.0, np.max(np.abs(ROWS), axis=1))
    assert ulps(found, exact, at_least=largest) <= 2


def test_softmax_is_right_to_the_last_places_of_every_entry():
    found = rg.evaluate(rg.softmax(ROWS))
    exact = [numbers(mpmath.exp(v - exact_logsumexp(row)) for v in row) for row in ROWS]
    assert ulps(found, np.array(exact)) <= 4


def test_log_softmax_is_right_where_softmax_would_be_zero():
    found = rg.evaluate(rg.log_softmax(ROWS))
    exact = np.array([numbers(mpmath.mpf(v) - exact_logsumexp(row) for v in row) for row in ROWS])
    assert ulps(found, exact, at_least=1.0) <= 2


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_the_softmax_family_keeps_its_digits_at_complex_arguments(name):
    moved = np.array(ROWS) + np.array([1j * H, 0])
    found = rg.evaluate(getattr(rg, name)(moved, -1))
    share = np.array([numbers(mpmath.exp(v - exact_logsumexp(row)) for v in row) for row in ROWS])
    p, q = share.T
    slope = {
        "logsumexp": p,
        "softmax": np.stack([p * q, -p * q], axis=1),
        "log_softmax": np.stack([q, -p], axis=1),
    }[name]
    real = rg.evaluate(getattr(rg, name)(ROWS, -1))
    assert ulps(found.real, real, at_least=1.0) <= 2
    assert ulps(found.imag / H, slope, at_least=1.0) <= 4


def test_infinities_are_values():
    inf = np.inf
    assert rg.evaluate(rg.logsumexp([-inf, -inf])) == -inf
    assert rg.evaluate(rg.logsumexp([inf, 1.0])) == inf
    assert np.array_equal(rg.evaluate(rg.softmax([-inf, 1.0])), [0, 1])
    assert np.array_equal(rg.evaluate(rg.sigmoid([-inf, inf])), [0, 1])
    assert np.array_equal(rg.evaluate(rg.softplus([-inf, inf])), [0, inf])
    assert np.array_equal(rg.evaluate(rg.exp([-inf, inf])), [0, inf])
    assert np.array_equal(rg.evaluate(rg.log([0.0, inf])), [-inf, inf])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_and_softplus_do_not_warn_or_overflow_in_either_precision(dtype):
    x = np.array([-1e4, -100, 0, 100, 1e4], dtype)
    assert np.array_equal(rg.evaluate(rg.sigmoid(x))[[0, 2, 4]], dtype([0, 0.5, 1]))
    assert np.array_equal(rg.evaluate(rg.softplus(x))[[0, 4]], dtype([0, 1e4]))


def test_gates_marked_not_analytic_are_those_with_a_kink_or_a_comparison():
    assert {name for name, gate in GATES.items() if not gate.is_analytic} >= {
        "abs", "sign", "relu", "maximum", "minimum", "max", "first_max", "one_hot",
        "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    }  # fmt: skip
