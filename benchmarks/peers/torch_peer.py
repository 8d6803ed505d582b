"""PyTorch in three forms: eager modules and optimizers, one compiled step, and in place by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers import Setting, views
from benchmarks.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Problem, Workload
from benchmarks.workloads import Prediction as PredictionTask

torch.set_flush_denormal(True)

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


def objective(work: Workload, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum of the copies' J."""
    z = z.float() if work.precision == "bfloat16" else z
    if work.loss == "cross_entropy":
        return F.cross_entropy(z, y)
    half = 0.5 if work.loss == "half_squared_error" else 1.0
    return half * (z - y).square().sum() / work.batch


class Rows:
    """Data and batches as tensors."""

    def __init__(self, work: Workload, problem: Problem) -> None:
        self.X, self.Y = torch.from_numpy(problem.X), torch.from_numpy(problem.Y)
        parts = np.split(problem.order, work.batches, axis=-1)
        self.batches = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]


class Stack(nn.Module):
    """Dense layers; with copies each layer is one batched product."""

    def __init__(self, work: Workload, problem: Problem) -> None:
        super().__init__()
        self.f, weights = ACTIVATIONS[work.activation], map(torch.tensor, problem.weights)
        self.layers, self.weights = nn.ModuleList(), nn.ParameterList()
        if work.copies > 1:
            self.weights.extend(nn.Parameter(w) for w in weights)
            return
        for n_in, n_out in pairwise(work.sizes):
            layer = nn.Linear(n_in, n_out)
            layer.weight.data, layer.bias.data = next(weights).T.contiguous(), next(weights)[0]
            self.layers.append(layer)

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        if self.layers:
            for layer in self.layers[:-1]:
                a = self.f(layer(a))
            return self.layers[-1](a)
        weights = list(self.weights)
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            a = self.f(torch.baddbmm(b, a, W))
        return torch.baddbmm(weights[-1], a, weights[-2])


