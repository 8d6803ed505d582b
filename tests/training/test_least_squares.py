"""least_squares: any graph of residuals, standard errors, honest endings, errors."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, DtypeError, GraphError, OptionError, ShapeError

RNG = np.random.default_rng(5)
A = RNG.normal(size=(40, 3))
B = A @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=40)


def rows(name, *sizes):
    return rg.variable(name, shape=(rg.rows, *sizes))


def scalar(name):
    return rg.variable(name, shape=())


def linear():
    a, b, w = rows("a", 3), rows("b"), rg.variable("w", shape=(3,))
    return a @ w - b, {w: np.zeros(3)}, {a: A, b: B}


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_a_linear_problem_has_the_textbook_covariance(engine):
    fit = rg.least_squares(*linear(), engine=engine)
    best, total, *_ = np.linalg.lstsq(A, B, rcond=None)
    covariance = total[0] / 37 * np.linalg.inv(A.T @ A)
    assert isinstance(fit, rg.LeastSquaresFit)
    assert fit.converged
    assert fit.message == "converged"
    assert fit.degrees_of_freedom == 37
    assert fit.offset <= 1e-10
    np.testing.assert_allclose(fit.parameters["w"], best, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-10)
    np.testing.assert_allclose(fit.standard_errors["w"], np.sqrt(np.diag(covariance)), rtol=1e-10)
    np.testing.assert_allclose(fit.residual_sum_of_squares, total[0], rtol=1e-12)
    np.testing.assert_allclose(fit.residuals, A @ best - B, rtol=1e-8, atol=1e-12)


def test_several_residuals_a_row_and_parameters_of_any_shape():
    a, y = rows("a", 3), rows("y", 2)
    W, c = rg.variable("W", shape=(3, 2)), rg.variable("c", shape=(2,))
    Y = A @ RNG.normal(size=(3, 2)) + [1.0, 2.0] + 0.01 * RNG.normal(size=(40, 2))
    fit = rg.least_squares(a @ W + c - y, {W: np.ones((3, 2)), c: np.zeros(2)}, {a: A, y: Y})
    best = np.linalg.lstsq(np.c_[A, np.ones(40)], Y, rcond=None)[0]
    np.testing.assert_allclose(fit.parameters["W"], best[:3], rtol=1e-9)
    np.testing.assert_allclose(fit.parameters["c"], best[3], rtol=1e-9)
    assert fit.residuals.shape == (40, 2)
    assert fit.covariance.shape == (8, 8)
    assert fit.standard_errors["W"].shape == (3, 2)


def test_a_network_is_a_graph_of_residuals_like_any_other():
    net = rg.MLP([1, 3, 1], activation="tanh")
    x, y, own = rows("x", 1), rows("y", 1), net.variables()
    X = np.linspace(-2.0, 2.0, 60)[:, None]
    Y = np.sin(X) + 0.01 * RNG.normal(size=X.shape)
    start = {own[name]: value for name, value in net.parameters.items()}
    fit = rg.least_squares(net.forward(x, own).output - y, start, {x: X, y: Y})
    assert fit.residual_sum_of_squares < 1.5 * 60 * 0.01**2
    assert set(fit.parameters) == {"W1", "b1", "W2", "b2"}


def test_residuals_without_rows_and_without_data():
    """Rosenbrock's valley."""
    w = rg.variable("w", shape=(2,))
    residuals = rg.concatenate([10.0 * (w[1:] - w[:1] ** 2), 1.0 - w[:1]])
    fit = rg.least_squares(residuals, {w: [-1.2, 1.0]})
    np.testing.assert_allclose(fit.parameters["w"], [1.0, 1.0], rtol=1e-12)
    assert fit.converged
    assert fit.degrees_of_freedom == 0
    assert np.isinf(fit.standard_errors["w"]).all()


