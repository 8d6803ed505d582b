"""`retrograd train`: what it writes, what it prints, and what tables it copes with."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.plots import canvas

Run = Callable[..., Any]

QUICK = ("--epochs", "3", "--hidden", "8")
PNG = b"\x89PNG\r\n"


def score(result: Any, name: str) -> float:
    return float(result.line(f"test {name} ").split()[2])


def test_the_digits_are_learned_to_97_percent(run: Run, tmp_path: Path):
    result = run("train", "digits")
    assert result.code == 0 and result.err == ""
    assert re.fullmatch(r"test accuracy 0\.9\d\d", result.line("test accuracy"))
    assert score(result, "accuracy") >= 0.97
    baseline = result.line("always guessing the most frequent class: ")
    assert float(baseline.rpartition(" ")[2]) < 0.15
    assert result.lines[-2:] == ["model   digits.model", "picture digits.png"]
    assert (tmp_path / "digits.png").read_bytes().startswith(PNG)
    assert rg.load(tmp_path / "digits.model").scores["test accuracy"] >= 0.97


def test_the_fin_without_noise_is_solved_in_its_own_unit(run: Run):
    result = run("train", "fin", "--noise", "0", "--epochs", "60")
    assert score(result, "R2") > 0.998
    value, unit = re.fullmatch(r"test RMSE (\S+) (.*)", result.line("test RMSE")).groups()
    assert unit == "W/(m^2 K)" and float(value) < 1.0
    assert "regression in W/(m^2 K)" in result.out
    assert re.search(r"^always guessing the mean: R2 -?0\.\d+, RMSE \d", result.out, re.MULTILINE)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_a_small_classification_beats_its_baseline_by_far(name: str, run: Run):
    result = run("train", name, "--picture", "none")
    assert score(result, "accuracy") >= 0.85


def test_the_diabetes_data_beat_the_mean(run: Run):
    assert score(run("train", "diabetes", "--picture", "none"), "R2") > 0.25


def test_words_gaps_and_numbers_become_inputs(run: Run, table: Path):
    result = run("train", table, "--target", "strength", "--drop", "part", "--drop", "passed",
                 "--epochs", "60")  # fmt: skip
    assert result.code == 0
    # size, three alloys, age and whether it is missing
    assert "inputs: 6 from 3 columns" in result.lines
    assert "parts: 120 rows, target strength: regression" in result.lines
    assert score(result, "R2") > 0.9


def test_a_column_of_words_is_classified(run: Run, table: Path):
    result = run("train", table, "--target", "passed", "--drop", "part", "--drop", "strength")
    assert "target passed: classification, 2 classes" in result.out
    assert score(result, "accuracy") > 0.8


@pytest.mark.parametrize(
    ("task", "kind"), [("classification", "9 classes"), ("regression", "test R2")]
)
def test_the_task_can_be_said(task: str, kind: str, run: Run, tmp_path: Path):
    rows = "\n".join(f"{i % 9 + 0.5},{i % 9}" for i in range(90))
    (tmp_path / "grades.csv").write_text(f"a,grade\n{rows}\n")
    assert kind in run("train", "grades.csv", "--target", "grade", "--task", task, *QUICK).out


def test_semicolons_a_byte_order_mark_and_booleans_are_read(run: Run, tmp_path: Path):
    rows = "\r\n".join(f"{i};{'True' if i % 2 else 'False'};é" for i in range(60))
    (tmp_path / "odd.csv").write_bytes(f"\ufeffgrößer;ok;text\r\n{rows}\r\n".encode())
    result = run("train", "odd.csv", "--target", "ok", *QUICK)
    assert result.code == 0 and "target ok: classification, 2 classes" in result.out
    assert "größer" in rg.load(tmp_path / "odd.model").columns.names


def test_a_parquet_file_is_read(run: Run, tmp_path: Path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    x = np.linspace(0, 1, 80)
    pq.write_table(pa.table({"x": x, "y": x**2}), tmp_path / "curve.parquet")
    assert run("train", "curve.parquet", "--target", "y", *QUICK).code == 0


def test_rows_without_a_target_are_left_out_and_counted(run: Run, tmp_path: Path):
    rows = "\n".join(f"{i},{'' if i < 4 else i * 1.5}" for i in range(60))
    (tmp_path / "gaps.csv").write_text(f"a,b\n{rows}\n")
    result = run("train", "gaps.csv", "--target", "b", *QUICK)
    assert "gaps: 56 rows, target b: regression" in result.lines
    assert "left out: 4 rows without b" in result.lines


def test_a_class_with_two_rows_does_not_stop_training(run: Run, tmp_path: Path):
    rows = "\n".join(f"{i},{'rare' if i < 2 else 'often'}" for i in range(40))
    (tmp_path / "rare.csv").write_text(f"a,b\n{rows}\n")
    codes = {run("train", "rare.csv", "--target", "b", "--seed", s, *QUICK).code for s in range(5)}
    errs = run("train", "rare.csv", "--target", "b", "--seed", 0, *QUICK).err
    assert codes <= {0, 2} and 0 in codes
    assert not errs or "all rows to train on have the class 'often'" in errs


def test_a_hundred_thousand_rows_take_seconds(run: Run, tmp_path: Path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * rng.normal(size=100_000)
    np.savetxt(tmp_path / "large.csv", np.c_[X, y], "%.4f", ",", header="a,b,c,d,y", comments="")
    result = run("train", "large.csv", "--target", "y", "--epochs", "2", "--hidden", "8")
    assert "batches of 256" in result.out and score(result, "R2") > 0.95


def test_equal_seeds_give_equal_files(run: Run, tmp_path: Path):
    for name in ("one", "two"):
        run(
            "train", "iris", "--output", f"{name}.model", "--seed", "3", "--picture", "none", *QUICK
        )
    one, two = ((tmp_path / f"{name}.model").read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_options_make_the_network_and_are_kept(run: Run, tmp_path: Path):
    run("train", "iris", "--hidden", "7,5", "--activation", "tanh", "--optimizer", "sgd",
        "--learning-rate", "0.05", "--batch-size", "10", "--l2", "0.5", "--epochs", "4",
        "--seed", "2", "--output", "deep/er/a.model")  # fmt: skip
    model = rg.load(tmp_path / "deep/er/a.model")
    assert [layer.fan_out for layer in model.network.layers] == [7, 5, 3]
    assert [layer.activation for layer in model.network.layers] == ["tanh", "tanh", "identity"]
    kept = model.settings
    assert (kept["optimizer"], kept["learning_rate"], kept["batch_size"]) == ("sgd", 0.05, 10)
    assert (kept["l2"], kept["seed"], kept["epochs"]) == (0.5, 2, 4)
    assert (tmp_path / "deep/er/a.png").exists()


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        "adamw",
        "sgd",
        "muon",
        "nadam",
        "lbfgs",
        "conjugate_gradient",
        "scaled_conjugate_gradient",
    ],
)
def test_every_optimizer_learns_the_irises(optimizer: str, run: Run):
    result = run("train", "iris", "--optimizer", optimizer, "--epochs", "60", "--picture", "none")
    assert score(result, "accuracy") > 0.7


def test_levenberg_marquardt_learns_the_fins(run: Run):
    options = ("--hidden", "6", "--epochs", "30", "--picture", "none")
    result = run("train", "fin", "--optimizer", "levenberg_marquardt", *options)
    assert score(result, "R2") > 0.999


def test_no_hidden_layer_is_a_linear_model(run: Run, tmp_path: Path):
    run("train", "iris", "--hidden", "0", "--epochs", "2")
    assert len(rg.load(tmp_path / "iris.model").network.layers) == 1


@pytest.mark.parametrize("data", ["fin", "iris"])
def test_a_training_that_left_J_higher_than_it_was_says_so(data: str, run: Run):
    options = ("--epochs", "3", "--hidden", "8", "--picture", "none")
    result = run("train", data, *options, "--learning-rate", "1e10")
    said = result.line("training diverged")
    assert "before the first step" in said and "smaller --learning-rate" in said
    assert "diverged" not in run("train", data, *options).out


def test_patience_and_time_stop_training(run: Run):
    assert "no longer improved" in run("train", "iris", "--patience", "1", "--picture", "none").out
    assert "the time was up" in run("train", "digits", "--max-seconds", "0.2").out


def test_nothing_held_out_is_said(run: Run):
    result = run("train", "iris", "--validation", "0", "--test", "0", *QUICK)
    assert result.code == 0
    assert "no test score: no rows were held out for it" in result.lines
    assert "always guessing" not in result.out and "the best is epoch" not in result.out


def test_files_that_were_there_are_replaced_and_named(run: Run):
    assert "replaced" not in run("train", "iris", *QUICK).out
    assert run("train", "iris", *QUICK).lines[-1] == "replaced: iris.model, iris.png"


def test_the_picture_can_be_named_or_left_out(run: Run, tmp_path: Path):
    result = run("train", "iris", "--picture", "loss.svg", *QUICK)
    assert result.line("picture ") == "picture loss.svg"
    assert "<svg" in (tmp_path / "loss.svg").read_text("utf-8")
    result = run("train", "wine", "--picture", "none", *QUICK)
    assert "picture" not in result.out and not (tmp_path / "wine.png").exists()


def test_without_matplotlib_training_goes_on_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(canvas, "is_available", lambda: False)
    result = run("train", "iris", *QUICK)
    assert result.code == 0
    assert result.lines[-1] == 'picture: not drawn, install "retrograd[plots]"'
    asked = run("train", "wine", "--picture", "wine.png", *QUICK)
    assert asked.code == 2 and asked.out == "" and "retrograd[plots]" in asked.err
    assert not (tmp_path / "wine.model").exists()


def test_a_long_path_stays_on_its_line(run: Run, tmp_path: Path):
    path = tmp_path / ("a" * 120) / "m.model"
    result = run("train", "iris", "--output", path, "--picture", "none", *QUICK)
    assert result.line("model ") == f"model   {path}"


def test_a_bar_is_drawn_on_a_terminal_only(run: Run, monkeypatch: pytest.MonkeyPatch):
    assert run("train", "iris", *QUICK).err == ""
    shown: list[bool] = []
    original = rg.train

    def train(*arguments: Any, progress: bool, **options: Any) -> Any:
        shown.append(progress)
        return original(*arguments, **options)

    monkeypatch.setattr("retrograd.cli.fitting.train", train)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run("train", "iris", *QUICK)
    assert shown == [True]
