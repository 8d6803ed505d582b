"""Activations, losses, norms against PyTorch's, from torch_values.npz: formulas, kinks, scales.

PyTorch's own digits are the limit: `test_activations`, `test_loss_accuracy` and
`test_normalisation` hold ours to more.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import retrograd as rg
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.layer import Training
from retrograd.nn.losses import find_loss
from retrograd.training.class_weights import weigh_classes
from retrograd.training.rows import check_rows
from retrograd.training.session import TrainingSession

TORCH = np.load(Path(__file__).with_name("torch_values.npz"))
NAMES = [name.removesuffix(" value") for name in TORCH.files if name.endswith(" value")]
B, C = TORCH["output"].shape


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("loss")])
def test_an_activation_is_pytorchs_at_its_kinks_too(name):
    z = rg.variable("z", TORCH["z"])
    y = ACTIVATIONS[name](z)
    value, gradient = rg.evaluate([y, rg.gradient(rg.sum(y), z)])
    np.testing.assert_allclose(value, TORCH[f"{name} value"], rtol=1e-9, atol=1e-13)
    # PyTorch's 1/6 of hard_sigmoid has the digits of float32.
    np.testing.assert_allclose(gradient, TORCH[f"{name} gradient"], rtol=1e-7, atol=1e-12)


# name: (loss, output of the network, what PyTorch's is of the sum over outputs)
LOSSES = {
    "squared_error": ("squared_error", "identity", 1 / C),
    "absolute_error": ("absolute_error", "identity", 1 / C),
    "huber": (rg.Huber(0.5), "identity", 1 / C),
    "poisson": ("poisson", "exp", 1 / C),
    "gaussian_nll": ("gaussian_nll", "identity", 1 / C),
    "cross_entropy": ("cross_entropy", "softmax", 1),
    "label_smoothing": (rg.CrossEntropy(label_smoothing=0.1), "softmax", 1),
    "class_weights": ("cross_entropy", "softmax", 1),
    "binary_cross_entropy": ("cross_entropy", "sigmoid", 1 / C),
    "hinge": ("hinge", "softmax", 1 / C),
    "squared_hinge": ("squared_hinge", "softmax", 1 / C),
    "cosine": ("cosine", "identity", 1),
    "kl_divergence": ("kl_divergence", "softmax", 1),
}
TARGETS = {
    "poisson": "counts",
    "binary_cross_entropy": "yes_or_no",
    "kl_divergence": "shares",
    **dict.fromkeys(
        ["cross_entropy", "label_smoothing", "class_weights", "hinge", "squared_hinge"], "labels"
    ),
}
CLASS_WEIGHT = {"class_weights": {0: 0.5, 1: 2.0, 2: 3.0}}


def test_every_loss_of_the_file_is_compared():
    assert {f"loss {name}" for name in LOSSES} == {n for n in NAMES if n.startswith("loss")}


@pytest.mark.parametrize("name", LOSSES)
def test_J_is_pytorchs_up_to_the_mean_over_outputs(name):
    loss, output, scale = LOSSES[name]
    given = TORCH["two_heads" if name == "gaussian_nll" else "output"]
    # One row of X for each example: then W is the output itself.
    net = rg.MLP([B, given.shape[1]], output=output, bias=False)
    net.parameters["W1"] = given
    chosen = find_loss(loss, net)
    rows = check_rows(net, chosen, np.eye(B), TORCH[TARGETS.get(name, "numbers")])
    rows = weigh_classes(CLASS_WEIGHT.get(name), chosen, rows, net)
    session = TrainingSession(net, rows, loss=chosen, optimizer=None)
    J, gradient = session.gradient(np.arange(B))
    np.testing.assert_allclose(J * scale, TORCH[f"loss {name} value"], rtol=1e-11)
    expected = TORCH[f"loss {name} gradient"]
    np.testing.assert_allclose(gradient["W1"] * scale, expected, rtol=1e-10, atol=1e-12)


NORMS = {
    "layer_norm": rg.LayerNorm(5, epsilon=0.01),
    "batch_norm": rg.BatchNorm(5, momentum=0.3, epsilon=0.01),
}


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("name", NORMS)
def test_a_normalisation_is_pytorchs_in_training_and_prediction(name, engine):
    layer = NORMS[name]
    x = rg.variable("x", shape=(rg.rows, 5))
    own = {key: rg.variable(key, shape=shape) for key, shape in layer.shapes.items()}
    made = layer.in_training(x, own, Training(), "1")
    dz = rg.variable("dz", shape=(rg.rows, 5))
    J = rg.sum(made.z * dz)
    wrt = [x, own["scale"], own["shift"]]
    step = rg.compile([made.z, *made.updates.values()], [x, *own.values()], engine=engine)
    slopes = rg.compile(rg.gradient(J, wrt), [dz, x, *own.values()], engine=engine)
    still = rg.compile([layer.nodes(x, own).z], [x, *own.values()], engine=engine)

    values = {"scale": TORCH["scale"], "shift": TORCH["shift"]}
    values |= {key: np.full(5, float(key == "variance")) for key in layer.statistics}
    for rows in (TORCH["rows_before"], TORCH["rows"]):
        before = [*values.values()]
        z, *following = step(rows, *before)
        values |= dict(zip(made.updates, following, strict=True))
    found = {"z": z, "prediction": still(TORCH["rows"], *values.values())[0]}
    gradients = slopes(TORCH["rows_dz"], TORCH["rows"], *before)
    found |= dict(zip(("dx", "dscale", "dshift"), gradients, strict=True))
    found |= {key: values[key] for key in layer.statistics}
    assert {f"norm {name} {key}" for key in found} == {
        key for key in TORCH.files if key.startswith(f"norm {name}")
    }
    for key, value in found.items():
        expected = TORCH[f"norm {name} {key}"]
        tolerance = 1e-13 * np.abs(expected).max()
        np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance, err_msg=key)
