"""The inverse fin problem against the equation it solves (L2.8)."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.datasets import fin
from retrograd.datasets.pin_fin import (
    AMBIENT_TEMPERATURE,
    BASE_TEMPERATURE,
    COEFFICIENT_RANGE,
    CONDUCTIVITY,
    DIAMETER,
    LENGTH,
    STATIONS,
    temperatures,
)
from retrograd.errors import OptionError

H = np.linspace(*COEFFICIENT_RANGE, 19)


def test_the_temperatures_solve_the_differential_equation() -> None:
    # theta'' = m^2 theta, by central differences, whose error falls with the step squared
    m_squared = (H * np.pi * DIAMETER / (CONDUCTIVITY * np.pi * DIAMETER**2 / 4))[:, None]
    step = LENGTH / 400
    theta = temperatures(H, np.linspace(0, LENGTH, 401)) - AMBIENT_TEMPERATURE
    curvature = (theta[:, 2:] - 2 * theta[:, 1:-1] + theta[:, :-2]) / step**2
    # theta'''' = m^4 theta, so the differences exceed m^2 theta by m^4 theta step^2 / 12.
    relative = curvature / (m_squared * theta[:, 1:-1]) - 1
    np.testing.assert_allclose(relative, m_squared * step**2 / 12 + 0 * relative, atol=1e-7)


def test_the_base_is_held_and_the_tip_is_insulated() -> None:
    step = LENGTH / 1e4
    base, inside, tip = temperatures(H, [0.0, LENGTH - step, LENGTH]).T
    np.testing.assert_allclose(base, BASE_TEMPERATURE, rtol=1e-14)
    # With theta' = 0 at the tip, theta falls there as m^2 theta step^2 / 2.
    m_squared = H * 4 / (CONDUCTIVITY * DIAMETER)
    expected = m_squared * (tip - AMBIENT_TEMPERATURE) * step**2 / 2
    np.testing.assert_allclose(inside - tip, expected, rtol=1e-5)


def test_heat_entering_at_the_base_leaves_along_the_fin() -> None:
    x = np.linspace(0, LENGTH, 2001)
    theta = temperatures(H, x) - AMBIENT_TEMPERATURE
    lost = H * np.pi * DIAMETER * np.trapezoid(theta, x)
    m = np.sqrt(H * 4 / (CONDUCTIVITY * DIAMETER))
    # q = sqrt(h P k A) theta_b tanh(m L)   [Incropera & DeWitt, table 3.4, case B]
    entering = CONDUCTIVITY * np.pi * DIAMETER**2 / 4 * theta[:, 0] * m * np.tanh(m * LENGTH)
    np.testing.assert_allclose(lost, entering, rtol=1e-6)


def test_every_station_cools_as_h_grows_and_tells_every_h() -> None:
    change = np.diff(temperatures(H), axis=0) / np.diff(H)[:, None]
    assert (change < -0.1).all()  # kelvin per W/(m^2 K), as much as the noise


def test_the_stations_run_to_the_tip_without_the_base() -> None:
    np.testing.assert_allclose(STATIONS, np.linspace(0, LENGTH, 9)[1:])


def test_without_noise_the_measurements_are_the_solution() -> None:
    data = fin(n=50, noise=0.0)
    np.testing.assert_array_equal(data.X, temperatures(data.y))


def test_h_is_uniform_over_its_range() -> None:
    low, high = COEFFICIENT_RANGE
    quantiles = np.quantile((fin(n=20_000).y - low) / (high - low), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(quantiles, [0, 0.25, 0.5, 0.75, 1], atol=0.015)


def test_the_noise_is_normal_with_the_deviation_asked_for() -> None:
    data = fin(n=20_000, noise=0.3, seed=5)
    noise = data.X - temperatures(data.y)  # 160,000 draws: a deviation's own error is 0.2 %
    np.testing.assert_allclose(noise.std(axis=0), 0.3, rtol=0.03)
    assert abs(noise.mean()) < 0.005
    np.testing.assert_allclose((np.abs(noise) < 0.3).mean(), 0.6827, atol=0.006)
    between = np.atleast_2d(np.corrcoef(noise.T))[~np.eye(8, dtype=bool)]
    assert np.abs(between).max() < 0.04


def test_a_seed_gives_its_data_and_another_gives_other() -> None:
    np.testing.assert_array_equal(fin(seed=3).X, fin(seed=3).X)
    assert (fin(seed=3).y != fin(seed=4).y).all()


def test_the_noise_does_not_change_h() -> None:
    np.testing.assert_array_equal(fin(noise=0).y, fin(noise=1).y)


@pytest.mark.parametrize(
    ("n", "noise", "seed", "problem"),
    [
        (0, 0.1, 0, "n is the number of fins, at least 1; got 0"),
        (9, -0.1, 0, "noise is a standard deviation in kelvin, >= 0; got -0.1"),
        (9, float("nan"), 0, "noise is .* got nan"),
        (9, float("inf"), 0, "noise is .* got inf"),
        (9, 0.1, -1, "seed is an integer >= 0; got -1"),
    ],
)
def test_an_argument_out_of_range_is_an_error(
    n: int, noise: float, seed: int, problem: str
) -> None:
    with pytest.raises(OptionError, match=problem):
        fin(n, noise, seed)
