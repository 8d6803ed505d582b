"""The kinds of layers by the name that they have in model files."""

from __future__ import annotations

from typing import Any

from retrograd.errors import unknown_name
from retrograd.nn.embeddings import Embedding, Periodic, PiecewiseLinear, Select
from retrograd.nn.ends import Heads, Inputs
from retrograd.nn.joins import Concatenate, Join, Residual
from retrograd.nn.layer import Layer
from retrograd.nn.layers import Dense, Dropout
from retrograd.nn.normalisation import BatchNorm, LayerNorm
from retrograd.nn.unit_wise import PReLU, Scale

KINDS = (
    *(BatchNorm, Concatenate, Dense, Dropout, Embedding, Heads, Inputs, LayerNorm),
    *(Periodic, PiecewiseLinear, PReLU, Residual, Scale, Select),
)
LAYERS: dict[str, type[Layer]] = {kind.kind: kind for kind in KINDS}


def layer_from_json(value: Any) -> Layer:
    """The layer that `to_json` wrote."""
    kind = value.get("kind", Dense.kind)
    if kind not in LAYERS:
        raise unknown_name("layer", kind, LAYERS)
    made = LAYERS[kind]
    if issubclass(made, Join):
        branches = [[layer_from_json(layer) for layer in x] for x in value["branches"]]
        more = {name: x for name, x in value.items() if name not in ("kind", "branches")}
        return made.of(branches, **more)
    return made.from_json(value)
