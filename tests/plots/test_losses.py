"""The picture of the losses: what is drawn, and that matplotlib's global state is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import retrograd as rg
from retrograd.errors import DataError, FileError, MissingDependencyError, OptionError
from retrograd.plots import canvas
from retrograd.plots.losses import BLUE, ORANGE, loss_curves, save

J, V = [2.0, 1.0, 0.5, 0.1], [2.1, 1.2, 0.9, 1.0]


def test_both_curves_are_drawn_against_the_epoch_from_1():
    (axes,) = loss_curves(J, V, best_epoch=3).axes
    training, validation, *_ = axes.lines
    assert training.get_xdata().tolist() == [1, 2, 3, 4]
    assert list(training.get_ydata()) == J and list(validation.get_ydata()) == V
    assert (training.get_color(), validation.get_color()) == (BLUE, ORANGE)
    assert training.get_linestyle() != validation.get_linestyle()  # told apart in grey too
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["training", "validation", "weights kept: epoch 3"]


def test_the_best_epoch_is_marked_on_the_validation_curve_or_on_the_only_one():
    for validation, value in ((V, 0.9), ([], 0.5)):
        (axes,) = loss_curves(J, validation, best_epoch=3).axes
        mark = axes.lines[-1]
        assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([3], [value])


@pytest.mark.parametrize(
    ("values", "scale"),
    [([2.0, 0.1], "log"), ([2.0, 0.5], "linear"), ([2.0, 0.0], "linear"), ([2.0, -1.0], "linear")],
)
def test_the_axis_is_logarithmic_where_positive_losses_span_decades(
    values: list[float], scale: str
):
    (axes,) = loss_curves(values).axes
    assert axes.get_yscale() == scale


def test_the_words_around_the_picture_are_shown_as_they_are():
    (axes,) = loss_curves(J, title="a_b$c: R2 0.5", label="loss (cross-entropy)").axes
    assert axes.get_title() == "a_b$c: R2 0.5" and axes.get_ylabel() == "loss (cross-entropy)"
    assert axes.get_xlabel() == "epoch"


@pytest.mark.parametrize(
    ("values", "validation", "best"), [([], [], None), (J, V[:2], None), (J, V, 5), (J, V, 0)]
)
def test_numbers_that_make_no_picture_are_refused(
    values: list[float], validation: list[float], best: int | None
):
    with pytest.raises(DataError, match="loss_curves"):
        loss_curves(values, validation, best_epoch=best)


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a", b"\x89PNG"), ("a.svg", b"<?xml"),
     ("a.pdf", b"%PDF")],
)  # fmt: skip
def test_the_suffix_says_the_format(name: str, start: bytes, tmp_path: Path):
    save(loss_curves(J, V, title="title"), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_picture_has_the_size_that_it_was_designed_for(tmp_path: Path):
    save(loss_curves([1.0], best_epoch=1), tmp_path / "a.png")
    header = (tmp_path / "a.png").read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (1200, 750)


def test_what_cannot_be_written_is_a_typed_error(tmp_path: Path):
    with pytest.raises(OptionError, match=r"a picture's suffix is one of .*\.png"):
        save(loss_curves(J), tmp_path / "a.doc")
    with pytest.raises(FileError, match="no folder"):
        save(loss_curves(J), tmp_path / "missing" / "a.png")


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(canvas, "is_available", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"retrograd\[plots\]"):
        loss_curves(J)


def test_pyplot_is_never_imported_and_matplotlib_only_when_drawing():
    code = (
        "import sys; from retrograd.plots.losses import loss_curves\n"
        "assert 'matplotlib' not in sys.modules\n"
        "loss_curves([1.0])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("plot", [rg.plot_history, rg.plot_norms])
def test_what_is_no_history_is_an_option_error(plot):
    with pytest.raises(OptionError, match=r"history is what rg\.train returned, got 'x'"):
        plot("x")
