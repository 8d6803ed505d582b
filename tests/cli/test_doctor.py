"""`retrograd doctor`: silent on a healthy model, and code 1 with words on one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import retrograd as rg

Run = Callable[..., Any]


def test_a_healthy_model_has_nothing_wrong(run: Run):
    run("train", "iris", "--hidden", "8", "--epochs", "30", "--picture", "none")
    result = run("doctor", "iris.model", "iris")
    assert (result.code, result.err) == (0, "")
    assert result.lines[-1] == "nothing wrong found"
    assert "150 rows of iris" in result.lines[0]
    assert result.line("vanishing gradients ").split()[2] == "ok"
    assert result.line("updates too large ").split()[3] == "ok"


def test_dead_units_give_code_1_and_are_named(run: Run):
    run("train", "iris", "--hidden", "8", "--epochs", "2", "--picture", "none")
    model = rg.load("iris.model")
    model.network.parameters["b1"] = np.where(np.arange(8) < 6, -1000.0, 0.0)
    model.save("ill.model")
    result = run("doctor", "ill.model", "iris")
    assert result.code == 1
    assert result.line("dead units  ").split()[2] == "FOUND"
    assert "Try: leaky_relu" in result.out and "[Lu, " in result.out
    assert "units: 0, 1, 2, 3, 4, 5" in result.lines


def test_a_wrong_label_is_named_by_its_row_in_the_data(run: Run, table: Path):
    run(
        "train",
        table,
        "--target",
        "strength",
        "--drop",
        "part",
        "--drop",
        "passed",
        "--picture",
        "none",
    )
    lines = table.read_text().splitlines()
    cells = lines[51].split(",")
    cells[3] = "100000"
    lines[51] = ",".join(cells)
    lines[10] = ",".join([*lines[10].split(",")[:3], "", *lines[10].split(",")[4:]])
    Path("new.csv").write_text("\n".join(lines) + "\n")
    result = run("doctor", "parts.model", "new.csv")
    assert result.code == 1
    assert "row 50" in result.line("suspect labels  ")


def test_a_model_that_knows_no_optimizer_is_diagnosed_without(run: Run):
    run("train", "iris", "--hidden", "8", "--epochs", "20", "--picture", "none")
    model = rg.load("iris.model")
    replace(model, settings={}).save("bare.model")
    result = run("doctor", "bare.model", "iris")
    assert "updates too large" in result.lines[-3] and "not judged" in result.lines[-3]


def test_the_target_is_needed(run: Run):
    run("train", "iris", "--hidden", "4", "--epochs", "2", "--picture", "none")
    names = rg.load("iris.model").columns.names
    Path("new.csv").write_text(",".join(names) + "\n5,3,1,0.2\n")
    result = run("doctor", "iris.model", "new.csv")
    assert result.code == 2 and "no column 'species'" in result.err