def test_rows_that_depend_on_each_other_are_refused_and_taken_with_their_sizes():
    a, k = rows("a"), scalar("k")
    with pytest.raises(GraphError, match="of a row depend on other rows, or on chance"):
        rg.least_squares(k * a - rg.mean(a), {k: 0.0}, {a: B})
    a = rg.variable("a", shape=(40,))
    fit = rg.least_squares(k * a - rg.mean(a), {k: 0.0}, {a: B})
    np.testing.assert_allclose(fit.parameters["k"], B.mean() * B.sum() / (B @ B), rtol=1e-9)


def test_a_trial_that_overflows_is_not_taken():
    x, y, k = rows("x"), rows("y"), scalar("k")
    t = np.linspace(0.0, 1.0, 20)
    fit = rg.least_squares(
        rg.exp(k * x) - y, {k: -30.0}, {x: t, y: np.exp(300.0 * t)}, damping=1e-12
    )
    assert np.isfinite(fit.residual_sum_of_squares)


def test_parameters_that_the_data_do_not_determine_are_named():
    x, y, a, b, c = rows("x"), rows("y"), *map(scalar, "abc")
    t = np.linspace(0.0, 1.0, 20)
    fit = rg.least_squares(
        (a + b) * x + c - y, {a: 0.0, b: 0.0, c: 0.0}, {x: t, y: 2.0 * t + 0.1 * np.cos(9.0 * t)}
    )
    assert not fit.converged
    assert fit.message == "not converged: the data do not determine a, b"
    assert np.isinf([fit.standard_errors["a"], fit.standard_errors["b"]]).all()
    assert np.isfinite(fit.standard_errors["c"])
    assert "a = 0.98" in str(fit)


def test_too_few_iterations_say_so():
    x, y, a, k = rows("x"), rows("y"), *map(scalar, "ak")
    t = np.linspace(0.0, 3.0, 20)
    data = {x: t, y: 3.0 * np.exp(-0.7 * t) + 0.01 * np.cos(40 * t)}
    fit = rg.least_squares(a * rg.exp(-k * x) - y, {a: 40.0, k: 3.0}, data, max_iterations=1)
    assert not fit.converged
    assert fit.n_iterations == 1
    assert fit.message == "not converged: max_iterations was reached"
    assert str(fit).endswith("\nnot converged: max_iterations was reached after 1 iteration")


def test_ctrl_c_gives_the_fit_so_far(monkeypatch):
    from retrograd.training.solvers.damped import Descent

    step = Descent.step

    def interrupted(self):
        taken = step(self)
        signal.raise_signal(signal.SIGINT)
        return taken

    monkeypatch.setattr(Descent, "step", interrupted)
    x, y, a, k = rows("x"), rows("y"), *map(scalar, "ak")
    t = np.linspace(0.0, 3.0, 20)
    measured = 3.0 * np.exp(-0.7 * t)
    fit = rg.least_squares(a * rg.exp(-k * x) - y, {a: 9.0, k: 3.0}, {x: t, y: measured})
    assert not fit.converged
    assert "interrupted" in fit.message
    assert fit.residual_sum_of_squares < ((9.0 * np.exp(-3.0 * t) - measured) ** 2).sum()


def test_float32_residuals_converge_in_their_own_precision():
    a = rg.variable("a", shape=(rg.rows, 3), dtype=np.float32)
    b = rg.variable("b", shape=(rg.rows,), dtype=np.float32)
    w = rg.variable("w", shape=(3,), dtype=np.float32)
    fit = rg.least_squares(a @ w - b, {w: np.zeros(3)}, {a: A, b: B})
    np.testing.assert_allclose(fit.parameters["w"], np.linalg.lstsq(A, B)[0], rtol=1e-4)
    assert fit.message == "converged to rounding"


def test_without_noise_it_converges_to_rounding_also_where_a_parameter_is_zero():
    residuals, parameters, data = linear()
    a, b = data
    fit = rg.least_squares(residuals, parameters, {a: A, b: A @ [1.0, 0.0, -1e-3]})
    assert fit.converged
    np.testing.assert_allclose(fit.parameters["w"], [1.0, 0.0, -1e-3], atol=1e-14)


