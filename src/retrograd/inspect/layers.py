"""The trace of a network: z, a, delta, e, dW and db of every layer, for a batch or one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from retrograd.arrays import Array, require_integer
from retrograd.errors import OptionError, unknown_name
from retrograd.frames import as_lines, as_rich, data_frame
from retrograd.graph.shape import show
from retrograd.inspect.drawing import drawn
from retrograd.inspect.figures import Figures, figures
from retrograd.inspect.passes import DELTA, LOSS, A, E, J, Z, passes, run
from retrograd.inspect.subject import Subject
from retrograd.nn.layer import Layer
from retrograd.nn.normalisation import BatchNorm
from retrograd.nn.summary import name_of
from retrograd.pictures.picture import AUTO, Picture
from retrograd.run import find_engine
from retrograd.training.rows import Rows


@dataclass(frozen=True, eq=False, repr=False)
class LayerTrace:
    """One layer in a trace. Shapes: B rows, I fan_in, O fan_out.

    - `place`: its number, "2"; "2.1" for the first layer that the second holds. `kind`: in words.
    - `z`, `a`: pre-activation and activation, (B, O).
    - `delta`: dJ/dz, (B, O). `e`: dJ/da, (B, O).
    - `parameters`: its arrays by what the layer calls them, "W", "b", ...
    - `gradients`: dJ/d(parameter) under the same names; those that are frozen have none. Of a
      parameter that stands at several places it is the sum over all of them.
    """

    place: str
    kind: str
    layer: Layer
    z: Array
    a: Array
    delta: Array
    e: Array
    parameters: Mapping[str, Array]
    gradients: Mapping[str, Array]

    @property
    def W(self) -> Array:
        """The weights, (I, O)."""
        return self._of("parameter", "W", self.parameters)

    @property
    def b(self) -> Array:
        """The biases, (O,)."""
        return self._of("parameter", "b", self.parameters)

    @property
    def dW(self) -> Array:
        """dJ/dW, (I, O)."""
        return self._of("gradient", "W", self.gradients)

    @property
    def db(self) -> Array:
        """dJ/db, (O,)."""
        return self._of("gradient", "b", self.gradients)

    def arrays(self) -> dict[str, Array]:
        """All arrays by name: z, a, delta, e, then W and dW, b and db, ..."""
        found = {Z: self.z, A: self.a, DELTA: self.delta, E: self.e}
        for name, value in self.parameters.items():
            found[name] = value
            if name in self.gradients:
                found[f"d{name}"] = self.gradients[name]
        return found

    def figures(self) -> dict[str, Figures]:
        """Shape, norm and extremes of each of `arrays`."""
        return {name: figures(value) for name, value in self.arrays().items()}

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(field.name for field in fields(self))
        raise AttributeError(
            f"a layer's trace has no {name!r}; it has {known}, W, dW, b, db; of other parameters "
            "`parameters` and `gradients` by name"
        )

    def _of(self, what: str, name: str, known: Mapping[str, Array]) -> Array:
        if name in known:
            return known[name]
        if name in self.parameters:
            raise OptionError(f"layer {self.place}: {name} is frozen, it has no gradient")
        raise unknown_name(f"{what} of layer {self.place}", name, known)

    def __repr__(self) -> str:
        return f"<layer {self.place}, {self.kind}, z {show(self.z.shape)}>"


@dataclass(frozen=True, eq=False, repr=False)
class NetworkTrace:
    """What `rg.trace` keeps of a pass of a network; printed, a table of layers.

    - `X`: the rows that went in. `output`: what came out. `J`: the mean over the rows of the loss,
      plus the penalty; the gradients are its. `losses`: of each row, (B,).
    - `layers`: a `LayerTrace` each, those inside a join before it.
    """

    X: Array
    output: Array
    J: float
    losses: Array
    layers: tuple[LayerTrace, ...]
    _subject: Subject
    _options: Mapping[str, Any]

    def layer(self, place: int | str) -> LayerTrace:
        """The layer of a number, from 1, or of a place: 2, "2.1"."""
        known = {layer.place: layer for layer in self.layers}
        if str(place) not in known:
            raise unknown_name("layer", str(place), known)
        return known[str(place)]

    def example(self, row: int) -> NetworkTrace:
        """The trace of one row alone: the gradients of its own loss, without 1/B and the penalty.

        The mean over the rows of its dW is the batch's, as far as that comes from the loss. A
        random layer draws for it what it drew in the batch. OptionError where rg.BatchNorm makes
        rows depend on each other: trace with mode="predict".
        """
        B = len(self.X)
        require_integer("trace", "row", row, low=0)
        if row >= B:
            raise OptionError(f"trace: row is from 0 to {B - 1}, got {row}")
        joined = [x.place for x in self.layers if isinstance(x.layer, BatchNorm)]
        if joined and not self._options["is_still"] and B > 1:
            raise OptionError(
                f"trace: layer {joined[0]} is an rg.BatchNorm, in which rows are not their own; "
                'trace with mode="predict"'
            )
        whole = self._subject
        one = whole.rows.target.each(lambda _, own: own.array[row : row + 1])
        rows = Rows(self.X[row : row + 1], one)
        subject = replace(whole, rows=rows, l2=0.0)
        return traced(subject, **{**self._options, "first_row": self._options["first_row"] + row})

    def arrays(self) -> dict[str, Array]:
        """All arrays by name: X, output, losses, z1, a1, delta1, e1, W1, dW1, b1, db1, z2, ..."""
        found = {"X": self.X, "output": self.output, "losses": self.losses}
        for layer in self.layers:
            found |= {f"{name}{layer.place}": value for name, value in layer.arrays().items()}
        return found

    def to_frame(self) -> Any:
        """A pandas data frame: for each array of each layer its shape, norm, rms and extremes."""
        rows = [
            {"layer": layer.place, "kind": layer.kind, "array": name, **vars(found)}
            for layer, name, found in self._lines()
        ]
        return data_frame("trace", rows)

    def _lines(self) -> Iterator[tuple[LayerTrace, str, Figures]]:
        for layer in self.layers:
            for name, found in layer.figures().items():
                yield layer, name, found

    def table(self) -> list[tuple[str, ...]]:
        """The printed table: a header, then a line for each array of each layer."""
        rows: list[tuple[str, ...]] = [("layer", "kind", "array", "shape", "norm", "min", "max")]
        last = None
        for layer, name, found in self._lines():
            head = ("", "") if layer is last else (layer.place, layer.kind)
            rows.append((*head, name, *found.text()))
            last = layer
        return rows

    def __repr__(self) -> str:
        return f"<trace of {self._subject.network!r}, {self._rows()}, J {self.J:.4g}>"

    def __str__(self) -> str:
        return f"{self._title()}\n{as_lines(self.table(), right=4)}"

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The table as rich prints it: in 60 columns every number is whole."""
        yield as_rich(
            self.table(), right=4, title=self._title(), width=options.max_width, words=(1, 3)
        )

    def picture(self, *, level: str = AUTO) -> Picture:
        """The layers, or with level="nodes" the gates, with values and gradients; `rg.picture`."""
        options, subject = self._options, self._subject
        made = passes(subject, is_still=options["is_still"], frozen=options["frozen"])
        known = made.values(subject, seed=options["seed"], first_row=options["first_row"])
        named = {**self.arrays(), J: np.asarray(self.J), LOSS: self.losses}
        known |= {made.outputs[name]: x for name, x in named.items() if name in made.outputs}
        return drawn(made, subject, known, level=level)

    def _repr_svg_(self) -> str | None:
        return self.picture()._repr_svg_()

    def _rows(self) -> str:
        return f"{len(self.X)} row{'' if len(self.X) == 1 else 's'}"

    def _title(self) -> str:
        return f"{self._rows()}, {self._subject.loss.name}, J {self.J:.6g}"


