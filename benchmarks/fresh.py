"""What only a fresh process shows: imports, the first step with and without cache, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pool import ROOT
from benchmarks.workloads import WORKLOADS

IMPORT = """
import sys, time
begin = time.perf_counter()
import {package}
print(time.perf_counter() - begin)
"""

FIRST_STEP = """
import time
import numpy as np
import retrograd as rg
rng = np.random.default_rng(0)
X, y = rng.uniform(size=(32, 64)).astype("float32"), rng.integers(0, 10, 32)
net = rg.MLP([64, 100, 10], output="softmax", dtype="float32")
begin = time.perf_counter()
rg.train(net, X, y, optimizer="adam", epochs=1, batch_size=32, engine={engine!r})
print(time.perf_counter() - begin)
"""

# Everything is imported and loaded by a small training first, so that what is left is the arrays'.
MEMORY = """
import retrograd as rg
from benchmarks.workloads import TASKS

def kilobytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))

def train(work, problem):
    rg.train(work.network(), problem.X, problem.Y, optimizer=work.rule(), epochs=1,
             batch_size=work.batch, engine={engine!r})

train(TASKS["B"], TASKS["B"].problem())
work = TASKS["D"]
problem = work.problem()
before = kilobytes("VmRSS")
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
train(work, problem)
print(1024 * (kilobytes("VmHWM") - before))
"""


@dataclass(frozen=True)
class Fresh:
    """Seconds, and bytes; None where this machine does not tell."""

    import_numpy: float
    import_retrograd: float
    first_step_cold: float
    first_step_warm: float
    peak_bytes: float | None
    needed_bytes: float


def measure(engine: str, rounds: int) -> Fresh:
    """Each in processes of its own, in turn; medians over the rounds (of the peak too)."""
    step, memory = FIRST_STEP.format(engine=engine), MEMORY.format(engine=engine)
    with tempfile.TemporaryDirectory() as warm:

        def cold() -> float:
            with tempfile.TemporaryDirectory() as empty:
                return run(step, cache=empty)

        for package in ("numpy", "retrograd"):  # its bytecode is there from the first time on
            run(IMPORT.format(package=package))
        run(step, cache=warm), run_or_none(memory, cache=warm)
        calls: dict[str, Callable[[], float | None]] = {
            "numpy": lambda: run(IMPORT.format(package="numpy")),
            "retrograd": lambda: run(IMPORT.format(package="retrograd")),
            "cold": cold,
            "warm": lambda: run(step, cache=warm),
            "peak": lambda: run_or_none(memory, cache=warm),
        }
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                value = call()
                if value is not None:
                    found[name].append(value)
    medians = {name: statistics.median(each) if each else None for name, each in found.items()}
    return Fresh(
        import_numpy=medians["numpy"] or 0.0,
        import_retrograd=medians["retrograd"] or 0.0,
        first_step_cold=medians["cold"] or 0.0,
        first_step_warm=medians["warm"] or 0.0,
        peak_bytes=medians["peak"],
        needed_bytes=needed(),
    )


def needed() -> float:
    """Bytes of D's weights, its optimizer's state, and one batch's activations, float32."""
    work = next(work for work in WORKLOADS if work.name == "D")
    n_weights = sum(w.size for w in work.problem().weights)
    return 4.0 * (3 * n_weights + work.batch * sum(work.sizes))


def run(code: str, cache: str | Path | None = None) -> float:
    """The number that a fresh process prints; Python keeps its bytecode, as it does for users."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if cache is not None:
        env["RETROGRAD_CACHE"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=ROOT, env=env,
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def run_or_none(code: str, cache: str | Path) -> float | None:
    """As `run`; None where the process fails, as without /proc."""
    try:
        return run(code, cache)
    except subprocess.CalledProcessError:
        return None
