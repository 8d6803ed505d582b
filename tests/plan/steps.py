"""Small steps whose programs are kept as text."""

from __future__ import annotations

import retrograd as rg
from retrograd.graph.step import Step


def number(name: str) -> rg.Node:
    return rg.variable(name, shape=())


def array(name: str, *shape: object) -> rg.Node:
    return rg.variable(name, shape=shape, dtype="float32")


def dense() -> Step:
    x, W, b = array("x", rg.rows, 4), array("W", 4, 3), array("b", 3)
    return Step({"x": x}, {"W": W, "b": b}, {"a": rg.tanh(x @ W + b)})


def cross_entropy_with_adam() -> Step:
    x, label = array("x", rg.rows, 4), rg.variable("label", shape=(rg.rows,), dtype="int64")
    state = {name: array(name, 4, 3) for name in ("W", "m", "v")} | {"t": number("t")}
    optimizer, W, t = rg.Adam(), state["W"], state["t"] + 1.0
    J = -rg.mean(rg.sum(rg.one_hot(label, 3, "float32") * rg.log_softmax(x @ W), axis=1))
    scalars = {name: number(name) for name in optimizer.numbers()}
    new, slots = optimizer.update(W, rg.gradient(J, W), state, scalars, t)
    updates = {"W": new, **slots, "t": t}
    return Step({"x": x, "label": label}, state, {"J": J}, scalars, updates)


def exchange() -> Step:
    a, b = array("a", 3), array("b", 3)
    return Step({}, {"a": a, "b": b}, {}, {}, {"a": b, "b": a})


def update_read_by_another() -> Step:
    a, b = array("a", 3), array("b", 3)
    new = a + 1.0
    return Step({}, {"a": a, "b": b}, {}, {}, {"a": new, "b": b * new})


def old_value_read_by_another() -> Step:
    a, b = array("a", 3), array("b", 3)
    return Step({}, {"a": a, "b": b}, {}, {}, {"a": a + 1.0, "b": b * rg.sum(a)})


STEPS = {
    made.__name__: made
    for made in (
        dense,
        cross_entropy_with_adam,
        exchange,
        update_read_by_another,
        old_value_read_by_another,
    )
}
