"""The worker processes, one for each peer and number of threads: all idle but the one asked."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.peers import PEERS, Peer, environment

ROOT = Path(__file__).parents[1]
PATIENCE = 600.0  # seconds for one answer


class WorkerError(Exception):
    """A worker's reason for not doing what it was asked."""


class Worker:
    """One process: `ask` it, `close` it. A dead one is started again for the next task."""

    def __init__(self, kind: str, peer: Peer, threads: int, engine: str) -> None:
        self.kind, self.peer, self.threads, self.engine = kind, peer, threads, engine
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request; WorkerError with the reason where there is none."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._ended() from None
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            self.close()
            raise WorkerError(f"no answer in {PATIENCE:.0f} s")
        line = process.stdout.readline()
        if not line:
            raise self._ended()
        found = json.loads(line)
        if "error" in found:
            raise WorkerError(found["error"])
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            words = [self.kind, self.peer.name, str(self.threads), self.engine]
            self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, bufsize=0,
                cwd=ROOT, env=os.environ | environment(self.threads),
            )  # fmt: skip
        return self._process

    def _ended(self) -> WorkerError:
        """Close what is left; the reason is the last line that it wrote."""
        assert self._process is not None
        assert self._log is not None
        status = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        self.close()
        return WorkerError(f"ended with status {status}: {lines[-1] if lines else 'no message'}")

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._log is not None:
            self._process.kill()
            with self._process, self._log:  # waits, and closes the pipes
                self._process = self._log = None


@contextmanager
def workers(kind: str, engine: str, *, quick: bool) -> Iterator[list[Worker]]:
    """A worker for each peer of this kind of task and each of its numbers of threads."""
    found = [
        Worker(kind, peer, threads, engine)
        for peer in PEERS[kind]
        if peer.is_quick or not quick
        for threads in peer.threads
    ]
    try:
        yield found
    finally:
        for worker in found:
            worker.close()
