"""Verdicts from one pass over a batch: gradients across layers, units, inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retrograd.arrays import Array
from retrograd.inspect.evidence import Evidence
from retrograd.inspect.layers import LayerTrace
from retrograd.inspect.verdict import Verdict
from retrograd.nn.activations import BOUNDS, HALF_LINEAR, Activation
from retrograd.nn.ends import takers
from retrograd.nn.layers import Dense
from retrograd.training.statistics import SATURATED

LEAST_ROWS = 16  # with fewer, a unit that is seldom on looks dead
NEXT_TO_0 = 1e-6
UNSCALED = 30.0


def vanishing(evidence: Evidence) -> Verdict | None:
    """The smallest norm of delta among the layers, over that of the last."""
    ratios = evidence.delta_ratios
    if len(ratios) < 2:
        return None
    place, ratio = min(ratios.items(), key=lambda item: item[1])
    kinds = {function for _, function in evidence.layers()}
    is_relu = evidence.trace is not None and kinds.isdisjoint(BOUNDS)
    instead = "leaky_relu or elu in place of relu, " if kinds & {*HALF_LINEAR} else ""
    return Verdict(
        "vanishing gradients",
        ratio < 1e-3,
        f"layer {place}",
        ratio,
        1e-3,
        f"the norm of delta over that of {_last(evidence)}",
        "Glorot & Bengio 2010, sec. 4.2",
        f"{instead if is_relu else 'relu in place of sigmoid or tanh, '}he_uniform weights, "
        "rg.Residual, rg.LayerNorm",
    )


def exploding(evidence: Evidence) -> Verdict | None:
    """The largest norm of delta among the layers, over that of the last."""
    ratios = evidence.delta_ratios
    if len(ratios) < 2:
        return None
    place, ratio = max(ratios.items(), key=lambda item: item[1])
    return Verdict(
        "exploding gradients",
        ratio > 1e3,
        f"layer {place}",
        ratio,
        1e3,
        f"the norm of delta over that of {_last(evidence)}",
        "Pascanu, Mikolov & Bengio 2013, sec. 2.1",
        "smaller initial weights (glorot_uniform, orthogonal), rg.LayerNorm, rg.Clip",
    )


def _last(evidence: Evidence) -> str:
    """The layers that a norm is compared with, in words."""
    if evidence.network is not None and evidence.network.heads:
        return "the last layers it leads to"
    last = [*evidence.delta_norms][-1]
    return f"layer {last.split('.')[0] if evidence.network is None else last}"


def _is_off(layer: LayerTrace, function: Activation) -> Array:
    """Of each unit, whether it is 0 for every row, or next to 0 against z   (O,)."""
    z, a = layer.z.astype(np.float64), layer.a.astype(np.float64)
    if function in HALF_LINEAR:
        return np.asarray((z <= 0).all(axis=0))
    return np.asarray(((np.abs(a) <= NEXT_TO_0 * np.abs(z)) & (z != 0)).all(axis=0))


def dead(evidence: Evidence) -> Verdict | None:
    """The share of a layer's units that are 0 for every row: none gets a gradient."""
    if evidence.trace is None or len(evidence.trace.X) < LEAST_ROWS:
        return None
    found = [(x, _is_off(x, f)) for x, f in evidence.layers() if f not in BOUNDS]
    if not found:
        return None
    layer, is_dead = max(found, key=lambda item: float(item[1].mean()))
    others = [(x, float(off.mean())) for x, off in found if x is not layer and off.mean() > 0.4]
    also = ", ".join(f"layer {x.place} {share:.3g}" for x, share in others)
    return Verdict(
        "dead units",
        float(is_dead.mean()) > 0.4,
        f"layer {layer.place}",
        float(is_dead.mean()),
        0.4,
        f"the share of units that are 0 for every row{f' ({also} too)' if also else ''}",
        "Lu, Shin, Su & Karniadakis 2020",
        "leaky_relu or elu, a smaller learning rate, he_uniform weights, biases not below 0",
        tuple(map(int, np.flatnonzero(is_dead))),
    )


