"""The progress bar, looked at as text on a recorded console."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

import retrograd as rg
from retrograd.training import progress
from retrograd.training.history import History
from retrograd.training.progress import Progress

X = np.random.default_rng(1).normal(size=(20, 2))


def console():
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def last_line(recorded):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", recorded.file.getvalue())
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()][-1]


def test_the_bar_shows_J_score_and_epochs_per_second():
    recorded = console()
    with Progress(20, is_shown=True, console=recorded) as bar:
        bar.show(
            History(
                J=[0.5, 0.25], validation_score=[0.1, 0.75], score="accuracy", seconds=[0.5, 1.0]
            )
        )
    line = last_line(recorded)
    assert "training" in line
    assert "2/20" in line
    assert "J 0.25" in line
    assert "validation accuracy 0.75" in line
    assert "2 epochs/s" in line


def test_a_slow_epoch_is_not_0_a_second():
    recorded = console()
    with Progress(20, is_shown=True, console=recorded) as bar:
        bar.show(History(J=[0.5], seconds=[8.0]))
    assert "0.125 epochs/s" in last_line(recorded)
    assert "validation" not in last_line(recorded)


def test_a_resumed_run_counts_on_and_a_start_begins_again():
    recorded = console()
    with Progress(5, is_shown=True, first=5, console=recorded) as bar:
        bar.show(History(J=[0.5] * 7, seconds=[1.0] * 7))
    assert "7/10" in last_line(recorded)
    with Progress(5, is_shown=True, console=recorded) as bar:
        bar.restart(2, 3)
    assert "start 2 of 3" in last_line(recorded)
    assert "0/5" in last_line(recorded)


def test_train_draws_it_and_ends_it(monkeypatch):
    recorded, bar_of = console(), progress._bar
    monkeypatch.setattr(progress, "_bar", lambda _: bar_of(recorded))
    history = rg.train(rg.MLP([2, 1]), X, X[:, :1], epochs=3, validation=0.5, progress=True)
    line = last_line(recorded)
    assert "3/3" in line
    assert f"J {history.J[-1]:.4g}" in line
    assert f"validation r2 {history.validation_score[-1]:.4g}" in line
    with pytest.raises(RuntimeError):
        rg.train(rg.MLP([2, 1]), X, X[:, :1], progress=True, callbacks=[lambda n, h: fail()])
    assert "\x1b[?25h" in recorded.file.getvalue()[-20:]  # the cursor is back


def fail():
    raise RuntimeError


def test_without_it_nothing_is_written(capsys):
    rg.train(rg.MLP([2, 1]), X, X[:, :1], epochs=2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_validation_loss_is_shown_as_a_loss_and_the_line_fits_into_80_columns():
    recorded = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with Progress(400_000, is_shown=True, console=recorded) as bar:
        bar.show(History(J=[0.123456], validation_score=[-0.65432], score="loss", seconds=[0.01]))
    line = last_line(recorded)
    assert "1/400000" in line
    assert "J 0.1235" in line
    assert "validation loss 0.6543" in line
    assert "100 epochs/s" in line
