"""How many batches go into a call, and on how many threads: there is always an answer."""

from __future__ import annotations

import pytest

from retrograd.engines.cpu.run import autotune
from retrograd.engines.cpu.run.autotune import Autotuner

MANY = 1e9  # flops of a batch that is worth several threads


class Ended(Autotuner):
    """Another thread ends the trial while this one looks at it."""

    def _is_judged(self, n_threads):
        self._trial = None
        return False


@pytest.mark.parametrize("flops", [1.0, MANY])
def test_a_trial_that_another_thread_ends_is_still_a_number_of_threads(flops):
    assert Ended(2, flops).next(10, is_stoppable=True)[1] in (1, 2)


def test_numbers_of_threads_that_are_both_tried_anew_are_no_error():
    tuner = Autotuner(2, MANY)
    for n_threads in (1, 2):
        tuner.note(n_threads, 10, 1.0)
    tuner._trial, tuner._seconds = None, {1: (), 2: ()}  # two threads began a trial each
    assert tuner.next(10, is_stoppable=False) == (10, 1)


@pytest.mark.parametrize("seconds", [(1.0, 0.1), (0.1, 1.0)])
def test_the_faster_number_of_threads_is_taken(seconds):
    tuner, taken = Autotuner(2, MANY), []
    for _ in range(50):
        n_batches, n_threads = tuner.next(100, is_stoppable=True)
        tuner.note(n_threads, n_batches, n_batches * seconds[n_threads - 1])
        taken.append(n_threads)
    faster = 1 + seconds.index(min(seconds))
    assert taken.count(faster) > 40


def test_what_was_chosen_stays_for_a_while_and_follows_a_machine_that_changes():
    tuner, asked, chosen = Autotuner(2, MANY), [], Autotuner._chosen
    tuner._chosen = lambda: asked.append(1) or chosen(tuner)

    def steps(n, seconds):
        taken = []
        for _ in range(n):
            n_batches, n_threads = tuner.next(1, is_stoppable=True)
            assert n_batches == 1
            tuner.note(n_threads, 1, seconds[n_threads - 1])
            taken.append(n_threads)
        return taken

    slow_two = 50e-6, 500e-6
    assert steps(2000, slow_two).count(1) > 1900
    assert len(asked) < 300  # some, and one for each 5 ms of work
    assert steps(20_000, slow_two[::-1])[-500:].count(2) > 400


def test_one_thread_runs_all_batches_in_one_call_unless_it_may_be_stopped():
    assert Autotuner(1, MANY).next(1000, is_stoppable=False) == (1000, 1)
    assert Autotuner(1, MANY).next(1000, is_stoppable=True)[0] < 1000


@pytest.mark.parametrize(("asleep", "late"), [(0.001, 400e-6), (0.005, 180e-6)])
def test_calls_in_which_threads_wake_are_not_what_is_judged(asleep, late):
    tuner, awake, taken = Autotuner(2, flops=0.0), 0.0, []
    for _ in range(2000):
        n_batches, n_threads = tuner.next(8, is_stoppable=False)
        seconds = n_batches * (40e-6 if n_threads == 1 else 25e-6)
        if n_threads == 2 and awake < asleep:
            seconds += late  # they wake, and find caches cold
        awake = awake + seconds if n_threads == 2 else 0.0
        tuner.note(n_threads, n_batches, seconds)
        taken.append(n_threads)
    assert taken[200:].count(2) > 1700


def test_a_few_calls_that_were_disturbed_are_not_what_is_judged():
    tuner, taken = Autotuner(2, flops=0.0), []
    for turn in range(3000):
        n_batches, n_threads = tuner.next(56, is_stoppable=False)
        of_batch = (8e-6, 6e-6)[n_threads - 1] * (2.0 if turn % 50 > 44 else 1.0)
        tuner.note(n_threads, n_batches, n_batches * of_batch)
        taken.append(n_threads)
    assert taken[500:].count(2) > 2300


def test_threads_that_often_wait_for_a_processor_are_not_used():
    """As beside a thread of BLAS that spins: every other call is fast."""
    tuner, taken = Autotuner(2, flops=0.0), []
    for turn in range(500):
        _, n_threads = tuner.next(1, is_stoppable=False)
        tuner.note(n_threads, 1, 480e-6 if n_threads == 1 else (380e-6, 1900e-6)[turn % 2])
        taken.append(n_threads)
    assert taken.count(1) > 400


def test_several_threads_are_tried_anew_after_a_pause(monkeypatch):
    """In bursts, between which other things run: what they left of the machine is over."""
    tuner, now, taken = Autotuner(2, flops=0.0), [0.0], {True: [], False: []}
    monkeypatch.setattr(autotune, "perf_counter", lambda: now[0])
    for burst in range(40):
        is_free = burst % 4 > 0  # or another program has the other processor
        for _ in range(100):
            n_batches, n_threads = tuner.next(8, is_stoppable=False)
            seconds = n_batches * (40e-6 if n_threads == 1 else 25e-6 if is_free else 90e-6)
            tuner.note(n_threads, n_batches, seconds)
            now[0] += seconds
            taken[is_free].append(n_threads)
        now[0] += 1.0
    assert taken[True].count(2) > 0.8 * len(taken[True])
    assert taken[False].count(1) > 0.75 * len(taken[False])


def test_threads_are_not_woken_in_each_of_many_bursts_where_one_is_faster(monkeypatch):
    tuner, now, taken = Autotuner(2, flops=0.0), [0.0], []
    monkeypatch.setattr(autotune, "perf_counter", lambda: now[0])
    for _ in range(2000):
        for _ in range(3):
            n_batches, n_threads = tuner.next(1, is_stoppable=False)
            seconds = n_batches * (100e-6 if n_threads == 1 else 160e-6)
            tuner.note(n_threads, n_batches, seconds)
            now[0] += seconds
            taken.append(n_threads)
        now[0] += 1.0
    assert taken.count(1) > 0.9 * len(taken)


def test_threads_are_not_woken_for_each_of_many_calls_with_pauses_between_them(monkeypatch):
    tuner, now, taken = Autotuner(2, flops=0.0), [0.0], []
    monkeypatch.setattr(autotune, "perf_counter", lambda: now[0])
    for _ in range(2000):
        n_batches, n_threads = tuner.next(1, is_stoppable=False)
        tuner.note(n_threads, n_batches, 100e-6 if n_threads == 1 else 160e-6)  # and they wake
        taken.append(n_threads)
        now[0] += 1.0
    assert taken.count(1) > 1800


def test_what_threads_cannot_win_by_is_not_tried():
    tuner = Autotuner(2, flops=0.0)
    for _ in range(20_000):
        n_batches, n_threads = tuner.next(100, is_stoppable=False)
        assert n_threads == 1
        tuner.note(1, n_batches, n_batches * 2e-6)
