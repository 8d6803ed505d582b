"""How long a batch takes, and so how many to run in one native call, and on how many threads."""

from __future__ import annotations

import time

SLICE = 0.05  # seconds between two questions whether to stop
TRIAL = 0.002  # seconds of a call by which a number of threads is judged
TRIALS = 3  # such calls; fewer where a batch takes longer than all of them
WORTH = 40e-6  # seconds of a batch from which on several threads are tried
AGAIN = 5.0  # seconds after which the number of threads that is not used is tried again,
SELDOM = 300  # and at least as many of its batches


class Pace:
    """What was measured of batches of one size; kept with the code, for whoever runs it next.

    Several threads are tried once a batch is known to take long enough, and kept where they are
    faster: whether they are depends on the machine and on what else it does. The numbers that come
    out do not depend on it. It may be used from several Python threads at once.
    """

    def __init__(self, n_threads: int, size: int, n_copies: int = 1) -> None:
        self.size = size
        self._n_threads = n_threads
        # The last few measurements by number of threads: a machine may become slower or faster.
        self._seconds: dict[int, tuple[float, ...]] = {1: (), n_threads: ()}
        self._noted = {1: 0.0, n_threads: 0.0}  # when the last of them was made

    def next(self, n_left: int, *, is_stoppable: bool, is_cold: bool = False) -> tuple[int, int]:
        """How many of `n_left` batches to run in the next call, and on how many threads.

        `is_cold`: nothing was run in this memory yet. The first batch finds caches and pages cold,
        and tells little.
        """
        if not is_stoppable and self._n_threads == 1:
            return n_left, 1  # how long a batch takes does not matter
        if not self._seconds[1]:
            return min(n_left, 1 if is_cold else 2), 1
        n_threads = self._chosen()
        pace = self._of(n_threads) or self._of(1)
        if self._is_on_trial(n_threads) and self._n_threads > 1:
            return min(n_left, max(1, int(TRIAL / pace))), n_threads
        return min(n_left, max(1, int(SLICE / pace))) if is_stoppable else n_left, n_threads

    def note(
        self, n_threads: int, n_batches: int, seconds: float, *, is_cold: bool = False
    ) -> None:
        """What a call took."""
        if is_cold and n_batches == 1:
            return
        # Replaced whole: another thread may read them meanwhile.
        self._seconds[n_threads] = (*self._seconds[n_threads], seconds / n_batches)[-TRIALS:]
        if self._n_threads == 1:
            return
        now = self._noted[n_threads] = time.perf_counter()
        other = 1 if n_threads > 1 else self._n_threads
        rest = max(AGAIN, SELDOM * self._of(other))
        if self._seconds[other] and now - self._noted[other] > rest:
            self._seconds[other] = ()

    def _is_on_trial(self, n_threads: int) -> bool:
        """Whether too little was measured with so many threads to judge by."""
        pace, n_seen = self._of(n_threads), len(self._seconds[n_threads])
        return not n_seen or (n_seen < TRIALS and n_seen * pace < TRIALS * TRIAL)

    def _of(self, n_threads: int) -> float:
        """Seconds a batch on so many threads, the median; 0 where nothing was measured."""
        seconds = self._seconds[n_threads]
        return sorted(seconds)[len(seconds) // 2] if seconds else 0.0

    def _chosen(self) -> int:
        """The number of threads to run on: what is not measured enough, or the fastest."""
        if self._n_threads == 1 or self._of(1) < WORTH:
            return 1
        # In turn, so that a machine that slows down meanwhile slows both.
        fewest = min((1, self._n_threads), key=lambda n: len(self._seconds[n]))
        if self._is_on_trial(fewest):
            return fewest
        return min((1, self._n_threads), key=lambda n: min(self._seconds[n]))