class EagerTraining:
    """`nn.Module`, autograd and a fused `torch.optim`; bfloat16 by autocast."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        self.work, self.problem, self.rows = work, problem, Rows(work, problem)
        self.reset()

    def reset(self) -> None:
        work = self.work
        self.network = Stack(work, self.problem)
        weights = self.network.parameters()
        if work.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(
                weights, work.learning_rate, (BETA1, BETA2), EPSILON, fused=True
            )
        else:
            momentum = MOMENTUM if work.optimizer == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(weights, work.learning_rate, momentum, fused=True)

    def run(self, times: int) -> float:
        X, Y, is_low = self.rows.X, self.rows.Y, self.work.precision == "bfloat16"
        for _ in range(times):
            total = torch.zeros(())
            for rows in self.rows.batches:
                self.optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=is_low):
                    z = self.network(X[rows])
                J = objective(self.work, z, Y[rows])
                J.backward()
                self.optimizer.step()
                total += J.detach()
        return float(total) / self.work.batches / self.work.copies


class CompiledTraining:
    """The whole step, gather and update included, as one graph of `torch.compile`."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        torch._dynamo.reset()
        self.work, self.problem, self.rows = work, problem, Rows(work, problem)
        self.weights = [torch.tensor(w) for w in problem.weights]
        self.m = [torch.zeros_like(w) for w in self.weights]
        self.v = [torch.zeros_like(w) for w in self.weights]
        self.t = torch.zeros(())
        self.step = torch.compile(self._step, fullgraph=True, dynamic=False)

    def reset(self) -> None:
        for w, value in zip(self.weights, self.problem.weights, strict=True):
            w.copy_(torch.from_numpy(value))
        for slot in (*self.m, *self.v, self.t):
            slot.zero_()

    def run(self, times: int) -> float:
        X, Y = self.rows.X, self.rows.Y
        for _ in range(times):
            total = torch.zeros(())
            for rows in self.rows.batches:
                total += self.step(X, Y, rows, self.weights, self.m, self.v, self.t)
        return float(total) / self.work.batches / self.work.copies

    def J(self, weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        is_low, f = self.work.precision == "bfloat16", ACTIVATIONS[self.work.activation]
        add = torch.addmm if self.work.copies == 1 else torch.baddbmm
        with torch.autocast("cpu", torch.bfloat16, enabled=is_low):
            for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                x = f(add(b, x, W))
            z = add(weights[-1], x, weights[-2])
        return objective(self.work, z, y)

    def _step(
        self,
        X: torch.Tensor,
        Y: torch.Tensor,
        rows: torch.Tensor,
        weights: list[torch.Tensor],
        moments: list[torch.Tensor],
        squares: list[torch.Tensor],
        t: torch.Tensor,
    ) -> torch.Tensor:
        slopes, J = torch.func.grad_and_value(self.J)(weights, X[rows], Y[rows])
        t += 1
        rate, kind = self.work.learning_rate, self.work.optimizer
        for w, g, m, v in zip(weights, slopes, moments, squares, strict=True):
            if kind == "adam":
                m.copy_(BETA1 * m + (1 - BETA1) * g)
                v.copy_(BETA2 * v + (1 - BETA2) * g * g)
                root = torch.sqrt(v / (1 - BETA2**t)) + EPSILON
                w.sub_(rate / (1 - BETA1**t) * m / root)
            elif kind == "momentum":
                m.copy_(MOMENTUM * m + g)
                w.sub_(rate * m)
            else:
                w.sub_(rate * g)
        return J


class InPlaceTraining:
    """No autograd and no allocation: products into buffers, one fused update of all weights.

    In bfloat16 the weights that the products read are copies; the update is of float32 masters.
    """

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        self.work, self.problem = work, problem
        self.is_low = work.precision == "bfloat16"
        self.rows = Rows(work, problem)
        own = self.rows.X.dtype
        dtype = torch.bfloat16 if self.is_low else own
        self.X, self.Y = self.rows.X.to(dtype), self.rows.Y
        self.batches = [rows.reshape(-1) for rows in self.rows.batches]
        size = sum(w.size for w in problem.weights)
        self.w, self.g, self.m, self.v = torch.zeros((4, size), dtype=own).unbind()
        self.low_w = torch.zeros(size, dtype=dtype) if self.is_low else self.w
        self.low_g = torch.zeros(size, dtype=dtype) if self.is_low else self.g
        shapes = [w.shape for w in problem.weights]
        self.weights, self.slopes = views(self.low_w, shapes), views(self.low_g, shapes)
        lead = (work.copies, work.batch) if work.copies > 1 else (work.batch,)
        self.a = [torch.empty((*lead, n), dtype=dtype) for n in work.sizes]
        self.delta = [torch.empty_like(a) for a in self.a]
        self.z, self.e = torch.empty((2, *lead, work.sizes[-1]), dtype=own).unbind()
        self.y = torch.empty((*lead, *self.Y.shape[1:]), dtype=self.Y.dtype)
        self.t, self.total = torch.zeros(()), torch.zeros(())
        # Views and transposes are made once: each would cost a microsecond or more a step.
        self.W, self.b = self.weights[::2], self.weights[1::2]
        self.dW, self.db = self.slopes[::2], self.slopes[1::2]
        self.WT, self.aT = [W.mT for W in self.W], [a.mT for a in self.a]
        self.x_flat = self.a[0].view(-1, work.sizes[0])
        self.y_flat = self.y.view(-1, *self.Y.shape[1:])
        self.label = self.y[..., None]
        self.add = torch.addmm if work.copies == 1 else torch.baddbmm
        self.product = torch.mm if work.copies == 1 else torch.bmm
        self.reset()

    def reset(self) -> None:
        flat = np.concatenate([w.ravel() for w in self.problem.weights])
        self.w.copy_(torch.from_numpy(flat))
        self.low_w.copy_(self.w)
        for slot in (self.m, self.v, self.t):
            slot.zero_()

    @torch.inference_mode()
    def run(self, times: int) -> float:
        for _ in range(times):
            self.total.zero_()
            for rows in self.batches:
                self.step(rows)
        return float(self.total) / self.work.batches / self.work.copies

    def step(self, rows: torch.Tensor) -> None:
        a, W, b, dW, db, last = self.a, self.W, self.b, self.dW, self.db, len(self.a) - 1
        torch.index_select(self.X, 0, rows, out=self.x_flat)
        torch.index_select(self.Y, 0, rows, out=self.y_flat)
        f = torch.tanh if self.work.activation == "tanh" else torch.relu_
        for k in range(last):
            self.add(b[k], a[k], W[k], out=a[k + 1])
            if k + 1 < last:
                f(a[k + 1], out=a[k + 1]) if f is torch.tanh else f(a[k + 1])
        self.loss(a[last], self.delta[last])
        for k in reversed(range(last)):
            self.product(self.aT[k], self.delta[k + 1], out=dW[k])
            torch.sum(self.delta[k + 1], -2, keepdim=True, out=db[k])
            if k:
                self.product(self.delta[k + 1], self.WT[k], out=self.delta[k])
                self.times_slope(self.delta[k], a[k])
        self.update()

    def times_slope(self, delta: torch.Tensor, a: torch.Tensor) -> None:
        """delta *= f'(z), from a = f(z)."""
        if self.work.activation == "tanh":
            torch.ops.aten.tanh_backward.grad_input(delta, a, grad_input=delta)
        else:
            torch.ops.aten.threshold_backward.grad_input(delta, a, 0, grad_input=delta)

    def loss(self, z: torch.Tensor, delta: torch.Tensor) -> None:
        """Add J to the total; delta = dJ/dz."""
        z = self.z.copy_(z) if self.is_low else z
        e = self.e if self.is_low else delta
        if self.work.loss == "cross_entropy":
            torch.softmax(z, -1, out=e)
            chosen = e.gather(1, self.label)
            self.total.sub_(chosen.log().sum(), alpha=1 / self.work.batch)
            e.scatter_(1, self.label, chosen.sub_(1.0)).mul_(1 / self.work.batch)
        else:
            half = 0.5 if self.work.loss == "half_squared_error" else 1.0
            torch.sub(z, self.y, out=e)
            flat = e.view(-1)
            self.total.add_(torch.dot(flat, flat), alpha=half / self.work.batch)
            e.mul_(2 * half / self.work.batch)
        if self.is_low:
            delta.copy_(e)

    def update(self) -> None:
        rate, kind = self.work.learning_rate, self.work.optimizer
        if self.is_low:
            self.g.copy_(self.low_g)
        if kind == "adam":
            self.t.add_(1.0)
            torch._fused_adam_(
                [self.w], [self.g], [self.m], [self.v], [], [self.t],
                lr=rate, beta1=BETA1, beta2=BETA2, weight_decay=0.0, eps=EPSILON,
                amsgrad=False, maximize=False,
            )  # fmt: skip
        elif kind == "momentum":
            self.m.mul_(MOMENTUM).add_(self.g)
            self.w.sub_(self.m, alpha=rate)
        else:
            self.w.sub_(self.g, alpha=rate)
        if self.is_low:
            self.low_w.copy_(self.w)


class Prediction:
    """The module called on a NumPy array, back to a NumPy array."""

    def __init__(self, task: PredictionTask, problem: Problem, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        self.X, self.network = problem.X, Stack(task.network_of, problem).eval()

    def reset(self) -> None:
        pass

    @torch.inference_mode()
    def run(self, times: int) -> float:
        for _ in range(times):
            output = torch.softmax(self.network(torch.from_numpy(self.X)), 1).numpy()
        return float(np.mean(output**2))
