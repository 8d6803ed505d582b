"""The verdict on labels: rows whose target the model contradicts may be wrong in the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from retrograd.arrays import Array
from retrograd.inspect.evidence import Evidence
from retrograd.inspect.of_batch import LEAST_ROWS
from retrograd.inspect.verdict import Verdict
from retrograd.nn.losses import Loss
from retrograd.nn.losses.targets import Target

MOST_ITEMS = 20
MOST_SHARE = 0.1  # of the rows: where more are far off, it is the model that is wrong
DOUBTED, SURE = 0.1, 0.9  # shares of what a class gets on average
CLEAR = 1 / 3  # of the median row's log of ratios


def suspect(evidence: Evidence) -> Verdict | None:
    """The rows whose loss stands out: their labels, or their numbers, may be wrong."""
    if evidence.still is None or evidence.subject is None or len(evidence.still.X) < LEAST_ROWS:
        return None
    loss = evidence.subject.loss
    if isinstance(loss, Loss) and loss.is_classification:
        if evidence.subject.network.output not in ("softmax", "sigmoid"):
            return None  # a margin tells no probability
        figures = np.max([_against(*part) for part in _classes(evidence)], axis=0)
        limit = 40.0
        meaning = (
            "the largest loss of a row that the model is sure is of another class, over the mean "
            "of the nine tenths of the rows that fit best,"
        )
    else:
        errors, spread, what = _errors(evidence)
        usual = max(float(np.median(errors)), np.finfo(np.float64).tiny)
        figures, limit = np.where(errors > spread, errors / usual, 0.0), 30.0
        meaning = f"the largest {what} over the median one"
    is_out = figures > limit
    is_out &= float(is_out.mean()) < MOST_SHARE
    rows = np.flatnonzero(is_out)
    rows = rows[np.argsort(-figures[rows], kind="stable")]
    numbers = evidence.subject.numbers
    first = 0 if numbers is None else 1
    items = tuple(map(int, rows if numbers is None else numbers[rows]))
    return Verdict(
        "suspect labels",
        bool(items),
        f"row {first + items[0]}" if items else "",
        float(figures.max()),
        limit,
        meaning,
        "Northcutt, Jiang & Chuang 2021",
        "look at these rows in the data: mend or drop the wrong ones",
        items[:MOST_ITEMS],
        first=first,
    )


def _errors(evidence: Evidence) -> tuple[Array, float, str]:
    """Of each row how far off it is (B,), the deviation of the targets, and what it is in words.

    Where outputs do not estimate the targets, the root of the loss, and no deviation: 0.
    """
    assert evidence.still is not None and evidence.subject is not None
    target, loss = evidence.subject.rows.target, evidence.subject.loss
    if isinstance(target, Target) and isinstance(loss, Loss) and "r2" in loss.scores:
        y = target.array.astype(np.float64).reshape(len(target), -1)
        unit = max(float(np.abs(y).max()), np.finfo(np.float64).tiny)  # no square overflows
        e = (evidence.still.output.astype(np.float64).reshape(y.shape) - y) / unit
        spread = float(np.linalg.norm((y / unit).std(axis=0)))
        what = "error of a row, of those beyond the deviation of the targets,"
        return np.linalg.norm(e, axis=1), spread, what
    losses = np.maximum(evidence.still.losses.astype(np.float64), 0.0)
    return np.sqrt(losses), 0.0, "root of a row's loss"


def _classes(evidence: Evidence) -> Iterator[tuple[Array, Array]]:
    """Probabilities (B, C) and labels (B,): of the classes, or of each yes-or-no output."""
    assert evidence.still is not None and evidence.subject is not None
    target, output = evidence.subject.rows.target, evidence.still.output.astype(np.float64)
    assert isinstance(target, Target)
    y = target.array
    if evidence.subject.network.output == "softmax":
        yield output, (y if y.ndim == 1 else y.argmax(axis=1))
        return
    for p, own in zip(output.T, y.reshape(len(y), -1).T, strict=True):
        yield np.column_stack([1.0 - p, p]), (own > 0.5).astype(np.int64)


def _against(p: Array, labels: Array) -> Array:
    """-log p of the label over its mean in the rows that fit best; 0 where the model agrees.

    It disagrees where the label has less than a tenth of the probability that rows of this label
    have on average, and another class nine tenths of its own average or more: confident learning
    [Northcutt, Jiang & Chuang 2021, sec. 3.1], with these margins. And the log of that ratio is a
    third or more of what it is for the median row: as clear a case as others are.
    """
    rows = np.arange(len(labels))
    usual = np.array(
        [p[labels == k, k].mean() if k in labels else np.inf for k in range(p.shape[1])]
    )
    share = np.maximum(p, 1e-300) / np.maximum(usual, 1e-300)
    own, rest = share[rows, labels], share.copy()
    rest[rows, labels] = 0.0
    losses = -np.log(np.maximum(p[rows, labels], 1e-300))
    fitting = np.sort(losses)[: max(1, int(0.9 * len(losses)))].mean()
    # How clearly for its label, or below 0 against it: a sharp model is far off near a boundary.
    margin = np.log(own) - np.log(np.maximum(rest.max(axis=1), 1e-300))
    is_against = (own < DOUBTED) & (rest.max(axis=1) >= SURE)
    is_against &= -margin > CLEAR * np.median(np.abs(margin))
    return np.where(is_against, losses / max(float(fitting), 1e-300), 0.0)
