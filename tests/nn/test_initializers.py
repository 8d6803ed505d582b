"""Initial weights: bounds, moments, seeds."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import UnknownNameError
from retrograd.nn.initializers import INITIALIZERS, find_initializer

I, O = 300, 200
VARIANCE = {"glorot": 2 / (I + O), "he": 2 / I, "lecun": 1 / I}


@pytest.mark.parametrize("kind", VARIANCE)
@pytest.mark.parametrize("shape", ["uniform", "normal"])
def test_the_variance_is_the_papers(kind, shape):
    W = find_initializer(f"{kind}_{shape}")(np.random.default_rng(1), I, O)
    assert W.shape == (I, O)
    n, variance = W.size, VARIANCE[kind]
    # Five standard errors; the fourth moment is 1.8 variance**2 (uniform), 3 variance**2 (normal).
    assert abs(W.mean()) < 5 * np.sqrt(variance / n)
    spread = np.sqrt((0.8 if shape == "uniform" else 2.0) / n)
    assert abs(W.var() / variance - 1) < 5 * spread


@pytest.mark.parametrize("kind", VARIANCE)
def test_a_uniform_draw_fills_its_bounds(kind):
    W = find_initializer(f"{kind}_uniform")(np.random.default_rng(1), I, O)
    limit = np.sqrt(3 * VARIANCE[kind])
    assert np.abs(W).max() < limit
    assert np.abs(W).max() > 0.999 * limit


def test_zeros_are_zeros():
    net = rg.MLP([3, 4, 2], initializer="zeros")
    assert all(not value.any() for value in net.parameters.values())


def test_biases_start_at_0():
    net = rg.MLP([3, 4, 2])
    assert not net.parameters["b1"].any()
    assert net.parameters["W1"].any()


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"zeros"}))
def test_equal_seeds_give_equal_weights_and_others_do_not(name):
    first, same, other = (rg.MLP([4, 3], initializer=name, seed=s) for s in (7, 7, 8))
    np.testing.assert_array_equal(first.parameters["W1"], same.parameters["W1"])
    assert (first.parameters["W1"] != other.parameters["W1"]).all()


def test_without_a_seed_two_networks_differ():
    first, second = rg.MLP([4, 3], seed=None), rg.MLP([4, 3], seed=None)
    assert (first.parameters["W1"] != second.parameters["W1"]).any()


@pytest.mark.parametrize(
    ("activation", "name"), [("relu", "he_uniform"), ("tanh", "glorot_uniform")]
)
def test_auto_is_he_for_relu_else_glorot(activation, name):
    auto = rg.MLP([5, 4, 4], activation=activation, seed=3)
    named = rg.MLP([5, 4, 4], activation=activation, initializer=name, seed=3)
    np.testing.assert_array_equal(auto.parameters["W1"], named.parameters["W1"])


@pytest.mark.parametrize("name", ["xavier", 3, None, ["he_normal"]])
def test_an_unknown_initializer_lists_the_known_ones(name):
    with pytest.raises(UnknownNameError, match="glorot_normal, glorot_uniform, he_normal"):
        rg.Dense(2, 2, initializer=name)
