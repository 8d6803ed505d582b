"""How long a batch takes, and so how many to run in one native call, and on how many threads."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

SLICE = 0.05  # seconds between two questions whether to stop
TRIAL = 0.002  # seconds of a call by which a number of threads is judged
TRIALS = 3  # such calls
WORTH = 40e-6  # seconds of a batch from which on several threads are tried


class Pace:
    """What was measured of batches of one size.

    Several threads are tried once a batch is known to take long enough, and kept where they are
    faster: whether they are depends on the machine and on what else it does. The numbers that come
    out do not depend on it.
    """

    def __init__(self, n_threads: int, size: int) -> None:
        self.size = size
        self._n_threads = n_threads
        self._is_cold = True
        # The last few measurements by number of threads: a machine may become slower or faster.
        self._seconds: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=TRIALS))

    def next(self, n_left: int, *, is_stoppable: bool) -> tuple[int, int]:
        """How many of `n_left` batches to run in the next call, and on how many threads."""
        if not self._seconds[1]:
            # The first batch finds caches and pages cold, and tells little.
            return (1 if self._is_cold else min(n_left, 2)) if self._asks(
                is_stoppable=is_stoppable
            ) else n_left, 1
        n_threads = self._chosen()
        pace = self._of(n_threads) or self._of(1)
        if len(self._seconds[n_threads]) < TRIALS and self._n_threads > 1:
            return min(n_left, max(1, int(TRIAL / pace))), n_threads
        return min(n_left, max(1, int(SLICE / pace))) if is_stoppable else n_left, n_threads

    def note(self, n_threads: int, n_batches: int, seconds: float) -> None:
        """What a call took."""
        if self._is_cold and self._asks(is_stoppable=False):
            self._is_cold = False
            if n_batches == 1:
                return
        self._seconds[n_threads].append(seconds / n_batches)

    def _asks(self, *, is_stoppable: bool) -> bool:
        """Whether how long a batch takes matters."""
        return is_stoppable or self._n_threads > 1

    def _of(self, n_threads: int) -> float:
        """Seconds a batch on so many threads; 0 where nothing was measured."""
        return median(self._seconds[n_threads]) if self._seconds[n_threads] else 0.0

    def _chosen(self) -> int:
        """The number of threads to run on: what is not measured enough, or the fastest."""
        if self._n_threads == 1 or self._of(1) < WORTH:
            return 1
        for n_threads in (1, self._n_threads):
            if len(self._seconds[n_threads]) < TRIALS:
                return n_threads
        return min((1, self._n_threads), key=self._of)
