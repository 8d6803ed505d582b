"""The step: what must fit together before an engine sees it."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import GraphError
from retrograd.graph.step import Step

x = rg.variable("x", shape=(rg.rows, 2))
w = rg.variable("w", shape=(2,))
rate = rg.variable("rate", shape=())
J = rg.mean(rg.square(x @ w))
NEW = w - rate * rg.gradient(J, w)


def make(**changes):
    parts = {
        "inputs": {"x": x},
        "scalars": {"rate": rate},
        "state": {"w": w},
        "outputs": {"J": J},
        "updates": {"w": NEW},
    }
    return Step(**{**parts, **changes})


def test_a_step_computes_its_outputs_and_then_its_updates():
    step = make()
    assert step.results == [J, NEW]
    assert step.order()[-1] is NEW
    assert {x, w, rate} <= set(step.order())


def test_a_variable_with_a_value_need_not_be_given():
    fixed = rg.variable("scale", 2.0)
    assert make(outputs={"J": J * fixed}).results[0].gate.name == "multiply"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"state": {"x": w}}, "one name stands for two of inputs, scalars and state"),
        ({"state": {"w": NEW}}, r"step: w must be a variable, it is subtract \(2,\)"),
        ({"inputs": {"x": w}}, r"step: input x must lead with rows, it is \(2,\)"),
        ({"scalars": {"rate": rg.variable("rate", [1.0])}}, r"scalar rate must be 0-d, it is \(1,"),
        ({"scalars": {}}, r"<variable 'rate' \(\) float64> is not an input, a scalar or state"),
        ({"updates": {"v": NEW}}, "step: update of v, which is not state"),
        ({"updates": {"w": J}}, r"the next value of w is <divide \(\) float64>, it was <variable"),
        ({"updates": {"w": rg.cast(NEW, "float32")}}, r"next value of w is <cast \(2,\) float32>"),
        ({"outputs": {"t": x.T}}, r"output t may have rows only in front, it is \(2, rows\)"),
    ],
)
def test_a_step_that_does_not_fit_together_says_where(changes, message):
    with pytest.raises(GraphError, match=message):
        make(**changes)


def test_a_step_without_updates_or_scalars_only_scores():
    step = Step(inputs={"x": x}, state={"w": w}, outputs={"J": J})
    assert step.results == [J]
    assert np.shape(step.updates) == ()
