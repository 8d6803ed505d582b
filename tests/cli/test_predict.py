"""`retrograd predict`: answers as CSV, scores on standard error."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.files.tables import read_table

Run = Callable[..., Any]

QUICK = ("--epochs", "20", "--hidden", "8", "--picture", "none")


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_numbers_come_in_a_column_named_after_the_target_and_exactly(run: Run, table: Path):
    run("train", table, "--target", "strength", "--drop", "part", *QUICK)
    result = run("predict", "parts.model", table)
    header, *found = rows(result.out)
    assert result.code == 0 and header == ["strength"]
    expected = rg.load("parts.model").predict(read_table(table))
    assert [float(row[0]) for row in found] == expected.tolist()
    assert result.err.startswith("scores of 120 rows: R2 ")


def test_the_target_may_be_absent_and_other_columns_are_ignored(run: Run, table: Path):
    run("train", table, "--target", "passed", "--drop", "part", *QUICK)
    lines = [line.split(",") for line in table.read_text("utf-8").splitlines()]
    some = "\n".join(",".join([row[3], "9", row[1], row[0], row[2]]) for row in lines[:11])
    Path("new.csv").write_text(some.replace(",9,", ",extra,", 1) + "\n")
    result = run("predict", "parts.model", "new.csv")
    assert result.code == 0 and result.err == ""
    header, *found = rows(result.out)
    assert header == ["passed"] and {row[0] for row in found} <= {"yes", "no"} and len(found) == 10


def test_probabilities_add_up_and_agree_with_the_class(run: Run):
    run("train", "iris", *QUICK)
    header, *found = rows(run("predict", "iris.model", "iris", "--probabilities").out)
    assert header[0] == "species" and header[1] == "species=setosa" and len(header) == 4
    P = np.array([row[1:] for row in found], float)
    assert P.sum(axis=1) == pytest.approx(1.0)
    assert [header[1 + i].partition("=")[2] for i in P.argmax(axis=1)] == [r[0] for r in found]


def test_a_regression_has_no_probabilities(run: Run):
    run("train", "diabetes", *QUICK)
    result = run("predict", "diabetes.model", "diabetes", "--probabilities")
    assert result.code == 2 and result.out == "" and "a number" in result.err


def test_the_answers_go_to_a_file_that_reads_back(run: Run):
    run("train", "fin", *QUICK)
    result = run("predict", "fin.model", "fin", "--noise", "0", "--output", "out/h.csv")
    assert result.out == "predictions out/h.csv\n"
    assert read_table("out/h.csv").column("h").shape == (1000,)
    assert "W/(m^2 K)" in result.err


def test_the_model_is_never_written_over(run: Run):
    run("train", "iris", *QUICK)
    result = run("predict", "iris.model", "iris", "--output", "iris.model")
    assert result.code == 2 and rg.load("iris.model").data == "iris"


def test_a_category_that_training_had_not_is_told_in_one_line(run: Run, table: Path):
    dropped = ("--drop", "part", "--drop", "passed")
    run("train", table, "--target", "strength", *dropped, *QUICK)
    Path("new.csv").write_text("size,alloy,age\n2,steel,3\n2,gold,3\n2,gold,3\n")
    result = run("predict", "parts.model", "new.csv")
    assert result.code == 0 and len(rows(result.out)) == 4
    assert result.err.startswith("note: column 'alloy': 'gold' in 2 rows was not in training")
    assert result.err.count("\n") == 1


def test_words_that_look_like_numbers_stay_words(run: Run):
    body = [f"{'007' if i % 2 else 'x1'},{'01' if i % 2 else 'b'},{i}" for i in range(60)]
    Path("codes.csv").write_text("\n".join(["code,kind,n", *body]) + "\n")
    run("train", "codes.csv", "--target", "kind", "--optimizer", "lbfgs", *QUICK)
    Path("new.csv").write_text("code,kind,n\n007,01,1\n007,01,3\n")
    result = run("predict", "codes.model", "new.csv")
    assert rows(result.out)[1:] == [["01"], ["01"]]
    assert result.err == "scores of 2 rows: accuracy 1.000\n"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("pear", "'pear' in row 1 was not a class"), ("", "the target is missing in every row")],
)
def test_targets_that_cannot_be_scored_do_not_stop_the_answers(kind: str, said: str, run: Run):
    run("train", "iris", *QUICK)
    names = rg.load("iris.model").columns.names
    Path("new.csv").write_text(",".join([*names, "species"]) + f"\n5,3,1,0.2,{kind}\n")
    result = run("predict", "iris.model", "new.csv")
    assert result.code == 0 and len(rows(result.out)) == 2
    assert said in result.err and len(result.err.splitlines()) == 1
