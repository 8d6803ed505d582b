"""Random steps made of all gates that take floats, of any shape, led by rows or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import retrograd as rg
from retrograd.errors import RetrogradError
from retrograd.gates.layout import SLICE, UNSLICE
from retrograd.gates.reduce import FIRST_MAX
from retrograd.graph.node import Node, apply
from retrograd.graph.shape import has_rows, size_of
from retrograd.graph.step import Step

LARGEST = 4000  # entries of a node at 10 rows

# Each `choose` picks one of a sequence. What is computed stays within a few units, so that
# differences are roundings; gates that jump only see what is computed exactly on every engine.


def axes_of(choose: Callable[[Any], Any], x: Node) -> Any:
    """Some axes; None, which means all, where none was picked."""
    picked = tuple(axis for axis in range(x.ndim) if choose([True, False]))
    return picked or None


def moved(choose: Callable[[Any], Any], x: Node) -> Node:
    """The same entries, or some of them, in other places."""
    return choose(MOVES)(choose, x)


def _transpose(choose: Any, x: Node) -> Node:
    axes = list(range(x.ndim))
    if x.ndim > 1:
        i, j = choose(axes), choose(axes)
        axes[i], axes[j] = axes[j], axes[i]
    return rg.transpose(x, axes)


def _reshape(choose: Any, x: Node) -> Node:
    return choose(
        [
            lambda: rg.reshape(x, -1),
            lambda: rg.reshape(x, (1, *x.shape)),
            lambda: rg.reshape(x, (*x.shape, 1)),
            lambda: rg.reshape(x, (*x.shape[:1], -1)),
            lambda: rg.reshape(x, (*x.shape[:-1], 2, -1)),
            lambda: rg.reshape(x, (*x.shape[:-2], -1)),
            lambda: rg.reshape(x, (*x.shape[:-2], *x.shape[:-3:-1])),
        ]
    )()


def _slice(choose: Any, x: Node) -> Node:
    axis = choose(range(x.ndim))
    size: Any = x.shape[axis]
    start, stop, step = choose([(0, size - 1, 1), (1, size, 1), (size - 1, -1, -1), (0, size, 2)])
    return apply(SLICE, x, axis=axis, start=start, stop=stop, step=step)


def _unslice(choose: Any, x: Node) -> Node:
    axis = choose(range(x.ndim))
    size: Any = x.shape[axis]
    start, stop, step, whole = choose(
        [
            (0, size, 1, size + 1),
            (1, size + 1, 1, size + 2),
            (size - 1, -1, -1, size),
            (1, 2 * size, 2, 2 * size + 1),
        ]
    )
    return apply(UNSLICE, x, axis=axis, start=start, stop=stop, step=step, size=whole)


def _take(choose: Any, x: Node) -> Node:
    axis = choose(range(x.ndim))
    size: Any = x.shape[axis]
    indices = choose([[0], [size - 1, 0, -1], [[0, size // 2], [-size, size - 1]], 0])
    return rg.take(x, np.array(indices), axis)


def _scatter_add(choose: Any, x: Node) -> Node:
    axis = choose(range(x.ndim))
    size: Any = x.shape[axis]
    indices = [(3 * i) % (size + 1) for i in range(size)]
    return rg.scatter_add(x, np.array(indices), size + 1, axis)


def _broadcast(choose: Any, x: Node) -> Node:
    shapes = [(2, *x.shape), (3, 1, *x.shape), tuple(3 if s == 1 else s for s in x.shape)]
    return rg.broadcast_to(x, choose(shapes))


MOVES = [
    _transpose,
    _reshape,
    _slice,
    _unslice,
    _take,
    _broadcast,
    lambda choose, x: rg.concatenate([x, moved(choose, x)], choose(range(x.ndim))),
    lambda choose, x: rg.concatenate([x[..., :1], x, x], -1),
]


def _reduced(choose: Any, x: Node) -> Node:
    axes, keepdims = axes_of(choose, x), choose([True, False])
    return choose([rg.sum, rg.mean, rg.max, rg.min, rg.logsumexp])(x, axes, keepdims=keepdims)


ONE: list[Callable[[Any, Node], Node]] = [
    moved,
    moved,
    _reduced,
    _reduced,
    _scatter_add,
    lambda choose, x: rg.tanh(x),
    lambda choose, x: rg.sigmoid(x),
    lambda choose, x: rg.softplus(x),
    lambda choose, x: rg.relu(x),
    lambda choose, x: rg.sin(x),
    lambda choose, x: rg.cos(x),
    lambda choose, x: rg.erf(x),
    lambda choose, x: rg.center(x, axes_of(choose, x) or -1),
    lambda choose, x: rg.tanh(
        rg.cumsum(x, choose(range(x.ndim)), reverse=choose([True, False])) * 0.1
    ),
    lambda choose, x: (
        x
        * rg.uniform(
            x.shape if not has_rows(x.shape[1:]) else (),
            seed=1,
            stream=choose([0, 1]),
            dtype=x.dtype,
        )
    ),
    lambda choose, x: rg.exp(rg.tanh(x)),
    lambda choose, x: rg.expm1(rg.tanh(x)),
    lambda choose, x: rg.erfc(x),
    lambda choose, x: rg.log(1.0 + rg.square(x)),
    lambda choose, x: rg.log1p(rg.square(x)),
    lambda choose, x: rg.sqrt(0.5 + rg.square(x)),
    lambda choose, x: (0.5 + rg.square(rg.tanh(x))) ** choose([0.5, -1.0, 3.0]),
    lambda choose, x: rg.abs(-x),
    lambda choose, x: rg.clip(x, -0.5, 0.5),
    lambda choose, x: 1.0 / (2.0 + rg.tanh(x)),
    lambda choose, x: rg.softmax(x, axes_of(choose, x) or -1),
    lambda choose, x: rg.log_softmax(x, axes_of(choose, x) or -1),
    lambda choose, x: x * (1.0 / rg.row_count(x.dtype)),
    lambda choose, x: rg.cast(rg.cast(x, "float32"), x.dtype),
]
TWO: list[Callable[[Any, Node, Node], Node]] = [
    lambda choose, a, b: a + b,
    lambda choose, a, b: a - b,
    lambda choose, a, b: a * b,
    lambda choose, a, b: a / (2.0 + rg.tanh(b)),
    lambda choose, a, b: rg.maximum(a, b),
    lambda choose, a, b: rg.minimum(a, b),
    lambda choose, a, b: a @ b * 0.3,
    lambda choose, a, b: a @ rg.transpose(b, (*range(b.ndim - 2), b.ndim - 1, b.ndim - 2)) * 0.3,
    lambda choose, a, b: rg.transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2)) @ b * 0.3,
]
JUMPS: list[Callable[[Any, Node, Node], Node]] = [
    lambda choose, a, b: rg.where(choose(COMPARE)(a, b), a, b),
    lambda choose, a, b: rg.cast(choose(COMPARE)(a, b), a.dtype),
    lambda choose, a, b: rg.sign(a),
    lambda choose, a, b: rg.floor(4.0 * a),
    lambda choose, a, b: rg.round_bfloat16(a),
    lambda choose, a, b: rg.cast(apply(FIRST_MAX, a, axes=(choose(range(a.ndim)),)), a.dtype),
    lambda choose, a, b: rg.where(
        apply(FIRST_MAX, a, axes=axes_of(choose, a) or (a.ndim - 1,)), b, -a
    ),
]
COMPARE = [rg.less, rg.less_equal, rg.greater, rg.greater_equal, rg.equal, rg.not_equal]


def given(choose: Callable[[Any], Any], dtype: Any) -> tuple[dict[str, Node], dict[str, Node]]:
    """Inputs and state variables of all kinds of shapes."""
    I, O = choose([1, 3, 5, 17, 34]), choose([1, 2, 4, 19])
    shapes = {"x": (rg.rows, I), "y": (rg.rows, O), "u": (rg.rows,), "c": (rg.rows, 2, 3)}
    inputs = {name: rg.variable(name, shape=s, dtype=dtype) for name, s in shapes.items()}
    inputs["label"] = rg.variable("label", shape=(rg.rows,), dtype="int64")
    shapes = {"W": (I, O), "m": (I, O), "b": (O,), "s": (), "Q": (O, O), "V": (2, 3, I)}
    state = {name: rg.variable(name, shape=s, dtype=dtype) for name, s in shapes.items()}
    return inputs, state


def random_step(choose: Callable[[Any], Any], n_gates: int, dtype: Any) -> Step:
    """A step of outputs and updates of some state variables, made of `n_gates` gates or so."""
    inputs, state = given(choose, dtype)
    rate = rg.variable("rate", shape=())
    label = inputs["label"]
    exact = [node for node in (*inputs.values(), *state.values()) if node is not label]
    exact.append(rg.one_hot(label, 2, dtype))
    nodes = list(exact)
    nodes.append(rg.take(rg.broadcast_to(state["s"], (3,)) * state["s"], label))
    nodes.append(inputs["x"] @ state["W"] + state["b"])
    nodes.append(rg.cast(rate, dtype) * state["W"] + state["m"])
    for _ in range(n_gates):
        kind = choose(["one", "one", "two", "two", "jump", "exact"])
        try:
            if kind == "exact":
                node = moved(choose, choose(exact))
                exact.append(node)
            elif kind == "one":
                node = choose(ONE)(choose, choose(nodes[-6:] + nodes[:8]))
            elif kind == "two":
                node = choose(TWO)(choose, choose(nodes[-6:]), choose(nodes))
            else:
                a, b = choose(exact), choose(exact)
                node = choose(JUMPS)(choose, a if a.ndim else rg.reshape(a, 1), b)
        except (RetrogradError, TypeError, IndexError):  # shapes that do not fit
            continue
        if size_of(node.shape, 10) <= LARGEST and node.ndim <= 4 and node.dtype == dtype:
            nodes.append(rg.tanh(node) if choose([True, False, False]) else node)
    return step_of(choose, nodes, inputs, state, rate)


def step_of(choose: Any, nodes: list[Node], inputs: Any, state: Any, rate: Node) -> Step:
    """Some of the nodes as outputs, updates by a gradient and by what has the right shape."""
    leading = [node for node in nodes if not has_rows(node.shape[1:])]
    outputs = {f"out {i}": choose(leading[-8:]) for i in range(choose([1, 2, 3]))}
    J = rg.mean(rg.square(rg.tanh(nodes[-1])))
    updates = {}
    if choose([True, False]):
        chosen = [name for name in state if choose([True, False])]
        slopes = rg.gradient(J, [state[name] for name in chosen])
        for name, slope in zip(chosen, slopes, strict=True):
            updates[name] = state[name] - rg.cast(rate, slope.dtype) * slope
        outputs["J"] = J
    for name, old in state.items():
        fits = [x for x in nodes if x.shape == old.shape and x is not old]
        if name not in updates and fits and choose([True, False]):
            updates[name] = rg.tanh(choose(fits)) if choose([True, False]) else choose(fits)
    return Step(inputs, state, outputs, {"rate": rate}, updates)
