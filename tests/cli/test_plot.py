"""`retrograd plot`: every kind is drawn, and what cannot be drawn says why and what can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.plots.of_table import KINDS

Run = Callable[..., Any]
QUICK = "--epochs", "6", "--picture", "none", "--hidden", "4"
OF_CLASSES, OF_NUMBERS = {"confusion", "roc", "boundary"}, {"regression", "errors"}


@pytest.fixture
def model(run: Run) -> Run:
    """Train on two columns and a target, classes or numbers; `run` plots."""
    rng = np.random.default_rng(0)
    lines = ["width,height,kind,size"]
    for a, b in rng.normal(size=(60, 2)):
        lines.append(f"{a:.4f},{b:.4f},{'in' if a * a + b * b < 1 else 'out'},{a + b:.4f}")
    lines[5] = lines[5].replace(lines[5].split(",")[0], "", 1)  # a missing entry
    Path("two.csv").write_text("\n".join(lines) + "\n")
    run("train", "two.csv", "--target", "kind", "--drop", "size", *QUICK)
    Path("two.model").rename("kinds.model")
    run("train", "two.csv", "--target", "size", "--drop", "kind", *QUICK)
    return run


def test_every_kind_is_drawn_of_a_model_of_its_task(model: Run):
    for kind in KINDS:
        name = "two" if kind in OF_NUMBERS else "kinds"
        result = model("plot", kind, f"{name}.model", "two.csv")
        assert (result.code, result.err) == (0, ""), kind
        path = Path(f"{name}-{kind}.png")
        assert result.line("picture ") == f"picture {path}"
        assert result.line("shows ").endswith(KINDS[kind].shows)
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


def test_history_norms_and_weights_need_no_data_and_others_say_so(model: Run):
    for kind in ("history", "norms", "weights"):
        assert model("plot", kind, "kinds.model", "-o", f"{kind}.svg").code == 0
        assert "<svg" in Path(f"{kind}.svg").read_text()
    result = model("plot", "roc", "kinds.model")
    assert (result.code, result.err) == (
        2,
        "retrograd: roc: is drawn of rows; give the data too\n",
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("rocs", "kinds.model", "two.csv"), "unknown kind of plot 'rocs' (did you mean 'roc'?)"),
        (("regression", "kinds.model", "two.csv"), "of which there are confusion, roc, boundary"),
        (("roc", "two.model", "two.csv"), "roc: draws the answers of a classification"),
        (("roc", "kinds.model", "two.csv", "-o", "a.bmp"), "a.bmp: a picture's suffix is one of"),
        (("roc", "kinds.model", "two.csv", "-o", "two.csv"), "two.csv: a picture's suffix is"),
        (("weights", "none.model"), "none.model"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_error(arguments, message, model: Run):
    result = model("plot", *arguments)
    assert result.code == 2 and message in result.err and len(result.err.splitlines()) == 1


def test_a_boundary_needs_two_columns_of_numbers(run: Run):
    run("train", "iris", *QUICK)
    result = run("plot", "boundary", "iris.model", "iris")
    assert result.code == 2
    assert "takes a model of two columns of numbers; this one reads 4" in result.err


def test_norms_of_a_model_without_statistics_are_an_error(run: Run):
    run("train", "iris", *QUICK, "--no-statistics")
    result = run("plot", "norms", "iris.model")
    assert result.code == 2 and "the history has no statistics" in result.err


def test_plots_take_models_and_data_frames(model: Run):
    pandas = pytest.importorskip("pandas")
    kinds = rg.load("kinds.model")
    assert rg.plot_history(kinds).axes[0].get_ylabel() == "loss J"
    assert rg.plot_norms(kinds).axes[0].get_ylabel() == "norm of dJ/d(parameter)"
    frame = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 0.5], "b": [1.0, 0.0, 1.0, 2.0]})
    clf = rg.MLPClassifier((4,), max_iter=3, random_state=0)
    with pytest.warns(Warning, match="Maximum iterations"):
        clf.fit(frame, [0, 1, 1, 0])
    assert len(rg.plot_history(clf).axes[0].get_lines()[0].get_xdata()) == 3
    figure = rg.plot_boundary(clf, frame, [0, 1, 1, 0])
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("a", "b")
    assert rg.plot_loss_surface(clf, frame, [0, 1, 1, 0], points=5).axes
