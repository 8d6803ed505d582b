"""NumPy by hand: buffers made once, every result written in place.

Shapes: B rows, I fan_in, O fan_out; with copies an axis of M before them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers import NotAvailable, Setting, views
from benchmarks.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Problem, Workload
from benchmarks.workloads import Prediction as PredictionTask


class Training:
    """Forward, backward and update written out. In float64 it is the reference for J."""

    def __init__(
        self, work: Workload, problem: Problem, setting: Setting, dtype: Any = None
    ) -> None:
        if work.precision == "bfloat16" and dtype is None:
            raise NotAvailable(f"NumPy has no {work.precision}")
        self.work, self.problem = work, problem
        dtype = dtype or work.dtype
        self.X = problem.X.astype(dtype)
        is_class = work.loss == "cross_entropy"
        self.Y = problem.Y if is_class else problem.Y.astype(dtype)
        shapes = [w.shape for w in problem.weights]
        self.w, self.g, self.m, self.v, self.tmp = np.zeros(
            (5, sum(w.size for w in problem.weights)), dtype
        )
        self.weights, self.slopes = views(self.w, shapes), views(self.g, shapes)
        lead = (work.copies, work.batch) if work.copies > 1 else (work.batch,)
        self.batches = np.split(problem.order, work.batches, axis=-1)
        self.a = [np.empty((*lead, size), dtype) for size in work.sizes]
        self.delta = [np.empty_like(a) for a in self.a]
        self.y = np.empty(lead, np.int64) if is_class else np.empty_like(self.a[-1])
        self.reset()

    def reset(self) -> None:
        np.concatenate([w.ravel() for w in self.problem.weights], out=self.w, casting="same_kind")
        self.m[:], self.v[:], self.t = 0, 0, 0

    def run(self, times: int) -> float:
        for _ in range(times):
            J = [self.step(np.ascontiguousarray(rows)) for rows in self.batches]
        return float(np.mean(J))

    def step(self, rows: np.ndarray) -> float:
        np.take(self.X, rows, axis=0, out=self.a[0], mode="clip")
        np.take(self.Y, rows, axis=0, out=self.y, mode="clip")
        a, W, b = self.a, self.weights[::2], self.weights[1::2]
        dW, db, last = self.slopes[::2], self.slopes[1::2], len(a) - 1
        for k in range(last):  # a = f(a @ W + b)
            np.matmul(a[k], W[k], out=a[k + 1])
            a[k + 1] += b[k]
            if k + 1 < last:
                self.activate(a[k + 1])
        J = self.loss(a[last], self.delta[last])
        for k in reversed(range(last)):  # dW = a.T @ delta, delta = (delta @ W.T) * f'
            np.matmul(a[k].swapaxes(-1, -2), self.delta[k + 1], out=dW[k])
            np.sum(self.delta[k + 1], axis=-2, keepdims=True, out=db[k])
            if k:
                np.matmul(self.delta[k + 1], W[k].swapaxes(-1, -2), out=self.delta[k])
                self.times_slope(self.delta[k], a[k])
        self.update()
        return J

    def activate(self, a: np.ndarray) -> None:
        if self.work.activation == "tanh":
            np.tanh(a, out=a)
        else:
            np.maximum(a, 0, out=a)

    def times_slope(self, delta: np.ndarray, a: np.ndarray) -> None:
        """delta *= f'(z), from a = f(z); a is overwritten."""
        if self.work.activation == "tanh":
            np.multiply(a, a, out=a)
            np.subtract(1, a, out=a)
            delta *= a
        else:
            delta *= a > 0

    def loss(self, z: np.ndarray, delta: np.ndarray) -> float:
        """J, the mean over the rows; delta = dJ/dz for each copy's own J."""
        rows, n = self.work.batch, self.y.size if self.y.ndim < z.ndim else z[..., 0].size
        if self.work.loss == "cross_entropy":
            z -= z.max(axis=-1, keepdims=True)
            np.exp(z, out=delta)
            delta /= delta.sum(axis=-1, keepdims=True)
            at = (np.arange(rows), self.y)
            J = -float(np.log(delta[at]).sum()) / n
            delta[at] -= 1
            delta /= rows
            return J
        np.subtract(z, self.y, out=delta)
        half = 0.5 if self.work.loss == "half_squared_error" else 1.0
        J = half * float(np.vdot(delta, delta)) / n
        delta *= 2 * half / rows
        return J

    def update(self) -> None:
        w, g, m, v, tmp, rate = self.w, self.g, self.m, self.v, self.tmp, self.work.learning_rate
        self.t += 1
        if self.work.optimizer == "adam":
            m *= BETA1
            m += np.multiply(g, 1 - BETA1, out=tmp)
            v *= BETA2
            np.multiply(g, g, out=g)
            v += np.multiply(g, 1 - BETA2, out=g)
            np.sqrt(np.multiply(v, 1 / (1 - BETA2**self.t), out=tmp), out=tmp)
            tmp += EPSILON
            np.divide(m, tmp, out=tmp)
            tmp *= rate / (1 - BETA1**self.t)
        elif self.work.optimizer == "momentum":
            m *= MOMENTUM
            m += g
            np.multiply(m, rate, out=tmp)
        else:
            np.multiply(g, rate, out=tmp)
        w -= tmp


class Prediction:
    """Softmax of relu layers, in as few calls as it takes."""

    def __init__(self, task: PredictionTask, problem: Problem, setting: Setting) -> None:
        self.X, weights = problem.X, problem.weights
        self.layers = list(zip(weights[::2], weights[1::2], strict=True))

    def reset(self) -> None:
        pass

    def run(self, times: int) -> float:
        for _ in range(times):
            output = self.predict(self.X)
        return float(np.mean(output**2))

    def predict(self, a: np.ndarray) -> np.ndarray:
        for W, b in self.layers[:-1]:
            a = a @ W
            a += b
            np.maximum(a, 0, out=a)
        W, b = self.layers[-1]
        z = a @ W
        z += b
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z
