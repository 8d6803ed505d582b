"""The peers: who is measured, in which of its forms, with how many threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod
from typing import Any, Protocol

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ONE_AND_ALL = tuple(sorted({1, CORES}))


class NotAvailable(Exception):
    """This peer cannot do this work; the message says why."""


@dataclass(frozen=True)
class Setting:
    """How a worker runs: threads it may use, and retrograd's engine."""

    threads: int = 1
    engine: str = "auto"


class Runner(Protocol):
    """A peer made ready for one task: `Runner(task, problem, setting)`."""

    def reset(self) -> None:
        """Back to the initial weights; not timed."""
        ...

    def run(self, times: int) -> float:
        """So many epochs, predictions or fits; returns a figure on which all peers must agree.

        It is the mean J of the last epoch, the mean square of a prediction, or the last loss.
        """
        ...


@dataclass(frozen=True)
class Peer:
    """A peer in one of its forms, and the class that runs it.

    `is_quick`: whether it starts in seconds; the others are left out of a quick run.
    `is_checked`: whether it takes the orders and weights given, so that its J must agree.
    """

    name: str
    module: str
    runner: str
    threads: tuple[int, ...] = ONE_AND_ALL
    is_ours: bool = False
    is_quick: bool = True
    is_checked: bool = True

    @property
    def family(self) -> str:
        """The library."""
        return self.name.split(",")[0]


SESSION = "retrograd, session"
TRAIN = "retrograd, rg.train"

PEERS: dict[str, tuple[Peer, ...]] = {
    "training": (
        Peer(SESSION, "retrograd_peer", "SessionTraining", is_ours=True),
        Peer(TRAIN, "retrograd_peer", "UserTraining", (CORES,), is_ours=True, is_checked=False),
        Peer("JAX", "jax_peer", "Training"),
        Peer("PyTorch, eager", "torch_peer", "EagerTraining"),
        Peer("PyTorch, compiled", "torch_peer", "CompiledTraining", is_quick=False),
        Peer("PyTorch, in place", "torch_peer", "InPlaceTraining"),
        Peer("NumPy", "numpy_peer", "Training"),
        Peer("scikit-learn", "sklearn_peer", "Training"),
    ),
    "prediction": (
        Peer("retrograd", "retrograd_peer", "Prediction", is_ours=True),
        Peer("onnxruntime", "onnx_peer", "Prediction"),
        Peer("PyTorch, eager", "torch_peer", "Prediction"),
        Peer("NumPy", "numpy_peer", "Prediction"),
        Peer("scikit-learn", "sklearn_peer", "Prediction"),
    ),
    "fitting": (
        Peer("retrograd", "fitting", "OurFitting", is_ours=True),
        Peer("scikit-learn", "fitting", "Fitting"),
    ),
}


def environment(threads: int) -> dict[str, str]:
    """Environment variables by which the libraries of a fresh process take so many threads."""
    counts = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS RETROGRAD_THREADS NPROC"
    found = dict.fromkeys(counts.split(), str(threads))
    if threads == 1:
        found["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return found | {"JAX_PLATFORMS": "cpu"}


def views(flat: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Consecutive pieces of a flat array (NumPy's or PyTorch's), in these shapes."""
    ends = [0, *accumulate(map(prod, shapes))]
    return [flat[a:b].reshape(shape) for (a, b), shape in zip(pairwise(ends), shapes, strict=True)]
