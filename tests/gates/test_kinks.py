"""What happens at kinks, ties and in the branch that was not chosen."""

import numpy as np
import pytest

import retrograd as rg


def slope(build, *values):
    """The gradient of the sum of `build(*values)` in each of them."""
    inputs = [rg.variable(f"x{i}", value) for i, value in enumerate(values)]
    found = rg.evaluate(rg.gradient(rg.sum(build(*inputs)), inputs))
    return found[0] if len(values) == 1 else found


def test_relu_has_slope_zero_at_zero():
    assert np.array_equal(slope(rg.relu, [-1.0, 0.0, -0.0, 1e-300]), [0, 0, 0, 1])


def test_abs_and_sign_have_slope_zero_at_zero():
    assert np.array_equal(slope(rg.abs, [-2.0, 0.0, 2.0]), [-1, 0, 1])
    assert np.array_equal(slope(rg.sign, [-2.0, 0.0, 2.0]), [0, 0, 0])


def test_maximum_and_minimum_send_a_tie_to_the_first_operand():
    for gate in (rg.maximum, rg.minimum):
        dx, dy = slope(gate, [1.0, 2.0], [1.0, 2.0])
        assert np.array_equal(dx, [1, 1])
        assert np.array_equal(dy, [0, 0])


def test_max_and_min_send_a_tie_to_the_first_entry():
    assert np.array_equal(slope(rg.max, [1.0, 3.0, 3.0]), [0, 1, 0])
    assert np.array_equal(slope(rg.min, [3.0, 1.0, 1.0]), [0, 1, 0])
    assert np.array_equal(slope(rg.max, np.zeros((2, 2))), [[1, 0], [0, 0]])
    assert np.array_equal(slope(lambda x: rg.max(x, 0), np.zeros((2, 2))), [[1, 1], [0, 0]])


def test_the_first_of_a_tie_over_several_axes_is_counted_row_by_row():
    x = np.zeros((2, 3, 2))
    x[0, 2, 1] = x[1, 0, 1] = 5.0
    dx = slope(lambda node: rg.max(node, axis=(2, 0)), x)
    expected = np.zeros_like(x)
    for j in range(3):
        flat = x[:, j, :].reshape(-1)
        at = np.unravel_index(np.argmax(flat), (2, 2))
        expected[at[0], j, at[1]] = 1
    assert np.array_equal(dx, expected)


def test_a_tie_does_not_depend_on_the_layout_in_memory():
    x = np.array([[1.0, 3.0], [3.0, 3.0]])
    node = rg.variable("x", shape=(2, 2))
    dx = rg.gradient(rg.max(node), node)
    for same in (x, np.asfortranarray(x), np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]):
        assert np.array_equal(rg.evaluate(dx, {node: same}), [[0, 1], [0, 0]])


def test_clip_has_slope_one_at_its_bounds():
    x = [-1.0, 0.0, 0.5, 1.0, 2.0]
    assert np.array_equal(slope(lambda node: rg.clip(node, 0.0, 1.0), x), [0, 1, 1, 1, 0])
    assert np.array_equal(rg.evaluate(rg.clip(x, 2.0, 1.0)), np.clip(x, 2.0, 1.0))


def test_power_at_zero_has_its_limits():
    a, b = [0.0, 0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 3.0, 0.0]
    da, db = slope(rg.power, a, b)
    assert np.array_equal(da, [0, 1, 0, 0, 0])
    np.testing.assert_allclose(db, [0, 0, 0, 0, np.log(2)])


def test_a_negative_power_of_zero_is_infinite_as_are_its_slopes():
    assert rg.evaluate(rg.power([0.0], [-1.0])) == np.inf
    da, db = slope(rg.power, [0.0], [-1.0])
    assert (da[0], db[0]) == (-np.inf, -np.inf)


def test_the_exponents_that_have_their_own_gate_give_what_power_gives():
    x = np.array([0.5, 2.0, 3.0])
    for exponent in (-1, 0, 0.5, 1, 2, 3, -2.5):
        node = rg.variable("x", x)
        y = node**exponent
        np.testing.assert_allclose(rg.evaluate(y), x**exponent, rtol=1e-15)
        expected = exponent * x ** (exponent - 1.0)
        np.testing.assert_allclose(
            slope(lambda v, exponent=exponent: v**exponent, x), expected, rtol=1e-15
        )


def test_the_mixed_second_derivative_of_a_power_holds_at_exponent_zero():
    a, b = rg.variable("a", 2.0), rg.variable("b", 0.0)
    da = rg.gradient(rg.power(a, b), a)
    assert rg.evaluate(rg.gradient(da, b)) == pytest.approx(0.5)  # a**(b-1) (1 + b log a)
    assert rg.evaluate(rg.gradient(da, a)) == 0


def test_second_derivatives_of_powers_of_zero_are_their_limits():
    a, b = rg.variable("a", 0.0), rg.variable("b", 2.0)
    da = rg.gradient(rg.power(a, b), a)
    assert rg.evaluate(rg.gradient(da, a)) == 2.0
    assert rg.evaluate(rg.gradient(da, a), {b: 1.0}) == 0.0
    assert rg.evaluate(rg.gradient(da, a), {b: 3.0}) == 0.0


def test_where_gives_each_operand_the_gradient_where_it_was_chosen():
    condition = np.array([True, False, True])
    da, db = slope(lambda a, b: rg.where(condition, a, b), [1.0, 2.0, 3.0], 4.0)
    assert np.array_equal(da, [1, 0, 1])
    assert db == 1


def test_a_nan_of_the_branch_not_chosen_reaches_neither_value_nor_gradient_of_the_other():
    x = rg.variable("x", [4.0, -1.0])
    y = rg.where(x > 0.0, x * 2.0, rg.log(rg.constant([-1.0, 1.0])))
    assert np.array_equal(rg.evaluate(y), [8, 0])
    assert np.array_equal(rg.evaluate(rg.gradient(rg.sum(y), x)), [2, 0])


def test_zero_times_an_infinite_local_gradient_of_the_branch_not_chosen_is_nan():
    """As in PyTorch and JAX; the argument guarded by a where of its own gives 0."""
    x = rg.variable("x", 0.0)
    bare = rg.where(x > 0.0, rg.sqrt(x), 0.0)
    guarded = rg.where(x > 0.0, rg.sqrt(rg.where(x > 0.0, x, 1.0)), 0.0)
    assert rg.evaluate(bare) == 0.0
    assert np.isnan(rg.evaluate(rg.gradient(bare, x)))
    assert rg.evaluate(rg.gradient(guarded, x)) == 0.0


def test_nan_goes_through_and_is_not_hidden():
    x = [np.nan, 1.0]
    for gate in (rg.relu, rg.abs, rg.sigmoid, rg.softplus, rg.tanh):
        assert np.array_equal(np.isnan(rg.evaluate(gate(x))), [True, False])
    assert np.isnan(rg.evaluate(rg.max(x)))
    assert np.isnan(rg.evaluate(rg.maximum(x, 0.0)))[0]
    assert np.isnan(rg.evaluate(rg.softmax(x))).all()
