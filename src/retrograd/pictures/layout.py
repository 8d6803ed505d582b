"""Where the boxes, wires and words of a scene stand, in pixels; layers of boxes from left to right.

Which column and row each box has comes from a layered layout [Sugiyama, Tagawa & Toda 1981; Brandes
& Koepf 2002] by fast-sugiyama. Here columns become as wide as their boxes and the words over the
wires that leave them, so that no word meets another or a box.
"""

from __future__ import annotations

import importlib.util
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from retrograd.errors import MissingDependencyError
from retrograd.pictures.scene import GATE, LAYER, Box, Lines, Scene, Wire

INSTALL = 'install "retrograd[pictures]"'

SMALL, NORMAL, LARGE = 11.0, 12.0, 17.0  # sizes of letters
LETTER = 0.62  # the width of a letter of a monospaced font, over its size; at most
LINE = 15.0  # from one line of words to the next
ROUND = 19.0  # the radius of a gate whose name is short
MARGIN, GAP, ABOVE = 14.0, 34.0, 5.0  # around the picture; of a bend; of words from their wire


@dataclass(frozen=True)
class Shape:
    """A box in its place: its centre and size. A gate with a short name is a circle."""

    box: Box
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Words:
    """Lines of text: `x`, the line under which they hang or over which they stand, the anchor.

    `role`: "value", "gradient" or "share".
    """

    lines: Lines
    x: float
    y: float
    anchor: str
    role: str


@dataclass(frozen=True)
class Track:
    """The course of a wire to one of its ends: points; bends lie between pairs that differ in y."""

    points: tuple[tuple[float, float], ...]
    has_arrow: bool


@dataclass(frozen=True)
class Drawing:
    """A scene with everything in its place; `cuts`: where wires run straight between columns."""

    scene: Scene
    width: float
    height: float
    shapes: tuple[Shape, ...]
    tracks: tuple[Track, ...]
    words: tuple[Words, ...]
    cuts: tuple[float, ...]


def is_available() -> bool:
    """Whether the library that lays pictures out is installed."""
    return importlib.util.find_spec("fast_sugiyama") is not None


def text_width(lines: Iterable[str], size: float = NORMAL) -> float:
    """The width of the widest line, at most."""
    return max((len(line) * LETTER * size for line in lines), default=0.0)


def size_of(box: Box) -> tuple[float, float]:
    """Width and height of a box that holds its words."""
    if box.kind == GATE and len(box.title) <= 3:
        return 2 * ROUND, 2 * ROUND
    if box.kind == LAYER:
        inside = max(text_width([box.title], NORMAL + 1), sum(part_widths(box)))
        n_lines = len(part_lines(box)) if box.is_tall else len(box.parts)
        return inside + 24, 32 + LINE * n_lines
    return text_width([box.title], NORMAL + 1) + 20, 28.0 if box.kind != GATE else 2 * ROUND


def part_widths(box: Box) -> list[float]:
    """The widths of the columns in which a layer's box lists its parameters."""
    if box.is_tall:
        return [text_width([text for _, text in part_lines(box)], SMALL) + 14, 0.0, 0.0]
    columns = [[p.name for p in box.parts], [p.value for p in box.parts]]
    columns.append([p.gradient for p in box.parts])
    return [text_width(column, SMALL) + 14 * any(column) for column in columns]


def part_lines(box: Box) -> list[tuple[str, str]]:
    """The lines of a tall box, each with its role: "name", "value" or "gradient"."""
    found = [(("name", p.name), ("value", p.value), ("gradient", p.gradient)) for p in box.parts]
    return [line for part in found for line in part if line[1]]


