"""Every mistake is one line on standard error and exit code 2."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.cli.choices import Choices
from retrograd.cli.data import read_data
from retrograd.cli.fitting import fit, ready
from retrograd.errors import DivergenceError

Run = Callable[..., Any]

QUICK = ("--epochs", "3", "--hidden", "8", "--picture", "none")

MISTAKES = {
    "an unknown command": (
        "trian",
        "known: check, doctor, explain, lecture, plot, predict, report",
    ),
    "an unknown option": ("train iris --epoch 3", "did you mean '--epochs'?"),
    "an unknown option of the program": ("--verbose", "known: --help, --version"),
    "no data": ("train", "missing argument 'DATA'"),
    "a misspelt data set": ("train digts", "did you mean digits?"),
    "a missing file": ("train no/such.csv --target y", "bundled: digits, iris"),
    "a file of another kind": ("train notes.md --target y", "suffix"),
    "a number that is none": ("train iris --epochs many", "--epochs"),
    "a fraction of an epoch": ("train iris --epochs 1.5", "integer"),
    "a rate that is no number": ("train iris --learning-rate fast", "--learning-rate"),
    "no epochs": ("train iris --epochs 0", "--epochs"),
    "an option without its value": ("train iris --epochs", "--epochs"),
    "too many arguments": ("train iris wine", "wine"),
    "an unknown target": ("train iris --target specie", "'species'"),
    "an unknown column to drop": ("train iris --drop petal", "the table has no column 'petal'"),
    "the target dropped": ("train iris --drop species", "it is the target"),
    "an unknown task": ("train iris --task guess", "known: auto, classification, regression"),
    "words to regress": ("train iris --task regression", "'species'"),
    "an unknown activation": ("train iris --activation rel", "did you mean 'relu'?"),
    "an unknown optimizer": ("train iris --optimizer adan", "did you mean 'adam'?"),
    "an unknown engine": ("train iris --engine fpga", "known: auto"),
    "layers that are no numbers": ("train iris --hidden 8,x", "as in 100,50"),
    "an empty layer": ("train iris --hidden 8,0", "as in 100,50"),
    "a negative rate": ("train iris --learning-rate -1", "--learning-rate"),
    "a negative penalty": ("train iris --l2 -1", "--l2"),
    "no time": ("train iris --max-seconds 0", "--max-seconds"),
    "an empty batch": ("train iris --batch-size 0", "--batch-size"),
    "no patience": ("train iris --patience 0", "--patience"),
    "a negative seed": ("train iris --seed -1", "--seed"),
    "a rate for L-BFGS": ("train iris --optimizer lbfgs --learning-rate 1", "lbfgs"),
    "batches for L-BFGS": ("train iris --optimizer lbfgs --batch-size 8", "lbfgs"),
    "more test rows than rows": ("train iris --test 2", "test"),
    "no rows left to train on": ("train iris --test 0.6 --validation 0.4", "validation"),
    "noise for other data": ("train iris --noise 1", "--noise is for the data set fin"),
    "negative noise": ("train fin --noise -1", "noise"),
    "a folder as model": ("train iris --output .", "is a folder"),
    "a model below a file": ("train iris --output notes.md/a.model", "notes.md"),
    "a picture of no format": ("train iris --picture a.doc", ".png"),
    "one name for two files": ("train iris --output a.png", "two names"),
    "an unknown lecture": ("lecture nodes", "did you mean 'node'?"),
    "a model that is not there": ("predict no.model iris", "no.model: there is no such file"),
    "data in the model's place": ("predict notes.md iris", "not a model file but a text file"),
    "no rows to check": ("check no.model iris --rows 0", "--rows"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line_and_code_2(what: str, run: Run, tmp_path: Path):
    (tmp_path / "notes.md").write_text("# notes\n")
    arguments, expected = MISTAKES[what]
    result = run(*arguments.split())
    assert result.code == 2
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith("retrograd: ") and expected in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


@pytest.mark.parametrize("given", ["--epochs 1.5", "--epochs 0", "--l2 much", "--seed -1"])
def test_a_value_of_the_wrong_kind_is_told_in_our_words(given: str, run: Run):
    option, value = given.split()
    err = run("train", "iris", option, value).err
    assert option in err and value in err and "Input should" not in err


def test_a_table_without_a_target_named_lists_its_columns(run: Run, table: Path):
    result = run("train", table)
    assert result.code == 2
    assert "--target COLUMN is missing" in result.err and "strength, passed" in result.err


def test_a_column_that_only_names_the_rows_is_refused_with_what_to_do(run: Run, table: Path):
    result = run("train", table, "--target", "strength")
    assert result.code == 2 and "--drop part" in result.err


def test_the_data_are_never_written_over(run: Run, table: Path):
    before = table.read_bytes()
    result = run("train", table, "--target", "strength", "--drop", "part", "--output", table)
    assert result.code == 2 and "is read by this command" in result.err
    assert table.read_bytes() == before


def test_a_cut_line_of_a_table_is_named(run: Run, tmp_path: Path):
    (tmp_path / "cut.csv").write_text("a,b\n1,2\n3\n")
    result = run("train", "cut.csv", "--target", "b")
    assert result.code == 2 and "line 3" in result.err


def test_a_networks_file_given_to_predict_says_what_it_is(run: Run):
    rg.MLP([4, 3], output="softmax").save("net.model")
    result = run("predict", "net.model", "iris")
    assert result.code == 2
    assert "network 4-3" in result.err and "retrograd train" in result.err


def test_a_damaged_model_is_refused(run: Run, tmp_path: Path):
    run("train", "iris", *QUICK)
    content = bytearray((tmp_path / "iris.model").read_bytes())
    content[-5] ^= 1
    (tmp_path / "iris.model").write_bytes(content)
    result = run("predict", "iris.model", "iris")
    assert result.code == 2 and "checksum" in result.err


def test_columns_that_the_model_needs_are_named(run: Run):
    run("train", "iris", *QUICK)
    result = run("predict", "iris.model", "wine")
    assert result.code == 2 and "sepal length (cm)" in result.err


def test_a_divergence_is_one_line(run: Run):
    result = run("train", "fin", "--optimizer", "sgd", "--learning-rate", "1e9", *QUICK)
    assert result.code == 2
    assert "diverged at epoch 1" in result.err and len(result.err.splitlines()) == 1
    assert "rg.Clip" not in result.err  # the command has no such option


def test_a_target_of_one_class_is_refused(run: Run, tmp_path: Path):
    rows = "\n".join(f"{i},no" for i in range(20))
    (tmp_path / "same.csv").write_text(f"a,b\n{rows}\n")
    result = run("train", "same.csv", "--target", "b")
    assert result.code == 2 and "one class" in result.err


def test_ctrl_c_before_training_is_one_line_and_code_130(run: Run, monkeypatch: pytest.MonkeyPatch):
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("retrograd.cli.train.read_data", pressed)
    result = run("train", "iris")
    assert (result.code, result.out, result.err) == (130, "", "retrograd: interrupted\n")


def test_a_full_disk_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "iris.model")

    monkeypatch.setattr("retrograd.cli.train.fit", full)
    result = run("train", "iris", *QUICK)
    assert result.code == 2
    assert result.err == "retrograd: iris.model: No space left on device\n"


def test_an_infinite_entry_is_named(run: Run, tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{x:.3f},{2 * x:.3f}" for x in rng.uniform(size=30))
    (tmp_path / "inf.csv").write_text(f"a,b\n{rows}\ninf,1\n")
    result = run("train", "inf.csv", "--target", "b", "--test", "0", "--validation", "0")
    assert result.code == 2 and "column 'a' holds inf" in result.err


def test_a_layer_too_wide_for_any_memory_is_one_line(run: Run):
    for hidden in ("9999999999999999999999", "1000001"):
        result = run("train", "iris", "--hidden", hidden)
        assert result.code == 2 and "at most 1,000,000 each" in result.err


def test_too_little_memory_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch):
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr("retrograd.cli.fitting.build", no_memory)
    result = run("train", "iris")
    assert result.code == 2 and result.err.startswith("retrograd: there is not enough memory")
    assert result.err.count("\n") == 1


def test_an_infinite_entry_is_named_by_its_row_of_the_table(run: Run, tmp_path: Path):
    lines = [f"{i}.5,{i % 7}.25" for i in range(60)]
    lines[41] = "-inf,1.5"
    (tmp_path / "inf.csv").write_text("a,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for seed in (0, 7):
        result = run("train", "inf.csv", "--target", "y", "--seed", seed)
        assert result.code == 2 and "column 'a' holds -inf in row 42" in result.err


def test_one_word_among_the_numbers_of_a_target_is_named(run: Run, tmp_path: Path):
    lines = [f"{i},{i}.5" for i in range(60)]
    lines[30] = "30,bad"
    (tmp_path / "mixed.csv").write_text("a,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    result = run("train", "mixed.csv", "--target", "y")
    assert result.code == 2
    assert "59 are numbers, but row 31 holds 'bad'" in result.err


def test_scores_that_overflow_do_not_lose_the_model(run: Run, tmp_path: Path):
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{a * 1e200:.6e}" for a in rng.normal(size=60)]
    (tmp_path / "huge.csv").write_text("a,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    result = run("train", "huge.csv", "--target", "y", "--epochs", 2, "--picture", "none")
    assert result.code == 0 and result.err == ""
    assert (tmp_path / "huge.model").exists()


def test_a_divergence_names_the_row_of_the_table_from_1():
    choices = Choices((4,), "tanh", "sgd", 0.0, seed=0, learning_rate=1e9, epochs=3)
    held_out = {"validation": 0.3, "test": 0.3}
    prepared, network, choices = ready(
        read_data("fin"), choices, target=None, drop=None, task="auto", **held_out
    )
    X, Y = prepared.arrays(prepared.rows.train)
    with pytest.raises(DivergenceError) as expected:
        rg.train(
            copy.deepcopy(network), X, Y, optimizer=choices.make_optimizer(), epochs=3,
            batch_size=choices.batch_size, validation=prepared.arrays(prepared.rows.validation),
        )  # fmt: skip
    with pytest.raises(DivergenceError) as caught:
        fit(prepared, network, choices, observe=False, statistics=False, progress=False)
    rows, origin = prepared.rows.train, caught.value.origin
    assert origin.row == rows[expected.value.origin.row] + 1 != expected.value.origin.row
    np.testing.assert_array_equal(origin.rows, rows[expected.value.origin.rows] + 1)
    assert f" at row {origin.row}, " in str(caught.value)
