"""Training a two-layer network with matrices [L1.1 to L1.7]."""

from __future__ import annotations

import numpy as np

from retrograd.autodiff.gradient import gradient
from retrograd.cli.lectures.page import Page
from retrograd.gates import square
from retrograd.gates import sum as total
from retrograd.graph.node import variable
from retrograd.nn.mlp import MLP
from retrograd.optim.sgd import SGD
from retrograd.run import evaluate
from retrograd.training.train import train

X = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])  # exclusive or; the third input, 1, is the bias [L3.7]
HIDDEN = 4
EPOCHS = 5000
LEARNING_RATE = 5.0


def replay() -> bool:
    """Print the replay; whether the graph agrees with the lecture's matrix formulas."""
    page = Page("Training a two-layer network with matrices")
    network = MLP(
        [3, HIDDEN, 1],
        activation="sigmoid",
        output="sigmoid",
        bias=False,
        initializer="lecun_normal",
    )
    m = len(X)
    W, W2 = network.parameters["W1"], network.parameters["W2"]

    # The lecture's formulas, in plain NumPy; f is the sigmoid, so f' = f (1 - f).
    Z = X @ W
    A = 1 / (1 + np.exp(-Z))
    G = A @ W2
    O = 1 / (1 + np.exp(-G))
    delta1 = -(Y - O) * O * (1 - O) / m
    delta2 = (delta1 @ W2.T) * A * (1 - A)
    J = 0.5 * np.sum((Y - O) ** 2) / m

    # The same as a graph, and its gradient.
    weights = network.variables()
    given = dict(zip(weights.values(), network.parameters.values(), strict=True))
    forward = network.forward(variable("X", X), weights)
    loss = 0.5 * total(square(forward.output - Y)) / m
    z, g = forward.layers[0].z, forward.layers[1].z
    wrt = [weights["W1"], weights["W2"], g, z]
    values = evaluate([z, forward.layers[0].a, g, forward.output, loss], given)
    slopes = evaluate(gradient(loss, wrt), given)

    page.section(
        "L1.1", f"feed-forward, {m} examples at once: Z = X W, A = f(Z), G = A W', O = f(G)"
    )
    for name, found, plain in zip(("Z", "A", "G", "O"), values, (Z, A, G, O), strict=False):
        page.check(name, found, plain)
    page.matrix("X ", X)
    page.matrix("W ", W)
    page.matrix("O ", values[3])

    page.section("L1.2", "the loss J = 1/2 sum (Y - O)^2, here the mean over the examples")
    page.line(f"J = {values[4]:.6f}, by the formula {J:.6f}")
    page.check("J", values[4], J)

    page.section("L1.5", "output layer: delta1 = -(Y - O) f'(G), dJ/dW' = A.T delta1")
    page.matrix("delta1", slopes[2])
    page.matrix("dJ/dW'", slopes[1])
    page.check("delta1", slopes[2], delta1)
    page.check("dJ/dW'", slopes[1], A.T @ delta1)

    page.section("L1.6", "hidden layer: delta2 = (delta1 W'.T) f'(Z), dJ/dW = X.T delta2")
    page.matrix("delta2", slopes[3])
    page.matrix("dJ/dW ", slopes[0])
    page.check("delta2", slopes[3], delta2)
    page.check("dJ/dW", slopes[0], X.T @ delta2)

    page.section("L1.4", "the gradient of a weight matrix has that matrix's shape")
    page.line(
        f"W {W.shape} and dJ/dW {slopes[0].shape}; W' {W2.shape} and dJ/dW' {slopes[1].shape}"
    )
    page.check("shapes", [*slopes[0].shape, *slopes[1].shape], [*W.shape, *W2.shape])

    page.section("L1.7", "feed forward, loss, gradients, update; again until J no longer changes")
    history = train(
        network,
        X,
        Y,
        loss="half_squared_error",
        optimizer=SGD(LEARNING_RATE),
        batch_size=None,
        epochs=EPOCHS,
    )
    shown = [1, 10, 100, 1000, EPOCHS]
    rows = [(n, f"{history.J[n - 1]:.6f}", f"{history.gradient_norm[n - 1]:.6f}") for n in shown]
    page.table(("epoch", "J", "norm of the gradient"), rows, left=())
    page.check("J of the first epoch", history.J[0], J)
    outputs = network.predict(X)
    page.matrix("Y.T", Y.T)
    page.matrix("O.T", outputs.T)
    page.check("the outputs, rounded", outputs.round(), Y)
    return page.end()
