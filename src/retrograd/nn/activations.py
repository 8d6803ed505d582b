"""Activations: functions from a layer's pre-activation z to its activation a, written in gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrograd import gates
from retrograd.errors import ModelFileError, OptionError, ShapeError, require_known
from retrograd.graph.function import GateFunction, call
from retrograd.graph.node import Node, variable
from retrograd.graph.shape import rows, show
from retrograd.nn import nonlinearities

Activation = str | Callable[[Node], Node]

ACTIVATIONS: dict[str, Callable[[Node], Node]] = {
    "celu": nonlinearities.celu,
    "elu": nonlinearities.elu,
    "exp": gates.exp,
    "gelu": nonlinearities.gelu,
    "gelu_tanh": nonlinearities.gelu_tanh,
    "hard_sigmoid": nonlinearities.hard_sigmoid,
    "hard_swish": nonlinearities.hard_swish,
    "hard_tanh": nonlinearities.hard_tanh,
    "identity": nonlinearities.identity,
    "leaky_relu": nonlinearities.leaky_relu,
    "mish": nonlinearities.mish,
    "relu": gates.relu,
    "relu6": nonlinearities.relu6,
    "selu": nonlinearities.selu,
    "sigmoid": gates.sigmoid,
    "silu": nonlinearities.silu,
    "softmax": gates.softmax,
    "softplus": gates.softplus,
    "softsign": nonlinearities.softsign,
    "tanh": gates.tanh,
}
"""Each with its usual numbers; with others it is a function, `partial(rg.elu, alpha=2.0)`."""

BOUNDS = {
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
    "tanh": (-1.0, 1.0),
}
"""Activations that lie between two numbers: near them their slope is about 0."""

HALF_LINEAR = ("relu", "relu6")
"""Activations whose slope is 0 for every z below 0."""


def find_activation(activation: Activation) -> Callable[[Node], Node]:
    """The function of a name, or the function itself."""
    if callable(activation):
        return activation
    if isinstance(activation, str) and activation == "prelu":
        raise OptionError(
            "activation: 'prelu' has slopes that are trained, so it is a layer of its own: "
            "rg.PReLU(units) after a dense layer without an activation"
        )
    return ACTIVATIONS[require_known("activation", activation, ACTIVATIONS)]


def require_activation(activation: Activation, units: int) -> None:
    """Raise a clear error unless the activation maps (rows, units) to the same shape."""
    z = variable("z", shape=(rows, units))
    a = call(find_activation(activation), z, what=f"activation {activation!r}")
    if a.shape != z.shape:
        raise ShapeError(
            f"activation {activation!r} must keep the shape {show(z.shape)}, "
            f"it gives {show(a.shape)}"
        )


def activation_to_json(activation: Activation, units: int) -> Any:
    """A name as it is; a Python function as the gates that it applies, or as its name if known."""
    if isinstance(activation, str):
        return activation
    for name, function in ACTIVATIONS.items():
        if activation is function:
            return name
    return GateFunction.trace(activation, variable("z", shape=(rows, units))).to_json()


def activation_from_json(value: Any) -> Activation:
    """The inverse of `activation_to_json`."""
    if not isinstance(value, str):
        return GateFunction.from_json(value)
    if value not in ACTIVATIONS:
        raise ModelFileError(f"has the activation {value!r}, which this version does not know")
    return value
