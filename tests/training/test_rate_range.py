"""The learning-rate range test: what it finds, what it leaves alone, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 3))
Y = X @ np.array([[1.0], [-2.0], [0.5]])


def mlp():
    return rg.MLP([3, 8, 1], activation="tanh")


def test_the_rates_rise_by_one_factor_and_J_falls_then_bursts():
    found = rg.learning_rate_range(
        mlp(), X, Y, optimizer=rg.SGD(0.1), low=1e-4, high=100.0, steps=80
    )
    assert isinstance(found, rg.RateRange)
    assert len(found.rates) == len(found.J) == len(found.smooth) < 80
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], 1e6 ** (1 / 79))
    assert found.rates[0] == 1e-4
    assert found.smooth.min() < 0.5 * found.smooth[0]
    assert 1e-3 < found.steepest <= found.lowest < 3.0


def test_the_first_J_is_that_of_the_network_and_the_network_stays():
    net = mlp()
    before = {name: value.copy() for name, value in net.parameters.items()}
    found = rg.learning_rate_range(
        net, X.astype(np.float32), Y, optimizer="sgd", batch_size=None, low=1e-6, high=1.0
    )
    J = 0.5 * np.square(net.predict(X) - Y).sum(1).mean()
    assert found.J[0] == pytest.approx(J, rel=1e-6)
    for name, value in before.items():
        assert net.parameters[name].dtype == np.float64
        np.testing.assert_array_equal(net.parameters[name], value)


def test_it_reaches_the_rate_inside_wrappers_and_groups():
    plain = rg.learning_rate_range(mlp(), X, Y, optimizer=rg.Adam())
    for optimizer in (
        rg.Clip(rg.Adam(), value=1e9),
        rg.Groups({"b*": rg.Adam(1e-3)}, default=rg.Adam()),
        rg.EMA(rg.Adam(), 0.9),
    ):
        found = rg.learning_rate_range(mlp(), X, Y, optimizer=optimizer)
        assert found.J[0] == plain.J[0]
        assert found.lowest == pytest.approx(plain.lowest, rel=2.0)


def test_a_figure_marks_the_steepest_fall(tmp_path):
    found = rg.learning_rate_range(mlp(), X, Y)
    figure = rg.plot_learning_rates(found, title="fin")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [line.get_label() for line in axes.lines][1:] == [
        "mean of steps around", f"falls fastest: {found.steepest:.3g}"
    ]  # fmt: skip
    assert axes.get_title() == "fin"
    figure.savefig(tmp_path / "rates.png")
    assert "J falls fastest at" in repr(found)


@pytest.mark.parametrize(
    "options",
    [
        {"low": 0.0},
        {"low": 1.0, "high": 1.0},
        {"steps": 2},
        {"batch_size": 0},
        {"optimizer": "lbfgs"},
        {"optimizer": "sdg"},
        {"l2": -1.0},
    ],
)
def test_what_cannot_be_tested_is_an_option_error(options):
    with pytest.raises(OptionError):
        rg.learning_rate_range(mlp(), X, Y, **options)


def test_a_burst_at_once_is_an_error_that_says_so():
    with pytest.raises(DataError, match="begin at a lower rate"):
        rg.learning_rate_range(mlp(), X, 1e150 * Y, optimizer="sgd", low=1e3, high=1e9)


def test_frozen_parameters_do_not_move_with_the_rate():
    net, tail = rg.MLP([1, 8, 1], activation="tanh"), rg.MLP([8, 1])
    for name in ("W", "b"):
        tail.parameters[f"{name}1"] = net.parameters[f"{name}2"]
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    a = np.tanh(x @ net.parameters["W1"] + net.parameters["b1"])
    found = rg.learning_rate_range(net, x, x**2, frozen=["*1"], high=0.1)
    expected = rg.learning_rate_range(tail, a, x**2, high=0.1)
    np.testing.assert_allclose(found.J, expected.J, rtol=1e-11)
    with pytest.raises(rg.errors.OptionError, match="learning_rate_range: frozen leaves nothing"):
        rg.learning_rate_range(net, x, x**2, frozen=["*"])
