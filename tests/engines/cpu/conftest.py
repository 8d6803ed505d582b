"""Engines for each instruction set of this processor, and memory that shows what is misused."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine.host import runnable
from retrograd.engines.cpu.run import autotune, memory, state
from tests.engines.cpu.amx import AMX, CAN_RUN, IS_OWN, library
from tests.engines.cpu.vectors import Compiled

FENCE = 256  # bytes on either side of each array; of a large one as many as a quarter of it
MARK = 0x5A


@pytest.fixture(params=runnable(), ids=lambda target: target.name)
def target(request: Any) -> Any:
    return request.param


@pytest.fixture
def amx() -> Iterator[ctypes.CDLL | None]:
    """AMX for one test: the processor's own, or done by a handler of unknown instructions."""
    if IS_OWN:
        yield None
        return
    library().tiles_begin()
    yield library()
    library().tiles_end()
    assert library().tiles_held() == 0


WITH_AMX = dict.fromkeys([*([AMX] if CAN_RUN else []), *runnable()])


@pytest.fixture(params=WITH_AMX, ids=lambda target: target.name)
def target_or_amx(request: Any) -> Any:
    """Each instruction set, and AMX where a test can run it."""
    if request.param.has_amx:
        request.getfixturevalue("amx")
    return request.param


@pytest.fixture
def cpu(target: Any) -> CpuEngine:
    return CpuEngine(target, n_threads=1)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All memory of sessions holds NaN at first, padding too, and fences that no code may touch."""
    fences = []

    def allocate(entries: int, dtype: np.dtype[Any]) -> Any:
        n_bytes = entries * dtype.itemsize
        fence = max(FENCE, n_bytes // 4)
        raw = np.full(n_bytes + 2 * fence + memory.ALIGN, MARK, np.uint8)
        start = fence + -(memory.address(raw) + fence) % memory.ALIGN
        fences.extend([raw[:start], raw[start + n_bytes :]])
        array = raw[start : start + n_bytes].view(dtype)
        nan = 0x7FC0  # as a bfloat16
        array[...] = {"f": np.nan, "b": True, "i": 1 << 40, "u": nan}[dtype.kind]
        return array

    def zeros(entries: int, dtype: np.dtype[Any]) -> Any:
        array = allocate(entries, dtype)
        array[...] = 0
        return array

    monkeypatch.setattr(memory, "allocate", allocate)
    monkeypatch.setattr(memory, "zeros", zeros)
    # The padding of the state, too; so what begins at 0 must be written.
    monkeypatch.setattr(state, "zeros", allocate)
    monkeypatch.setattr(state.State, "begin", state.State.write)
    yield
    assert fences
    assert all((fence == MARK).all() for fence in fences)


@pytest.fixture
def always_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads where they do not pay, too."""

    def everything_at_once(self: autotune.Autotuner, n_left: int, **_: bool) -> tuple[int, int]:
        return n_left, self._n_threads

    monkeypatch.setattr(autotune.Autotuner, "next", everything_at_once)


@pytest.fixture(scope="session")
def compiled() -> Callable[..., Compiled]:
    """A function of vectors as machine code; the same one is compiled but once."""
    return cache(Compiled)