def place(scene: Scene) -> Drawing:
    """Give every box, wire and word of a scene its place.

    Raises MissingDependencyError where fast-sugiyama is not installed.
    """
    cells, routes = _cells(scene)
    sizes = [size_of(box) for box in scene.boxes]
    outs: dict[int, list[Wire]] = defaultdict(list)
    for wire in scene.wires:
        outs[wire.source].append(wire)
    pitch = _pitch(scene, sizes, outs)
    columns = _columns(scene, cells, sizes)

    def y_of(key: int) -> float:
        return cells[key][1] * pitch

    shapes = [
        Shape(box, columns[cells[i][0]].middle, y_of(i), *sizes[i])
        for i, box in enumerate(scene.boxes)
    ]
    ports = _ports(scene, shapes, routes, y_of)
    tracks: list[Track] = []
    words: list[Words] = []
    for source, found in outs.items():
        wires = sorted(found, key=lambda wire: _mean_height(wire, routes, y_of))
        step = _label_height(wires)
        for k, wire in enumerate(wires):
            y = shapes[source].y + (k - (len(wires) - 1) / 2) * step
            column = columns[cells[source][0]]
            start = (_edge(shapes[source], y), y)
            middle = (start[0] + column.stub) / 2
            if wire.value:
                words.append(Words(wire.value, middle, y - ABOVE, "middle", "value"))
            if wire.gradient:
                words.append(Words(wire.gradient, middle, y + ABOVE, "middle", "gradient"))
            if not wire.ends:
                tracks.append(Track((start, (column.stub, y)), True))
            for end in wire.ends:
                points = [start, (column.stub, y)]
                for key in routes[source, end.box]:
                    at = columns[cells[key][0]]
                    points += [(at.left, y_of(key)), (at.stub, y_of(key))]
                port = ports[source, end.box, end.operand]
                points += [(columns[cells[end.box][0]].left, port[1]), port]
                tracks.append(Track(tuple(points), True))
                if end.share and len(wire.ends) > 1:
                    words.append(Words((end.share,), port[0] - 9, port[1] + 3, "end", "share"))
    return _framed(scene, shapes, tracks, words, [column.stub for column in columns])


@dataclass(frozen=True)
class Column:
    """The space of a column: wires run straight from `left` to `stub`; its boxes' middle."""

    left: float
    middle: float
    stub: float


def _columns(
    scene: Scene, cells: Mapping[int, tuple[int, float]], sizes: list[tuple[float, float]]
) -> list[Column]:
    n = 1 + max(column for column, _ in cells.values())
    box, words, arrival = [0.0] * n, [0.0] * n, [0.0] * n
    for i, size in enumerate(sizes):
        box[cells[i][0]] = max(box[cells[i][0]], size[0])
    for wire in scene.wires:
        c = cells[wire.source][0]
        words[c] = max(words[c], text_width([*wire.value, *wire.gradient]) + 14)
        if len(wire.ends) > 1:
            for end in wire.ends:
                at = cells[end.box][0]
                arrival[at] = max(arrival[at], text_width([end.share], SMALL) + 14)
    columns, x = [], 0.0
    for c in range(n):
        left = x + (GAP if c else 0.0)
        start = left + arrival[c]
        columns.append(Column(left, start + box[c] / 2, start + box[c] + max(words[c], 8.0)))
        x = columns[-1].stub
    return columns


def _pitch(scene: Scene, sizes: list[tuple[float, float]], outs: Mapping[int, list[Wire]]) -> float:
    """The height of a row: of the tallest box, and of the words of all its wires."""
    heights = [height for _, height in sizes]
    heights += [_label_height(wires) * len(wires) for wires in outs.values()]
    return max(heights) + 16


def _label_height(wires: list[Wire]) -> float:
    half = max(max(len(wire.value), len(wire.gradient)) for wire in wires)
    return max(2 * (half * LINE + ABOVE), 24.0)


def _mean_height(
    wire: Wire, routes: Mapping[tuple[int, int], list[int]], y_of: Callable[[int], float]
) -> float:
    first = [y_of((routes[wire.source, end.box] or [end.box])[0]) for end in wire.ends]
    return sum(first) / len(first) if first else math.inf


def _edge(shape: Shape, y: float) -> float:
    """The right edge of a shape at a height."""
    return shape.x + _half_width(shape, y)


def _half_width(shape: Shape, y: float) -> float:
    if shape.box.kind != GATE:
        return shape.width / 2
    # A gate is a circle, or two halves of one with straight lines between them.
    radius = shape.height / 2
    return shape.width / 2 - radius + math.sqrt(max(radius**2 - (y - shape.y) ** 2, 0.0))


def _ports(
    scene: Scene,
    shapes: list[Shape],
    routes: Mapping[tuple[int, int], list[int]],
    y_of: Callable[[int], float],
) -> dict[tuple[int, int, int], tuple[float, float]]:
    """Where each wire enters each box: one below the other, in the order in which they come.

    Where it matters which operand is the first, it is the uppermost.
    """
    entries: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    for wire in scene.wires:
        for end in wire.ends:
            last = ([wire.source] + routes[wire.source, end.box])[-1]
            height = 0.0 if scene.boxes[end.box].is_ordered else y_of(last)
            entries[end.box].append((height, end.operand, wire.source))
    ports = {}
    for box, found in entries.items():
        shape = shapes[box]
        space = min(20.0, 0.8 * shape.height / max(len(found) - 1, 1))
        for k, (_, operand, source) in enumerate(sorted(found)):
            y = shape.y + (k - (len(found) - 1) / 2) * space
            ports[source, box, operand] = (shape.x - _half_width(shape, y), y)
    return ports


