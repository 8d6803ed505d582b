"""Every function of vectors, held against more digits: over its whole range, at its ends."""

from __future__ import annotations

import re
from functools import cache

import mpmath
import numpy as np
import pytest
import scipy.special

from retrograd.engines.cpu.code.functions.error import erf, erfc
from retrograd.engines.cpu.code.functions.exponential import exp, expm1, sigmoid, softplus, tanh
from retrograd.engines.cpu.code.functions.floor import floor
from retrograd.engines.cpu.code.functions.logarithm import log, log1p
from retrograd.engines.cpu.code.functions.philox import philox
from retrograd.engines.cpu.code.functions.power import power
from retrograd.engines.cpu.code.functions.root import sqrt
from retrograd.engines.cpu.code.functions.trigonometric import LARGEST, cos, sin
from retrograd.engines.cpu.machine.host import host, runnable
from retrograd.engines.cpu.machine.target import TARGETS
from tests.philox import KNOWN, philox_of_integers, words

mpmath.mp.dps = 40

# The function; what it is in float64 and in 40 digits; the largest error, in units of the last
# place: that of the worse dtype, without fma. The docstrings say more.
FUNCTIONS = {
    "exp": (exp, np.exp, mpmath.exp, 2.0),
    "expm1": (expm1, np.expm1, mpmath.expm1, 2.0),
    "log": (log, np.log, mpmath.log, 1.4),
    "log1p": (log1p, np.log1p, mpmath.log1p, 1.8),
    "tanh": (tanh, np.tanh, mpmath.tanh, 2.6),
    "sigmoid": (sigmoid, scipy.special.expit, lambda x: 1 / (1 + mpmath.exp(-x)), 2.6),
    "softplus": (
        softplus,
        lambda x: np.logaddexp(0, x),
        lambda x: max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x))),
        2.4,
    ),
    "sin": (sin, np.sin, mpmath.sin, 2.0),
    "cos": (cos, np.cos, mpmath.cos, 2.0),
    "erf": (erf, scipy.special.erf, mpmath.erf, 2.0),
    "erfc": (erfc, scipy.special.erfc, lambda x: mpmath.erfc(max(min(x, 100), -100)), 4.3),
    "sqrt": (sqrt, np.sqrt, mpmath.sqrt, 1.0),
    "floor": (floor, np.floor, mpmath.floor, 0.0),
}
POWER_ULPS = 1.5
DOMAIN = {"log": (0, np.inf), "log1p": (-1, np.inf), "sqrt": (0, np.inf)}

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
TINY = {dtype: float(np.finfo(dtype).tiny) for dtype in DTYPES}  # the least normal number


@pytest.fixture(params=["whole vectors", "single numbers"])
def make(request, compiled):
    """Machine code of a function: the best that runs here, as the engine has it, or the plainest.

    The first has denormals flushed to zero, the second no fma.
    """
    best, plainest = host(), runnable()[-1]

    def make(function, dtype, inputs=1):
        if request.param == "whole vectors":
            n = best.bytes // dtype.itemsize
            return compiled(function, best, dtype, n, inputs=inputs, flush=True)
        return compiled(function, plainest, dtype, 1, inputs=inputs, has_fma=False)

    return make


each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def ulps(found, exact, rest=0.0):
    """The errors of found in units of the last place of exact + rest, which is float64.

    Below the least normal number 0 is right too; beyond the largest number only infinity is.
    """
    info = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(np.where(np.isfinite(exact), exact, 1))
        unit = np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)
        error = np.abs((found.astype(float) - exact) - rest) / unit
        is_infinite = np.abs(exact.astype(found.dtype)) == np.inf
    is_right = (np.abs(exact) < info.tiny) & (np.abs(found) < info.tiny)
    is_right |= is_infinite & (found == np.copysign(np.inf, exact))
    is_right |= np.isnan(exact) & np.isnan(found)
    error = np.where(is_right, 0, error)
    return np.where(np.isnan(error) | (is_infinite & ~is_right), np.inf, error)


