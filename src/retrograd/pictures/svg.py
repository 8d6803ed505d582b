"""A drawing as SVG, by itself in a file or inside a page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from retrograd.pictures.layout import (
    LARGE,
    LINE,
    MARGIN,
    NORMAL,
    SMALL,
    Drawing,
    Shape,
    Track,
    Words,
    bounds,
    part_lines,
    part_widths,
    place,
    text_width,
)
from retrograd.pictures.scene import GATE, LAYER, NUMBER, VALUE, Scene, written

FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
INK = "#222222"
WIDE = 1800.0  # pixels, beyond which a picture goes on in another row
# Blue and vermilion, told apart with any colour vision; darkened, to be read as letters on white
# [Okabe & Ito 2008, Color Universal Design].
COLOURS = {"value": "#005A94", "gradient": "#A84300", "share": "#A84300"}
FILLS = {GATE: "#FFF1D0", VALUE: "#E2F0FA", NUMBER: "#F1F1F1", LAYER: "#E6F5EF"}
LEGEND = {"value": "over an edge: the value", "gradient": "under it: the gradient"}


def as_svg(scene: Scene, *, width: float = WIDE) -> str:
    """The scene as one SVG element, with a title for those who cannot see it.

    A drawing wider than `width` goes on in further rows: a wire that leaves one at the right comes
    in at the left of the next. Where a column does not fit, the boxes of layers become tall.
    """
    drawing = place(scene)
    if max(end - start for start, end in _spans(drawing, width)) > width:
        boxes = tuple(replace(box, is_tall=box.kind == LAYER) for box in scene.boxes)
        drawing = place(replace(scene, boxes=boxes))
    parts = [_part(drawing, *span) for span in _spans(drawing, width)]
    has_gradients = any(wire.gradient for wire in scene.wires)
    least = 28 + text_width(["  ".join(LEGEND.values())], SMALL) if has_gradients else 0.0
    across = max([least, *(part.end - part.start for part in parts)])
    down = sum(part.height for part in parts)
    height = down + (LINE + 4 if has_gradients else 0.0)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": _n(across),
            "height": _n(height),
            "viewBox": f"0 0 {_n(across)} {_n(height)}",
            "role": "img",
            "font-family": FONT,
            "font-size": _n(NORMAL),
        },
    )
    ET.SubElement(root, "title").text = written(scene.title)
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#FFFFFF"})
    y = 0.0
    for part in parts:
        _draw_part(root if len(parts) == 1 else _window(root, part, y), part)
        y += part.height
    if has_gradients:
        y, start = down + 6, 14.0
        for role, text in LEGEND.items():
            _write(root, text, start, y, COLOURS[role], SMALL)
            start += text_width([text + "  "], SMALL)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


@dataclass(frozen=True)
class _Part:
    """What stands between two cuts of a drawing, or the whole of it."""

    start: float
    end: float
    top: float
    height: float
    tracks: list[Track]
    shapes: list[Shape]
    words: list[Words]


def _spans(drawing: Drawing, width: float) -> list[tuple[float, float]]:
    """From where to where each row goes: as many columns as fit, at least one."""
    if drawing.width <= width:
        return [(0.0, drawing.width)]
    spans, start, end = [], 0.0, 0.0
    for cut in [*drawing.cuts[:-1], drawing.width]:
        if cut - start > width and end > start:
            spans.append((start, end))
            start = end
        end = cut
    return [*spans, (start, end)]


def _part(drawing: Drawing, start: float, end: float) -> _Part:
    shapes = [s for s in drawing.shapes if start <= s.x < end]
    words = [w for w in drawing.words if start <= w.x < end]
    tracks = [t for t in drawing.tracks if t.points[0][0] < end and t.points[-1][0] > start]
    if (start, end) == (0.0, drawing.width):
        return _Part(start, end, 0.0, drawing.height, tracks, shapes, words)
    edges = [s.y + sign * s.height / 2 for s in shapes for sign in (-1, 1)]
    edges += [edge for w in words for edge in bounds(w)[1::2]]
    edges += [y for t in tracks for x, y in t.points if start <= x <= end]
    top = min(edges) - MARGIN
    return _Part(start, end, top, max(edges) + MARGIN - top, tracks, shapes, words)


def _window(root: ET.Element, part: _Part, y: float) -> ET.Element:
    """A row of the picture, which shows the part alone."""
    width, height = _n(part.end - part.start), _n(part.height)
    view = f"{_n(part.start)} {_n(part.top)} {width} {height}"
    place = {"x": "0", "y": _n(y), "width": width, "height": height, "viewBox": view}
    return ET.SubElement(root, "svg", place)


def _draw_part(root: ET.Element, part: _Part) -> None:
    for track in part.tracks:
        _draw_track(root, track)
    for shape in part.shapes:
        _draw_shape(root, shape)
    for words in part.words:
        _draw_words(root, words)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _draw_track(root: ET.Element, track: Track) -> None:
    (x, y), *rest = track.points
    course = [f"M{_n(x)} {_n(y)}"]
    if track.has_arrow:  # the line ends inside the arrow's head
        rest = [*rest[:-1], (rest[-1][0] - 5, rest[-1][1])]
    for to_x, to_y in rest:
        if to_y == y:
            course.append(f"H{_n(to_x)}")
        else:
            half = (x + to_x) / 2
            course.append(f"C{_n(half)} {_n(y)} {_n(half)} {_n(to_y)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    line = {"d": "".join(course), "fill": "none", "stroke": INK, "stroke-width": "1.2"}
    ET.SubElement(root, "path", line)
    if track.has_arrow:
        x, y = track.points[-1]
        head = f"{_n(x)},{_n(y)} {_n(x - 7)},{_n(y - 3.5)} {_n(x - 7)},{_n(y + 3.5)}"
        ET.SubElement(root, "polygon", {"points": head, "fill": INK})


def _draw_shape(root: ET.Element, shape: Shape) -> None:
    box = shape.box
    group = ET.SubElement(root, "g")
    if box.hint:
        ET.SubElement(group, "title").text = written(box.hint)
    radius = {GATE: shape.height / 2, LAYER: 8.0}.get(box.kind, 3.0)
    left, top = shape.x - shape.width / 2, shape.y - shape.height / 2
    outline = {
        "x": _n(left),
        "y": _n(top),
        "width": _n(shape.width),
        "height": _n(shape.height),
        "rx": _n(radius),
        "fill": FILLS[box.kind],
        "stroke": INK,
    }
    ET.SubElement(group, "rect", outline)
    is_symbol = box.kind == GATE and len(box.title) <= 2
    size = LARGE if is_symbol else NORMAL + (box.kind != GATE)
    y = top + 20 if box.kind == LAYER else shape.y + 0.36 * size
    _write(group, box.title, shape.x, y, INK, size, anchor="middle", weight="bold")
    if box.is_tall:
        for k, (role, text) in enumerate(part_lines(box)):
            start = left + (14 if role == "name" else 22)
            _write(group, text, start, top + 21 + (k + 1) * LINE, COLOURS.get(role, INK), SMALL)
        return
    widths = part_widths(box)
    starts = [left + 14 + sum(widths[:column]) for column in range(3)]
    for k, part in enumerate(box.parts):
        y = top + 21 + (k + 1) * LINE
        _write(group, part.name, starts[0], y, INK, SMALL)
        _write(group, part.value, starts[1], y, COLOURS["value"], SMALL)
        _write(group, part.gradient, starts[2], y, COLOURS["gradient"], SMALL)


def _draw_words(root: ET.Element, words: Words) -> None:
    size = NORMAL if words.role in ("value", "gradient") else SMALL
    top = bounds(words)[1]
    for k, line in enumerate(words.lines):
        y = top + 0.85 * size + k * LINE
        _write(root, line, words.x, y, COLOURS[words.role], size, anchor=words.anchor)


def _write(
    parent: ET.Element,
    text: str,
    x: float,
    y: float,
    colour: str,
    size: float,
    *,
    anchor: str = "start",
    weight: str = "normal",
) -> None:
    if not text:
        return
    given = {"x": _n(x), "y": _n(y), "fill": colour, "font-size": _n(size)}
    if anchor != "start":
        given["text-anchor"] = anchor
    if weight != "normal":
        given["font-weight"] = weight
    ET.SubElement(parent, "text", given).text = written(text)
