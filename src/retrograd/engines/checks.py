"""What a session is given, checked: state, data, orders and scalars, of one copy or of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import is_finite
from retrograd.engines.batches import Batches, checked_batches
from retrograd.errors import (
    DataError,
    DtypeError,
    GraphError,
    OptionError,
    ShapeError,
    unknown_name,
)
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import Shape, rows, show
from retrograd.graph.step import Step

LED: Shape = (rows,)  # the shape of what has a number for each row


def count_rows(nodes: Sequence[Node], values: Sequence[Array]) -> int:
    """The number of rows that the values of these nodes agree on; 1 where none has rows.

    Raises ShapeError when a value does not have its node's shape, or two disagree on the rows.
    """
    found: tuple[int, Node] | None = None
    for node, value in zip(nodes, values, strict=True):
        if not _fits(np.shape(value), node.shape):
            raise ShapeError(
                f"{node.name or node!r}: expected shape {show(node.shape)}, "
                f"got {show(np.shape(value))}"
            )
        for size, symbol in zip(np.shape(value), node.shape, strict=True):
            if symbol is not rows:
                continue
            if found and found[0] != size:
                raise ShapeError(
                    f"{found[1].name} has {found[0]} rows, {node.name} has {size}; "
                    "all must have the same number"
                )
            found = (size, node)
    return found[0] if found else 1


def _fits(shape: tuple[int, ...], symbolic: Shape) -> bool:
    return len(shape) == len(symbolic) and all(
        b is rows or a == b for a, b in zip(shape, symbolic, strict=True)
    )


def input_nodes(steps: Mapping[str, Step]) -> dict[str, Node]:
    """The inputs of these steps by name."""
    return {name: node for step in steps.values() for name, node in step.inputs.items()}


def checked_data(
    nodes: Mapping[str, Node], data: Mapping[str, Array]
) -> tuple[dict[str, Array], int | None]:
    """The data of these inputs by name, and its number of rows; None without inputs."""
    sizes = {_plain_rows(node, data.get(name)) for name, node in nodes.items()}
    if len(sizes) == 1 and None not in sizes:
        return {name: data[name] for name in nodes}, sizes.pop()
    found = {name: _found("data", name, node, data) for name, node in nodes.items()}
    for name, node in nodes.items():
        if found[name].dtype != node.dtype:
            raise DtypeError(
                f"session: data {name} is {found[name].dtype}, the step takes {node.dtype}"
            )
    return found, count_rows([*nodes.values()], [*found.values()]) if nodes else None


def _plain_rows(node: Node, array: Any) -> int | None:
    """The rows of an array that fits the input, where that can be told at once; else None."""
    is_plain = (
        type(array) is np.ndarray
        and array.dtype == node.dtype
        and array.ndim == len(node.shape)
        and node.shape[:1] == LED
        and array.shape[1:] == node.shape[1:]
    )
    return len(array) if is_plain else None


def checked_state(steps: Mapping[str, Step], state: Mapping[str, Array]) -> dict[str, Array]:
    """Copies of these steps' state variables by name, in their dtypes, C-contiguous."""
    nodes, found = state_nodes(steps), found_state(steps, state)
    return {name: np.array(found[name], node.dtype, order="C") for name, node in nodes.items()}


def found_state(steps: Mapping[str, Step], state: Mapping[str, Array]) -> dict[str, Array]:
    """What is given for these steps' state variables by name, of their shapes."""
    nodes = state_nodes(steps)
    return {name: _found("state", name, node, state) for name, node in nodes.items()}


def state_nodes(steps: Mapping[str, Step]) -> dict[str, Node]:
    """The state variables of these steps by name."""
    return {name: node for step in steps.values() for name, node in step.state.items()}


def _found(kind: str, name: str, node: Node, given: Mapping[str, Array]) -> Array:
    """The array, or source of rows, given for a variable of a step, of its shape."""
    if name not in given:
        raise GraphError(f"session: {kind} {name} has no value")
    array = given[name] if hasattr(given[name], "take") else np.asarray(given[name])
    count_rows([node], [array])
    return array


@dataclass(frozen=True, eq=False)
class Call:
    """What `Session.run` is asked for, checked.

    - `step`: the step of that name.
    - `order`: (n,) int64; with copies (copies, n).
    - `batches`: how the order is cut into them. `n_batches`: how many it has; 0 where n is 0.
    - `scalars`: as `checked_scalars` gives them.
    """

    step: Step
    order: Array
    batches: Batches
    n_batches: int
    scalars: dict[str, Array]

    def rows_of(self, batch: int) -> Array:
        """The part of the order that is a batch, of all copies."""
        start = self.batches.start
        return self.order[..., start(batch) : start(batch + 1)]


