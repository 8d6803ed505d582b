"""The summary of a network: the numbers of each line, and the table."""

import numpy as np
import pytest

import retrograd as rg


def halve(z):
    return 0.5 * z


LAYERS = [rg.Dense(4, 6, halve), rg.BatchNorm(6), rg.Dropout(0.5), rg.Dense(6, 2, bias=False)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layer_has_its_shape_its_parameters_and_its_bytes(dtype):
    net = rg.Network(LAYERS, output="softmax", dtype=dtype)
    *lines, output, whole = net.summary().lines
    assert [line.name for line in lines] == ["1", "2", "3", "4"]
    assert [line.kind for line in lines] == ["dense, halve", "batch norm", "dropout", "dense"]
    assert [line.shape for line in lines] == [(rg.rows, 6)] * 3 + [(rg.rows, 2)]
    assert [line.n_parameters for line in lines] == [30, 24, 0, 12]
    assert [line.n_statistics for line in lines] == [0, 12, 0, 0]
    size = np.dtype(dtype).itemsize
    assert [line.bytes for line in lines] == [30 * size, 24 * size, 0, 12 * size]
    assert (output.name, output.kind, whole.name) == ("output", "softmax", "all")
    assert whole.n_parameters == net.n_parameters == 66
    assert whole.bytes == sum(value.nbytes for value in net.parameters.values())


def test_flops_are_those_that_come_with_each_row():
    dense, norm, dropout, last, output, whole = rg.Network(LAYERS).summary().lines
    assert dense.flops == 2 * 4 * 6 + 6 + 6  # x @ W, + b, times 0.5
    assert norm.flops == 3 * 6  # the square root of the variance does not come with a row
    assert (dropout.flops, last.flops, output.flops) == (0, 2 * 6 * 2, 0)
    assert whole.flops == dense.flops + norm.flops + last.flops


def test_the_table_has_a_line_for_each_and_says_what_is_not_trained():
    text = str(rg.Network(LAYERS).summary()).splitlines()
    assert len(text) == 1 + 4 + 2 + 1
    assert len({len(line) for line in text[:-1]}) == 1
    assert text[-1] == "12 of the parameters are running estimates"
    assert "estimates" not in str(rg.MLP([2, 3, 1]).summary())
