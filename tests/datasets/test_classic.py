"""Two spirals and parity: what makes them hard, and what they are."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.datasets import parity, two_spirals
from retrograd.errors import OptionError


def test_the_spirals_are_those_of_the_original() -> None:
    data = two_spirals()
    i = np.arange(97)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    np.testing.assert_allclose(
        data.X[::2], np.c_[radius * np.sin(angle), radius * np.cos(angle)], atol=1e-13
    )
    np.testing.assert_array_equal(data.X[1::2], -data.X[::2])
    assert data.y.tolist() == [0, 1] * 97


def test_more_points_lie_on_the_same_curve() -> None:
    few, many = two_spirals(4).X[::2], two_spirals(31).X[::2]
    np.testing.assert_allclose(many[::10], few, atol=1e-13)


def test_noise_moves_points_and_a_seed_gives_its_own() -> None:
    exact = two_spirals(2000).X
    moved = two_spirals(2000, noise=0.2, seed=3).X
    np.testing.assert_allclose((moved - exact).std(), 0.2, rtol=0.05)
    np.testing.assert_array_equal(moved, two_spirals(2000, noise=0.2, seed=3).X)
    assert (moved != two_spirals(2000, noise=0.2, seed=4).X).all()


@pytest.mark.parametrize("bits", [1, 2, 6])
def test_parity_has_every_pattern_once_and_any_bit_flips_the_class(bits: int) -> None:
    data = parity(bits)
    assert data.X.shape == (2**bits, bits)
    assert len(np.unique(data.X, axis=0)) == 2**bits
    assert set(np.unique(data.X)) == {-1.0, 1.0}
    np.testing.assert_array_equal(data.y, (data.X == 1).sum(axis=1) % 2)
    if bits > 1:  # no bit alone says anything
        np.testing.assert_array_equal(data.X.T @ (2 * data.y - 1), np.zeros(bits))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: two_spirals(0), "n must be an integer of at least 1"),
        (lambda: two_spirals(5, noise=-1.0), "noise must be in"),
        (lambda: two_spirals(5, seed=-1), "seed must be an integer"),
        (lambda: parity(0), "bits must be an integer of at least 1"),
        (lambda: parity(17), "bits must be at most 16, got 17"),
    ],
)
def test_an_argument_out_of_range_is_an_error(make, problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        make()
