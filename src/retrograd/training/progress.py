"""The progress bar of training: J, validation score, epochs per second."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from retrograd.training.history import History
from retrograd.training.scores import LOSS


class Progress:
    """A rich progress bar over epochs; shows nothing unless `is_shown`.

    `first` epochs were run before, `epochs` are to come. `console` is rich's, by default on
    standard error.
    """

    def __init__(self, epochs: int, *, is_shown: bool, first: int = 0, console: Any = None) -> None:
        self._bar: Any = _bar(console) if is_shown else None
        self._first, self._epochs = first, first + epochs
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                "training", total=self._epochs, completed=self._first, figures="", rate=""
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def restart(self, number: int, n_starts: int) -> None:
        """Begin again for the next of several random starts."""
        if self._bar is not None:
            self._bar.reset(
                self._task, description=f"start {number} of {n_starts}", figures="", rate=""
            )

    def show(self, history: History) -> None:
        """Move to the end of the history."""
        if self._bar is None:
            return
        figures = f"J {history.J[-1]:.4g}"
        if history.validation_score:
            score = history.validation_score[-1]
            score = -score if history.score == LOSS else score  # the score "loss" is its negative
            figures += f"  validation {history.score} {score:.4g}"
        rate = f"{history.epochs / max(history.seconds[-1], 1e-9):.3g} epochs/s"
        self._bar.update(self._task, completed=history.epochs, figures=figures, rate=rate)


def _bar(console: Any) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("[progress.description]{task.description}"),
        MofNCompleteColumn(),
        BarColumn(bar_width=10),  # all of a line fits into 80 columns
        TextColumn("{task.fields[figures]}"),
        TextColumn("{task.fields[rate]}"),
        console=console or Console(stderr=True),
    )
