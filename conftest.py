"""What every test may rely on: `rg` and `np` in doctests, and a Ctrl-C that arrives."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg

# A shell that starts a job in the background tells it to ignore Ctrl-C, and so its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Programs that the tests compile are kept from one run to the next, and shared by the processes.
os.environ.setdefault("RETROGRAD_CACHE", str(Path(__file__).parent / ".pytest_cache" / "code"))


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(rg=rg, np=np)
