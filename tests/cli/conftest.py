"""The command line called as the program does it, with what it printed and its exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from retrograd.cli.main import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def line(self, start: str) -> str:
        (found,) = [line for line in self.lines if line.startswith(start)]
        return found


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `retrograd` with these arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """120 rows: a number, a word, a number with gaps, two targets and a name for each row."""
    rng = np.random.default_rng(0)
    lines = ["size,alloy,age,strength,passed,part"]
    for i in range(120):
        size, alloy = rng.uniform(1, 5), ("steel", "brass", "zinc")[i % 3]
        age = "" if i % 7 == 0 else f"{rng.uniform(0, 9):.2f}"
        strength = 10 * size + 5 * (i % 3) + rng.normal()
        passed = "yes" if strength > 35 else "no"
        lines.append(f"{size:.3f},{alloy},{age},{strength:.3f},{passed},p{i}")
    path = tmp_path / "parts.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
