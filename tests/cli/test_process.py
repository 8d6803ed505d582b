"""What only a process of its own shows: signals, pipes, terminals, streams of few letters."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import retrograd as rg

COMMAND = [sys.executable, "-W", "error", "-c", "from retrograd.cli.main import run; run()"]
SIGNALS = pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the whole console")


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    # One thread: nothing here is large, and starting more takes longer than the work.
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=env,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def on_a_terminal(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and our end of the terminal that is its standard error."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def read_until(terminal: int, wanted: bytes | None = None) -> bytes:
    """What is shown until it has what is wanted, or to its end."""
    shown = b""
    while wanted is None or wanted not in shown:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # what Linux says when the other end is closed
            part = b""
        if not part:
            os.close(terminal)
            assert wanted is None, shown
            return shown
        shown += part
    return shown


@SIGNALS
def test_ctrl_c_stops_training_and_the_model_is_written_and_scored(tmp_path: Path):
    process, terminal = on_a_terminal(
        tmp_path, "train", "digits", "--epochs", "100000", "--validation", "0"
    )
    shown = read_until(terminal, b"J ")  # the bar shows J from the end of the first epoch on
    process.send_signal(signal.SIGINT)
    shown += read_until(terminal)
    out = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0 and b"Traceback" not in shown and b"retrograd:" not in shown
    assert "it was interrupted" in out and "test accuracy 0." in out
    model = rg.load(tmp_path / "digits.model")
    assert model.settings["stopped"] == "interrupted" and (tmp_path / "digits.png").exists()


def test_a_reader_that_leaves_gives_no_traceback(tmp_path: Path):
    process = start(tmp_path, "lecture", "matrix")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        assert stream.read() == ""
    assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "koi8-r"])
def test_a_terminal_of_few_letters_gives_no_traceback(encoding: str, tmp_path: Path):
    (tmp_path / "größe.csv").write_text("größe,y\n1,2\n", encoding="utf-8")
    code, out, err = finish(
        start(tmp_path, "train", "größe.csv", "--target", "Höhe", PYTHONIOENCODING=encoding)
    )
    assert code == 2 and out == ""
    assert err.startswith("retrograd: the table has no column 'H") and err.count("\n") == 1
    code, out, err = finish(start(tmp_path, "lecture", PYTHONIOENCODING=encoding))
    assert code == 0 and err == "" and "lecture" in out


def test_the_version_and_the_help_are_printed(tmp_path: Path):
    assert finish(start(tmp_path, "--version")) == (0, f"retrograd {rg.__version__}\n", "")
    for arguments in ([], ["--help"], ["-h"]):
        code, out, _ = finish(start(tmp_path, *arguments))
        assert code == 0 and all(
            name in out for name in ("train", "predict", "check", "explain", "lecture")
        )


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is asked for")
def test_on_a_terminal_a_bar_is_drawn_on_standard_error(tmp_path: Path):
    process, terminal = on_a_terminal(
        tmp_path, "train", "iris", "--epochs", "30", "--picture", "none"
    )
    shown = read_until(terminal)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"training" in shown and b"30/30" in shown
    assert b"test accuracy" in out and b"training " not in out


@SIGNALS
def test_closed_standard_streams_give_no_traceback(tmp_path: Path):
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        words = " ".join(shlex.quote(word) for word in [*COMMAND, "lecture", "node"])
        done = subprocess.run(
            ["sh", "-c", f"{words} {closed}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
