"""Where a NaN or infinity came from: the gate that made it of finite numbers, found by replay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.numpy import Walk
from retrograd.graph.node import CONSTANT, Node
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows
from retrograd.graph.text import label
from retrograd.nn.layer import Layer, place_name
from retrograd.training.objective import Objective
from retrograd.training.statistics import places_of, slopes_of

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
LOSS = "loss"


@dataclass(frozen=True, eq=False)
class Origin:
    """The first NaN or infinity of a diverged training.

    - `epoch`, `step`: from 1. `rows`: the numbers of the step's rows in X; of a stream, in its
      batch.
    - `phase`: "forward", "backward" or "update". `layer`: its place, "2"; "loss" for what comes
      after the layers; in the update the parameter.
    - `gate`: the one whose operands are finite and whose result is not. `index`: the entry of its
      result that is looked at, `value`: nan or inf. `row`: its row in X, None where it has none.
    - `operand`: the name of the operand to blame, `operand_value`: what it was there.
    """

    epoch: int
    step: int
    rows: Array
    phase: str
    layer: str
    gate: str
    index: tuple[int, ...]
    value: float
    row: int | None
    operand: str
    operand_value: float

    def __str__(self) -> str:
        where = f"layer {self.layer}" if self.layer[:1].isdigit() else f"the {self.layer}"
        if self.phase == UPDATE:
            where = self.layer
        at = f" at row {self.row}" if self.row is not None else ""
        columns = self.index[1:] if self.row is not None else self.index
        if columns:
            at += f"{', entry' if at else ' at entry'} {', '.join(map(str, columns))}"
        phase = "update" if self.phase == UPDATE else f"{self.phase} pass"
        return (
            f"the first {self.value:g} came from the gate {self.gate} in the {phase} of "
            f"{where}{at}: {self.operand} was {self.operand_value:.6g}"
        )


@dataclass(frozen=True, eq=False)
class Replay:
    """A step as nodes with all their values: forward, backward, update.

    `results`: what a phase leads to, phase by phase. `places`: of a node, the layer it is of.
    """

    walk: Walk
    results: Mapping[str, Sequence[Node]]
    nodes: Mapping[str, Collection[Node]]
    places: Mapping[Node, str]
    names: Mapping[Node, str]

    def is_broken(self, node: Node) -> bool:
        """Whether a value is not finite, and no constant."""
        return node.gate is not CONSTANT and not np.isfinite(self.walk.value(node)).all()


def replayed(
    objective: Objective,
    layers: Sequence[Layer],
    updates: Mapping[str, Node],
    values: Mapping[Node, Array],
    n_rows: int,
) -> Replay:
    """Run a step on the reference engine, every value kept.

    `updates`: the next value of each state variable. `values`: of every variable.
    """
    places = [*places_of(layers, objective.noisy.layers)]
    slopes = slopes_of(objective.J, places, objective.trained.values())
    results = {FORWARD: [objective.J, objective.reported], BACKWARD: [*slopes.values()]}
    results[UPDATE] = [*updates.values()]
    found: dict[Node, str] = {}

    def claim(wanted: Iterable[Node], place: str) -> None:
        for node in order(wanted):
            found.setdefault(node, place)

    for place, _, x in places:
        claim([x.a], place)
    claim(results[FORWARD], LOSS)
    above = LOSS
    for place, layer, x in reversed(places):
        claim([slopes[x.a]], above)
        claim([slopes[x.z]], place)
        own_names = {place_name(name, place) for name in layer.shapes}
        claim([slopes[w] for name, w in objective.trained.items() if name in own_names], place)
        above = place
    claim(slopes.values(), above)
    for name, node in updates.items():
        claim([node], name)
    names = {x.a: f"a of layer {place}" for place, _, x in places}
    names |= {x.z: f"z of layer {place}" for place, _, x in places}
    return _run(results, values, n_rows, found, names)


def origin_in(
    results: Mapping[str, Sequence[Node]], values: Mapping[Node, Array], n_rows: int, place: str
) -> Origin | None:
    """The origin in any graph, whose nodes are all of one place; None where all is finite.

    `results`: phase by phase. `values`: of every variable.
    """
    places = dict.fromkeys(order([node for wanted in results.values() for node in wanted]), place)
    replay = _run(results, values, n_rows, places, {})
    return find_origin(replay, np.arange(n_rows), epoch=1, step=1)


def _run(
    results: Mapping[str, Sequence[Node]],
    values: Mapping[Node, Array],
    n_rows: int,
    places: Mapping[Node, str],
    names: Mapping[Node, str],
) -> Replay:
    nodes: dict[str, set[Node]] = {}
    seen: set[Node] = set()
    for phase, wanted in results.items():
        nodes[phase] = set(order(wanted)) - seen
        seen |= nodes[phase]
    walk = Walk({node: node for node in sorted(seen, key=lambda x: x.id)}, [*values], n_rows)
    walk.run([*values.values()])
    own = {node: str(node.name) for node in values}
    return Replay(walk, results, nodes, places, {**names, **own})


def find_origin(replay: Replay, rows: Array, epoch: int, step: int) -> Origin | None:
    """The producer of the first result that is not finite; None where all are."""
    for wanted in replay.results.values():
        broken = [node for node in wanted if replay.is_broken(node)]
        if broken:
            return _origin(replay, _producer(replay, broken), rows, epoch, step)
    return None


def _producer(replay: Replay, broken: Sequence[Node]) -> Node:
    """The first node on the way to a broken one that is broken though its operands are not."""
    stack, found = [*broken], {*broken}
    producers = []
    while stack:
        node = stack.pop()
        sources = [x for x in node.inputs if replay.is_broken(x)]
        if not sources:
            producers.append(node)
        stack += [x for x in sources if x not in found]
        found.update(sources)
    return min(producers, key=lambda node: node.id)


def _origin(replay: Replay, node: Node, rows: Array, epoch: int, step: int) -> Origin:
    y = replay.walk.value(node)
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
    operand, value = _operand(replay, node, y, index)
    is_row = has_rows(node.shape[:1]) and len(y) == len(rows)
    phase = next(name for name, nodes in replay.nodes.items() if node in nodes)
    return Origin(
        epoch,
        step,
        rows,
        phase,
        replay.places[node],
        node.gate.name,
        index,
        float(y[index]),
        int(rows[index[0]]) if is_row else None,
        operand,
        value,
    )


def _operand(replay: Replay, node: Node, y: Array, index: tuple[int, ...]) -> tuple[str, float]:
    """The operand to blame, and its value there: a divisor of 0, else the largest by magnitude."""
    found = []
    for x in node.inputs:
        value = np.asarray(replay.walk.value(x), np.float64)
        try:
            here = np.broadcast_to(value, y.shape)[index]
        except ValueError:  # a product, a sum: no one entry
            here = value.flat[int(np.argmax(np.abs(value)))] if value.size else np.nan
        found.append((x, float(here)))
    if node.gate.name == "divide" and found[1][1] == 0:
        x, value_there = found[1]
    elif found:
        x, value_there = max(found, key=lambda item: abs(item[1]))
    else:
        x, value_there = node, float(y[index])
    return replay.names.get(x, f"the result of {label(x)}" if x.inputs else label(x)), value_there
