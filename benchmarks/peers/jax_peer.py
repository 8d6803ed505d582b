"""JAX: one jitted function an epoch, a scan over its batches, rows gathered inside; copies by vmap.

Unlike the others it takes labels as one-hot rows: a gather's gradient is slow on a CPU.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import Setting
from benchmarks.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Problem, Workload

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
PER_ROW = {
    "cross_entropy": lambda z, y: -jnp.sum(y * jax.nn.log_softmax(z), axis=-1),
    "half_squared_error": lambda z, y: 0.5 * jnp.sum((z - y) ** 2, axis=-1),
    "squared_error": lambda z, y: jnp.sum((z - y) ** 2, axis=-1),
}


def objective(work: Workload, weights: list[Any], x: Any, y: Any) -> Any:
    """J of a batch; in bfloat16 the products are, and nothing else."""

    def product(a: Any, W: Any) -> Any:
        if work.precision == "bfloat16":
            a, W = a.astype(jnp.bfloat16), W.astype(jnp.bfloat16)
        return jnp.matmul(a, W, preferred_element_type=work.dtype)

    a, layers = x, list(zip(weights[::2], weights[1::2], strict=True))
    for W, b in layers[:-1]:
        a = ACTIVATIONS[work.activation](product(a, W) + b)
    W, b = layers[-1]
    return jnp.mean(PER_ROW[work.loss](product(a, W) + b, y))


def update(work: Workload, w: Any, g: Any, slots: Any, t: Any) -> Any:
    """The new weight and its slots."""
    if work.optimizer == "adam":
        m = BETA1 * slots[0] + (1 - BETA1) * g
        v = BETA2 * slots[1] + (1 - BETA2) * g**2
        rate = work.learning_rate / (1 - BETA1**t)
        return w - rate * m / (jnp.sqrt(v / (1 - BETA2**t)) + EPSILON), (m, v)
    if work.optimizer == "momentum":
        velocity = MOMENTUM * slots[0] + g
        return w - work.learning_rate * velocity, (velocity,)
    return w - work.learning_rate * g, ()


def epoch(work: Workload, state: Any, batches: Any, X: Any, Y: Any) -> Any:
    """The state after an epoch, and J of each batch. batches (n_batches, B)."""

    def step(state: Any, rows: Any) -> Any:
        weights, slots, t = state
        J, slopes = jax.value_and_grad(partial(objective, work))(weights, X[rows], Y[rows])
        t = t + 1
        both = [update(work, *each, t) for each in zip(weights, slopes, slots, strict=True)]
        return ([w for w, _ in both], [s for _, s in both], t), J

    return jax.lax.scan(step, state, batches)


class Training:
    """An epoch is one call of compiled code."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        self.work, self.problem = work, problem
        jax.config.update("jax_enable_x64", work.precision == "float64")
        is_class = work.loss == "cross_entropy"
        Y = np.eye(work.sizes[-1], dtype=work.dtype)[problem.Y] if is_class else problem.Y
        self.X, self.Y = jnp.asarray(problem.X), jnp.asarray(Y)
        batches = problem.order.reshape(*problem.order.shape[:-1], work.batches, work.batch)
        self.batches = jnp.asarray(batches, jnp.int32)
        call = partial(epoch, work)
        if work.copies > 1:
            call = jax.vmap(call, in_axes=(0, 0, None, None))
        self.epoch = jax.jit(call, donate_argnums=0)
        self.reset()

    def reset(self) -> None:
        n_slots = {"adam": 2, "momentum": 1, "sgd": 0}[self.work.optimizer]
        weights = [jnp.array(w) for w in self.problem.weights]
        slots = [tuple(jnp.zeros_like(w) for _ in range(n_slots)) for w in weights]
        t = jnp.zeros(self.work.copies if self.work.copies > 1 else ())
        self.state = jax.block_until_ready((weights, slots, t))

    def run(self, times: int) -> float:
        for _ in range(times):
            self.state, J = self.epoch(self.state, self.batches, self.X, self.Y)
        jax.block_until_ready(self.state)
        return float(J.mean())