def spread(dtype, n):
    """Normal numbers: n over all exponents of both signs, n over ranges where functions bend."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize) - 1, n, dtype=f"u{dtype.itemsize}")
    widths = [0.1, 0.5, 1, 2, 5, 20, 100, 800, 1e5, 1e6]
    ranges = [rng.uniform(-w, w, n // len(widths)) for w in widths]
    ones = 1 + rng.normal(size=n // 10) * 10 ** rng.uniform(-9, 0, n // 10)
    x = np.concatenate([bits.view(dtype), *ranges, ones, -ones], dtype=dtype, casting="same_kind")
    with np.errstate(invalid="ignore"):
        return x[np.isfinite(x) & (np.abs(x) >= TINY[dtype])]


def near_quarter_turns(dtype):
    """The numbers of each exponent that are nearest to a multiple of pi / 2, and many near ones."""
    digits = np.finfo(dtype).nmant + 1
    found = []
    for exponent in range(1 - digits, int(np.log2(LARGEST[dtype])) + 1 - digits):
        # m 2**exponent ~ n pi / 2: the convergents m / n of pi / 2**(exponent + 1)
        rest, (m, before), (n, n_before) = (
            mpmath.pi / mpmath.mpf(2) ** (exponent + 1),
            (1, 0),
            (0, 1),
        )
        while m < 2**digits:
            if m >= 2 ** (digits - 1):
                found.append(float(m) * 2.0**exponent)
            whole = int(mpmath.floor(rest))
            m, before, n, n_before = whole * m + before, m, whole * n + n_before, n
            rest = 1 / (rest - whole)
    many = np.arange(1, 2000) * (np.pi / 2)
    return np.concatenate([found, many, np.negative(found)]).astype(dtype)


def arguments(name, dtype, n):
    x = spread(dtype, n)
    if name in ("sin", "cos"):
        x = np.concatenate([x[np.abs(x) <= LARGEST[dtype]], near_quarter_turns(dtype)])
    low, high = DOMAIN.get(name, (-np.inf, np.inf))
    return x[(x > low) & (x < high)]


def two_parts(numbers):
    """Numbers of many digits as the sum of two of float64."""
    numbers = list(numbers)
    high = np.array([float(number) for number in numbers])
    rest = [float(x - mpmath.mpf(h)) for x, h in zip(numbers, high, strict=True) if np.isfinite(h)]
    low = np.zeros(len(high))
    low[np.isfinite(high)] = rest
    return high, low


@cache
def expected(name, dtype):
    """Arguments, and the function there as the sum of two parts."""
    _, numpy_function, many_digits, _ = FUNCTIONS[name]
    if dtype == np.float32:
        x = arguments(name, dtype, 200_000)
        with np.errstate(all="ignore"):
            return x, numpy_function(x.astype(float)), 0.0
    x = arguments(name, dtype, 1000)
    return x, *two_parts(many_digits(mpmath.mpf(float(a))) for a in x)


@each_dtype
@each_function
def test_a_function_is_right_to_a_few_ulp_everywhere(name, dtype, make):
    x, exact, rest = expected(name, dtype)
    assert ulps(make(FUNCTIONS[name][0], dtype)(x), exact, rest).max() <= FUNCTIONS[name][-1]


@each_dtype
@each_function
def test_at_the_ends_of_the_numbers_a_function_is_numpys(name, dtype, make):
    function, numpy_function, *_, limit = FUNCTIONS[name]
    info = np.finfo(dtype)
    ends = [0, np.inf, info.max, info.tiny, 1e4, 1.0, info.eps, np.nan]
    if name in ("sin", "cos"):
        ends.remove(info.max)
    x = np.array([*ends, *np.negative(ends)], dtype)
    with np.errstate(all="ignore"):
        exact = numpy_function(x.astype(np.float64)).astype(dtype)
    found = make(function, dtype)(x)
    assert ulps(found, exact.astype(float)).max() <= limit + 0.5
    exact_zero = exact == 0
    assert (np.signbit(found) == np.signbit(exact))[exact_zero].all()


@each_dtype
@each_function
def test_a_denormal_argument_counts_as_itself_or_as_zero(name, dtype, make):
    function, numpy_function, *_, limit = FUNCTIONS[name]
    x = np.array([1, -1], dtype) * dtype.type(TINY[dtype] / 8)
    found = make(function, dtype)(x)
    with np.errstate(all="ignore"):
        as_itself = numpy_function(x.astype(float))
        as_zero = numpy_function(np.zeros(2))
    either = np.minimum(ulps(found, as_itself), ulps(found, as_zero))
    assert either.max() <= limit


@each_dtype
@pytest.mark.parametrize("function", [sin, cos], ids=["sin", "cos"])
def test_an_angle_of_too_many_turns_is_nan(function, dtype, make):
    largest = dtype.type(LARGEST[dtype])
    beyond = np.nextafter(largest, dtype.type(np.inf))
    found = make(function, dtype)(np.array([largest, beyond, -largest, -beyond, 1e30], dtype))
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, True, True])


@each_dtype
@pytest.mark.parametrize("function", [tanh, erf, sin, cos], ids=lambda f: f.__name__)
def test_no_rounding_leads_beyond_one(function, dtype, make):
    x = np.concatenate([np.linspace(-10, 10, 100_000), near_quarter_turns(dtype)]).astype(dtype)
    assert np.abs(make(function, dtype)(x)).max() == 1


@each_dtype
@pytest.mark.parametrize("function", [tanh, erf, sin], ids=lambda f: f.__name__)
def test_an_odd_function_is_odd_to_the_last_bit(function, dtype, make):
    x = arguments("sin", dtype, 10_000)
    f = make(function, dtype)
    np.testing.assert_array_equal(f(-x), -f(x))


def powers(dtype, n):
    """Bases and exponents whose power is mostly neither 0 nor infinite."""
    rng = np.random.default_rng(8)
    info = np.finfo(dtype)
    top = info.maxexp * np.log(2)
    bases = np.concatenate(
        [
            np.exp(rng.uniform(np.log(TINY[dtype]), top, n)),
            np.exp(rng.uniform(-3, 3, n)),
            1 + rng.normal(size=n) * 10 ** rng.uniform(np.log10(info.eps), -1, n),
        ]
    ).astype(dtype)
    bases = np.where(bases == 1, dtype.type(1.5), bases)
    log = np.log(bases.astype(float))
    exponents = (rng.uniform(-1, 1, 3 * n) * top / log).astype(dtype)
    edge = (rng.choice([-1, 1], 3 * n) * rng.uniform(0.98, 1.02, 3 * n) * top / log).astype(dtype)
    whole = np.rint(rng.uniform(-60, 60, 3 * n)).astype(dtype)
    return np.concatenate([bases, bases, -bases]), np.concatenate([exponents, edge, whole])


@each_dtype
def test_a_power_is_right_to_a_few_ulp(dtype, make):
    x, y = powers(dtype, 50_000 if dtype == np.float32 else 400)
    if dtype == np.float32:
        with np.errstate(all="ignore"):
            exact, rest = np.power(x.astype(float), y), 0.0
    else:
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        exact, rest = two_parts(mpmath.mpf(a) ** mpmath.mpf(b) for a, b in pairs)
    assert ulps(make(power, dtype, inputs=2)(x, y), exact, rest).max() <= POWER_ULPS


@each_dtype
def test_a_power_of_every_pair_of_ends_is_numpys(dtype, make):
    info = np.finfo(dtype)
    odd = 2.0**info.nmant + 1  # the odd numbers end at twice that
    ends = [0.0, 0.5, 1, 1.5, 2, 3, odd, odd + 1, 4 * odd, info.max, info.tiny, np.inf, np.nan]
    ends = np.array([*ends, *np.negative(ends), 1 + info.eps, 1 - info.epsneg], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(ends, ends))
    with np.errstate(all="ignore"):
        exact = np.power(x, y)
    found = make(power, dtype, inputs=2)(x, y)
    assert ulps(found, exact.astype(float)).max() <= 2 * POWER_ULPS
    is_number = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(found)[is_number], np.signbit(exact)[is_number])


@each_dtype
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_function_calls_another(target, dtype, compiled):
    for function, *_ in [*FUNCTIONS.values(), (power,)]:
        inputs = 2 if function is power else 1
        code = compiled(function, target, dtype, target.bytes // dtype.itemsize, inputs=inputs)
        assert not re.search(r"^\s+(callq?|bl|jmp\s+[a-z])\b", code.assembly, re.MULTILINE)


@pytest.mark.parametrize("n", [1, 2, 8, 16])
def test_philox_gives_the_known_answers_in_vectors_of_any_length(n, target, compiled):
    def word(i):
        def function(v, *given):
            bits = [v.as_bits(x) for x in given]
            return v.from_bits(philox(v, bits[:4], bits[4:])[i])

        return function

    rng = np.random.default_rng(0)
    given = [
        *([*words(counter), *words(key)] for counter, key, _ in KNOWN),
        *rng.integers(0, 2**32, (20, 6)).tolist(),
    ]
    expected = [philox_of_integers(tuple(row[:4]), tuple(row[4:])) for row in given]
    assert [tuple(words(answer)) for *_, answer in KNOWN] == expected[:3]
    lanes = np.array(given, np.int64).T.view(np.float64)
    for i in range(4):
        run = compiled(word(i), target, np.float64, n, inputs=6)
        found = run(*lanes).view(np.int64) % 2**32
        assert found.tolist() == [row[i] for row in expected]
