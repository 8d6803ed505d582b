"""Variance and normalisation against 50 digits, with means of any size; value and gradient."""

import mpmath
import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, ShapeError

EPSILON = 1e-5
LIMIT = 1e-13  # of the largest entry
MEANS = [0.0, 1.0, -1e4, 1e8, 3e13]
SCALES = [1.0, 1e-3, 1e5, 1e100, 1e-100]


def samples(mean, scale):
    """Rows of any n; they are rounded to what float64 can say so near the mean."""
    rng = np.random.default_rng(1)
    spread = scale * rng.normal(size=17)
    return np.asarray(mean * scale + spread)


def exact_standardized(x, dy, epsilon):
    """y = d / s with d = x - mean, s = sqrt(var + epsilon); dx = (dy - mean(dy) - y mean(dy y)) / s

    [Ioffe & Szegedy 2015, sec. 3, simplified]
    """
    n, x, dy = len(x), [mpmath.mpf(v) for v in x], [mpmath.mpf(v) for v in dy]
    mean = mpmath.fsum(x) / n
    d = [v - mean for v in x]
    variance = mpmath.fsum(v * v for v in d) / n
    s = mpmath.sqrt(variance + mpmath.mpf(epsilon))
    y = [v / s for v in d]
    mean_dy = mpmath.fsum(dy) / n
    mean_dy_y = mpmath.fsum(a * b for a, b in zip(dy, y, strict=True)) / n
    dx = [(a - mean_dy - b * mean_dy_y) / s for a, b in zip(dy, y, strict=True)]
    return variance, d, y, dx


def error(found, exact):
    exact = [mpmath.mpf(v) for v in np.ravel(exact)]
    found = [mpmath.mpf(float(v)) for v in np.ravel(found)]
    largest = max(abs(v) for v in exact)
    return float(max(abs(a - b) for a, b in zip(found, exact, strict=True)) / largest)


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mean", MEANS)
def test_value_and_gradient_are_right_however_large_the_mean_is(mean, scale, engine):
    values = samples(mean, scale)
    dy = np.cos(np.arange(17.0) ** 2)
    epsilon = EPSILON * scale**2
    x = rg.variable("x", values)
    y = rg.standardize(x, epsilon=epsilon)
    variance, d = rg.variance(x), rg.center(x)
    nodes = [variance, d, y, rg.gradient(rg.sum(y * dy), x)]
    nodes.append(rg.gradient(variance, x))
    with mpmath.workdps(50):
        exact = exact_standardized(values, dy, epsilon)
        exact = (*exact, [2 * v / len(values) for v in exact[1]])
        found = rg.evaluate(nodes, engine=engine)
        for name, a, b in zip(["variance", "d", "y", "dx", "slope"], found, exact, strict=True):
            assert error(a, b) <= LIMIT, name


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
@pytest.mark.parametrize("axis", [0, 1, (0, 1), (1, 2), -1])
def test_each_axis_is_normalised_by_itself(axis, engine):
    values = np.random.default_rng(0).normal(3, 2, (9, 4, 5))
    x = rg.variable("x", shape=(rg.rows, 4, 5))
    found = rg.evaluate(rg.standardize(x, axis, epsilon=0.0), {x: values}, engine=engine)
    np.testing.assert_allclose(found.mean(axis), 0, atol=1e-15)
    np.testing.assert_allclose(found.var(axis), 1, rtol=1e-14)
    spread = rg.evaluate(rg.variance(x, axis, keepdims=True), {x: values}, engine=engine)
    np.testing.assert_allclose(spread, values.var(axis, keepdims=True), rtol=1e-14)


def test_entries_that_are_all_alike_become_zeros_and_get_a_finite_gradient():
    for value in (0.1, 1e30, -7.0):
        x = rg.variable("x", np.full((2, 5), value))
        y = rg.standardize(x)
        assert np.array_equal(rg.evaluate(y), np.zeros((2, 5)))
        assert np.isfinite(rg.evaluate(rg.gradient(rg.sum(rg.square(y + 1.0)), x))).all()


def test_what_cannot_be_normalised_is_told():
    x = rg.variable("x", np.ones((2, 3)))
    for epsilon in (-1.0, np.nan):
        with pytest.raises(OptionError, match="standardize: epsilon must be in"):
            rg.standardize(x, epsilon=epsilon)
    with pytest.raises(ShapeError, match="standardize: axis 2 is out of range for 2 dimensions"):
        rg.standardize(x, 2)
    with pytest.raises(ShapeError, match="variance: needs an axis of at least one entry"):
        rg.variance(np.zeros((2, 0)), 1)