def saturated(evidence: Evidence) -> Verdict | None:
    """The share of a layer's activations within 1 % of the range of a bound."""
    found = []
    for layer, function in evidence.layers():
        if not isinstance(function, str) or function not in BOUNDS:
            continue
        low, high = BOUNDS[function]
        near = SATURATED * (high - low)
        is_near = (layer.a > high - near) | (layer.a < low + near)
        found.append((float(is_near.mean()), layer, is_near.mean(axis=0)))
    if not found:
        return None
    share, layer, by_unit = max(found, key=lambda item: item[0])
    worst = np.argsort(-by_unit, kind="stable")
    return Verdict(
        "saturated units",
        share > 0.5,
        f"layer {layer.place}",
        share,
        0.5,
        "the share of activations near a bound, where the slope is about 0,",
        "LeCun, Bottou, Orr & Müller 1998, sec. 4.4",
        "scale the inputs, smaller initial weights, l2, or relu",
        tuple(int(unit) for unit in worst if by_unit[unit] > 0.5),
    )


def unscaled(evidence: Evidence) -> Verdict | None:
    """The root mean square of each column that goes into a dense layer: about 1 is right."""
    if evidence.trace is None or evidence.subject is None:
        return None
    layers, X = evidence.subject.network.layers, evidence.trace.X
    found = [own for own, layer in takers(layers, X.shape[1]) if isinstance(layer, Dense)]
    columns = np.array([column for own in found for column in own], np.int64)
    X = X[:, columns].astype(np.float64)
    rms = _rms(X)
    if not rms.any():  # a column of zeros is no trouble
        return None
    # Far above 1, or all of them far below.
    small = 1.0 / max(float(rms.max()), 1e-300)
    figure = max(float(rms.max()), small)
    is_small = small > float(rms.max())
    worst = np.argsort(-rms, kind="stable")
    items = [int(columns[i]) for i in worst if rms[i] > UNSCALED]
    names = evidence.subject.columns
    first = int(columns[worst[0]])
    what = "1 over the largest root mean square of a column" if is_small else "its root mean square"
    return Verdict(
        "unscaled inputs",
        figure > UNSCALED,
        "all columns" if is_small else f"column {names[first] if names else first}",
        figure,
        UNSCALED,
        what,
        "LeCun, Bottou, Orr & Müller 1998, sec. 4.3",
        "standardise the columns (mean 0, deviation 1), or begin with rg.BatchNorm",
        tuple(items),
        tuple(names[i] for i in items) if names else (),
    )


def unscaled_targets(evidence: Evidence) -> Verdict | None:
    """The root mean square of the numbers that outputs without an activation are to reach."""
    if evidence.trace is None or evidence.subject is None:
        return None
    network, rows = evidence.subject.network, evidence.subject.rows.target.parts
    sizes: list[tuple[float, str]] = []
    for head, loss in evidence.subject.loss.by_head.items():
        output = network.output[head] if isinstance(network.output, Mapping) else network.output
        if "r2" in loss.scores and output == "identity":
            y = rows[head].array.astype(np.float64)
            found = _rms(y.reshape(len(y), -1))
            sizes += [(float(x), f"head {head!r}" if head else "") for x in found if x > 0]
    if not sizes:
        return None
    largest, where = max(sizes)
    is_small = largest < 1.0
    figure = 1.0 / max(largest, 1e-300) if is_small else largest
    return Verdict(
        "unscaled targets",
        figure > UNSCALED,
        "" if is_small else where,
        figure,
        UNSCALED,
        f"{'1 over ' if is_small else ''}the largest root mean square of a column of Y",
        "Bishop 1995, sec. 8.2",
        "standardise the targets (mean 0, deviation 1), and scale the predictions back",
    )


def _rms(columns: Array) -> Array:
    """The root mean square of each column (n,)."""
    largest = np.abs(columns).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)  # a square must not overflow
    return np.asarray(unit * np.sqrt(np.mean(np.square(columns / unit), axis=0)))
