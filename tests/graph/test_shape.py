"""Shapes with one symbolic size."""

import copy
import pickle

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings

from retrograd.errors import ShapeError
from retrograd.graph.shape import (
    Rows,
    as_axes,
    as_shape,
    broadcast,
    broadcast_axes,
    has_rows,
    rows,
    show,
    size_of,
    with_rows,
)

few = settings(max_examples=60, deadline=None, derandomize=True)


def test_there_is_one_rows():
    assert Rows() is rows
    assert copy.deepcopy(rows) is rows
    assert pickle.loads(pickle.dumps(rows)) is rows
    assert repr(rows) == "rows"


@few
@given(hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_dims=4))
def test_shapes_broadcast_as_in_numpy(shapes):
    assert broadcast(*shapes.input_shapes) == shapes.result_shape


@few
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4))
def test_the_axes_of_a_broadcast_are_those_that_were_repeated(shapes):
    small, large = shapes.input_shapes[0], shapes.result_shape
    axes = broadcast_axes(small, large)
    kept = [1 if axis in axes else size for axis, size in enumerate(large)]
    assert np.prod(kept) == np.prod(small)
    assert np.broadcast_shapes(tuple(kept), large) == large


def test_rows_broadcast_against_themselves_and_one():
    assert broadcast((rows, 3), (rows, 1)) == (rows, 3)
    assert broadcast((1, 3), (rows, 1)) == (rows, 3)
    assert broadcast_axes((1, 3), (rows, 3)) == (0,)
    with pytest.raises(ShapeError, match="sizes rows and 2 differ"):
        broadcast((rows,), (2,))


def test_sizes_come_from_any_integer_type():
    assert as_shape(3) == as_shape([np.int32(3)]) == (3,)
    assert as_shape(rows) == (rows,)
    assert as_shape(()) == ()
    for bad in (1.5, "a", None, [None], np.array([1, 2])):
        with pytest.raises(ShapeError, match="a size is an integer or `rows`"):
            as_shape(bad)


def test_axes_are_sorted_and_counted_from_the_front():
    assert as_axes((-1, 0), 3) == (0, 2)
    assert as_axes(np.int64(-2), 3) == (1,)
    assert as_axes(None, 0) == ()
    for bad in (3, -4, (0, 5)):
        with pytest.raises(ShapeError, match="is out of range for 3 dimensions"):
            as_axes(bad, 3)
    with pytest.raises(ShapeError, match=r"axes \(1, -2\) name one axis twice"):
        as_axes((1, -2), 3)


def test_rows_are_replaced_wherever_they_are():
    assert with_rows(((rows, 2), 3, "rows"), 8) == ((8, 2), 3, "rows")
    assert with_rows(rows, 8) == 8
    assert has_rows((1, (rows,)))
    assert not has_rows((1, "rows"))
    assert size_of((rows, 3, 2), 4) == 24
    assert size_of((), 4) == 1


def test_a_shape_is_shown_as_python_shows_a_tuple():
    assert [show(s) for s in [(), (3,), (rows, 3)]] == ["()", "(3,)", "(rows, 3)"]
