"""A scene as text for other programs to draw: DOT and Mermaid."""

from __future__ import annotations

from retrograd.pictures.scene import GATE, LAYER, Box, Scene, Wire, written

_DOT_SHAPES = {GATE: "ellipse", LAYER: "box style=rounded"}
_MERMAID_SHAPES = {GATE: '(("{}"))', LAYER: '("{}")'}


def as_dot(scene: Scene) -> str:
    """The scene in the DOT language: ellipses for gates, boxes for values, words at the edges."""
    lines = ["digraph {", "  rankdir=LR"]
    for i, box in enumerate(scene.boxes):
        words = _quoted("\n".join(_words(box)))
        lines.append(f'  n{i} [label="{words}" shape={_DOT_SHAPES.get(box.kind, "box")}]')
    for source, target, words in _edges(scene):
        if target is None:
            lines.append(f"  out{source} [shape=point]")
        to = f"out{source}" if target is None else f"n{target}"
        label = f' [label="{_quoted(words)}"]' if words else ""
        lines.append(f"  n{source} -> {to}{label}")
    return "\n".join([*lines, "}"])


def as_mermaid(scene: Scene) -> str:
    """The scene as a Mermaid flowchart: circles for gates, boxes for values."""
    lines = ["flowchart LR"]
    for i, box in enumerate(scene.boxes):
        shape = _MERMAID_SHAPES.get(box.kind, '["{}"]')
        words = _marked("\n".join(_words(box)))
        lines.append(f"  n{i}{shape.format(words)}")
    for source, target, words in _edges(scene):
        to = f'out{source}[" "]' if target is None else f"n{target}"
        label = f'|"{_marked(words)}"|' if words else ""
        lines.append(f"  n{source} -->{label} {to}")
    return "\n".join(lines)


def _words(box: Box) -> list[str]:
    parts = ["  ".join(filter(None, (p.name, p.value, p.gradient))) for p in box.parts]
    return [box.title, *parts]


def _edges(scene: Scene) -> list[tuple[int, int | None, str]]:
    """Each edge with its words; None leads to no box: an output."""
    found: list[tuple[int, int | None, str]] = []
    for wire in scene.wires:
        found += [(wire.source, end.box, _label(wire, end.share)) for end in wire.ends]
        if not wire.ends:
            found.append((wire.source, None, _label(wire, "")))
    return found


def _label(wire: Wire, share: str) -> str:
    """Of a value with several uses the gradient is their sum: an edge has the share of its use."""
    words = [*wire.value]
    if wire.gradient:
        whole = " ".join(wire.gradient)
        if share:
            whole = f"{share} of {whole}"
        elif len(wire.ends) > 1:
            whole = f"{whole} in all"
        words.append(f"gradient {whole}")
    return "\n".join(words)


def _quoted(text: str) -> str:
    return written(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _marked(text: str) -> str:
    return written(text).replace('"', "#quot;").replace("<", "#lt;").replace("\n", "<br/>")
