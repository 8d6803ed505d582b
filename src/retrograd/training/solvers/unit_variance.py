"""Data-dependent initial weights: every layer's z gets unit variance over some rows of X."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array, as_matrix
from retrograd.errors import OptionError, require_known
from retrograd.graph.node import constant
from retrograd.nn.network import Network
from retrograd.run import evaluate

UNIT, LAYER = "unit", "layer"


def unit_variance(network: Network, X: ArrayLike, *, each: str = UNIT) -> None:
    """Rescale a network's parameters, layer by layer, to unit variance of z over these rows.

    ::

        z = x @ W + b;  W = W / std(z);  b = (b - mean(z)) / std(z);  x = activation(z)

    With each="unit", mean and std are those of each unit over the rows: then every z has mean 0
    and variance 1   [Salimans & Kingma 2016, eq. 6]. A layer without biases gets the variance only,
    and a unit that is constant is left as it is. With each="layer" there is one std for a layer's
    z, and no mean is taken off: begun from initializer="orthogonal", the layer-sequential unit
    variance of Mishkin & Matas 2016, reached in one pass. Layers without a W stay as they are, and
    those that draw are still.

    Args:
        network: its parameters are changed; the directions of its weights are not.
        X: (n, n_inputs), finite, at least 2 rows: a few hundred that are like the others will do.
        each: "unit" or "layer".

    Raises:
        DataError: X does not fit the network.
        OptionError: X has 1 row, which has no variance.

    >>> net = rg.MLP([2, 3, 1], activation="tanh")
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> rg.unit_variance(net, X)
    >>> z = X @ net.parameters["W1"] + net.parameters["b1"]
    >>> bool(np.allclose(z.mean(axis=0), 0)), z.std(axis=0).round(6)
    (True, array([1., 1., 1.]))
    """
    if not isinstance(network, Network):
        raise OptionError(
            f"unit_variance: expected a network (rg.MLP, rg.Network), got {network!r}"
        )
    require_known("each", each, (UNIT, LAYER))
    x = as_matrix(X, "X", n_columns=network.n_inputs, dtype=np.float64)
    if len(x) < 2:
        raise OptionError("unit_variance: X has 1 row, which has no variance; give at least 2")
    for number, layer in enumerate(network.layers, start=1):
        names = network.names_of(layer, str(number))
        own = {name: network.parameters[x].astype(np.float64) for name, x in names.items()}
        if "W" in own:
            z = evaluate(layer.z(constant(x), {name: constant(v) for name, v in own.items()}))
            for name, value in _rescaled(own, z, each).items():
                network.parameters[names[name]] = value
                own[name] = network.parameters[names[name]].astype(np.float64)
        nodes = {name: constant(value) for name, value in own.items()}
        x = evaluate(layer.a(layer.z(constant(x), nodes)))


def _rescaled(own: dict[str, Array], z: Array, each: str) -> dict[str, Array]:
    """The parameters of a layer with which its z has unit variance."""
    by_unit = each == UNIT
    deviation = z.std(axis=0) if by_unit else z.std()
    mean = z.mean(axis=0) if by_unit else 0.0
    # A constant unit has a std of rounding: to divide by it would make noise of it.
    is_alive = deviation > 1e-10 * np.abs(z).max(axis=0 if by_unit else None, initial=0.0)
    scale = np.where(is_alive, deviation, 1.0)
    new = {"W": own["W"] / scale}
    if "b" in own:
        new["b"] = np.where(is_alive, (own["b"] - mean) / scale, own["b"])
    return new
