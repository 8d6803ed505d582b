"""The help of each command: an example, and every option's default."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

COMMANDS = ["train", "predict", "check", "explain", "lecture"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_of_it(command: str, run: Run):
    result = run(command, "--help")
    assert result.code == 0 and result.err == ""
    assert f"Example: retrograd {command} " in result.out


def test_the_help_of_train_names_every_default(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = run("train", "--help").out
    for default in ("300 for classes", "relu for classes", "0.002 for classes", "8 for up to 300"):
        assert f"(default: {default}" in out
    assert "digits, iris, wine, breast_cancer, diabetes, fin" in re.sub(r"\s+", " ", out)
