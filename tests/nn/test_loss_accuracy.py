"""Every loss: value and gradient against 150 digits, far out in float32, and on both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import exp, fsum, log, log1p, mpf, sqrt

import retrograd as rg
from retrograd.nn.architecture import Forward
from retrograd.nn.losses import LOSSES, find_loss
from tests.nn.exact import LIMIT, error

ROWS = 12
SCALES = (1e-6, 1e-2, 1.0, 10.0, 100.0, 300.0)
FAR = np.float32(1e4)
DIGITS = 150
MANY_DIGITS = 4600  # e**10000 has 4343 before the point
Array = np.ndarray[Any, np.dtype[Any]]


def softplus(z):
    return max(z, 0) + log1p(exp(-abs(z)))


def log_softmax(z):
    m = max(z)
    total = m + log(fsum(exp(v - m) for v in z))
    return [v - total for v in z]


def huber(e, delta):
    return e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)


def log_cosh(e):
    return log(mpmath.cosh(e)) if abs(e) < 1 else abs(e) + log1p(exp(-2 * abs(e))) - log(2)


def summed(of_error):
    return lambda o, y: fsum(of_error(a - b) for a, b in zip(o, y, strict=True))


def of_both(function):
    return lambda o, y: fsum(function(a, b) for a, b in zip(o, y, strict=True))


def pinball(quantiles):
    def loss(o, y):
        pairs = [(q, v) for v in y for q in quantiles]
        errors = [(mpf(q), v - a) for (q, v), a in zip(pairs, o, strict=True)]
        return fsum(max(q * e, (q - 1) * e) for q, e in errors)

    return loss


def gaussian_nll(o, y, epsilon=1e-6):
    n = len(y)
    variances = [exp(s) + mpf(epsilon) for s in o[n:]]
    terms = zip(o[:n], y, variances, strict=True)
    return fsum((log(v) + (mean - t) ** 2 / v) / 2 for mean, t, v in terms)


def cross_entropy(z, y, smoothing=0.0):
    share = mpf(smoothing)
    return -fsum(
        ((1 - share) * t + share / len(z)) * v for t, v in zip(y, log_softmax(z), strict=True)
    )


def binary_cross_entropy(z, y, smoothing=0.0):
    share = mpf(smoothing)
    soft = [(1 - share) * t + share / 2 for t in y]
    return fsum(t * softplus(-v) + (1 - t) * softplus(v) for t, v in zip(soft, z, strict=True))


def focal(z, y, gamma):
    p = next(v for t, v in zip(y, log_softmax(z), strict=True) if t)
    return -((-mpmath.expm1(p)) ** mpf(gamma)) * p


def binary_focal(gamma, alpha=None):
    a, b = (1, 1) if alpha is None else (mpf(alpha), 1 - mpf(alpha))

    def loss(z, y):
        return fsum(
            a * t * exp(-gamma * softplus(v)) * softplus(-v)
            + b * (1 - t) * exp(-gamma * softplus(-v)) * softplus(v)
            for t, v in zip(y, z, strict=True)
        )

    return loss


def multi_hinge(power):
    def loss(z, y):
        own = fsum(t * v for t, v in zip(y, z, strict=True))
        return fsum(max(0, 1 - own + v) ** power for t, v in zip(y, z, strict=True) if not t)

    return loss


def cosine(o, y):
    def length(v):
        return sqrt(fsum(a * a for a in v))

    return 1 - fsum(a * b for a, b in zip(o, y, strict=True)) / (length(o) * length(y))


def kl(z, y):
    log_y = [log(t) if t else mpf(0) for t in y]
    return fsum(t * (a - b) for t, a, b in zip(y, log_y, log_softmax(z), strict=True))


# What y are: of so many columns, for rows of a scale.


def numbers(n):
    return lambda rng, scale: rng.normal(size=(ROWS, n)) * scale


def counts(n):
    return lambda rng, scale: rng.poisson(1.0, (ROWS, n)).astype(float)


def amounts(n):
    return lambda rng, scale: rng.exponential(1.0, (ROWS, n)) + 1e-3


def yes_or_no(n):
    return lambda rng, scale: rng.integers(0, 2, (ROWS, n)).astype(float)


def one_hot(n):
    return lambda rng, scale: np.eye(n)[rng.integers(0, n, ROWS)]


def shares(n):
    return lambda rng, scale: rng.dirichlet(np.ones(n), ROWS)


@dataclass(frozen=True)
class Case:
    """A loss of a network of so many outputs: its targets, and the loss of a row in 50 digits.

    `exact` takes the logits where the output is softmax, sigmoid or exp, and y as columns. The
    output "identity" or "exp" is that of the network.
    """

    loss: Any
    n: int
    targets: Callable[[Any, float], Array]
    exact: Callable[[Any, Any], Any]
    output: str = "identity"


CASES = {
    "half_squared_error": Case("half_squared_error", 2, numbers(2), summed(lambda e: e * e / 2)),
    "squared_error": Case("squared_error", 2, numbers(2), summed(lambda e: e * e)),
    "absolute_error": Case("absolute_error", 2, numbers(2), summed(abs)),
    "huber": Case("huber", 2, numbers(2), summed(lambda e: huber(e, 1))),
    "huber of another delta": Case(
        rg.Huber(0.3), 2, numbers(2), summed(lambda e: huber(e, mpf(0.3)))
    ),
    "log_cosh": Case("log_cosh", 2, numbers(2), summed(log_cosh)),
    "quantile": Case("quantile", 3, numbers(1), pinball([0.1, 0.5, 0.9])),
    "quantile of two targets": Case(rg.Quantile([0.25, 0.9]), 4, numbers(2), pinball([0.25, 0.9])),
    "poisson": Case("poisson", 2, counts(2), of_both(lambda z, y: exp(z) - y * z), "exp"),
    "gamma": Case("gamma", 2, amounts(2), of_both(lambda z, y: z + y * exp(-z)), "exp"),
    "tweedie": Case(
        "tweedie", 2, counts(2), of_both(lambda z, y: 2 * exp(z / 2) + 2 * y * exp(-z / 2)), "exp"
    ),
    "tweedie of another power": Case(
        rg.Tweedie(1.25),
        2,
        counts(2),
        of_both(lambda z, y: exp(0.75 * z) / 0.75 + y * exp(-0.25 * z) / 0.25),
    ),
    "gaussian_nll": Case("gaussian_nll", 4, numbers(2), gaussian_nll),
    "cross_entropy": Case("cross_entropy", 3, one_hot(3), cross_entropy, "softmax"),
    "cross_entropy of shares": Case("cross_entropy", 3, shares(3), cross_entropy, "softmax"),
    "smoothed cross entropy": Case(
        rg.CrossEntropy(label_smoothing=0.1),
        3,
        one_hot(3),
        lambda z, y: cross_entropy(z, y, 0.1),
        "softmax",
    ),
    "binary cross entropy": Case("cross_entropy", 2, yes_or_no(2), binary_cross_entropy, "sigmoid"),
    "smoothed binary cross entropy": Case(
        rg.CrossEntropy(label_smoothing=0.1),
        2,
        yes_or_no(2),
        lambda z, y: binary_cross_entropy(z, y, 0.1),
        "sigmoid",
    ),
    "focal": Case("focal", 3, one_hot(3), lambda z, y: focal(z, y, 2), "softmax"),
    "focal of a root": Case(
        rg.Focal(gamma=0.5), 3, one_hot(3), lambda z, y: focal(z, y, 0.5), "softmax"
    ),
    "binary focal": Case("focal", 2, yes_or_no(2), binary_focal(2), "sigmoid"),
    "binary focal with alpha": Case(
        rg.Focal(gamma=1.5, alpha=0.25), 2, yes_or_no(2), binary_focal(1.5, 0.25), "sigmoid"
    ),
    "hinge": Case("hinge", 3, one_hot(3), multi_hinge(1)),
    "squared_hinge": Case("squared_hinge", 3, one_hot(3), multi_hinge(2), "softmax"),
    "binary hinge": Case(
        "hinge", 1, yes_or_no(1), of_both(lambda z, y: max(0, 1 - (2 * y - 1) * z))
    ),
    "binary squared hinge": Case(
        "squared_hinge",
        1,
        yes_or_no(1),
        of_both(lambda z, y: max(0, 1 - (2 * y - 1) * z) ** 2),
        "sigmoid",
    ),
    "cosine": Case("cosine", 3, numbers(3), cosine),
    "kl_divergence": Case("kl_divergence", 3, shares(3), kl, "softmax"),
}


def graph(case, y_shown, dtype):
    """The variables z and y, the loss of each row, and its gradient in z."""
    network = rg.MLP([1, case.n], output=case.output, dtype=dtype)
    loss = find_loss(case.loss, network)
    target = loss.target(y_shown, case.n, dtype)
    z = rg.variable("z", shape=(rg.rows, case.n), dtype=dtype)
    y = rg.variable("y", shape=target.shape, dtype=target.dtype)
    output = getattr(rg, case.output)(z)
    per_row = loss.per_row(Forward((), z, output), y)
    assert per_row.dtype == np.dtype(dtype)
    return [z, y], [per_row, rg.gradient(rg.sum(per_row), z)], target.array


def run(case, z, y, engine="numpy", dtype=np.float64):
    inputs, outputs, targets = graph(case, y, dtype)
    return rg.compile(outputs, inputs, engine=engine)(z.astype(dtype), targets)


def samples(case):
    """Rows of logits and targets at each scale."""
    rng = np.random.default_rng(11)
    for scale in SCALES:
        yield rng.normal(size=(ROWS, case.n)) * scale, case.targets(rng, scale)


def exact_rows(case, z, y, digits=DIGITS):
    """The loss of each row and its gradient, rounded once from so many digits."""
    with mpmath.workdps(digits):
        values, slopes = [], []
        for row, target in zip(z, y, strict=True):
            o, t = [mpf(float(v)) for v in row], [mpf(float(v)) for v in target]
            values.append(float(case.exact(o, t)))
            slopes.append([float(slope(case, o, t, j)) for j in range(len(o))])
    return np.array(values), np.array(slopes)


def slope(case, o, t, j):
    """The derivative by central differences, right to 80 digits where no sum cancels."""
    h = mpf(10) ** -40 * max(1, abs(o[j]))
    up, down = (case.exact([*o[:j], o[j] + d, *o[j + 1 :]], t) for d in (h, -h))
    return (up - down) / (2 * h)


OF_EXPONENTIALS = {"poisson", "gamma", "tweedie", "tweedie of another power"}


def test_every_loss_is_held_against_50_digits():
    assert {find_loss(c.loss, rg.MLP([1, c.n], output=c.output)).name for c in CASES.values()} == {
        *LOSSES
    }


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_right_at_every_scale(name):
    case = CASES[name]
    for z, y in samples(case):
        value, gradient = run(case, z, y)
        exact_value, exact_gradient = exact_rows(case, z, y)
        assert error(value, exact_value) <= LIMIT
        assert error(gradient, exact_gradient) <= LIMIT


@pytest.mark.parametrize(
    "name", ["binary cross entropy", "binary focal", "focal", "log_cosh", "huber"]
)
def test_a_loss_that_is_nearly_0_has_its_digits(name):
    """Rows that are right: logits far on the right side, outputs close to their targets."""
    case, rng = CASES[name], np.random.default_rng(2)
    y = case.targets(rng, 1.0)
    for size in (20.0, 45.0, 100.0):
        z = size * (2 * y - 1) + rng.normal(size=y.shape)
        if case.output == "identity":
            z = y + 2.0 ** -(size // 4) * rng.integers(-9, 9, y.shape)
        value, gradient = run(case, z, y)
        exact_value, exact_gradient = exact_rows(case, z, y)
        assert error(value, exact_value) <= LIMIT
        assert error(gradient, exact_gradient) <= LIMIT


@pytest.mark.parametrize("name", CASES)
def test_far_out_in_float32_they_are_right_or_beyond_all_numbers(name):
    case, rng = CASES[name], np.random.default_rng(3)
    z = rng.choice([-FAR, FAR, 0.0], (ROWS, case.n), p=[0.4, 0.4, 0.2])
    y = case.targets(rng, 1.0).astype(np.float32)
    if name == "cosine":
        z[:, 0] = FAR
    found = run(case, z, y, dtype=np.float32)
    digits = MANY_DIGITS if name in OF_EXPONENTIALS else DIGITS
    for ours, exact in zip(found, exact_rows(case, z, y, digits), strict=True):
        with np.errstate(over="ignore"):
            expected = exact.astype(np.float32)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6 * scale_of(expected))


def scale_of(array):
    finite = np.abs(array[np.isfinite(array)])
    return max(1.0, float(finite.max(initial=0.0)))


@pytest.mark.parametrize("name", CASES)
def test_the_compiled_engine_gives_the_same_to_the_last_places(name):
    case = CASES[name]
    for z, y in samples(case):
        for ours, theirs in zip(run(case, z, y, "cpu"), run(case, z, y), strict=True):
            assert error(ours, theirs) <= 256 * 2.0**-52
