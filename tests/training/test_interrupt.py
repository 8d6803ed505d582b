"""Ctrl-C ends training after the current step and leaves a usable model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.numpy import NumpyEngine
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS
from retrograd.training.interrupt import Interrupt

RNG = np.random.default_rng(18)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 1))
FULL_BATCH = [name for name, made in OPTIMIZERS.items() if issubclass(made, FullBatch)]


def press(net, history):
    """Ctrl-C during the third epoch's end, as the terminal sends it."""
    if history.epochs == 3:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_training_with_the_newest_weights():
    net, other = rg.MLP([3, 4, 1]), rg.MLP([3, 4, 1])
    history = rg.train(net, X, Y, epochs=1000, callbacks=[press])
    assert history.stopped == "interrupted"
    assert history.epochs == 3
    assert "it was interrupted" in str(history)
    rg.train(other, X, Y, epochs=3)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_ctrl_c_leaves_the_best_weights_by_validation():
    net = rg.MLP([3, 4, 1])
    kept = {}

    def note(net, history):
        kept[history.epochs] = net.parameters["W1"].copy()

    history = rg.train(
        net,
        X,
        Y,
        optimizer=rg.SGD(lambda step: 0.1 if step < 2 else 0.8),
        epochs=1000,
        batch_size=None,
        validation=(X, Y),
        callbacks=[note, press],
    )
    assert history.stopped == "interrupted"
    np.testing.assert_array_equal(net.parameters["W1"], kept[history.best_epoch])
    assert history.best_epoch == int(np.argmax(history.validation_score)) + 1


def test_ctrl_c_between_batches_ends_the_epoch(monkeypatch):
    """A flag that is up from its third question on: the epoch is left in the middle."""
    asked = []
    monkeypatch.setattr(Interrupt, "__call__", lambda self: asked.append(1) or len(asked) > 2)
    net, other = rg.MLP([3, 1]), rg.MLP([3, 1])
    history = rg.train(net, X, Y, epochs=5, batch_size=8, shuffle=False, engine="numpy")
    assert history.stopped == "interrupted"
    assert history.epochs == 0
    monkeypatch.undo()
    rg.train(other, X[:24], Y[:24], epochs=1, batch_size=8, shuffle=False)
    np.testing.assert_allclose(net.parameters["W1"], other.parameters["W1"], rtol=1e-14)


def test_an_interrupted_run_can_be_resumed():
    net, other = rg.MLP([3, 4, 1]), rg.MLP([3, 4, 1])
    history = rg.train(net, X, Y, epochs=1000, callbacks=[press])
    rg.train(net, X, Y, epochs=2, resume=history)
    rg.train(other, X, Y, epochs=5)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


@pytest.mark.parametrize("name", FULL_BATCH)
def test_ctrl_c_ends_a_solver_at_the_accepted_point(name):
    net = rg.MLP([3, 4, 1], activation="tanh")
    history = rg.train(net, X, Y, optimizer=name, epochs=1000, callbacks=[press])
    assert history.stopped == "interrupted"
    assert history.epochs == 3
    J = 0.5 * np.mean((net.predict(X) - Y) ** 2)
    assert pytest.approx(history.J[-1], rel=1e-13) == J


@pytest.mark.parametrize("name", FULL_BATCH)
def test_ctrl_c_inside_an_iteration_keeps_the_accepted_point(name, monkeypatch):
    asked = []
    monkeypatch.setattr(Interrupt, "__call__", lambda self: asked.append(1) or len(asked) > 12)
    net = rg.MLP([3, 4, 1], activation="tanh")
    history = rg.train(net, X, Y, optimizer=name, epochs=1000)
    assert history.stopped == "interrupted"
    J = 0.5 * np.mean((net.predict(X) - Y) ** 2)
    assert pytest.approx(history.J[-1], rel=1e-13) == J


class Pressed(NumpyEngine):
    """An engine in whose opening Ctrl-C is pressed, as where LLVM is loaded."""

    def open(self, *arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return super().open(*arguments, **options)


@pytest.mark.parametrize("optimizer", ["adam", *FULL_BATCH])
def test_ctrl_c_while_an_engine_opens_waits_until_it_is_open(optimizer):
    net, other = rg.MLP([3, 4, 1]), rg.MLP([3, 4, 1])
    history = rg.train(net, X, Y, optimizer=optimizer, epochs=1000, engine=Pressed())
    assert (history.stopped, history.epochs) == ("interrupted", 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    rg.train(net, X, Y, optimizer=optimizer, epochs=2, resume=history, engine="numpy")
    rg.train(other, X, Y, optimizer=optimizer, epochs=2, engine="numpy")
    if optimizer != "adam":  # which has made a step of its first epoch
        np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_ctrl_c_ends_the_remaining_starts():
    history = rg.train(rg.MLP([3, 4, 1]), X, Y, epochs=9, random_starts=5, callbacks=[press])
    assert history.stopped == "interrupted"
    assert history.starts == []


def test_a_second_ctrl_c_is_a_keyboard_interrupt_and_the_weights_are_finite():
    def twice(net, history):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    net = rg.MLP([3, 4, 1])
    with pytest.raises(KeyboardInterrupt):
        rg.train(net, X, Y, epochs=5, callbacks=[twice])
    assert np.isfinite(net.predict(X)).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_comes_back_and_a_foreign_one_is_left_alone():
    with Interrupt() as interrupted:
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def mine(number, frame):
        pass

    signal.signal(signal.SIGINT, mine)
    try:
        with Interrupt() as interrupted:
            assert signal.getsignal(signal.SIGINT) is mine
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_outside_the_main_thread_it_stands_aside():
    found = []

    def work():
        with Interrupt() as interrupted:
            found.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


PROGRAM = """
import numpy as np, retrograd as rg
X = np.random.default_rng(0).normal(size=(2000, 5))
net = rg.MLP([5, 30, 1])
begun = lambda net, history: history.epochs == 1 and print("begun", flush=True)
history = rg.train(net, X, X[:, :1], epochs=10**6, batch_size=10, callbacks=[begun])
print(history.stopped, np.isfinite(net.predict(X)).all(), len(history.J) == history.epochs)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
def test_sigint_to_a_process_ends_training_and_the_program_goes_on():
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted True True\n"
    assert process.returncode == 0


def test_one_inside_another_tells_what_that_knows():
    with Interrupt() as outer, Interrupt() as inner:
        signal.raise_signal(signal.SIGINT)
        assert outer() and inner()
        with pytest.raises(KeyboardInterrupt):  # the second one
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
