"""Embeddings of numbers and categories: their formulas, gradients, files and errors."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError, ShapeError
from tests.networks import require_right_gradient

RNG = np.random.default_rng(9)
NUMBERS = RNG.normal(size=(40, 2))
CODES = RNG.integers(0, 5, size=(40, 1))
X = np.hstack([NUMBERS, CODES])
Y = RNG.normal(size=(40, 1))
ENGINES = ["cpu", "numpy"]


def net(dtype=np.float64):
    bins = rg.PiecewiseLinear.of_quantiles(NUMBERS, bins=4)
    waves = rg.Periodic(2, 3, scale=0.5)
    join = rg.Concatenate(
        [rg.Select(3, [0, 1]), waves],
        [rg.Select(3, [1, 0]), bins],
        [rg.Select(3, [2]), rg.Embedding(5, 4)],
    )
    return rg.Network([join, rg.Dense(24, 6, "relu"), rg.Dense(6, 1)], dtype=dtype)


def run(layer, x, engine, **parameters):
    node = rg.variable("x", shape=(rg.rows, x.shape[1]), dtype=x.dtype)
    made = layer.z(node, {name: rg.constant(value) for name, value in parameters.items()})
    return rg.compile([made], [node], engine=engine)(x)[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_waves_are_sines_and_cosines_of_the_frequencies(engine):
    frequency = RNG.normal(size=(2, 3))
    v = (2 * np.pi * NUMBERS[:, :, None] * frequency).reshape(40, 6)
    found = run(rg.Periodic(2, 3), NUMBERS, engine, frequency=frequency)
    np.testing.assert_allclose(found, np.hstack([np.sin(v), np.cos(v)]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_filled_as_the_paper_says(engine, dtype):
    edges = [[-1.0, 0.0, 0.5, 2.0], [0.0, 1.0]]
    x = np.array([[-3.0, -1.0], [-0.5, 0.25], [0.0, 1.0], [1.0, 7.0], [5.0, 0.0]], dtype)
    expected = []
    for row in x:
        for value, own in zip(row, edges, strict=True):
            n = len(own) - 1
            for t in range(n):
                filled = (value - own[t]) / (own[t + 1] - own[t])
                if value < own[t] and t > 0:
                    filled = 0.0
                if value >= own[t + 1] and t < n - 1:
                    filled = 1.0
                expected.append(filled)
    found = run(rg.PiecewiseLinear(edges), x, engine)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.reshape(expected, (5, 4)), rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_category_gives_its_vector(engine):
    W = RNG.normal(size=(5, 4))
    found = run(rg.Embedding(5, 4), CODES.astype(float), engine, W=W)
    np.testing.assert_array_equal(found, W[CODES[:, 0]])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_category_that_is_not_known_is_an_error(engine):
    with pytest.raises(DataError, match="take: index 5 is out of range for an axis of size 5"):
        rg.Network([rg.Embedding(5, 4), rg.Dense(4, 1)]).predict([[1.0], [5.0]], engine=engine)


def test_quantiles_have_as_many_rows_in_each_bin_and_repeated_ones_are_one():
    (first, second) = rg.PiecewiseLinear.of_quantiles(NUMBERS, bins=4).edges
    counts = np.histogram(NUMBERS[:, 0], first)[0]
    assert counts.tolist() == [10] * 4
    assert len(second) == 5
    x = np.array([0.0] * 8 + [1.0, 2.0])[:, None]
    assert len(rg.PiecewiseLinear.of_quantiles(x, bins=4).edges[0]) < 5


def test_engines_agree_in_training_and_everything_learns():
    nets, before = (net(), net()), dict(net().parameters)
    J = [rg.train(n, X, Y, epochs=4, engine=e).J for n, e in zip(nets, ENGINES, strict=True)]
    np.testing.assert_allclose(*J, rtol=1e-10)
    for name in before:
        a, b = (n.parameters[name] for n in nets)
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)
        assert not np.array_equal(a, before[name])
    assert J[0][-1] < J[0][0]


def test_the_gradient_is_right():
    network = net()
    require_right_gradient(network, X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_go_through_a_file(tmp_path, dtype):
    network = net(dtype)
    network.save(tmp_path / "a.model")
    again = rg.load(tmp_path / "a.model")
    assert again.layers == network.layers
    np.testing.assert_array_equal(again.predict(X), network.predict(X))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rg.Select(3, []), ShapeError, "at least one column from 0 to 2"),
        (lambda: rg.Select(3, [0, 3]), ShapeError, r"from 0 to 2, got \(0, 3\)"),
        (lambda: rg.Select(3, [-1]), OptionError, "a column must be an integer of at least 0"),
        (lambda: rg.Select(3, "0"), OptionError, "columns is a list of numbers, got '0'"),
        (lambda: rg.Embedding(0, 2), OptionError, "n_categories must be an integer of at least 1"),
        (lambda: rg.Periodic(2, 0), OptionError, "n_frequencies must be an integer of at least 1"),
        (lambda: rg.Periodic(2, 1, scale=0), OptionError, r"Periodic: scale must be in \(0"),
        (lambda: rg.PiecewiseLinear([]), OptionError, "the edges of at least one input"),
        (lambda: rg.PiecewiseLinear([1.0]), OptionError, "edges is a list of numbers for each"),
        (lambda: rg.PiecewiseLinear([[1.0]]), OptionError, "input 0 needs at least two"),
        (lambda: rg.PiecewiseLinear([[0, 1], [1, 1]]), OptionError, "input 1 needs at least two"),
        (
            lambda: rg.PiecewiseLinear.of_quantiles(np.ones((5, 1))),
            OptionError,
            "input 0 needs at least two finite edges that rise",
        ),
    ],
)
def test_a_wrong_choice_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()
