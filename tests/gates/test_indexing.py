"""`x[...]` is NumPy's basic indexing; an integer array picks along axis 0."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import retrograd as rg

few = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def arrays_and_indices(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    index = draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    return np.arange(float(np.prod(shape))).reshape(shape), index


@few
@given(arrays_and_indices())
def test_any_basic_index_gives_numpys_entries_and_sends_the_gradient_to_them(case):
    value, index = case
    x = rg.variable("x", value)
    y = x[index]
    assert np.array_equal(rg.evaluate(y), value[index])
    assert y.shape == value[index].shape
    seed = np.arange(1.0, 1.0 + value[index].size).reshape(value[index].shape)
    expected = np.zeros(value.shape)
    expected[index] = seed
    assert np.array_equal(rg.evaluate(rg.gradient(y, x, seed=seed)), expected)


SLICES = st.builds(slice, *[st.one_of(st.none(), st.integers(-6, 6))] * 2, st.integers(-3, 3))


@few
@given(st.integers(0, 4), SLICES.filter(lambda s: s.step != 0))
def test_any_slice_gives_numpys_entries_wherever_it_starts_and_stops(size, index):
    value = np.arange(float(size))
    assert np.array_equal(rg.evaluate(rg.constant(value)[index]), value[index])


@pytest.mark.parametrize("index", [[0, 0, 1], np.array([[1, -1], [0, 0]]), np.array(1), []])
def test_an_integer_array_picks_along_the_first_axis(index):
    value = np.arange(6.0).reshape(2, 3)
    x = rg.variable("x", value)
    y = x[index]
    picked = value[np.asarray(index, int)]
    assert np.array_equal(rg.evaluate(y), picked)
    expected = np.zeros((2, 3))
    np.add.at(expected, np.asarray(index, int), np.ones(picked.shape))
    assert np.array_equal(rg.evaluate(rg.gradient(rg.sum(y), x)), expected)


def test_an_index_may_be_an_integer_node():
    x = rg.variable("x", [5.0, 6.0, 7.0])
    i = rg.variable("i", shape=(rg.rows,), dtype="int64")
    assert np.array_equal(rg.evaluate(x[i], {i: [2, 0]}), [7, 5])


def test_rows_are_taken_whole_and_other_axes_as_one_likes():
    x = rg.variable("x", shape=(rg.rows, 4))
    value = np.arange(8.0).reshape(2, 4)
    for index in [
        (slice(None), 1),
        (..., slice(None, None, -2)),
        (None, slice(None), 0),
        (slice(None), None, slice(1, 3)),
    ]:
        y = x[index]
        assert rg.rows in y.shape
        assert np.array_equal(rg.evaluate(y, {x: value}), value[index])
    assert x[:] is x