def traced(
    subject: Subject,
    *,
    is_still: bool,
    frozen: frozenset[str],
    seed: int,
    engine: str,
    first_row: int = 0,
) -> NetworkTrace:
    """Run the passes of a subject, and keep all."""
    network = subject.network
    made = passes(subject, is_still=is_still, frozen=frozen)
    found = run(made, subject, find_engine(engine), seed=seed, first_row=first_row)
    layers = []
    for place, layer, _ in made.places:
        names = {} if layer.parts else network.names_of(layer, place)
        own = {name: subject.parameters[full] for name, full in names.items()}
        slopes = {k: found[f"d{full}"] for k, full in names.items() if f"d{full}" in found}
        functions = [name_of(f) for f in layer.functions if f != "identity" and not layer.parts]
        kind = ", ".join([layer.kind.replace("_", " "), *functions])
        z, a, delta, e = (found[f"{name}{place}"] for name in (Z, A, DELTA, E))
        layers.append(LayerTrace(place, kind, layer, z, a, delta, e, own, slopes))
    options = {"is_still": is_still, "frozen": frozen, "seed": seed, "engine": engine}
    options["first_row"] = first_row
    return NetworkTrace(
        subject.X,
        found["output"],
        float(found["J"]),
        found["loss"],
        tuple(layers),
        subject,
        options,
    )
