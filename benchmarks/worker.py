"""One peer in a process of its own: prepares a task when asked, and times it when asked.

    python -m benchmarks.worker KIND PEER THREADS ENGINE

It reads one JSON object a line and answers each with one: {"prepare": task} with the figure to
check after one epoch, {"measure": seconds} with the time of as many epochs as fill those seconds
(at least one, from the initial weights). An answer {"error": why} leaves it ready for more.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import warnings
from importlib import import_module
from typing import Any

from benchmarks.peers import PEERS, NotAvailable, Peer, Runner, Setting
from benchmarks.workloads import TASKS, Task


class Measured:
    """A task made ready by one peer, and how long it takes about."""

    def __init__(self, runner: Runner, task: Task) -> None:
        self.runner, self.task = runner, task
        self.figure = self.timed(1)["figure"]  # compiles, too
        self.seconds = self.timed(1)["seconds"]

    def timed(self, times: int) -> dict[str, float]:
        """Seconds, seconds of processor time, and the figure, of so many epochs from the start."""
        self.runner.reset()
        begin, busy = time.perf_counter(), time.process_time()
        figure = self.runner.run(times)
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        return {"seconds": seconds, "busy": busy, "figure": figure, "times": times}

    def measure(self, seconds: float) -> dict[str, float]:
        """See the module: one answer."""
        found = self.timed(max(1, math.ceil(seconds / self.seconds)))
        self.seconds = found["seconds"] / found["times"]
        steps = found["times"] * self.task.steps
        return {"per_step": found["seconds"] / steps, "cores": found["busy"] / found["seconds"]}


def prepare(peer: Peer, task: Task, setting: Setting) -> Measured:
    """The peer's runner on the task's arrays."""
    module = import_module(f"benchmarks.peers.{peer.module}")
    return Measured(getattr(module, peer.runner)(task, task.problem(), setting), task)


def answer(request: dict[str, Any], serve: dict[str, Any], peer: Peer, setting: Setting) -> Any:
    """The answer to one request; `serve` keeps what was prepared last."""
    if "prepare" in request:
        serve.clear()  # one task at a time in memory
        serve["now"] = prepare(peer, TASKS[request["prepare"]], setting)
        return {"figure": serve["now"].figure}
    return serve["now"].measure(request["measure"])


def main() -> None:
    """Serve until the input ends."""
    kind, name, threads, engine = sys.argv[1:]
    peer = next(peer for peer in PEERS[kind] if peer.name == name)
    setting = Setting(int(threads), engine)
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")  # what a library prints must not look like an answer
    os.dup2(2, 1)
    serve: dict[str, Any] = {}
    for line in sys.stdin:
        try:
            found = answer(json.loads(line), serve, peer, setting)
        except NotAvailable as reason:
            found = {"error": str(reason)}
        except Exception as error:  # noqa: BLE001  # whatever a peer raises is a row with its reason
            found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
