"""Chosen by measuring: how many batches run in one native call, and on how many threads."""

from __future__ import annotations

import math
from time import perf_counter

SLICE = 0.05  # seconds between two questions whether to stop
TRIAL = 0.005  # seconds of a call by which a number of threads is judged
WAKING = 0.002  # seconds before it that are not judged: other threads wake, and find caches cold
WORTH = 4e-6  # seconds of a batch from which on several threads are tried,
SURE = 200e-6  # and from which on they are taken before anything was measured
SPEED = 50e9  # flops a second of one core, for a first guess
SEEN = 3  # calls that are remembered,
MANY = 16  # and of those that are shorter than a trial
CLEAR = 1.3  # how much slower than the best a call is that settles a trial at once
PAUSE = 0.1  # seconds without a call, after which the machine may have other things to do:
SOONER = 4  # so many times sooner several threads are tried again
FIRST = 5  # calls of a trial's length before the number that is not used is tried; then twice as
MOST, MOST_IF_SURE = 80, 20  # many each time, up to so many


class Autotuner:
    """What was measured of batches of one size; kept with the code, for whoever runs it next.

    Whether several threads are faster depends on the machine and on what else it does. So now and
    then the number of threads that is not used is tried, as often as costs next to nothing; several
    sooner where there was a pause, but in the second call after it: the first may be the only one,
    and threads take long to wake. The numbers that come out do not depend on it. It may be used
    from several Python threads at once.

    `flops`: of a batch. `worth`: seconds of one from which on several threads are tried.
    """

    def __init__(self, n_threads: int, flops: float, worth: float | None = None) -> None:
        self._n_threads = n_threads
        self._worth = WORTH if worth is None else worth
        guess = flops / SPEED
        self._is_sure = guess > SURE
        # The last few measurements by number of threads: a machine may become slower or faster.
        self._seconds: dict[int, tuple[float, ...]] = {1: (), n_threads: ()}
        self._ended, self._is_rested = math.inf, False  # the last call; was a pause before it?
        self._trial: int | None = n_threads if self._is_sure else 1  # which is tried now
        self._waking = WAKING  # seconds of several threads until it is judged,
        self._tried = 0.0  # and of what it is judged by
        self._interval = 0  # calls of a trial's length before the next
        self._work = 0.0  # seconds since the last began,
        self._burst = 0.0  # and since the last pause
        self._settled, self._left = 1, 0.0  # what was chosen, and for how many more seconds

    def next(self, n_left: int, *, is_stoppable: bool, is_cold: bool = False) -> tuple[int, int]:
        """How many of `n_left` batches to run in the next call, and on how many threads.

        `is_cold`: nothing was run in this memory yet. The first batch finds caches and pages cold,
        and tells little.
        """
        if not is_stoppable and self._n_threads == 1:
            return n_left, 1  # how long a batch takes does not matter
        if self._is_second():
            if self._settled == 1:
                self._work += (SOONER - 1) * self._burst
                self._left = 0.0
            self._burst = 0.0
        n_threads = self._settled if self._left > 0.0 else self._chosen()
        if n_left == 1:
            return 1, n_threads
        of_batch = self._usual(n_threads)
        is_trial = self._n_threads > 1 and n_threads == self._trial
        if not is_trial and not is_stoppable:
            return n_left, n_threads
        # That of the other number, until there is its own.
        of_batch = of_batch or max(map(self._usual, self._seconds))
        if not of_batch:
            return min(n_left, 1 if is_cold else 2), n_threads
        seconds = SLICE
        if is_trial:
            is_waking = n_threads > 1 and self._waking > 0.0
            seconds = WAKING if is_waking else TRIAL
        return min(n_left, max(1, int(seconds / of_batch))), n_threads

    def note(
        self, n_threads: int, n_batches: int, seconds: float, *, is_cold: bool = False
    ) -> None:
        """What a call took."""
        self._ended = perf_counter()
        if is_cold and n_batches == 1:
            return
        if n_threads > 1 and self._waking > 0.0:
            self._waking -= seconds
            if seconds < TRIAL:  # of a longer call it is next to nothing
                return
        # Replaced whole: another thread may read them meanwhile.
        most = SEEN if seconds > TRIAL else MANY
        self._seconds[n_threads] = (*self._seconds[n_threads], seconds / n_batches)[-most:]
        self._work += seconds
        self._burst += seconds
        if n_threads == self._trial:
            self._tried += seconds
        self._left -= seconds

    def _usual(self, n_threads: int) -> float:
        """Seconds a batch on so many threads: the mean of the last calls but for the slowest.

        0 where nothing was measured. The best call says little where something else often has a
        processor: waits of one thread for another are then longer than the work.
        """
        calls = self._seconds[n_threads]
        return (sum(calls) - max(calls)) / (len(calls) - 1) if len(calls) > 1 else sum(calls)

    def _is_judged(self, n_threads: int) -> bool:
        """Whether enough was measured with so many threads to judge by."""
        n_calls, mine, tried = len(self._seconds[n_threads]), self._usual(n_threads), self._tried
        rival = self._usual(self._other(n_threads))
        is_clear = n_calls > 0 and 0.0 < CLEAR * rival < mine and tried >= TRIAL / SEEN
        # Several threads come to their pace late: a few short calls tell nothing of them.
        is_seen = n_calls >= SEEN and (n_threads == 1 or tried >= TRIAL)
        return is_seen or is_clear or tried > SEEN * TRIAL

    def _other(self, n_threads: int) -> int:
        return self._n_threads if n_threads == 1 else 1

    def _chosen(self) -> int:
        """The faster number of threads; or the other, where it is time to try that."""
        if self._n_threads == 1:
            return 1
        trial = self._trial  # read once: another thread may end it meanwhile
        if trial is not None and not self._is_judged(trial):
            return trial
        self._trial = None
        fastest = min((1, self._n_threads), key=lambda n: self._usual(n) or math.inf)
        other = self._other(fastest)
        mine, rival = self._usual(fastest), self._usual(other)
        if fastest == trial and fastest != self._settled:
            self._interval = 0  # the machine has changed, and may again
        is_light = fastest == 1 and mine < self._worth
        is_next = fastest == 1 and not rival
        if is_light or (
            not is_next and self._work < max(self._interval, FIRST) * max(TRIAL, rival or mine)
        ):
            self._settled, self._left = fastest, TRIAL
            return fastest
        # Against what the flops say, one thread is tried anew sooner.
        most = MOST_IF_SURE if self._is_sure and other > 1 else MOST
        self._interval = min(max(2 * self._interval, FIRST), most)
        self._try(other)
        return other

    def _is_second(self) -> bool:
        """Whether a pause was before the last call, and none since."""
        was_rested, self._is_rested = self._is_rested, perf_counter() > self._ended + PAUSE
        return was_rested and not self._is_rested

    def _try(self, n_threads: int) -> None:
        """Begin to measure a number of threads anew."""
        self._seconds[n_threads], self._trial = (), n_threads
        self._waking, self._tried, self._work, self._left = WAKING, 0.0, 0.0, 0.0