def _cells(
    scene: Scene,
) -> tuple[dict[int, tuple[int, float]], dict[tuple[int, int], list[int]]]:
    """Column and row of each box and of each bend of a long wire; the bends of each wire, in order.

    Bends have numbers from the number of boxes on.
    """
    edges = list(dict.fromkeys((wire.source, end.box) for wire in scene.wires for end in wire.ends))
    cells: dict[int, tuple[int, float]] = {}
    routes: dict[tuple[int, int], list[int]] = {}
    below, fresh = 0.0, len(scene.boxes)
    for positions, chains in _layered(edges):
        low = min(x for x, _ in positions.values())
        first = max(y for _, y in positions.values())
        names = {}
        for key in sorted(positions):
            names[key] = key
            if key >= len(scene.boxes):  # one component's bends are not another's
                names[key], fresh = fresh, fresh + 1
            x, y = positions[key]
            cells[names[key]] = (round(first - y), x - low + below)
        routes |= {edge: [names[key] for key in bends] for edge, bends in chains.items()}
        below = 1 + max(row for _, row in cells.values())
    for i in range(len(scene.boxes)):
        if i not in cells:  # without a wire to another
            cells[i] = (0, below)
            below += 1
    return cells, routes


Positions = dict[int, tuple[float, float]]


def _layered(
    edges: list[tuple[int, int]],
) -> list[tuple[Positions, dict[tuple[int, int], list[int]]]]:
    """For each connected part the positions of boxes and bends, and the bends of each edge."""
    if not is_available():
        raise MissingDependencyError(f"a picture needs fast-sugiyama to lay it out: {INSTALL}")
    if not edges:
        return []
    from fast_sugiyama import from_edges

    # Its boxes are numbered as they first appear in a set; ours are in order already.
    keys = sorted({key for edge in edges for key in edge})
    dense = {key: i for i, key in enumerate(keys)}
    found = []
    layouts = from_edges(
        [(dense[a], dense[b]) for a, b in edges],
        minimum_length=1,
        vertex_spacing=1,
        dummy_vertices=True,
    )
    n = len(keys)
    last = 1 + max(keys)

    def own(key: int) -> int:
        return keys[key] if key < n else last + key

    for positions, _, _, steps in layouts:
        after: dict[int, list[int]] = defaultdict(list)
        for a, b in sorted({(int(a), int(b)) for a, b in steps or ()}):
            after[a].append(b)
        chains: dict[tuple[int, int], list[int]] = {}
        for a in [key for key in after if key < n]:
            for first in after[a]:
                way = [first]
                while way[-1] >= n:  # a bend leads on to one place
                    way += after[way[-1]]
                chains[own(a), own(way[-1])] = [own(b) for b in way[:-1]]
        found.append(({own(int(key)): at for key, at in positions}, chains))
    return sorted(found, key=lambda part: min(part[0]))


def _framed(
    scene: Scene,
    shapes: list[Shape],
    tracks: list[Track],
    words: list[Words],
    cuts: list[float],
) -> Drawing:
    """The drawing moved to begin at the margin, as large as what is in it."""
    boxes = [bounds(word) for word in words]
    boxes += [
        (s.x - s.width / 2, s.y - s.height / 2, s.x + s.width / 2, s.y + s.height / 2)
        for s in shapes
    ]
    boxes += [(x, y, x, y) for track in tracks for x, y in track.points]
    dx, dy = MARGIN - min(b[0] for b in boxes), MARGIN - min(b[1] for b in boxes)
    return Drawing(
        scene,
        max(b[2] for b in boxes) + dx + MARGIN,
        max(b[3] for b in boxes) + dy + MARGIN,
        tuple(replace(s, x=s.x + dx, y=s.y + dy) for s in shapes),
        tuple(replace(t, points=tuple((x + dx, y + dy) for x, y in t.points)) for t in tracks),
        tuple(replace(w, x=w.x + dx, y=w.y + dy) for w in words),
        tuple(x + dx for x in cuts),
    )


def bounds(words: Words) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of words."""
    size = NORMAL if words.role in ("value", "gradient") else SMALL
    width = text_width(words.lines, size)
    left = {"start": words.x, "middle": words.x - width / 2, "end": words.x - width}[words.anchor]
    height = LINE * (len(words.lines) - 1) + size
    top = words.y if words.role in ("gradient", "share") else words.y - height
    return left, top, left + width, top + height
