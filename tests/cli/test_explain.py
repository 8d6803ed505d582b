"""`retrograd explain`: the stages of a training step and of a model's prediction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.errors import RetrogradError

Run = Callable[..., Any]

STAGES = ["graph", "program", "ir", "asm"]


def first(result: Any) -> str:
    assert result.code == 0 and result.err == ""
    return str(result.lines[0])


def test_the_training_step_of_a_data_set_is_shown_as_a_program(run: Run):
    result = run("explain", "iris", "--hidden", "8")
    assert first(result).startswith("# iris: the step 'train' of <network 4-8-3, output softmax")
    assert first(result).endswith("adam: the kernels that the gates become")
    assert "fused with add, relu" in result.out and "  m_of_W1' = " in result.out
    assert " = relu(x @ W1 + b1)" in result.out


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_of_a_model_is_what_the_function_says(stage: str, run: Run):
    network = rg.MLP([3, 4, 2])
    network.save("line.model")
    result = run("explain", "line.model", "--stage", stage)
    start = "; " if stage == "ir" else "# "
    assert first(result).startswith(f"{start}line.model: the prediction of <network 3-4-2, ")
    output, inputs = network.prediction()
    function = rg.compile([output], inputs, engine="cpu")
    names = {"ir": "llvm_ir", "asm": "assembly"}
    expected = getattr(function, names.get(stage, stage))
    assert result.out.partition("\n")[2].rstrip("\n") == expected.rstrip("\n")


@pytest.mark.parametrize(
    ("stage", "holds"),
    [("graph", "variable W1"), ("ir", "define void @run("), ("asm", "kernel_0:")],
)
def test_the_other_stages_of_a_step(stage: str, holds: str, run: Run):
    assert holds in run("explain", "iris", "--hidden", "4", "--stage", stage).out


def test_the_graph_names_outputs_and_next_values(run: Run):
    lines = run("explain", "iris", "--hidden", "4", "--stage", "graph").lines
    assert [line for line in lines if line.endswith(" -> J")]
    assert [line for line in lines if line.endswith(" -> m of W1'")]


def test_the_network_is_the_one_that_train_would_train(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
):
    options = ("--target", "strength", "--drop", "part", "--hidden", "5,4", "--activation",
               "sigmoid", "--optimizer", "sgd", "--l2", "0", "--seed", "3")  # fmt: skip
    opened: list[str] = []

    def open_nothing(self: CpuEngine, steps: Any, *_: Any, **__: Any) -> None:
        opened.append(self.listing(steps["train"]).program)
        raise RetrogradError("enough")

    monkeypatch.setattr(CpuEngine, "open", open_nothing)
    assert run("train", table, *options, "--engine", "cpu", "--picture", "none").code == 2
    result = run("explain", table, *options)
    assert result.out.partition("\n")[2].rstrip("\n") == opened[0]
    assert "sigmoid" in result.out and "velocity_of_W3'" in result.out and "l2 " in result.out


def test_lbfgs_asks_for_gradients(run: Run):
    result = run("explain", "fin", "--optimizer", "lbfgs", "--hidden", "4")
    assert "the step 'gradient' of" in first(result)
    assert "'" not in result.out.partition("\n")[2]


def test_levenberg_marquardt_asks_for_a_jacobian(run: Run):
    result = run("explain", "fin", "--optimizer", "levenberg_marquardt", "--hidden", "4")
    assert "the step 'jacobian' of" in first(result)
    assert "d0_dW1" in result.out


def test_any_kind_of_model_is_shown(run: Run):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    rg.MLPRegressor(hidden_layer_sizes=(4,)).partial_fit(X, X[:, 0]).save("regressor.model")
    run("train", "iris", "--hidden", "4", "--epochs", "1", "--picture", "none")
    assert "<network 3-4-1, " in first(run("explain", "regressor.model"))
    assert "<network 4-4-3, " in first(run("explain", "iris.model"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["irsi"], "there is no such file, and no data set of that name (did you mean iris?)"),
        (["iris", "--stage", "asn"], "unknown stage 'asn' (did you mean 'asm'?)"),
        (["iris", "--optimizer", "adm"], "unknown optimizer 'adm' (did you mean 'adam'?)"),
        (["iris", "--task", "x"], "unknown task 'x'"),
        (["iris", "--hidden", "x"], "--hidden: expected the units of each layer"),
        (["notes.md"], "notes.md: not a model file but a text file"),
        (["net.model", "--hidden", "3"], "--hidden is for DATA; net.model is a model"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_code_2(arguments: list[str], problem: str, run: Run):
    Path("notes.md").write_text("# Notes\n" * 40)
    rg.MLP([2, 1]).save("net.model")
    result = run("explain", *arguments)
    assert result.code == 2 and result.out == "" and result.err.count("\n") == 1
    assert problem in result.err
