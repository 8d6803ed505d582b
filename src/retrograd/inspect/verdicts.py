"""`diagnose`: what ails a network or its training, from one pass over rows or from the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.errors import OptionError
from retrograd.inspect import of_batch, of_course, of_labels, of_numbers, of_table
from retrograd.inspect.evidence import Evidence
from retrograd.inspect.layers import traced
from retrograd.inspect.of_table import history_in, optimizer_of, words_in
from retrograd.inspect.options import Seeded
from retrograd.inspect.subject import Subject, network_of
from retrograd.inspect.verdict import Diagnosis, Verdict
from retrograd.optim.base import Optimizer
from retrograd.optim.names import find_optimizer
from retrograd.tabular.model import TableModel
from retrograd.training.history import History
from retrograd.training.loop import never
from retrograd.training.session import TrainingSession

Judge = Callable[[Evidence], Verdict | None]

ROWS = "needs rows X and Y"
BROKEN = "needs a pass of finite numbers"
STATISTICS = "needs the statistics of a training (rg.train with statistics=True)"
SEARCHED = "is of a learning rate; a solver of full batches searches for the length of its steps"

# Each ailment: who judges it, and what is missing where nobody can.
AILMENTS: dict[str, tuple[Judge, str]] = {
    "not finite": (of_numbers.not_finite, ROWS),
    "vanishing gradients": (of_batch.vanishing, f"{ROWS}, and two layers with weights"),
    "exploding gradients": (of_batch.exploding, f"{ROWS}, and two layers with weights"),
    "dead units": (of_batch.dead, f"{ROWS}, 16 at least, and a layer of relu or alike"),
    "saturated units": (of_batch.saturated, f"{ROWS}, and a layer of sigmoid, tanh or alike"),
    "updates too large": (of_course.too_large, f"{STATISTICS}, or rows and the optimizer"),
    "updates too small": (of_course.too_small, STATISTICS),
    "plateau": (of_course.plateau, "needs a history of 20 epochs"),
    "divergence": (of_course.divergence, "needs a history of 2 epochs"),
    "overfitting": (of_course.overfitting, "needs a history of 5 epochs with validation"),
    "unscaled inputs": (of_batch.unscaled, f"{ROWS}, and a dense layer that takes them"),
    "unscaled targets": (
        of_batch.unscaled_targets,
        f"{ROWS}, and outputs that estimate numbers without an activation",
    ),
    "unseen categories": (of_table.unseen, "needs a table model with columns of words"),
    "learning rate too high": (of_course.rate_too_high, "needs a history of 5 epochs"),
    "learning rate too low": (of_course.rate_too_low, "needs a history of 10 epochs"),
    "suspect labels": (
        of_labels.suspect,
        f"{ROWS}, 16 at least, and of classes their probabilities",
    ),
}


OF_A_PASS = (
    "vanishing gradients", "exploding gradients", "dead units", "saturated units", "suspect labels",
)  # fmt: skip
OF_A_RATE = (
    "updates too large", "updates too small", "learning rate too high", "learning rate too low",
)  # fmt: skip


def diagnose(
    model: Any = None,
    X: Any = None,
    Y: ArrayLike | None = None,
    /,
    *,
    history: History | None = None,
    optimizer: Optimizer | str | None = None,
    **options: Any,
) -> Diagnosis:
    """Look for what ails a network or its training, and say it in words.

    Give rows, a history, or both: each ailment is judged by what it needs. From one pass over the
    rows: numbers that are not finite, vanishing and exploding gradients, dead and saturated units,
    unscaled inputs and targets, suspect labels; with the optimizer the size of its update; of a
    table model categories that training had not. From the history: plateau, divergence,
    overfitting, a learning rate out of range; with statistics the size of the updates.

    Args:
        model: a network, a fitted estimator (its loss curve is its history) or a table model (its
            file has history and optimizer).
        X, Y: as in `rg.trace`.
        history: what `rg.train` returned, best with `statistics=True`.
        optimizer: with which the network is trained, as in `rg.train`.
        options: loss, l2, sample_weight, seed, engine: as in `rg.trace`.

    Returns:
        `.ok`, `.found` and `.verdicts`, each with figure, threshold, source, and what to try; in
        print the ones that were found. The thresholds are rules of thumb: see docs/diagnosis.md.

    Raises OptionError where neither rows nor a history are given.

    >>> X = np.random.default_rng(0).normal(size=(64, 4))
    >>> deep = rg.MLP([4, *[8] * 12, 1], activation="sigmoid")
    >>> rg.diagnose(deep, X, X[:, :1]).found[0].ailment
    'vanishing gradients'
    """
    how = Seeded.of("diagnose", options, "history", "optimizer")
    if history is not None and not isinstance(history, History):
        raise OptionError(f"diagnose: history is what rg.train returned, got {history!r}")
    subject = None
    if X is not None or Y is not None:
        subject = how.subject("diagnose", model, X, Y)
    history = history or history_in(model)
    if isinstance(model, TableModel):
        optimizer = optimizer or optimizer_of(model)
    if subject is None and history is None:
        raise OptionError("diagnose: give rows X and Y, or a history=, or both")
    network = None if model is None else network_of("diagnose", model)
    found = _evidence(subject, history, optimizer, how)
    unknown = words_in(model, X)
    return judge(replace(found, network=network, unknown=unknown))


def judge(evidence: Evidence) -> Diagnosis:
    """The verdicts that the evidence allows."""
    verdicts: list[Verdict] = []
    missing: list[tuple[str, str]] = []
    is_broken = evidence.n_not_finite > 0
    for ailment, (judged, needs) in AILMENTS.items():
        if is_broken and ailment in OF_A_PASS:
            missing.append((ailment, BROKEN))
            continue
        if evidence.is_searched and ailment in OF_A_RATE:
            missing.append((ailment, SEARCHED))
            continue
        verdict = judged(evidence)
        if verdict is None:
            missing.append((ailment, needs))
        elif np.isnan(verdict.figure) and not verdict.is_found:
            missing.append((ailment, "needs a course of finite numbers"))
        else:
            verdicts.append(verdict)
    return Diagnosis(tuple(sorted(verdicts, key=lambda x: not x.is_found)), tuple(missing))


def _evidence(
    subject: Subject | None,
    history: History | None,
    optimizer: Optimizer | str | None,
    how: Seeded,
) -> Evidence:
    if subject is None:
        return Evidence(history=history)
    options: dict[str, Any] = {"frozen": frozenset(), "seed": how.seed, "engine": how.engine}
    trace = traced(subject, is_still=False, **options)
    is_still = subject.network.noise() is None and not subject.network.statistics
    still = trace if is_still else traced(subject, is_still=True, **options)
    found = Evidence(subject, trace, still, history)
    if optimizer is None or found.n_not_finite:
        return found
    return replace(found, step=_one_step(subject, optimizer, how.engine))


def _one_step(subject: Subject, optimizer: Optimizer | str, engine: str) -> dict[str, float]:
    """The statistics of one step over the rows; the network stays as it is."""
    found = find_optimizer(optimizer)
    if not isinstance(found, Optimizer):
        return {}
    session = TrainingSession(
        subject.network,
        subject.rows,
        loss=subject.loss,
        optimizer=found,
        l2=subject.l2,
        engine=engine,
        is_recorded=True,
    )
    n = len(subject.rows)
    return dict(session.epoch(np.arange(n), n, never).statistics)
