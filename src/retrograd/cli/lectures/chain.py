"""The delta rule and the scalar chain: one unit a layer [L2.3 to L2.6]."""

from __future__ import annotations

import math

from retrograd.autodiff.gradient import gradient
from retrograd.cli.lectures.page import Page
from retrograd.gates import sigmoid
from retrograd.graph.node import Node, constant, variable
from retrograd.run import compile, evaluate

X, Y = 0.5, 0.9
WEIGHTS = (0.8, -0.4, 1.5)
ALPHA = 0.5
UPDATES = (1, 10, 100, 1000)


def replay() -> bool:
    """Print the replay; whether backpropagation agrees with the plain formulas."""
    page = Page("The delta rule and the scalar chain")
    _delta_rule(page)
    _chain(page)
    return page.end()


def _delta_rule(page: Page) -> None:
    a, w, y = (1.0, 2.0, -1.0), (0.2, 0.5, -0.3), 0.5
    names = [f"w{j}" for j in range(1, 4)]
    weights = [variable(name, value) for name, value in zip(names, w, strict=True)]
    z: Node = constant(0.0)
    for input_, weight in zip(a, weights, strict=True):
        z = z + input_ * weight
    units = {"linear": (z, "L2.3", "a_j e"), "sigmoid": (sigmoid(z), "L2.4", "a_j e g'(z)")}
    for name, (yhat, row, rule) in units.items():
        page.section(row, f"delta rule, {name} unit: dJ/dw_j = {rule}, J = 1/2 e^2, e = yhat - y")
        found = evaluate(gradient(0.5 * (yhat - y) ** 2, weights))
        output = evaluate(yhat)
        # g'(z) = g (1 - g) of the sigmoid, 1 of the identity
        slope = output * (1 - output) if name == "sigmoid" else 1.0
        expected = [input_ * (output - y) * slope for input_ in a]
        page.line(f"yhat = {output:.6f}, e = {output - y:.6f}, g'(z) = {slope:.6f}")
        rows = zip(names, map(str, a), _show(found), _show(expected), strict=True)
        page.table(("weight", "a_j", "by backpropagation", rule), rows)
        page.check(f"delta rule, {name} unit", found, expected)


def _chain(page: Page) -> None:
    n = len(WEIGHTS)
    weights = [variable(f"w{k}", value) for k, value in enumerate(WEIGHTS, start=1)]
    a, z = [variable("x", X)], []
    for weight in weights:
        z.append(weight * a[-1])
        a.append(sigmoid(z[-1]))
    J = 0.5 * (a[-1] - Y) ** 2
    page.section("L2.5", f"a chain of {n} sigmoid units, x = {X}, y = {Y}: one sweep each way")
    z_, a_ = evaluate(z), evaluate(a)
    e_, delta_, slopes = (evaluate(gradient(J, wrt)) for wrt in (a[1:], z, weights))

    # The recursion of the lecture, in plain numbers; k counts down from n.
    e, plain = a_[n] - Y, {}
    for k in range(n, 0, -1):
        delta = a_[k] * (1 - a_[k]) * e
        plain[k] = (e, delta, a_[k - 1] * delta)
        e = WEIGHTS[k - 1] * delta
    header = ("k", "w_k", "z_k", "a_k", "e_k", "delta_k", "dJ/dw_k")
    rows = [
        (
            k,
            f"{WEIGHTS[k - 1]:g}",
            *_show([z_[k - 1], a_[k], e_[k - 1], delta_[k - 1], slopes[k - 1]]),
        )
        for k in range(1, n + 1)
    ]
    page.table(header, rows)
    a_plain = X
    for k in range(1, n + 1):
        a_plain = 1 / (1 + math.exp(-WEIGHTS[k - 1] * a_plain))
        page.check(f"a_{k}", a_[k], a_plain)
        page.check(
            f"e, delta, dJ/dw of unit {k}", [e_[k - 1], delta_[k - 1], slopes[k - 1]], plain[k]
        )

    page.section("L2.6", f"update w_k <- w_k - {ALPHA} dJ/dw_k, again and again: J falls")
    step = compile([J, *gradient(J, weights)], inputs=weights)
    values, falling = list(WEIGHTS), [evaluate(J)]
    rows = [(0, *_show([falling[0], *values]))]
    for count in range(1, max(UPDATES) + 1):
        _, *slopes = step(*values)
        values = [value - ALPHA * slope for value, slope in zip(values, slopes, strict=True)]
        if count in UPDATES:
            falling.append(step(*values)[0])
            rows.append((count, *_show([falling[-1], *values])))
    page.table(("updates", "J", "w_1", "w_2", "w_3"), rows)
    page.check("J falls from row to row", falling, sorted(falling, reverse=True))


def _show(numbers: list[float]) -> list[str]:
    return [f"{number:.6f}" for number in numbers]
