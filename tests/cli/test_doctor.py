"""`retrograd doctor`: silent on a healthy model, and code 1 with words on one that is not."""

from __future__ import annotations

import html
import re
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
    assert "units, counted from 0: 0, 1, 2, 3, 4, 5" in result.lines


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
    assert "row 51" in result.line("suspect labels  ")
    assert result.line("rows, counted from 1: 51")


def test_a_model_that_knows_no_optimizer_is_diagnosed_without(run: Run):
    run("train", "iris", "--hidden", "8", "--epochs", "20", "--picture", "none")
    model = rg.load("iris.model")
    replace(model, settings={}).save("bare.model")
    result = run("doctor", "bare.model", "iris")
    assert result.line("not judged: updates too large; it needs the statistics of a training")


def test_a_model_keeps_what_the_course_of_its_training_is_judged_by(run: Run):
    run("train", "iris", "--hidden", "8", "--epochs", "25", "--picture", "none")
    model = rg.load("iris.model")
    recorded = model.settings["statistics"]
    assert {len(x) for x in recorded["update_norm"].values()} == {model.settings["epochs"]}
    assert "no-statistics" not in model.settings["command"]
    result = run("doctor", "iris.model", "iris")
    assert result.line("updates too small ").split()[3] == "ok"
    assert [line for line in result.lines if line.startswith("not judged")] == [
        "not judged: saturated units; it needs rows X and Y, and a layer of sigmoid, tanh or alike",
        "not judged: unscaled targets; it needs rows X and Y, and outputs that estimate numbers "
        "without an activation",
        "not judged: unseen categories; it needs a table model with columns of words",
    ]


def test_without_statistics_the_model_is_the_same_and_less_is_judged(run: Run):
    chosen = "iris", "--hidden", "8", "--epochs", "25", "--picture", "none"
    run("train", *chosen)
    run("train", *chosen, "--no-statistics", "--output", "bare.model")
    full, bare = rg.load("iris.model"), rg.load("bare.model")
    assert bare.settings["statistics"] == {}
    assert "--no-statistics" in bare.settings["command"].split()
    for name, W in full.network.parameters.items():
        np.testing.assert_allclose(W, bare.network.parameters[name], rtol=1e-9, atol=1e-12)
    assert run("doctor", "bare.model", "iris").line("not judged: updates too small; it needs the")


def test_a_solvers_model_says_what_is_not_judged_and_why(run: Run):
    run("train", "fin", "--hidden", "4", "--optimizer", "lbfgs", "--picture", "none")
    result = run("doctor", "fin.model", "fin")
    assert result.line("not judged: learning rate too low; it is of a learning rate; a solver of")


def test_the_target_is_needed(run: Run):
    run("train", "iris", "--hidden", "4", "--epochs", "2", "--picture", "none")
    names = rg.load("iris.model").columns.names
    Path("new.csv").write_text(",".join(names) + "\n5,3,1,0.2\n")
    result = run("doctor", "iris.model", "new.csv")
    assert result.code == 2 and "no column 'species'" in result.err


def test_the_report_has_the_verdicts_that_the_doctor_has(run: Run, table: Path):
    options = "--target strength --drop part --drop passed --hidden 8 --picture none"
    run("train", table, *options.split(), "--epochs", "30", "--optimizer", "sgd")
    model = rg.load("parts.model")
    assert len(model.settings["curves"]["J"]) == 30
    curves = {"J": [1.0 + epoch for epoch in range(30)], "validation_J": []}
    weights = model.network.parameters
    weights["W1"] = 1e4 * weights["W1"]
    replace(model, settings={**model.settings, "curves": curves}).save("ill.model")
    result = run("doctor", "ill.model", table)
    assert result.code == 1
    assert result.line("divergence  ").split()[1] == "FOUND"  # only the history tells
    assert run("report", "ill.model", table).code == 0
    page = html.unescape(Path("ill.html").read_text("utf-8"))
    rows = re.findall("<tr>(.*?)</tr>", page, re.DOTALL)
    cells = [re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    listed = [row for row in cells if len(row) == 5 and row[1] in ("FOUND", "ok")]
    printed = [re.split(r"  +", line.strip()) for line in result.lines]
    verdicts = [row for row in printed if len(row) > 1 and row[1] in ("FOUND", "ok")]
    assert listed and [row[0] for row in listed] == [row[0] for row in verdicts]
    assert [[x for x in row if x] for row in listed] == verdicts


def test_columns_have_their_names_in_doctor_and_report(run: Run):
    lines = ["a,b,y", *(f"{i},{i * i % 7},{3 * i}" for i in range(30))]
    Path("good.csv").write_text("\n".join(lines) + "\n")
    run("train", "good.csv", "--target", "y", "--hidden", "4", "--epochs", "2", "--picture", "none")
    lines[1:] = [f"{i},{1000 * i},{3 * i}" for i in range(30)]
    Path("bad.csv").write_text("\n".join(lines) + "\n")
    result = run("doctor", "good.model", "bad.csv")
    assert "column b" in result.line("unscaled inputs  ")
    assert "columns: b" in result.lines
    run("report", "good.model", "bad.csv")
    page = Path("good.html").read_text("utf-8")
    assert "unscaled inputs in column b:" in page and "columns: b" in page
    result = run("doctor", "good.model", "good.csv")
    assert "column b" in result.line("unscaled inputs  ") and result.code == 0


def test_a_data_set_in_place_of_the_model_is_said_to_be_one(run: Run):
    result = run("doctor", "iris", "iris")
    assert result.code == 2
    assert "iris: is a data set, not a model; `retrograd train iris`" in result.err


def test_a_very_good_fit_has_nothing_wrong(run: Run):
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=300), rng.normal(size=300)
    rows = np.c_[a, b, 2 * a - b + 0.05 * rng.normal(size=300)]
    np.savetxt("lin.csv", rows, delimiter=",", header="a,b,y", comments="")
    run("train", "lin.csv", "--target", "y", "--epochs", "60", "--picture", "none")
    result = run("doctor", "lin.model", "lin.csv")
    assert result.code == 0 and "nothing wrong found" in result.out, result.out
