"""A graph as text: golden texts."""

import textwrap

import numpy as np

import retrograd as rg
from retrograd.graph.text import as_text, label


def node_of_the_lecture():
    w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    return (w + x * y) * z


def golden(text):
    return textwrap.dedent(text).strip()


def test_the_text_has_one_line_a_node():
    assert as_text([node_of_the_lecture()]) == golden("""
        %0 = variable w      () float64
        %1 = variable x      () float64
        %2 = variable y      () float64
        %3 = variable z      () float64
        %4 = multiply %1 %2  () float64
        %5 = add %0 %4       () float64
        %6 = multiply %5 %3  () float64
    """)


def test_the_text_shows_parameters_constants_and_rows():
    x = rg.variable("x", shape=(rg.rows, 3), dtype="float32")
    y = rg.mean(rg.reshape(x, (rg.rows, 3, 1)) * 0.5 + np.ones(1, np.float32), axis=(0, 2))
    assert as_text([y]) == golden("""
        %0 = variable x                          (rows, 3) float32
        %1 = reshape %0 shape=(rows, 3, 1)       (rows, 3, 1) float32
        %2 = constant 0.5                        () float32
        %3 = multiply %1 %2                      (rows, 3, 1) float32
        %4 = constant 1                          (1,) float32
        %5 = add %3 %4                           (rows, 3, 1) float32
        %6 = row_count count=rows dtype=float32  () float32
        %7 = constant 1                          () float32
        %8 = multiply %7 %6                      () float32
        %9 = sum %5 axes=(0, 2) keepdims=False   (3,) float32
        %10 = divide %9 %8                       (3,) float32
    """)


def test_a_label_is_a_name_a_small_constant_or_the_gate():
    assert label(rg.variable("w", 1.0)) == "w"
    assert label(rg.constant(0.25)) == "0.25"
    assert label(rg.constant([[7.0]])) == "7"
    assert label(rg.constant([1.0, 2.0])) == "constant"
    assert label(rg.constant([1.0, 2.0], name="table")) == "table"
    assert label(rg.constant(True)) == "1"
    assert label(rg.constant(1 + 2j)) == "1+2j"
    assert label(rg.exp(1.0)) == "exp"
