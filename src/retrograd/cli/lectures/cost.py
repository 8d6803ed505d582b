"""What a gradient costs: finite differences against backpropagation [L2.1, L2.2]."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.cli.lectures.page import Page
from retrograd.gates import mean, square
from retrograd.gates import sum as total
from retrograd.graph.node import constant
from retrograd.graph.order import flops
from retrograd.nn.mlp import MLP
from retrograd.run import compile

# Inputs, hidden units, outputs: without biases these have 10, 100, 1000 and 10,000 weights.
SIZES = ((4, 2, 1), (9, 10, 1), (24, 40, 1), (99, 100, 1))
N_ROWS = 32
STEP = 1e-6
BUDGET = 2.0  # seconds of finite differences for one size; what is left is not measured
AGREE = 1e-5  # of differences with this step: its truncation, and J's rounding over the step


@dataclass(frozen=True)
class Cost:
    """The cost of one gradient of J by both ways; times in seconds.

    `n_nudged`: for how many of the weights finite differences were run and timed, all or as many
    as the budget allowed; `differences_time` is for all weights, in proportion if it was not all.
    `flops_ratio`: forward and backward pass together, in forward passes, counted in flops.
    `disagreement`: of the nudged weights, relative to the gradient's largest entry.
    """

    n_weights: int
    n_nudged: int
    differences_time: float
    backpropagation_time: float
    flops_ratio: float
    disagreement: float

    @property
    def passes_by_differences(self) -> int:
        """One forward pass at the weights, one with each weight nudged."""
        return self.n_weights + 1


def measure(sizes: tuple[int, int, int], *, budget: float = BUDGET) -> Cost:
    """Time both ways to the gradient of a tanh network's J on 32 random rows."""
    rng = np.random.default_rng(0)
    network = MLP(sizes, activation="tanh", bias=False)
    x, y = constant(rng.normal(size=(N_ROWS, sizes[0]))), constant(rng.normal(size=(N_ROWS, 1)))
    weights = network.variables()
    J = mean(0.5 * total(square(network.forward(x, weights).output - y), axis=1))
    slopes = gradient(J, list(weights.values()))
    forward = compile([J], list(weights.values()))
    both = compile([J, *slopes], list(weights.values()))
    arrays = [value.copy() for value in network.parameters.values()]

    by_backpropagation = np.concatenate([g.ravel() for g in both(*arrays)[1:]])
    by_differences, seconds = differences(lambda: float(forward(*arrays)[0]), arrays, budget=budget)
    n, done = len(by_backpropagation), len(by_differences)
    error = np.abs(by_differences - by_backpropagation[:done]).max()
    return Cost(
        n_weights=n,
        n_nudged=done,
        differences_time=seconds * (n + 1) / (done + 1),
        backpropagation_time=_best_time(lambda: both(*arrays)),
        flops_ratio=flops([J, *slopes], n_rows=N_ROWS) / flops([J], n_rows=N_ROWS),
        disagreement=float(error / np.abs(by_backpropagation).max()),
    )


def differences(
    J: Callable[[], float], arrays: list[Array], *, budget: float
) -> tuple[Array, float]:
    """dJ/dw ~ (J(.., w + h, ..) - J(.., w, ..)) / h, of as many weights as the budget allows [L2.1]

    `J` reads the arrays, which are nudged in place, an entry at a time. Returns the derivatives,
    at least one, and the seconds that they took.
    """
    begin = time.perf_counter()
    start, found = J(), []
    for array in arrays:
        flat = array.reshape(-1)
        for i, value in enumerate(flat.tolist()):
            flat[i] = value + STEP
            found.append((J() - start) / STEP)
            flat[i] = value
            if time.perf_counter() - begin > budget:
                return np.array(found), time.perf_counter() - begin
    return np.array(found), time.perf_counter() - begin


def _best_time(call: Callable[[], object], *, repeats: int = 20) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def replay() -> bool:
    """Print the replay; whether both ways give the same gradients."""
    page = Page("What a gradient costs: finite differences against backpropagation")
    page.section("L2.1", "finite differences: one forward pass, and one more for each weight")
    page.section(
        "L2.2", "backpropagation: one forward and one backward pass, for any number of weights"
    )
    costs = [measure(sizes) for sizes in SIZES]
    header = (
        "weights",
        "passes,\ndifferences",
        "passes,\nbackprop",
        "fewer\npasses",
        "time,\ndifferences",
        "time,\nbackprop",
        "less\ntime",
    )
    rows = [
        (
            cost.n_weights,
            cost.passes_by_differences,
            "1 + 1",
            f"{cost.passes_by_differences / 2:.1f} x",
            _milliseconds(cost.differences_time) + ("" if _is_whole(cost) else " *"),
            _milliseconds(cost.backpropagation_time),
            f"{cost.differences_time / cost.backpropagation_time:.1f} x",
        )
        for cost in costs
    ]
    page.table(header, rows, left=())
    for cost in costs:
        if not _is_whole(cost):
            page.line(
                f"* measured for {cost.n_nudged} of the {cost.n_weights} weights, and scaled up"
            )
        page.check(
            f"both gradients for {cost.n_weights} weights",
            1 + cost.disagreement,
            1,
            tolerance=AGREE,
        )
    page.line(
        f"A tanh network with one hidden layer, no biases, {N_ROWS} rows. The lecture counts a "
        "backward pass as one"
    )
    page.line(
        f"forward pass. Counted in flops, forward and backward together are "
        f"{costs[0].flops_ratio:.1f} to {costs[-1].flops_ratio:.1f} forward passes."
    )
    page.line(
        f"The two gradients differ by at most {max(c.disagreement for c in costs):.0e} of the "
        f"largest entry (step {STEP:g})."
    )
    for cost, lecture in zip(costs[1:3], (50, 500), strict=True):
        ratio = cost.passes_by_differences / 2
        page.check(f"{lecture} times cheaper, {cost.n_weights} weights", round(ratio, -1), lecture)
    return page.end()


def _is_whole(cost: Cost) -> bool:
    return cost.n_nudged == cost.n_weights


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
