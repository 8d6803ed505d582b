"""The compiled engine, on one thread."""

import pytest

from retrograd.engines.cpu.engine import CpuEngine


@pytest.fixture(scope="session")
def cpu():
    return CpuEngine(n_threads=1)
