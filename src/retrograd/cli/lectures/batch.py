"""m examples at once through a softmax network [L4.1 to L4.5]."""

from __future__ import annotations

import numpy as np

from retrograd.autodiff.gradient import gradient
from retrograd.cli.lectures.page import Page
from retrograd.gates import log_softmax, mean
from retrograd.gates import sum as total
from retrograd.graph.node import variable
from retrograd.nn.mlp import MLP
from retrograd.run import evaluate

SIZES = (4, 5, 3)
N_ROWS = 6


def replay() -> bool:
    """Print the replay; whether the graph agrees with the notes' formulas."""
    page = Page("m examples at once: softmax, cross-entropy, and gradients as matrix products")
    rng = np.random.default_rng(0)
    m, n_classes = N_ROWS, SIZES[-1]
    X = rng.normal(size=(m, SIZES[0])).round(2)
    labels = np.arange(m) % n_classes
    Y = np.eye(n_classes)[labels]
    network = MLP(SIZES, activation="sigmoid", output="softmax")
    p = network.parameters

    # The notes' formulas, in plain NumPy; sigma' = a (1 - a).
    a1 = 1 / (1 + np.exp(-(X @ p["W1"] + p["b1"])))
    scores = np.exp(a1 @ p["W2"] + p["b2"])
    a2 = scores / scores.sum(axis=1, keepdims=True)
    delta2 = (a2 - Y) / m
    delta1 = (delta2 @ p["W2"].T) * a1 * (1 - a1)
    expected = {
        "W1": X.T @ delta1,
        "b1": delta1.sum(axis=0),
        "W2": a1.T @ delta2,
        "b2": delta2.sum(axis=0),
    }

    weights = network.variables()
    given = dict(zip(weights.values(), p.values(), strict=True))
    forward = network.forward(variable("X", X), weights)
    J = mean(-total(Y * log_softmax(forward.logits), axis=1))
    a = evaluate(forward.output, given)
    layers = [layer.z for layer in forward.layers]
    found_delta1, found_delta2 = evaluate(gradient(J, layers), given)
    slopes = dict(zip(weights, evaluate(gradient(J, list(weights.values())), given), strict=True))

    page.section("L4.1", f"an example is a row: X {X.shape}, a {a.shape}; the class is the argmax")
    header = ("example", *(f"a of class {c}" for c in range(n_classes)), "predicted", "target")
    rows = [(i, *(f"{value:.6f}" for value in a[i]), a[i].argmax(), labels[i]) for i in range(m)]
    page.table(header, rows)
    page.check("a", a, a2)
    page.check("each row of a sums to 1", a.sum(axis=1), np.ones(m))

    page.section("L4.2", "last layer: delta = (a - y) / m, since J is the mean over the examples")
    page.matrix("delta2", found_delta2)
    page.check("delta2", found_delta2, delta2)

    page.section("L4.3", "the layer before: delta1 = (delta2 W2.T) sigma'(z1)")
    page.matrix("delta1", found_delta1)
    page.check("delta1", found_delta1, delta1)

    page.section("L4.4, L4.5", "dJ/dW = a_before.T delta; dJ/db sums delta over the examples")
    rows = [
        (name, str(value.shape), f"{np.abs(slopes[name]).max():.6f}",
         f"{np.abs(slopes[name] - value).max():.1e}")
        for name, value in expected.items()
    ]  # fmt: skip
    page.table(
        ("parameter", "shape", "largest |gradient|", "from the formula by"), rows, left=(0, 1)
    )
    for name, value in expected.items():
        page.check(f"dJ/d{name}", slopes[name], value)
    page.line("Both carry 1/m: the notes divide only dJ/db by m, which is no gradient of one J.")

    page.section("L4", "one example at a time and the mean of the gradients: the same")
    alone = []
    for i in range(m):
        one = network.forward(variable("X", X[i : i + 1]), weights)
        J_i = mean(-total(Y[i : i + 1] * log_softmax(one.logits), axis=1))
        alone.append(evaluate(gradient(J_i, weights["W1"]), given))
    page.check("the mean of the examples' dJ/dW1", np.mean(alone, axis=0), slopes["W1"])
    page.line(f"mean of {m} single gradients of W1 = the gradient of the batch")
    return page.end()
