"""The kinds of layers by the name that they have in model files."""

from __future__ import annotations

from typing import Any

from retrograd.errors import unknown_name
from retrograd.nn.joins import Join
from retrograd.nn.layer import Layer
from retrograd.registry import Registry

DENSE = "dense"  # where a file names no kind
LAYERS: Registry[type[Layer]] = Registry(
    "retrograd.nn",
    {
        "batch_norm": "normalisation:BatchNorm",
        "concatenate": "joins:Concatenate",
        "dense": "layers:Dense",
        "dropout": "layers:Dropout",
        "embedding": "embeddings:Embedding",
        "heads": "ends:Heads",
        "inputs": "ends:Inputs",
        "layer_norm": "normalisation:LayerNorm",
        "periodic": "embeddings:Periodic",
        "piecewise_linear": "embeddings:PiecewiseLinear",
        "prelu": "unit_wise:PReLU",
        "residual": "joins:Residual",
        "scale": "unit_wise:Scale",
        "select": "embeddings:Select",
    },
)


def layer_from_json(value: Any) -> Layer:
    """The layer that `to_json` wrote."""
    kind = value.get("kind", DENSE)
    if kind not in LAYERS:
        raise unknown_name("layer", kind, LAYERS)
    made = LAYERS[kind]
    if issubclass(made, Join):
        branches = [[layer_from_json(layer) for layer in x] for x in value["branches"]]
        more = {name: x for name, x in value.items() if name not in ("kind", "branches")}
        return made.of(branches, **more)
    return made.from_json(value)
