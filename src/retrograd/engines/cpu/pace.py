"""How long a batch takes, and so how many to run in one native call, and on how many threads."""

from __future__ import annotations

SLICE = 0.05  # seconds between two questions whether to stop
TRIAL = 0.005  # seconds of a call by which a number of threads is judged
WORTH = 40e-6  # seconds of a batch from which on several threads are tried,
SURE = 200e-6  # and from which on they are taken before anything was measured
SPEED = 50e9  # flops a second of one core, for a first guess
SEEN = 3  # calls that are remembered
EARLY, LATE = 5, 100  # trials' worth of work before the number that is not used is tried again


class Pace:
    """What was measured of batches of one size; kept with the code, for whoever runs it next.

    Whether several threads are faster depends on the machine and on what else it does. So now and
    then the number of threads that is not used is tried, as often as costs next to nothing. The
    numbers that come out do not depend on it. It may be used from several Python threads at once.

    `flops`: of a batch.
    """

    def __init__(self, n_threads: int, flops: float) -> None:
        self._n_threads = n_threads
        guess = flops / SPEED
        # The last few measurements by number of threads: a machine may become slower or faster.
        self._seconds: dict[int, tuple[float, ...]] = {1: (), n_threads: ()}
        self._trial: int | None = n_threads if guess > SURE else 1  # which is tried now
        self._n_trials = 0
        self._work = 0.0  # seconds since the last began

    def next(self, n_left: int, *, is_stoppable: bool, is_cold: bool = False) -> tuple[int, int]:
        """How many of `n_left` batches to run in the next call, and on how many threads.

        `is_cold`: nothing was run in this memory yet. The first batch finds caches and pages cold,
        and tells little.
        """
        if not is_stoppable and self._n_threads == 1:
            return n_left, 1  # how long a batch takes does not matter
        n_threads = self._chosen()
        pace = self._best(n_threads)
        is_trial = self._n_threads > 1 and n_threads == self._trial
        if not is_trial and not is_stoppable:
            return n_left, n_threads
        pace = pace or max(map(self._best, self._seconds))  # of the other, until there is its own
        if not pace:
            return min(n_left, 1 if is_cold else 2), n_threads
        seconds = min(TRIAL, SLICE) if is_trial else SLICE
        return min(n_left, max(1, int(seconds / pace))), n_threads

    def note(
        self, n_threads: int, n_batches: int, seconds: float, *, is_cold: bool = False
    ) -> None:
        """What a call took."""
        if is_cold and n_batches == 1:
            return
        # Replaced whole: another thread may read them meanwhile.
        self._seconds[n_threads] = (*self._seconds[n_threads], seconds / n_batches)[-SEEN:]
        self._work += seconds

    def _best(self, n_threads: int) -> float:
        """Seconds a batch on so many threads, undisturbed; 0 where nothing was measured."""
        return min(self._seconds[n_threads], default=0.0)

    def _is_judged(self, n_threads: int) -> bool:
        """Whether enough was measured with so many threads to judge by."""
        n_calls = len(self._seconds[n_threads])
        return n_calls == SEEN or n_calls * self._best(n_threads) > SEEN * TRIAL

    def _chosen(self) -> int:
        """The faster number of threads; or the other, where it is time to try that."""
        if self._n_threads == 1:
            return 1
        if self._trial is not None and not self._is_judged(self._trial):
            return self._trial
        self._trial = None
        known = [n for n in (1, self._n_threads) if self._seconds[n]]
        fastest = min(known, key=self._best)
        other = self._n_threads if fastest == 1 else 1
        pace, rival = self._best(fastest), self._best(other)
        if fastest == 1 and pace < WORTH:
            return 1
        patience = 0 if fastest == 1 and not rival else EARLY if self._n_trials < SEEN else LATE
        if self._work < patience * max(TRIAL, rival or pace):
            return fastest
        self._seconds[other], self._trial = (), other
        self._work, self._n_trials = 0.0, self._n_trials + 1
        return other
