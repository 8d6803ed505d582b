"""Backpropagation inside a node: f = (w + x*y) * z, gate by gate [L3.1 to L3.6]."""

from __future__ import annotations

from retrograd.autodiff.gradient import gradient
from retrograd.cli.lectures.page import Page
from retrograd.gates import maximum
from retrograd.graph.node import Node, variable
from retrograd.run import evaluate

NUDGE = 0.001
VALUES = {"w": 5.0, "x": 3.0, "y": 2.0, "z": 4.0}
FORWARD = {"v": 6.0, "u": 11.0, "f": 44.0}
BACKWARD = {"w": 4.0, "x": 8.0, "y": 12.0, "z": 11.0, "v": 4.0, "u": 4.0, "f": 1.0}


def replay() -> bool:
    """Print the replay; whether all its numbers are the lecture's."""
    page = Page("Backpropagation inside a node: f = (w + x*y) * z")
    w, x, y, z = inputs = [variable(name, value) for name, value in VALUES.items()]
    v = x * y
    u = w + v
    f = u * z
    nodes = dict(zip("wxyzvuf", [*inputs, v, u, f], strict=True))
    made = dict.fromkeys("wxyz", "given") | {"v": "x * y", "u": "w + v", "f": "u * z"}

    page.section("L3.1-L3.3", "one row a node: forward from the top, backward from the bottom")
    values = dict(zip(nodes, evaluate(list(nodes.values())), strict=True))
    slopes = dict(zip(nodes, evaluate(gradient(f, list(nodes.values()))), strict=True))
    rows = [(n, made[n], f"{values[n]:g}", f"{slopes[n]:g}") for n in nodes]
    page.table(("node", "made from", "value", "df/d(node)"), rows, left=(0, 1))
    for name, value in {**VALUES, **FORWARD}.items():
        page.check(f"value of {name}", values[name], value)
    for name, slope in BACKWARD.items():
        page.check(f"df/d{name}", slopes[name], slope)

    page.section("L3.4", f"nudge each input by {NUDGE}: f moves by gradient times {NUDGE}")
    rows = []
    for node in inputs:
        name = str(node.name)
        nudged = evaluate(f, {node: VALUES[name] + NUDGE})
        rows.append((name, f"{VALUES[name] + NUDGE:g}", f"{slopes[name]:g}", f"{nudged:.6g}"))
        page.check(f"f at {name} + {NUDGE}", nudged, 44.0 + BACKWARD[name] * NUDGE)
    page.table(("input", "nudged to", "df/d(input)", "f"), rows)
    page.line("To lower f, move each input against the sign of its gradient.")

    page.section("L3.5", "gates: what comes back (g = 1 arrives)")
    a, b = variable("x", 3.0), variable("y", 2.0)
    gates: dict[str, tuple[Node, tuple[float, float], str]] = {
        "x * y": (a * b, (2.0, 3.0), "g*y to x, g*x to y"),
        "x + y": (a + b, (1.0, 1.0), "g to both"),
        "max(x, y)": (maximum(a, b), (1.0, 0.0), "g to the larger, 0 to the other"),
    }
    rows = []
    for name, (node, expected, rule) in gates.items():
        found = evaluate(gradient(node, [a, b]))
        page.check(f"gradient of {name}", found, expected)
        rows.append((name, f"{found[0]:g}", f"{found[1]:g}", rule))
    page.table(("gate at x=3, y=2", "to x", "to y", "rule"), rows, left=(0, 3))

    page.section("L3.6", "a value with two consumers: what comes back is summed")
    both = evaluate(gradient(a * b + a, a))
    page.line(f"d(x*y + x)/dx = y + 1 = {both:g}")
    page.check("d(x*y + x)/dx", both, 3.0)
    return page.end()
