"""A drawing as SVG, by itself in a file or inside a page."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from retrograd.pictures.layout import (
    LARGE,
    LINE,
    NORMAL,
    SMALL,
    Shape,
    Track,
    Words,
    bounds,
    part_widths,
    place,
    text_width,
)
from retrograd.pictures.scene import GATE, LAYER, NUMBER, VALUE, Scene

FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
INK = "#222222"
# Blue and vermilion, told apart with any colour vision; darkened, to be read as letters on white
# [Okabe & Ito 2008, Color Universal Design].
COLOURS = {"value": "#005A94", "gradient": "#A84300", "share": "#A84300"}
FILLS = {GATE: "#FFF1D0", VALUE: "#E2F0FA", NUMBER: "#F1F1F1", LAYER: "#E6F5EF"}
LEGEND = {"value": "over an edge: the value", "gradient": "under it: the gradient"}


def as_svg(scene: Scene) -> str:
    """The scene as one SVG element, with a title for those who cannot see it."""
    drawing = place(scene)
    has_gradients = any(wire.gradient for wire in scene.wires)
    legend = LINE + 4 if has_gradients else 0.0
    least = 28 + text_width(["  ".join(LEGEND.values())], SMALL) if has_gradients else 0.0
    width = max(drawing.width, least)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": _n(width),
            "height": _n(drawing.height + legend),
            "viewBox": f"0 0 {_n(width)} {_n(drawing.height + legend)}",
            "role": "img",
            "font-family": FONT,
            "font-size": _n(NORMAL),
        },
    )
    ET.SubElement(root, "title").text = scene.title
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#FFFFFF"})
    for track in drawing.tracks:
        _draw_track(root, track)
    for shape in drawing.shapes:
        _draw_shape(root, shape)
    for words in drawing.words:
        _draw_words(root, words)
    if has_gradients:
        y, start = drawing.height + 6, 14.0
        for role, text in LEGEND.items():
            _write(root, text, start, y, COLOURS[role], SMALL)
            start += text_width([text + "  "], SMALL)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


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
        ET.SubElement(group, "title").text = box.hint
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
    ET.SubElement(parent, "text", given).text = text
