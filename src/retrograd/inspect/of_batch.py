"""Verdicts from one pass over a batch: gradients across layers, units, inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from retrograd.inspect.evidence import Evidence
from retrograd.inspect.verdict import Verdict
from retrograd.nn.activations import BOUNDS, HALF_LINEAR
from retrograd.nn.ends import Inputs
from retrograd.nn.layer import Layer
from retrograd.nn.layers import Dense
from retrograd.training.statistics import SATURATED

LEAST_ROWS = 16  # with fewer, a unit that is seldom on looks dead


def vanishing(evidence: Evidence) -> Verdict | None:
    """The smallest norm of delta among the layers, over that of the last."""
    norms = evidence.delta_norms
    if len(norms) < 2:
        return None
    place, ratio = min(_ratios(norms).items(), key=lambda item: item[1])
    return Verdict(
        "vanishing gradients",
        ratio < 1e-3,
        f"layer {place}",
        ratio,
        1e-3,
        f"the norm of delta over that of layer {[*norms][-1]}",
        "Glorot & Bengio 2010, sec. 4.2",
        "relu in place of sigmoid or tanh, he_uniform weights, rg.Residual, rg.LayerNorm",
    )


def exploding(evidence: Evidence) -> Verdict | None:
    """The largest norm of delta among the layers, over that of the last."""
    norms = evidence.delta_norms
    if len(norms) < 2:
        return None
    place, ratio = max(_ratios(norms).items(), key=lambda item: item[1])
    return Verdict(
        "exploding gradients",
        ratio > 1e3,
        f"layer {place}",
        ratio,
        1e3,
        f"the norm of delta over that of layer {[*norms][-1]}",
        "Pascanu, Mikolov & Bengio 2013, sec. 2.1",
        "smaller initial weights (glorot_uniform, orthogonal), rg.LayerNorm, rg.Clip",
    )


def _ratios(norms: dict[str, float]) -> dict[str, float]:
    *_, last = norms.values()
    if last == 0:  # the fit is perfect, and every gradient 0
        return {place: 1.0 if norm == 0 else np.inf for place, norm in norms.items()}
    return {place: norm / last for place, norm in norms.items()}


def dead(evidence: Evidence) -> Verdict | None:
    """The share of a relu layer's units that are 0 for every row: none gets a gradient."""
    if evidence.trace is None or len(evidence.trace.X) < LEAST_ROWS:
        return None
    found = [(x, (x.z <= 0).all(axis=0)) for x, _ in evidence.layers(HALF_LINEAR)]
    if not found:
        return None
    layer, is_dead = max(found, key=lambda item: float(item[1].mean()))
    return Verdict(
        "dead units",
        float(is_dead.mean()) > 0.4,
        f"layer {layer.place}",
        float(is_dead.mean()),
        0.4,
        "the share of units that are 0 for every row",
        "Lu, Shin, Su & Karniadakis 2020",
        "leaky_relu or elu, a smaller learning rate, he_uniform weights, biases not below 0",
        tuple(map(int, np.flatnonzero(is_dead))),
    )


def saturated(evidence: Evidence) -> Verdict | None:
    """The share of a layer's activations within 1 % of the range of a bound."""
    found = []
    for layer, function in evidence.layers(tuple(BOUNDS)):
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
    columns = np.array(_into_dense(evidence.subject.network.layers), np.int64)
    X = evidence.trace.X[:, columns].astype(np.float64)
    largest = np.abs(X).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)  # a square must not overflow
    rms = unit * np.sqrt(np.mean(np.square(X / unit), axis=0))
    if not rms.any():  # a column of zeros is no trouble
        return None
    limit = 30.0
    # Far above 1, or all of them far below.
    small = 1.0 / max(float(rms.max()), 1e-300)
    figure = max(float(rms.max()), small)
    is_small = small > float(rms.max())
    worst = np.argsort(-rms, kind="stable")
    items = [int(columns[i]) for i in worst if rms[i] > limit]
    names = evidence.subject.columns
    first = int(columns[worst[0]])
    what = "1 over the largest root mean square of a column" if is_small else "its root mean square"
    return Verdict(
        "unscaled inputs",
        figure > limit,
        "all columns" if is_small else f"column {names[first] if names else first}",
        figure,
        limit,
        what,
        "LeCun, Bottou, Orr & Müller 1998, sec. 4.3",
        "standardise the columns (mean 0, deviation 1), or begin with rg.BatchNorm",
        tuple(items),
        tuple(names[i] for i in items) if names else (),
    )


def _into_dense(layers: Sequence[Layer]) -> list[int]:
    """The columns that a dense layer takes; others are normalised, chosen from or looked up."""
    first = layers[0]
    if not isinstance(first, Inputs):
        return [*range(first.fan_in)] if isinstance(first, Dense) else []
    ends = accumulate(first.widths, initial=0)
    return [
        column
        for branch, (begin, end) in zip(first.branches, pairwise(ends), strict=True)
        if isinstance((*branch, *layers[1:])[0], Dense)
        for column in range(begin, end)
    ]