def test_numbers_in_other_units_change_nothing():
    """The damping is relative to the columns of J: 1e6 times a parameter is the same problem."""
    x, y, a, k = rows("x"), rows("y"), *map(scalar, "ak")
    t = np.linspace(0.0, 3.0, 20)
    data = {x: t, y: 3.0 * np.exp(-0.7 * t) + 0.01 * np.cos(40 * t)}
    plain = rg.least_squares(a * rg.exp(-k * x) - y, {a: 9.0, k: 3.0}, data)
    other = rg.least_squares(a * rg.exp(-1e6 * k * x) - y, {a: 9.0, k: 3e-6}, data)
    assert plain.n_iterations == other.n_iterations
    np.testing.assert_allclose(1e6 * other.parameters["k"], plain.parameters["k"], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda r, p, d: (1.0, p, d), GraphError, "residuals is a node"),
        (lambda r, p, d: (r > 0.0, p, d), DtypeError, "must be float32 or float64"),
        (lambda r, p, d: (r[None, :], p, d), ShapeError, "rows only in front"),
        (lambda r, p, d: (r, {}, d), OptionError, "a dict from variables to starts"),
        (lambda r, p, d: (r, {r: 1.0}, d), OptionError, "a variable without rows"),
        (lambda r, p, d: (r, p, {}), GraphError, "needs a value: give it in data"),
        (lambda r, p, d: (r, {**p, scalar("w"): 1.0}, d), OptionError, "two parameters are named"),
        (lambda r, p, d: (r, dict.fromkeys(p, np.zeros(4)), d), ShapeError, "expected shape"),
        (lambda r, p, d: (r, dict.fromkeys(p, [np.nan] * 3), d), DataError, "w: nan"),
        (lambda r, p, d: (r / 0.0, p, d), DataError, "not finite at the start"),
        (
            lambda r, p, d: (r, p, {x: v[:2] for x, v in d.items()}),
            OptionError,
            "2 residuals do not determine 3 parameters",
        ),
        (lambda r, p, d: (rg.sum(r), p, d), GraphError, "take no data with rows"),
    ],
)
def test_what_cannot_be_solved_is_an_error(change, error, message):
    with pytest.raises(error, match=message):
        rg.least_squares(*change(*linear()))


def test_too_many_parameters_are_an_error_that_says_how_many():
    w, x = rg.variable("w", shape=(6000,)), rows("x", 6000)
    with pytest.raises(OptionError, match=r"6000 parameters make J\.T J 6000 x 6000 \(0\.29 GB\)"):
        rg.least_squares(x @ w, {w: np.zeros(6000)}, {x: np.zeros((6001, 6000))})


@pytest.mark.parametrize("option", [{"max_iterations": 0}, {"tolerance": 0.0}, {"damping": -1.0}])
def test_an_option_out_of_its_range_is_an_error(option):
    with pytest.raises(OptionError, match=f"least_squares: {next(iter(option))} must be"):
        rg.least_squares(*linear(), **option)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("x", "data has the key 'x'; give the variable itself"),
        (rows("other"), r"data has other \(rows,\), on which .*: x \(rows,\)"),
        (rows("x"), r"data has x \(rows,\), .* give the variable itself"),
    ],
)
def test_a_key_of_data_that_is_none_of_the_variables_is_named(key, message):
    x, k = rows("x"), scalar("k")
    with pytest.raises(OptionError, match=message):
        rg.least_squares(k * x - 1.0, {k: 0.0}, {x: B, key: B})


def test_a_parameter_among_the_data_and_data_that_are_no_dict_are_errors():
    x, k = rows("x"), scalar("k")
    with pytest.raises(OptionError, match=r"k .* is in parameters and in data"):
        rg.least_squares(k * x - 1.0, {k: 0.0}, {x: B, k: 1.0})
    with pytest.raises(OptionError, match="data is a dict from variables to values"):
        rg.least_squares(k * x - 1.0, {k: 0.0}, [B])
