"""least_squares on NIST's 27 reference problems of nonlinear regression (nist_strd/README.md)."""

from __future__ import annotations

from decimal import Decimal

import mpmath
import numpy as np
import pytest

import retrograd as rg
from tests.training.nist import MODELS, digits, fit, read, table

DIGITS = 6
NAMES = sorted(MODELS)

# Far from the minimum, with columns of J that vanish: other minima, at infinity, attract from here.
NOT_FROM_THE_FIRST_START = {"BoxBOD", "MGH10", "MGH17"}

# y has 14 digits and the residuals are its last two: float64 keeps three digits of their squares.
BEYOND_FLOAT64 = "Lanczos1"


def found_digits(problem, found):
    return digits(list(found.parameters.values()), problem.certified)


def test_there_are_27_problems():
    assert len(MODELS) == 27


@pytest.mark.parametrize("name", [name for name in NAMES if name != BEYOND_FLOAT64])
def test_sum_of_squares_and_standard_errors_at_the_certified_values(name):
    problem = read(name)
    found = fit(problem, problem.certified)
    assert found.converged
    assert digits(found.residual_sum_of_squares, problem.residual_sum_of_squares) >= DIGITS
    assert digits(list(found.standard_errors.values()), problem.standard_errors) >= DIGITS
    assert found_digits(problem, found) >= 9
    np.testing.assert_allclose(
        np.sqrt(np.diag(found.covariance)), list(found.standard_errors.values()), rtol=1e-14
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_second_start_leads_to_the_certified_values(name):
    problem = read(name)
    found = fit(problem, problem.starts[1])
    assert found.converged
    assert found_digits(problem, found) >= DIGITS


@pytest.mark.parametrize("name", NAMES)
def test_the_first_start_leads_to_the_certified_values_or_to_no_convergence(name):
    problem = read(name)
    found = fit(problem, problem.starts[0])
    assert found.converged == (name not in NOT_FROM_THE_FIRST_START)
    assert (found_digits(problem, found) >= DIGITS) == found.converged


def test_the_certified_numbers_of_lanczos1_in_deviations_from_what_made_its_data():
    """y = f(x, a) rounded to 14 digits, so y - f(x, b) = (y - f(x, a)) - (f(x, b) - f(x, a)).

    The first difference is of the data alone, here from 30 digits; the second one is small without
    cancellation, as a function of d = b - a.
    """
    problem = read(BEYOND_FLOAT64)
    made_of = [Decimal(a) for a in ("0.0951", "1", "0.8607", "3", "1.5576", "5")]
    a = np.array(made_of, float)
    with mpmath.workdps(30):
        exact = [mpmath.mpf(str(value)) for value in made_of]
        remainders = [
            mpmath.mpf(y) - sum(c * mpmath.exp(-k * mpmath.mpf(x)) for c, k in _pairs(exact))
            for y, x in table(BEYOND_FLOAT64)
        ]
    x, remainder = (rg.variable(name, shape=(rg.rows,)) for name in ("x", "remainder"))
    d = [rg.variable(f"d{i}", shape=()) for i in range(1, 7)]
    change = rg.constant(0.0)
    for (c, k), (dc, dk) in zip(_pairs(a), _pairs(d), strict=True):
        change = change + rg.exp(-k * x) * (dc + (c + dc) * rg.expm1(-dk * x))
    start = [float(Decimal(b) - value) for b, value in zip(_printed(), made_of, strict=True)]
    found = rg.least_squares(
        remainder - change,
        dict(zip(d, start, strict=True)),
        {x: problem.x[0], remainder: np.array(remainders, float)},
    )
    assert found.converged
    assert digits(found.residual_sum_of_squares, problem.residual_sum_of_squares) >= DIGITS
    assert digits(list(found.standard_errors.values()), problem.standard_errors) >= DIGITS
    assert digits(a + list(found.parameters.values()), problem.certified) >= 10


def _pairs(values):
    return list(zip(values[::2], values[1::2], strict=True))


def _printed():
    return [f"{value:.10e}" for value in read(BEYOND_FLOAT64).certified]


@pytest.mark.parametrize("name", ["MGH09", "Nelson"])
def test_the_engines_agree(name):
    problem = read(name)
    cpu, reference = (fit(problem, problem.starts[1], engine=e) for e in ("cpu", "numpy"))
    assert digits(list(cpu.parameters.values()), list(reference.parameters.values())) >= 8
    assert digits(cpu.residual_sum_of_squares, reference.residual_sum_of_squares) >= 10
