"""Names that every doctest may use: `rg`, `np`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(rg=rg, np=np)
