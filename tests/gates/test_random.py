"""Random gates: the generator by its known answers, and what is drawn by its statistics."""

import numpy as np
import pytest
import scipy.stats

import retrograd as rg
from retrograd.errors import DtypeError, OptionError, ShapeError
from retrograd.gates.philox import philox
from tests.philox import KNOWN, philox_of_integers, words

N = 1_000_000
SIGMAS = 5.0  # of a mean; once in two million
TAIL = 1e-4  # of a chi-square: the draws are the same in each run
DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_philox_gives_the_known_answers(counter, key, answer):
    found = philox([np.array([word], np.uint64) for word in words(counter)], tuple(words(key)))
    assert [int(word[0]) for word in found] == words(answer)
    assert philox_of_integers(tuple(words(counter)), tuple(words(key))) == tuple(words(answer))


def drawn(gate, dtype, shape=(1000, N // 1000), **options):
    return rg.evaluate(gate(shape, seed=7, dtype=dtype, **options))


def require_spread(counts, expected):
    """Counts of independent draws by class, held against what is expected of each."""
    chi_square = float(np.sum((counts - expected) ** 2 / expected))
    low, high = scipy.stats.chi2.ppf([TAIL, 1 - TAIL], len(counts) - 1)
    assert low < chi_square < high


def require_moments(x, moments):
    """The mean of each power of x: moments[k - 1] is that of x**k; the last ones give the error."""
    half = len(moments) // 2
    for k in range(1, half + 1):
        spread = np.sqrt((moments[2 * k - 1] - moments[k - 1] ** 2) / x.size)
        mean = np.mean(x.astype(np.float64) ** k)
        assert abs(mean - moments[k - 1]) < SIGMAS * spread, k


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_numbers_have_the_moments_and_the_spread_of_their_distribution(dtype):
    u = drawn(rg.uniform, dtype)
    assert u.dtype == dtype
    assert 0 <= u.min() < 1e-5 and 1 - 1e-5 < u.max() < 1
    require_moments(u, [1 / (k + 1) for k in range(1, 9)])
    require_spread(np.bincount((u * 1000).astype(int).ravel(), minlength=1000), N / 1000)
    # Pairs: along a row, and down a column.
    for a, b in ((u[:, ::2], u[:, 1::2]), (u[::2], u[1::2])):
        cell = (a * 30).astype(int) * 30 + (b * 30).astype(int)
        require_spread(np.bincount(cell.ravel(), minlength=900), N / 2 / 900)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_last_bits_of_uniform_numbers_are_spread_too(dtype):
    digits = np.finfo(dtype).nmant + 1
    whole = np.ldexp(drawn(rg.uniform, dtype).astype(np.float64), digits)
    assert np.array_equal(whole, np.floor(whole))  # multiples of 2**-24, 2**-53
    require_spread(np.bincount((whole % 256).astype(int).ravel(), minlength=256), N / 256)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_numbers_have_the_moments_and_the_spread_of_their_distribution(dtype):
    z = drawn(rg.normal, dtype)
    assert z.dtype == dtype
    require_moments(z, [0, 1, 0, 3, 0, 15, 0, 105])
    ends = scipy.stats.norm.ppf(np.arange(1, 1000) / 1000)
    require_spread(np.bincount(np.searchsorted(ends, z.ravel()), minlength=1000), N / 1000)
    assert np.abs(z).max() < (5.8 if dtype == "float32" else 8.6)
    assert scipy.stats.kstest(z.ravel()[::10], "norm").pvalue > TAIL


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.3, 0.5, 1.0])
def test_booleans_are_true_as_often_as_they_should_be(p):
    b = rg.evaluate(rg.bernoulli(p, (1000, N // 1000), seed=3))
    assert b.dtype == bool
    assert abs(b.mean() - p) <= SIGMAS * np.sqrt(p * (1 - p) / N)
    if 0.1 < p < 0.9:  # the number of each row follows the binomial distribution
        z = (b.sum(axis=1) - p * 1000) / np.sqrt(1000 * p * (1 - p))
        assert scipy.stats.kstest(z, "norm").pvalue > TAIL


@pytest.mark.parametrize("other", [{"stream": 1}, {"offset": 1000}, {"seed": 8}])
def test_other_streams_rows_and_seeds_are_independent(other):
    first = rg.evaluate(rg.uniform((N,), seed=7))
    second = rg.evaluate(rg.uniform((N,), **{"seed": 7, **other}))
    assert not np.any(first == second)
    assert abs(np.corrcoef(first, second)[0, 1]) < SIGMAS / np.sqrt(N)


def test_a_row_has_its_numbers_wherever_its_batch_begins():
    x = rg.variable("x", shape=(rg.rows, 3))
    start = rg.variable("start", shape=())
    y = x + rg.uniform((rg.rows, 3), seed=1, offset=start)
    whole = rg.evaluate(y, {x: np.zeros((10, 3)), start: 5})
    for low, high in ((0, 10), (0, 3), (3, 4), (4, 10)):
        part = rg.evaluate(y, {x: np.zeros((high - low, 3)), start: 5 + low})
        assert np.array_equal(part, whole[low:high])
    assert len(np.unique(whole)) == 30


def test_the_high_words_of_seed_offset_and_stream_count():
    many = [
        {"seed": seed, "offset": offset, "stream": stream}
        for seed in (1, 1 + 2**32, 2**63 - 1)
        for offset in (0, 2**32, 2**62)
        for stream in (0, 2**32 - 1)
    ]
    assert len({rg.evaluate(rg.uniform((), **each)) for each in many}) == len(many)


def test_a_seed_may_be_a_node_of_floats_or_of_integers():
    expected = rg.evaluate(rg.uniform((4,), seed=12))
    for dtype in ("float64", "int64"):
        seed = rg.variable("seed", shape=(), dtype=dtype)
        found = rg.evaluate(rg.uniform((4,), seed=seed), {seed: 12})
        assert np.array_equal(found, expected)


def test_random_gates_pass_no_gradient_but_what_multiplies_them_gets_one():
    x = rg.variable("x", np.ones((2, 3)))
    mask = rg.bernoulli(0.5, x.shape, seed=1)
    slope = rg.evaluate(rg.gradient(rg.sum(rg.where(mask, x, 0.0)), x))
    assert np.array_equal(slope, rg.evaluate(mask))
    assert rg.check_gradient(rg.sum(rg.normal(x.shape, seed=1) * rg.square(x))).ok


ERRORS = [
    (lambda: rg.uniform((3, rg.rows), seed=0), ShapeError, "rows may only lead a shape"),
    (lambda: rg.uniform((3,), seed=np.zeros(2)), OptionError, "seed is an integer from 0"),
    (lambda: rg.uniform((3,), seed=rg.constant([1.0])), ShapeError, "seed is one number"),
    (lambda: rg.uniform((3,), seed=-1), OptionError, "seed is an integer from 0 to 2.*, got -1"),
    (lambda: rg.normal((3,), seed=0.5), OptionError, "normal: seed is an integer .*, got 0.5"),
    (lambda: rg.normal((3,), seed=0, offset=-1), OptionError, "offset is an integer from 0"),
    (lambda: rg.uniform((3,), seed=0, stream=2**32), OptionError, "stream is an integer from 0"),
    (lambda: rg.uniform((3,), seed=0, stream=1.0), OptionError, "stream is an integer from 0"),
    (lambda: rg.uniform((3,), seed=0, dtype="int64"), DtypeError, "float32 or float64, not int64"),
    (lambda: rg.bernoulli(1.5, (3,), seed=0), OptionError, "p is a probability, .* got 1.5"),
    (lambda: rg.bernoulli(np.nan, (3,), seed=0), OptionError, "p is a probability"),
]


@pytest.mark.parametrize("make, kind, message", ERRORS)
def test_what_cannot_be_drawn_is_told(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
