"""The verdict on a pass that left the finite numbers: which gate made the first NaN or infinity."""

from __future__ import annotations

import numpy as np

from retrograd.inspect.evidence import Evidence
from retrograd.inspect.passes import passes
from retrograd.inspect.verdict import Verdict
from retrograd.training.origin import Origin, find_origin, replayed


def not_finite(evidence: Evidence) -> Verdict | None:
    """How many numbers of a pass are NaN or infinite, and which gate made the first."""
    if evidence.trace is None:
        return None
    many = evidence.n_not_finite
    origin = _origin(evidence) if many else None
    first = f"; {origin}" if origin is not None else ""
    place = "" if origin is None else origin.layer
    return Verdict(
        "not finite",
        many > 0,
        f"layer {place}" if place[:1].isdigit() else place,
        float(many),
        0.0,
        f"J is {evidence.trace.J:g}{first}; the number of NaN and infinities in the pass",
        "Goldberg 1991, sec. Infinity and NaNs",
        "look at that gate and what goes into it; scaled inputs and targets, smaller weights",
    )


def _origin(evidence: Evidence) -> Origin | None:
    """The gate that the training's own search would name."""
    subject, trace = evidence.subject, evidence.trace
    assert subject is not None and trace is not None
    made = passes(subject)
    values = made.values(subject, seed=trace._options["seed"])
    layers = subject.network.layers
    numbers = np.arange(len(trace.X)) if subject.numbers is None else subject.numbers + 1
    replay = replayed(made.objective, layers, {}, values, len(trace.X))
    return find_origin(replay, numbers, epoch=1, step=1)
