"""Verdicts from the course of a training: updates, plateaus, divergence, overfitting, the rate."""

from __future__ import annotations

import numpy as np

from retrograd.inspect.evidence import Evidence
from retrograd.inspect.verdict import Verdict

FEW, SOME = 5, 20  # epochs, without which a course says nothing
SPAN = 40  # epochs in which rises of J are added up

RULE = "Bengio 2012, sec. 3.1"


def too_large(evidence: Evidence) -> Verdict | None:
    """The largest step, of those at the end of an epoch, against the weights."""
    ratios = {name: float(np.max(x)) for name, x in evidence.update_ratios.items() if x}
    if not ratios:
        return None
    name, ratio = max(ratios.items(), key=lambda item: item[1])
    return Verdict(
        "updates too large",
        not ratio <= 0.2,
        name,
        ratio,
        0.2,
        "the norm of the largest recorded update over that of the weights (0.001 is usual)",
        "Karpathy 2015, CS231n notes 3",
        "a smaller learning rate, or rg.Clip",
    )


def too_small(evidence: Evidence) -> Verdict | None:
    """The largest step of the training against the weights."""
    if evidence.history is None or not evidence.history.statistics:
        return None  # near a minimum single steps are small, and should be
    # No update at all is no small one: rg.Accumulate waits for more batches.
    ratios = {name: float(np.max(x)) for name, x in evidence.update_ratios.items() if any(x)}
    if not ratios:
        return None
    name, ratio = min(ratios.items(), key=lambda item: item[1])
    return Verdict(
        "updates too small",
        ratio < 1e-5,
        name,
        ratio,
        1e-5,
        "the norm of the largest recorded update over that of the weights",
        "Karpathy 2015, CS231n notes 3",
        "a larger learning rate, or rg.Adam",
    )


def plateau(evidence: Evidence) -> Verdict | None:
    """Where J stands still, how it compares with the best constant guess, or with its beginning."""
    J = _course(evidence, SOME)
    if J is None:
        return None
    guess = evidence.guess
    base = float(J[0]) if guess is None else guess
    window = max(10, len(J) // 4)
    before, after = np.array_split(J[-window:], 2)
    is_low = float(before.mean() - after.mean()) < 0.01 * float(after.mean())
    is_flat = is_low and not _falls_evenly(J)  # that is a learning rate too low
    ratio = float(np.mean(after)) / base if base > 0 else 0.0
    what = "J of the first epoch" if guess is None else "the loss of the best constant guess"
    return Verdict(
        "plateau",
        is_flat and ratio > 0.9,
        f"the last {window} epochs" if is_flat else "",
        ratio,
        0.9,
        f"J over {what}",
        "Goodfellow, Bengio & Courville 2016, sec. 8.2.3",
        "a larger learning rate, other initial weights (random_starts), more units, scaled inputs",
        but="J is still falling" if ratio > 0.9 and not is_flat else "",
    )


def divergence(evidence: Evidence) -> Verdict | None:
    """J of the last epoch over that of the first."""
    J = _course(evidence, 2)
    if J is None:
        return None
    ratio = float(J[-1] / J[0]) if J[0] > 0 else 1.0
    return Verdict(
        "divergence",
        not ratio <= 1.5,
        f"epoch {len(J)}" if not ratio <= 1.5 else "",
        ratio,
        1.5,
        "J of the last epoch over that of the first",
        RULE,
        "a smaller learning rate, rg.Clip, scaled inputs and targets",
    )


def overfitting(evidence: Evidence) -> Verdict | None:
    """How far the validation loss rose above its best while J fell   [Prechelt's GL]."""
    history = evidence.history
    if history is None or len(history.validation_J) < FEW:
        return None
    J, valid = np.array(history.J), np.array(history.validation_J)
    best = int(np.argmin(valid))
    tail = valid[-max(3, len(valid) // 10) :]
    lowest = float(valid[best])
    # Next to nothing, a rise is large and matters little.
    base = max(lowest, 0.1 * max(float(valid[0]), evidence.guess or 0.0))
    ratio = 1.0 + (float(np.median(tail)) - lowest) / base if base > 0 else 1.0
    fell = bool(J[-1] < J[best])
    return Verdict(
        "overfitting",
        ratio > 1.2 and fell,
        f"the epochs after {best + 1}",
        ratio,
        1.2,
        "the validation loss of the last epochs over its best (or a tenth of the first, or of the "
        "loss of the best constant guess)",
        "Prechelt 1998, sec. 2",
        "more data, l2 or weight decay, rg.Dropout, fewer units, patience",
        but="J did not fall meanwhile" if ratio > 1.2 and not fell else "",
    )


def rate_too_high(evidence: Evidence) -> Verdict | None:
    """The rises of J from epoch to epoch, in units of what a constant guess would lose."""
    J = _course(evidence, FEW)
    if J is None:
        return None
    # A very good fit begins far below the guess: what is noise there would be a jump to J[0].
    base = max(float(J[0]), evidence.guess or 0.0)
    rises = float(np.maximum(np.diff(J), 0.0).sum())
    rises = rises / base / max(1.0, (len(J) - 1) / SPAN) if base > 0 else 0.0
    return Verdict(
        "learning rate too high",
        not rises <= 1.0,
        "",
        rises,
        1.0,
        f"the sum of the rises of J in {SPAN} epochs, over its first value or the loss of the best "
        "constant guess, whichever is larger,",
        "LeCun, Bottou, Orr & Müller 1998, sec. 5.1",
        "a third of the learning rate; rg.learning_rate_range shows where J begins to rise",
    )


def rate_too_low(evidence: Evidence) -> Verdict | None:
    """How much of J is left where it fell at every epoch, as fast at the end as at first."""
    J = _course(evidence, 10)
    if J is None or evidence.history is None:
        return None
    is_steady = _falls_evenly(J)
    ratio = float(J[-1] / J[0]) if J[0] > 0 else 0.0
    return Verdict(
        "learning rate too low",
        is_steady and ratio > 0.8,
        "",
        ratio,
        0.8,
        "J of the last epoch over the first",
        "Smith 2017, sec. 3.3",
        "ten times the learning rate; rg.learning_rate_range shows where J falls fastest",
        but="J does not fall evenly" if ratio > 0.8 and not is_steady else "",
    )


def _falls_evenly(J: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Whether J fell at nine of ten epochs, at the end more than half as fast as at first."""
    falls = -np.diff(J)
    quarter = max(len(falls) // 4, 2)
    first, last = falls[1:][:quarter].mean(), falls[-quarter:].mean()
    return bool((falls > 0).mean() >= 0.9 and last > 0.5 * first > 0)


def _course(evidence: Evidence, least: int) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """J of each epoch, where there are at least so many."""
    if evidence.history is None or len(evidence.history.J) < least:
        return None
    return np.array(evidence.history.J, np.float64)
