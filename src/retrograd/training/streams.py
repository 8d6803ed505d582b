"""Batches from an iterator: data that do not fit in memory, checked and trained on one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from retrograd.arrays import Array, as_numbers, is_finite
from retrograd.errors import DataError, OptionError
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.named import Named, by_name, widest
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.training.class_weights import BALANCED, weigh_classes
from retrograd.training.figures import Epoch
from retrograd.training.loop import Job, Past, Run, Whole, never, replay
from retrograd.training.rows import Rows, check_rows
from retrograd.training.session import TrainingSession
from retrograd.training.validation import check_pair

Batch = Sequence[Named]
Batches = Iterable[Batch] | Callable[[], Iterable[Batch]]
"""What gives the batches of an epoch, (X, Y) or (X, Y, sample_weight), each time it is asked."""

KEPT = 8  # batches between two looks at the state: so many are kept, to be run again


@dataclass(frozen=True, eq=False)
class Form:
    """What rows must be like: they fit the network and the loss, and batches the first of them."""

    network: Network
    loss: Loss | JointLoss
    class_weight: Any
    dtype: DTypeLike | None
    first: Rows | None = None

    def rows(self, X: Any, Y: Any, sample_weight: Any = None) -> Rows:
        """A user's rows, checked; in the dtype of the first batch, if any."""
        dtype = self.dtype if self.first is None else self.first.X.dtype
        return check_rows(self.network, self.loss, X, Y, sample_weight, dtype=dtype)

    def check(self, batch: Any) -> Rows:
        """The rows of a batch, weighed by class, in arrays of their own; DataError if unfit."""
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise DataError(
                f"expected a tuple (X, Y) or (X, Y, sample_weight), got {_described(batch)}"
            )
        if self.first is not None and self.dtype is None:
            _require_dtype(batch[0], self.first.X.dtype)
        rows = self.rows(*batch)
        rows = weigh_classes(self.class_weight, self.loss, rows, self.network)
        if self.first is not None:
            _require_like(rows, self.first)
        return _own(rows)


class Stream:
    """The batches of each epoch, checked, and the rows to validate on.

    `first` is the first batch of all, that of epoch number `epoch`, and decides the form. Raises
    OptionError for what gives its batches once where `n_passes` are asked for, and DataError for a
    batch that does not fit, with its number.
    """

    def __init__(
        self, source: Any, form: Form, validation: Any, *, n_passes: int, epoch: int
    ) -> None:
        self._source = source
        opened = self._open()
        if opened is source and n_passes > 1:
            raise OptionError(
                f"train: the batches come from an iterator that can be gone through once, but "
                f"{n_passes} passes are asked for; pass a list, an object whose __iter__ begins "
                "anew, or a function that returns an iterator; or epochs=1"
            )
        given = next(opened, None)
        if given is None:
            raise DataError("train: there are no batches")
        self.first = _checked(form, given, 1, epoch)
        self._form = replace(form, first=self.first)
        self._begun: Iterator[Any] | None = chain([given], opened)
        self.validation = None if validation is None else self._pair(form, validation)

    def _open(self) -> Iterator[Any]:
        source = self._source
        if callable(source) and not hasattr(source, "__iter__"):
            source = source()
            if not (hasattr(source, "__iter__") or hasattr(source, "__getitem__")):
                raise DataError(
                    "train: the function that gives the batches of an epoch must return an "
                    f"iterable of (X, Y), it returned {_described(source)}"
                )
        return iter(source)

    @property
    def validation_rows(self) -> Array:
        """The numbers of the rows to validate on."""
        return np.arange(len(self.validation) if self.validation is not None else 0)

    @property
    def validation_targets(self) -> Any:
        """Their targets."""
        validates = self.first if self.validation is None else self.validation
        return validates.target.rows(self.validation_rows)

    def epoch(self, number: int) -> Iterator[tuple[Rows, bool]]:
        """The batches of one epoch, each with whether it is the last."""
        opened, self._begun = self._begun or self._open(), None
        batches = (_checked(self._form, given, i, number) for i, given in enumerate(opened, 1))
        now = next(batches, None)
        if now is None:
            raise DataError(
                f"epoch {number} has no batches: what gives them must begin anew for each epoch"
            )
        for following in batches:
            yield now, False
            now = following
        yield now, True

    def _pair(self, form: Form, pair: Any) -> Rows:
        rows = check_pair(form.network, form.loss, self.first, pair)
        ones = np.ones(len(rows), rows.X.dtype)  # scored without
        return rows.weighed(dict.fromkeys(self.first.weights, ones))


