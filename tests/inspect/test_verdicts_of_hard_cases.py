"""What a verdict says of broken numbers, several heads, very good fits and odd data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.files.table import Table
from retrograd.inspect.evidence import Evidence
from retrograd.inspect.of_course import rate_too_high
from retrograd.inspect.subject import subject_of
from retrograd.tabular import fit_columns, fit_target
from retrograd.tabular.model import TableModel

RNG = np.random.default_rng(66)
X = RNG.normal(size=(160, 4))
Y = np.tanh(X[:, :1] - X[:, 1:2])


def found(diagnosis: Any) -> set[str]:
    return {verdict.ailment for verdict in diagnosis.found}


# Numbers that are not finite.


def test_a_J_that_is_nan_is_found_with_the_gate_that_made_it():
    net = rg.MLP([4, 5, 1], activation=rg.log)
    diagnosis = rg.diagnose(net, X, Y)
    verdict = diagnosis.verdict("not finite")
    assert not diagnosis.ok and verdict.is_found and verdict.where == "layer 1"
    assert "J is nan; the first nan came from the gate log in the forward pass of layer 1" in str(
        verdict
    )
    judged = {x.ailment for x in diagnosis.verdicts}
    assert judged.isdisjoint({"vanishing gradients", "exploding gradients", "suspect labels"})
    assert dict(diagnosis.not_judged)["suspect labels"] == "needs a pass of finite numbers"


def test_a_J_beyond_the_largest_number_is_found_and_raises_no_warning():
    verdict = rg.diagnose(rg.MLP([4, 5, 1]), X * 1e200, Y * 1e250).verdict("not finite")
    assert verdict.is_found and "J is inf" in str(verdict)


def test_a_gradient_that_is_not_finite_is_found_though_J_is():
    net = rg.MLP([4, 5, 1], activation=lambda z: rg.sqrt(0.0 * z))
    verdict = rg.diagnose(net, X, Y).verdict("not finite")
    assert verdict.is_found and "in the backward pass of layer 1" in str(verdict)


def test_finite_numbers_are_none_that_are_not():
    verdict = rg.diagnose(rg.MLP([4, 5, 1]), X, Y).verdict("not finite")
    assert not verdict.is_found and verdict.figure == 0


# Several heads.


def heads(names: str, weight: float) -> Any:
    kinds = {"p": [rg.Dense(8, 6, "tanh"), rg.Dense(6, 1)], "k": [rg.Dense(8, 2)]}
    ends = rg.Heads({name: kinds[name] for name in names})
    net = rg.Network([rg.Dense(4, 8, "tanh"), ends], output={"k": "softmax"})
    target = {"p": Y, "k": (X[:, 0] > 0).astype(int)}
    loss = rg.Losses({"p": "squared_error", "k": "cross_entropy"}, weights={"k": weight})
    return net, target, loss


@pytest.mark.parametrize("names", ["pk", "kp"])
@pytest.mark.parametrize("weight", [1e-5, 1.0, 1e5])
def test_a_head_of_little_weight_is_neither_vanishing_nor_exploding(names: str, weight: float):
    net, target, loss = heads(names, weight)
    history = rg.train(
        net,
        X,
        target,
        loss=loss,
        epochs=3,
        statistics=True,
        engine="numpy",
        optimizer=rg.Adam(1e-3),
    )
    ailments = {"vanishing gradients", "exploding gradients"}
    looks = [
        rg.diagnose(net, X, target, loss=loss),
        rg.diagnose(net, history=history),
        rg.diagnose(history=history),
    ]
    for diagnosis in looks[:2]:
        assert diagnosis.verdict("vanishing gradients") is not None
    for diagnosis in looks:
        assert found(diagnosis).isdisjoint(ailments), str(diagnosis)


def test_a_trunk_before_heads_can_vanish():
    trunk = [rg.Dense(4, 8, "sigmoid"), *[rg.Dense(8, 8, "sigmoid") for _ in range(11)]]
    net = rg.Network([*trunk, rg.Heads({"p": [rg.Dense(8, 1)], "k": [rg.Dense(8, 2)]})])
    target = {"p": Y, "k": X[:, :2]}
    verdict = rg.diagnose(net, X, target).verdict("vanishing gradients")
    assert verdict.is_found and verdict.where == "layer 1"
    t = rg.trace(net, X, target)
    ends = np.hypot(*(np.linalg.norm(t.layer(place).delta) for place in ("13.1", "13.2")))
    assert verdict.figure == pytest.approx(np.linalg.norm(t.layer(1).delta) / ends)


# Very good fits.


def course(J: Any, y: Any) -> Any:
    net = rg.MLP([4, 4, 1])
    return rate_too_high(Evidence(subject_of("test", net, X, y), history=rg.History(J=list(J))))


def test_noise_of_a_J_far_below_the_guess_is_no_learning_rate_too_high():
    noise = np.random.default_rng(0).lognormal(-6.0, 0.6, size=60)
    assert np.maximum(np.diff(noise), 0).sum() > 2.9 * noise[0]
    assert not course(noise, Y / Y.std()).is_found
    assert course(300.0 * noise, Y / Y.std()).is_found


def test_noise_does_not_add_up_with_the_epochs():
    noise = 0.05 * np.random.default_rng(0).uniform(0.9, 1.1, size=4000)
    assert not course([1.0, *noise], Y / Y.std()).is_found
    assert np.maximum(np.diff(noise), 0).sum() > 6


def test_errors_of_a_very_good_fit_are_no_suspect_labels_and_a_wrong_number_is():
    net = rg.MLP([4, 1])
    net.parameters["W1"] = [[2.0], [0.0], [0.0], [0.0]]
    y = 2.0 * X[:, :1] + 1e-4 * RNG.standard_t(1.1, size=(160, 1)).clip(-300, 300)
    verdict = rg.diagnose(net, X, y).verdict("suspect labels")
    errors = np.abs(y - net.predict(X))
    assert errors.max() > 30 * np.median(errors) and not verdict.is_found
    y[17] += 5.0
    verdict = rg.diagnose(net, X, y).verdict("suspect labels")
    assert verdict.items == (17,) and verdict.figure > verdict.threshold


@pytest.mark.parametrize(("at", "items"), [(0.2, ()), (2.0, (7,))])
def test_a_sharp_model_accuses_no_row_near_its_boundary(at: float, items: Any):
    """Odds of e**20 against it, where those of other rows are e**100; or as clear as theirs."""
    x = np.linspace(-2.0, 2.0, 80)[:, None]
    labels = (x[:, 0] > 0).astype(int)
    x, labels = np.vstack([x, [[at]]]), np.append(labels, 0)
    x[[7, -1]], labels[[7, -1]] = x[[-1, 7]], labels[[-1, 7]]
    net = rg.MLP([1, 2], output="softmax")
    net.parameters["W1"] = [[0.0, 100.0]]
    assert rg.diagnose(net, x, labels).verdict("suspect labels").items == items


# Figures past a threshold that are no ailment say why.


def test_a_figure_past_its_threshold_that_is_no_ailment_says_why():
    J = np.linspace(1.0, 0.997, 40)
    history = rg.History(J=[*J, J[-1] + 1e-4], validation_J=[1.0, 0.5, *[0.8] * 39])
    diagnosis = rg.diagnose(
        history=rg.History(J=[1.0, 0.2, 0.1, 0.2, 0.2], validation_J=[1.0, 0.9, 0.5, 0.9, 0.9])
    )
    verdict = diagnosis.verdict("overfitting")
    assert not verdict.is_found and verdict.figure > verdict.threshold
    line = next(row for row in diagnosis.table() if row[0] == "overfitting")
    assert line[1] == "ok: J did not fall meanwhile" and "but J did not fall" in str(verdict)
    for verdict in rg.diagnose(history=history).verdicts:
        assert verdict.is_found or verdict.but or verdict.figure <= verdict.threshold


def test_a_run_that_falls_evenly_is_slow_and_does_not_stand_still():
    diagnosis = rg.diagnose(history=rg.History(J=list(np.linspace(1.0, 0.98, 40))))
    assert found(diagnosis) == {"learning rate too low"}
    assert diagnosis.verdict("plateau").but == "J is still falling"


# The data.


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_unscaled_targets_are_found(scale: float):
    verdict = rg.diagnose(rg.MLP([4, 8, 1]), X, scale * Y).verdict("unscaled targets")
    assert verdict.is_found and "standardise the targets" in verdict.remedy


def test_targets_of_classes_have_no_scale():
    net = rg.MLP([4, 8, 2], output="softmax")
    diagnosis = rg.diagnose(net, X, (X[:, 0] > 0).astype(int))
    assert "unscaled targets" in dict(diagnosis.not_judged)


def test_the_head_with_unscaled_targets_is_named():
    net, target, loss = heads("pk", 1.0)
    verdict = rg.diagnose(net, X, {**target, "p": 1e4 * Y}, loss=loss).verdict("unscaled targets")
    assert verdict.is_found and verdict.where == "head 'p'"


def test_categories_that_training_had_not_are_found():
    def table(other: str) -> Table:
        towns = ["Bonn", "Kiel"] * 9 + [other]
        return Table.of({"town": towns, "y": list(np.linspace(-1, 1, 19))})

    known = table("Bonn")
    columns = fit_columns(known, exclude=["y"])
    target = fit_target(known.column("y"), name="y")
    model = TableModel(rg.MLP([2, 4, 1]), columns, target, data="towns")
    assert not rg.diagnose(model, known).verdict("unseen categories").is_found
    verdict = rg.diagnose(model, table("Ulm")).verdict("unseen categories")
    assert verdict.is_found and verdict.where == "column town"
    assert "'Ulm' in row 19 was not in training" in str(verdict)
    assert rg.diagnose(rg.MLP([4, 1]), X, Y).verdict("unseen categories") is None


# Units.


def off(activation: Any, sizes: tuple[int, ...] = (32,)) -> Any:
    net = rg.MLP([4, *sizes, 1], activation=activation)
    for number, n in enumerate(sizes, start=1):
        net.parameters[f"b{number}"] = np.where(np.arange(n) < 0.6 * n, -90.0, 0.0)
    return net


@pytest.mark.parametrize(
    "activation", ["relu", "gelu", "silu", "softplus", lambda z: rg.maximum(z, 0.0)]
)
def test_units_that_are_off_are_dead_whatever_makes_them_so(activation: Any):
    verdict = rg.diagnose(off(activation), X, Y).verdict("dead units")
    assert verdict.is_found and verdict.items == tuple(range(20))


@pytest.mark.parametrize("activation", ["gelu", "leaky_relu", "elu", lambda z: rg.maximum(z, 0.0)])
def test_units_that_are_on_for_some_rows_are_not_dead(activation: Any):
    assert rg.diagnose(rg.MLP([4, 16, 1], activation=activation), X, Y).ok


def test_every_layer_with_dead_units_is_named():
    verdict = rg.diagnose(off("relu", (10, 20)), X, Y).verdict("dead units")
    assert "(layer 2 0.6 too)" in str(verdict) and verdict.where == "layer 1"


def test_of_dead_relu_no_relu_is_recommended():
    net = rg.MLP([4, 8, 8, 1], activation="relu")
    net.parameters["b2"] = np.full(8, -90.0)
    verdict = rg.diagnose(net, X, Y).verdict("vanishing gradients")
    assert verdict.is_found and verdict.remedy.startswith("leaky_relu or elu in place of relu")


def test_a_rise_far_below_the_guess_is_no_overfitting():
    J = [0.004, 0.002, 0.001, 0.0009, 0.0008, 0.0007]
    validation = [0.004, 0.002, 0.001, 0.0017, 0.0019, 0.0018]
    history = rg.History(J=J, validation_J=validation)
    net, y = rg.MLP([4, 4, 1]), Y / Y.std()
    assert not rg.diagnose(net, X, y, history=history).verdict("overfitting").is_found
    assert rg.diagnose(net, X, 0.05 * y, history=history).verdict("overfitting").is_found
