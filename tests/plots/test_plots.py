"""The plots: what stands where, that labels are there, and what is refused."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

import retrograd as rg
from retrograd.errors import DataError, MissingDependencyError, OptionError
from retrograd.inspect.subject import subject_of
from retrograd.plots import canvas
from retrograd.plots.classes import roc

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (60, 2))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
NET = rg.MLP([2, 6, 2], activation="tanh", output="softmax")
PATH: list[dict[str, Any]] = []
HISTORY = rg.train(
    NET, X, LABELS, epochs=12, optimizer=rg.Adam(0.02), validation=0.2, statistics=True,
    callbacks=[lambda n, _: PATH.append({k: W.copy() for k, W in n.parameters.items()})],
)  # fmt: skip
W, V = rg.variable("w", RNG.normal(size=(3, 2))), rg.variable("v", [1.0, 2.0])
CHECK = rg.check_gradient(rg.sum(rg.tanh(W @ V)))

EACH: dict[str, Callable[..., Any]] = {
    "history": lambda **k: rg.plot_history(HISTORY, **k),
    "norms": lambda **k: rg.plot_norms(HISTORY, **k),
    "distributions": lambda **k: rg.plot_distributions(rg.trace(NET, X, LABELS), **k),
    "weights": lambda **k: rg.plot_weights(NET, **k),
    "regression": lambda **k: rg.plot_regression(X[:, 0], X[:, 1], unit="K", **k),
    "errors": lambda **k: rg.plot_errors(X[:, 0], X[:, 1], unit="K", **k),
    "confusion": lambda **k: rg.plot_confusion(LABELS, LABELS[::-1], **k),
    "roc": lambda **k: rg.plot_roc(LABELS, X[:, 0], **k),
    "boundary": lambda **k: rg.plot_boundary(NET, X, LABELS, **k),
    "surface": lambda **k: rg.plot_loss_surface(NET, X, LABELS, points=5, path=PATH, **k),
    "gradient check": lambda **k: rg.plot_gradient_check(CHECK, **k),
}


@pytest.mark.parametrize("name", EACH)
def test_each_plot_has_labels_and_its_title_as_it_is_and_nothing_overlaps_the_edge(name: str):
    figure = EACH[name](title="a_b$c")
    assert (figure.get_suptitle() or figure.axes[0].get_title()).startswith("a_b$c")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in shown)
    figure.canvas.draw()
    whole, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert whole.x0 >= -0.01 and whole.y0 >= -0.01
    assert whole.x1 <= width + 0.01 and whole.y1 <= height + 0.01
    for axes in shown:
        words = [axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels()]
        assert all(text.get_fontsize() >= 9 for text in words)


@pytest.mark.parametrize("name", EACH)
def test_without_matplotlib_each_plot_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(canvas, "is_available", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"retrograd\[plots\]"):
        EACH[name]()


def test_the_history_marks_the_epoch_that_was_kept_only_with_validation():
    words = [t.get_text() for t in rg.plot_history(HISTORY).axes[0].get_legend().get_texts()]
    assert words[:2] == ["training", "validation"]
    assert words[2] == f"weights kept: epoch {HISTORY.best_epoch}"
    plain = rg.train(rg.MLP([2, 1]), X, X[:, 0], epochs=2)
    assert len(rg.plot_history(plain).axes[0].lines) == 1


def test_the_norms_are_those_of_the_history_and_a_norm_of_0_is_a_gap():
    gradients, updates, deltas = rg.plot_norms(HISTORY).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in gradients.lines}
    assert lines == HISTORY.statistics["gradient_norm"]
    assert {line.get_label() for line in deltas.lines} == {"layer 1", "layer 2"}
    assert updates.get_yscale() == "log"
    dead = HISTORY.copy()
    dead.statistics["gradient_norm"]["W1"][0] = 0.0
    line = rg.plot_norms(dead).axes[0].lines[0]
    assert np.isnan(line.get_ydata()[0]) and np.isfinite(line.get_ydata()[1])


def test_norms_need_statistics():
    with pytest.raises(DataError, match="statistics=True"):
        rg.plot_norms(rg.train(rg.MLP([2, 1]), X, X[:, 0], epochs=1))


def test_a_histogram_has_all_entries_and_counts_those_that_are_not_finite():
    figure = rg.plot_distributions(rg.trace(NET, X, LABELS))
    assert [axes.get_xlabel() for axes in figure.axes] == ["z", "a", "delta"] * 2
    for axes in figure.axes:
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(100)
    same = rg.MLP([2, 3, 1], activation="relu", initializer="zeros")
    (z, *_) = rg.plot_distributions(rg.trace(same, X, X[:, 0])).axes
    assert max(bar.get_height() for bar in z.patches) == pytest.approx(100)


def test_the_weights_are_drawn_as_they_are_and_0_is_the_middle_colour():
    figure = rg.plot_weights(NET)
    (image,) = figure.axes[0].images
    np.testing.assert_array_equal(image.get_array(), NET.parameters["W1"])
    low, high = image.get_clim()
    assert low == -high < 0
    with pytest.raises(OptionError, match="expected a network"):
        rg.plot_weights(X)


def test_R_is_the_correlation_and_not_defined_for_a_constant():
    y, predicted = X[:, 0], 3 * X[:, 0] + X[:, 1]
    figure = rg.plot_regression(y, predicted)
    assert figure.axes[0].get_title() == f"R = {np.corrcoef(y, predicted)[0, 1]:.4f}"
    assert "not defined" in rg.plot_regression(y, np.ones(60)).axes[0].get_title()
    assert rg.plot_regression([1.0], [1.0]).axes[0].get_title().startswith("R is not defined")


def test_errors_are_predictions_less_truth_and_all_are_counted():
    axes = rg.plot_errors([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0], unit="K").axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 4
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "mean 1 (K)" in words and "standard deviation 0 (K)" in words


def test_the_confusion_matrix_is_scikit_learns():
    y, predicted = RNG.integers(0, 4, 80), RNG.integers(0, 4, 80)
    axes = rg.plot_confusion(y, predicted).axes[0]
    shown = np.zeros((4, 4), int)
    for text in axes.texts:
        column, row = text.get_position()
        shown[int(row), int(column)] = int(text.get_text())
    np.testing.assert_array_equal(shown, confusion_matrix(y, predicted))
    words = rg.plot_confusion(["no", "yes"], ["no", "no"]).axes[0].get_yticklabels()
    assert [text.get_text() for text in words] == ["no", "yes"]


def test_the_roc_is_scikit_learns_ties_included():
    y, score = RNG.integers(0, 2, 100), RNG.integers(0, 12, 100) / 12
    false, true = roc(y == 1, score)
    expected = roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])
    label = rg.plot_roc(y, score).axes[0].lines[0].get_label()
    assert label == f"1: area {roc_auc_score(y, score):.3f}"


def test_many_classes_have_a_curve_each():
    y = np.arange(30) % 3
    labels = [line.get_label() for line in rg.plot_roc(y, RNG.random((30, 3))).axes[0].lines]
    assert [label.split(":")[0] for label in labels] == ["0", "1", "2", "a guess"]


def test_the_boundary_is_what_the_model_answers():
    figure = rg.plot_boundary(NET, X, LABELS, names=("length (cm)", "width (cm)"))
    axes = figure.axes[0]
    assert axes.get_xlabel() == "length (cm)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1"]
    mesh = next(c for c in axes.collections if hasattr(c, "get_coordinates"))
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    answers = np.asarray(mesh.get_array())
    middle = NET.predict([[(x0 + x1) / 2, y0 + 0.25 * (y1 - y0)]]).argmax()
    assert answers[60, 120] == middle


def test_the_boundary_of_a_regression_and_of_an_estimator_can_be_drawn():
    regression = rg.plot_boundary(rg.MLP([2, 3, 1]), X, X[:, 0])
    assert "truth" in regression.axes[1].get_ylabel()
    words = np.array(["no", "yes"])[LABELS]
    model = rg.MLPClassifier((8,), solver="lbfgs", max_iter=2000, random_state=0).fit(X, words)
    legend = rg.plot_boundary(model, X, words).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["no", "yes"]


def test_the_path_lies_in_the_plane_and_ends_at_the_network():
    net, path = rg.MLP([1, 1], bias=True), []
    x = np.linspace(-1, 1, 20)[:, None]
    rg.train(
        net, x, 2 * x + 1, epochs=15, batch_size=20, shuffle=False, optimizer=rg.SGD(0.2),
        callbacks=[lambda n, _: path.append({k: W.copy() for k, W in n.parameters.items()})],
    )  # fmt: skip
    axes = rg.plot_loss_surface(net, x, 2 * x + 1, path=path, points=11).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "path")
    places = np.stack(line.get_data(), axis=1)
    weights = np.array([[p["W1"][0, 0], p["b1"][0]] for p in path])
    # Two parameters: the plane is all there is, and distances are kept.
    np.testing.assert_allclose(
        np.linalg.norm(places - places[-1], axis=1),
        np.linalg.norm(weights - weights[-1], axis=1),
        atol=1e-12,
    )
    np.testing.assert_allclose(places[-1], 0, atol=1e-12)
    assert "% of its squared length" in axes.get_xlabel()


def test_the_surface_at_the_middle_is_J_of_the_network():
    from retrograd.plots.surface import _Surface

    made = _Surface.of(NET, subject_of("test", NET, X, LABELS, l2=0.1))
    expected = rg.trace(NET, X, LABELS, l2=0.1).J
    assert made.J(made.flat(NET.parameters)) == pytest.approx(expected, rel=1e-12)


def test_a_path_of_another_network_is_refused():
    with pytest.raises(DataError, match="other parameters"):
        rg.plot_loss_surface(rg.MLP([2, 3, 2], output="softmax"), X, LABELS, path=PATH)


def test_every_checked_entry_has_its_error_in_the_plot():
    axes = rg.plot_gradient_check(CHECK).axes[0]
    drawn = np.concatenate([points.get_offsets()[:, 1] for points in axes.collections])
    errors = [e for variable in CHECK.variables for e in variable.errors.values()]
    assert len(errors) == W.value.size + V.value.size
    np.testing.assert_allclose(np.sort(drawn), np.sort(np.maximum(errors, 1e-18)))
    assert max(errors) == CHECK.max_relative_error
    wrong = rg.check_gradient(rg.sum(W @ V), gradients={V: [0.0, np.nan]})
    axes = rg.plot_gradient_check(wrong).axes[0]
    assert "DISAGREES" in axes.get_title()
    assert sum(len(points.get_offsets()) for points in axes.collections) == 2


def test_the_check_of_an_engine_is_drawn_entry_by_entry():
    check = rg.check_gradient(rg.MLP([2, 3, 1]), np.ones((4, 2)), np.ones(4), engine="cpu")
    axes = rg.plot_gradient_check(check).axes[0]
    drawn = np.concatenate([points.get_offsets()[:, 1] for points in axes.collections])
    assert len(drawn) == 13
    assert max(drawn) == check.max_relative_error


ONE = rg.Network([rg.Dense(1, 1, bias=False)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rg.plot_regression([1.0], [1.0, 2.0]), "rows differ: y has 1, predicted has 2"),
        (lambda: rg.plot_errors([np.nan], [1.0]), "NaN"),
        (lambda: rg.plot_errors([], []), "numbers"),
        (lambda: rg.plot_confusion([0], [2], classes=[0, 1]), "2 is not among the classes"),
        (lambda: rg.plot_confusion([], []), "classes are"),
        (lambda: rg.plot_roc([0, 0], [0.1, 0.2], classes=[0, 1]), "no rows"),
        (lambda: rg.plot_roc([0, 1, 2], np.ones((3, 2))), "3 classes need"),
        (lambda: rg.plot_roc([0, 0, 1], 0.5), r"scores are \(n,\)"),
        (lambda: rg.plot_roc([0, 0, 1], np.ones((3, 1, 2))), r"scores are \(n,\)"),
        (lambda: rg.plot_boundary(NET, np.ones((3, 3)), [0, 1, 0]), r"X is \(n, 2\)"),
        (lambda: rg.plot_boundary(NET, [[np.nan, 1.0]], [0]), "X: nan at row 0, column 0"),
        (lambda: rg.plot_boundary(NET, [["a", "b"]], [0]), "X"),
        (lambda: rg.plot_loss_surface(ONE, [[1.0]], [1.0]), "needs two parameters"),
    ],
)
def test_what_makes_no_plot_is_a_typed_error(call: Callable[[], Any], message: str):
    with pytest.raises(DataError, match=message):
        call()


def test_plots_leave_matplotlibs_global_state_alone():
    code = (
        "import sys, retrograd as rg; rg.plot_errors([1.0], [2.0]);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_many_classes_the_largest_have_a_curve_and_the_title_says_so():
    y = np.repeat(np.arange(20), np.arange(20, 40))
    figure = rg.plot_roc(y, RNG.random((len(y), 20)), title="t")
    axes = figure.axes[0]
    assert axes.get_title() == "t: the 12 largest of 20 classes"
    names = [str(line.get_label()).split(":")[0] for line in axes.lines]
    assert names == [*map(str, range(8, 20)), "a guess"]
    [legend] = figure.legends
    assert len(legend.get_texts()) == 13
    figure.canvas.draw()
    lowest = axes.xaxis.label.get_window_extent().y0
    assert all(text.get_window_extent().y1 < lowest for text in legend.get_texts())


def test_units_and_inputs_are_whole_numbers():
    for axes in rg.plot_weights(rg.MLP([64, 1])).axes[:1]:
        assert all(tick == int(tick) for tick in [*axes.get_xticks(), *axes.get_yticks()])


def test_numbers_at_the_axes_of_histograms_stand_apart():
    same = rg.MLP([2, 6, 2], output="softmax")
    for scale in (1e-6, 3e-3, 1.0, 7e4):
        same.parameters["W1"][:] = RNG.normal(size=(2, 6)) * scale
        for per_row in (1, 3):
            figure = rg.plot_distributions(rg.trace(same, X, LABELS), per_row=per_row)
            figure.canvas.draw()
            for axes in figure.axes:
                low, high = axes.get_xlim()
                shown = [
                    t.label1.get_window_extent()
                    for t in axes.xaxis.get_major_ticks()
                    if low <= t.get_loc() <= high
                ]
                assert all(a.x1 < b.x0 for a, b in itertools.pairwise(shown))
