"""The picture of a graph: one scene, as SVG, DOT or Mermaid, shown by notebooks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from retrograd.errors import OptionError, unknown_name
from retrograd.graph.node import Node
from retrograd.graph.order import order
from retrograd.pictures import layout
from retrograd.pictures.fold import Layers, by_products, of_layers
from retrograd.pictures.scene import Arrays, Scene, Shares, of_nodes
from retrograd.pictures.svg import WIDE, as_svg
from retrograd.pictures.text import as_dot, as_mermaid

AUTO, NODES, LAYERS = "auto", "nodes", "layers"
MOST_NODES = 60  # a graph with more is folded into its layers, unless its nodes are asked for

_WRITERS = {".svg": "to_svg", ".dot": "to_dot", ".gv": "to_dot", ".mmd": "to_mermaid"}


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture of a graph: `to_svg()`, `to_dot()`, `to_mermaid()`, `save(path)`.

    A notebook shows it by itself.
    """

    scene: Scene

    def __repr__(self) -> str:
        scene = self.scene
        return f"<picture of {scene.title}: {len(scene.boxes)} boxes, {len(scene.wires)} wires>"

    def to_svg(self, *, width: float = WIDE) -> str:
        """The picture as one SVG element. MissingDependencyError without fast-sugiyama.

        `width`: in pixels; a picture that would be wider goes on in further rows, as music does.
        A single column that is wider stays whole.
        """
        return as_svg(self.scene, width=width)

    def to_dot(self) -> str:
        """The picture in the DOT language."""
        return as_dot(self.scene)

    def to_mermaid(self) -> str:
        """The picture as a Mermaid flowchart."""
        return as_mermaid(self.scene)

    def _repr_svg_(self) -> str | None:
        return self.to_svg() if layout.is_available() else None

    def save(self, path: str | os.PathLike[str], *, width: float = WIDE) -> None:
        """Write the picture to a file, whole or not at all: .svg, .dot, .gv or .mmd.

        `width`: of SVG, as in `to_svg`: of a page of text about 880 pixels, lest it be made smaller
        there than can be read.

        Raises OptionError for another suffix, FileError for a path that cannot be written.
        """
        from retrograd.files.atomic import replace_file  # what only writing needs

        suffix = os.path.splitext(os.fspath(path))[1].lower()
        if suffix not in _WRITERS:
            known = ", ".join(_WRITERS)
            raise OptionError(f"{path}: a picture's suffix is one of {known}")
        text = self.to_svg(width=width) if suffix == ".svg" else getattr(self, _WRITERS[suffix])()
        replace_file(path, [f"{text}\n".encode()])


def draw(
    outputs: Sequence[Node],
    *,
    level: str = AUTO,
    layers: Layers | None = None,
    values: Arrays | None = None,
    gradients: Arrays | None = None,
    shares: Shares | None = None,
    title: str = "graph",
) -> Picture:
    """The picture of what these nodes are made from.

    `level`: "nodes", "layers", or "auto": the nodes if there are at most 60, else the layers.
    `layers`: which node belongs to which; by default a layer goes from one product to the next.
    """
    if level not in (AUTO, NODES, LAYERS):
        raise unknown_name("level", level, (AUTO, NODES, LAYERS))
    if level == NODES or (level == AUTO and len(order(outputs)) <= MOST_NODES):
        return Picture(
            of_nodes(outputs, values=values, gradients=gradients, shares=shares, title=title)
        )
    chosen = by_products(outputs) if layers is None else layers
    return Picture(of_layers(outputs, chosen, values=values, gradients=gradients, title=title))