def require_streamable(
    source: object,
    optimizer: Optimizer | FullBatch,
    sample_weight: object,
    class_weight: object,
    validation: object,
) -> None:
    """Raise OptionError where there is no Y and no batches, or a choice that needs all rows."""
    if hasattr(source, "__array__") or by_name(source) is not None:
        raise OptionError("train: Y is missing; pass X and Y, or batches that give both")
    if not (callable(source) or hasattr(source, "__iter__") or hasattr(source, "__getitem__")):
        raise OptionError(
            "train: expected arrays X and Y, or batches: an iterable of (X, Y), or a function that "
            f"returns one; got {_described(source)}"
        )
    if isinstance(optimizer, FullBatch):
        raise OptionError(f"train: {optimizer.name} needs all rows at once, as arrays X and Y")
    if sample_weight is not None:
        raise OptionError("train: batches bring their weights along, as (X, Y, sample_weight)")
    of_heads = class_weight.values() if isinstance(class_weight, Mapping) else ()
    if BALANCED in (class_weight, *of_heads):
        raise OptionError(
            f"train: class_weight={class_weight!r} needs all rows at once; "
            "beside batches it is {label: weight}"
        )
    if validation is not None and not isinstance(validation, tuple | list):
        raise OptionError(f"train: beside batches, validation is a pair (X, Y), got {validation!r}")


def require_no_batches(X: object) -> None:
    """Raise OptionError where Y is given beside batches, which have their own."""
    first = X[0] if isinstance(X, list | tuple) and X else None
    if isinstance(first, tuple) and first and getattr(first[0], "ndim", 0) == 2:
        raise OptionError(
            f"train: X is a {type(X).__name__} of batches, which bring their own Y; leave out Y, "
            "or join the batches to arrays X and Y"
        )


def descend_batches(
    stream: Stream, session: TrainingSession, job: Job, rng: np.random.Generator, past: Past
) -> Run:
    """As `descend`, an epoch being what the stream gives for it."""
    run, whole = Run(session, job, past), Whole(session, past)
    for _ in range(job.rules.epochs):
        reason = _pass(run, session, job, stream, whole)
        if reason:
            run.history.stopped = reason
            return run
    run.history.stopped = "epochs"
    return run


def _pass(run: Run, session: TrainingSession, job: Job, stream: Stream, whole: Whole) -> str | None:
    """One epoch: the reason to stop after it, or within it."""
    number = run.history.epochs + 1
    done: list[Epoch] = []
    weights: list[dict[str, Array]] = []
    kept: list[Rows] = []
    for rows, is_last in stream.epoch(number):
        kept.append(rows)
        epoch = _step(session, rows, is_observed=is_last)
        done.append(epoch)
        weights.append(session.weighing.all_weights(np.arange(len(rows)), len(rows)))
        reason = None if is_last else job.halted()
        is_looked_at = is_last or reason is not None or len(kept) == KEPT
        if not is_finite(epoch.J) or (is_looked_at and session.engine.not_finite()):
            again = ((np.arange(len(x)), partial(_step, session, x)) for x in kept)
            raise replay(session, whole.state, again, number, first=len(done) - len(kept) + 1)
        if reason:
            return reason
        if is_looked_at:
            kept.clear()
        if is_looked_at and not is_last:
            whole.mark()
    if stream.validation is not None:
        session.feed(stream.validation)
    figures = epoch._replace(
        J=np.concatenate([x.J for x in done]),
        J_of=_joined([x.J_of for x in done]),
    )
    reason = run.end_epoch(figures, session.weighing.means_by(_joined(weights), figures))
    whole.mark()  # callbacks may have written
    return reason


def _joined(batches: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}


def _step(session: TrainingSession, rows: Rows, *, is_observed: bool = False) -> Epoch:
    session.feed(rows)
    return session.epoch(np.arange(len(rows)), len(rows), never, is_observed=is_observed)


def _checked(form: Form, given: Any, number: int, epoch: int) -> Rows:
    try:
        return form.check(given)
    except DataError as error:
        raise DataError(f"batch {number} of epoch {epoch}: {error}") from None


def _own(rows: Rows) -> Rows:
    """Copies: the next batch may be made in the memory of this one."""
    target = rows.target.each(lambda _, own: np.array(own.array, order="C"))
    copied = Rows(np.array(rows.X, order="C"), target)
    return copied.weighed({head: np.array(w, order="C") for head, w in rows.weights.items()})


def _require_dtype(X: Any, dtype: np.dtype[Any]) -> None:
    parts = by_name(X)
    given = [as_numbers(x, "X").dtype for x in ([X] if parts is None else parts.values())]
    own = widest(given)
    if any(each.kind == "f" and each != np.float16 for each in given) and own != dtype:
        raise DataError(
            f"X is {own}, that of the first batch is {dtype}; they must be the same, or the "
            "precision be given"
        )


def _require_like(rows: Rows, first: Rows) -> None:
    own, wanted = rows.target, first.target
    if own.form != wanted.form:
        raise DataError(
            f"Y is {own}, that of the first batch is {wanted}; they must have the same form"
        )
    if set(rows.weights) != set(first.weights):
        here, there = (_some(x.weights) for x in (rows, first))
        raise DataError(f"sample_weight: this batch has {here}, the first has {there}")


def _some(weights: Mapping[str, Array]) -> str:
    """Which weights there are, in words."""
    return "none" if not weights else " and ".join(weights) if all(weights) else "some"


def _described(thing: object) -> str:
    if isinstance(thing, tuple | list):
        return f"a {type(thing).__name__} of {len(thing)}"
    shape = getattr(thing, "shape", None)
    kind = type(thing).__name__
    return f"{kind} of shape {tuple(shape)}" if isinstance(shape, tuple) else f"{kind} {thing!r}"
