"""`retrograd check`: the gradient of a trained model on rows of the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import retrograd as rg
from retrograd.autodiff import gradient as autodiff

Run = Callable[..., Any]

QUICK = ("--epochs", "2", "--picture", "none")


@pytest.mark.parametrize("data", ["iris", "fin"])
def test_a_right_gradient_passes_parameter_by_parameter(data: str, run: Run):
    run("train", data, "--hidden", "8,6", *QUICK)
    result = run("check", f"{data}.model", data)
    assert result.code == 0 and result.err == ""
    for name in rg.load(f"{data}.model").network.parameters:
        both = [line for line in result.lines if line.startswith(f"{name} ")]
        assert len(both) == 2 and all(line.rstrip().endswith("ok") for line in both)
        assert all(line.split()[1] == name[1:] for line in both)  # the layer
    agreed = [line for line in result.lines if line.startswith("the gradient agrees with ")]
    assert len(agreed) == 2 and "float64" in agreed[1]
    assert "32 rows" in result.lines[0]


def test_rows_and_entries_are_what_was_asked_for(run: Run):
    run("train", "iris", "--hidden", "8", *QUICK)
    result = run("check", "iris.model", "iris", "--rows", "7", "--entries", "5")
    assert "on 7 rows" in result.lines[0]
    assert "5 of 32" in result.out and "3 of 3" in result.out


def test_rows_of_one_class_can_be_checked(run: Run):
    run("train", "iris", "--hidden", "4", *QUICK)
    assert run("check", "iris.model", "iris", "--rows", "1").code == 0


def test_a_wrong_gradient_is_shown_and_gives_code_1(run: Run, monkeypatch: pytest.MonkeyPatch):
    run("train", "iris", "--hidden", "4", "--activation", "tanh", *QUICK)
    right = autodiff.gradient

    def wrong(output: Any, wrt: Any, **options: Any) -> Any:
        found = right(output, wrt, **options)
        return [found[0], 1.01 * found[1], *found[2:]] if len(found) > 2 else found

    monkeypatch.setattr("retrograd.autodiff.check.gradient", wrong)
    result = run("check", "iris.model", "iris")
    assert result.code == 1
    (b1, _), (W1, _) = (
        [line for line in result.lines if line.startswith(name)] for name in ("b1 ", "W1 ")
    )
    assert b1.rstrip().endswith("WRONG") and W1.rstrip().endswith("ok")
    assert "the gradient DISAGREES with the complex step" in result.out


def test_the_target_is_needed(run: Run):
    run("train", "iris", "--hidden", "4", *QUICK)
    names = rg.load("iris.model").columns.names
    Path("new.csv").write_text(",".join(names) + "\n5,3,1,0.2\n")
    result = run("check", "iris.model", "new.csv")
    assert result.code == 2 and "no column 'species'" in result.err


@pytest.mark.parametrize("command", ["check", "doctor", "report", "predict"])
def test_a_bad_entry_is_named_by_its_row_in_the_data(command: str, run: Run):
    lines = ["a,b,y", *(f"{i},{i * i % 7},{3 * i}" for i in range(30))]
    Path("good.csv").write_text("\n".join(lines) + "\n")
    run("train", "good.csv", "--target", "y", "--hidden", "4", *QUICK)
    lines[2] = "1,1,"  # the second row has no target
    lines[6] = "inf,4,15"  # the sixth row
    Path("bad.csv").write_text("\n".join(lines) + "\n")
    result = run(command, "good.model", "bad.csv")
    assert result.code == 2
    assert "column 'a' holds inf in row 6;" in result.err


def test_rows_that_do_not_fit_float32_are_not_compared_in_it(run: Run):
    lines = ["a,b,y", *(f"{i},{i * i % 7},{3 * i}" for i in range(30))]
    Path("good.csv").write_text("\n".join(lines) + "\n")
    run("train", "good.csv", "--target", "y", "--hidden", "4", *QUICK)
    lines[5] = "4,1e300,12"
    Path("huge.csv").write_text("\n".join(lines) + "\n")
    result = run("check", "good.model", "huge.csv")
    (said,) = [line for line in result.lines if "float32:" in line and line.startswith("X")]
    assert said.startswith("X does not fit float32: its largest number is ")
    assert said.endswith("e+299; not compared") and result.err == ""
    assert "DISAGREES" not in result.out and result.code == 0
    result = run("doctor", "good.model", "huge.csv")
    assert "column b" in result.line("unscaled inputs  ") and result.err == ""