def checked_call(
    steps: Mapping[str, Step],
    name: str,
    order: Array,
    scalars: Mapping[str, float | Array] | None,
    *,
    batch_size: int | None,
    pass_rows: int | None,
    n_rows: int | None,
    copies: int | None = None,
) -> Call:
    """The arguments of `Session.run`, where the data have `n_rows` rows (None without inputs)."""
    step = checked_step(steps, name, batch_size)
    rows = checked_order(order, n_rows, copies)
    n = rows.shape[-1]
    batches = checked_batches(n, batch_size, pass_rows)
    n_batches = batches.count(n)
    found = checked_scalars(step, scalars or {}, n_batches, copies)
    return Call(step, rows, batches, n_batches, found)


def checked_step(steps: Mapping[str, Step], name: str, batch_size: int | None) -> Step:
    """The step of that name, to be run in batches of that size."""
    if name not in steps:
        raise unknown_name("step", name, steps)
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"session: batch_size is at least 1, got {batch_size}")
    return steps[name]


def checked_copies(only: Sequence[int] | None, copies: int | None) -> list[int] | None:
    """Which of the copies run; None for all of them."""
    if only is None:
        return None
    found = [int(i) for i in only]
    if copies is None or not found or len({*found}) < len(found):
        raise OptionError(
            f"session: `only` names some of several copies, each once; got {found} of {copies}"
        )
    if min(found) < 0 or max(found) >= copies:
        raise OptionError(f"session: `only` names copies from 0 to {copies - 1}, got {found}")
    return found


def checked_order(order: Array, n_rows: int | None, copies: int | None = None) -> Array:
    """An order of rows, (n,) int64; with copies (copies, n), where one order serves all."""
    rows = np.asarray(order)
    shapes: tuple[tuple[int, ...], ...] = (rows.shape[-1:],)
    if copies is not None:
        shapes = ((copies, *rows.shape[-1:]), *shapes)
    if rows.ndim == 0 or rows.shape not in shapes or (rows.dtype.kind not in "iu" and rows.size):
        several = "" if copies is None else f", or {copies} of them, one for each copy"
        raise DataError(
            f"session: order is a row of integers{several}, got {rows.dtype} {show(rows.shape)}"
        )
    if n_rows is not None and rows.size and not _are_below(rows, n_rows):
        low, high = np.minimum.reduce(rows, axis=None), np.maximum.reduce(rows, axis=None)
        raise DataError(f"session: order names row {low if low < 0 else high} of {n_rows} rows")
    rows = rows.astype(np.int64, copy=False)
    return rows if rows.shape == shapes[0] else np.broadcast_to(rows, shapes[0])


def _are_below(rows: Array, n: int) -> bool:
    """Whether integers are from 0 to n - 1."""
    if rows.dtype == np.int64:  # as an unsigned number, one below 0 is larger than any n
        rows = rows.view(np.uint64)
    elif rows.dtype.kind == "i" and np.minimum.reduce(rows, axis=None) < 0:
        return False
    return bool(np.maximum.reduce(rows, axis=None) < n)


def checked_scalars(
    step: Step,
    scalars: Mapping[str, float | Array],
    n_batches: int,
    copies: int | None = None,
) -> dict[str, Array]:
    """For each scalar of a step a number, or (n_batches,); with copies also (copies, n_batches)."""
    missing = [name for name in step.scalars if name not in scalars]
    if missing:
        raise GraphError(f"session: scalars without a value: {', '.join(missing)}")
    whole = (n_batches,) if copies is None else (copies, n_batches)
    arrays = {}
    for name, node in step.scalars.items():
        value = np.asarray(scalars[name], node.dtype)
        if value.shape and value.shape not in ((n_batches,), whole):
            several = "" if copies is None else f", or {n_batches} for each of {copies} copies"
            raise DataError(
                f"scalar {name}: expected 1 or {n_batches} numbers{several}, got {value.shape}"
            )
        arrays[name] = value
    return arrays


def first_not_finite(state: Mapping[str, Array], among: Collection[str] | None) -> str | None:
    """The name of the first of these arrays (all by default) with a NaN or an infinity, or None."""
    names = state if among is None else among
    return next((name for name in names if not is_finite(state[name])), None)
