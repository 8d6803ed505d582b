"""Make trajectories.npz: parameters along 100 steps of the peers' optimizers, in float64.

Made with Python 3.11, torch 2.13.0 (CPU), optax 0.2.8 with jax 0.10.2, schedulefree 1.4.1,
numpy 2.4.6:

    python tests/optim/make_trajectories.py

The network is 3-5-2 with tanh, its loss half the squared error, mean over the rows, all rows at
each step. The arrays `X`, `Y` and the initial `W1, b1, W2, b2` are stored with the results, one
array (11, 32) for each optimizer: all parameters in this order, flat, at steps 0, 10, ..., 100.
Where an optimizer averages, they are the averages. "accumulate" goes through the rows in order,
5, 5, 5 and 2 at a time, 400 times, and steps once for 4 of them.
"""

from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
import torch
from optax import contrib
from schedulefree import AdamWScheduleFree
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

NAMES = ("W1", "b1", "W2", "b2")
VERSIONS = ("torch", "optax", "jax", "schedulefree", "numpy")


def decayed(p):
    return [{"params": p[0::2], "weight_decay": 0.03}, {"params": p[1::2]}]


def groups(p):
    return [
        {"params": p[0::2], "lr": 0.02, "weight_decay": 0.1},
        {"params": p[1::2], "lr": 0.005, "weight_decay": 0.0},
    ]


TORCH = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "dampening": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.4),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "rmsprop_centered": lambda p: torch.optim.RMSprop(
        p, lr=0.002, alpha=0.9, eps=1e-3, momentum=0.8, centered=True
    ),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.1),
    "adadelta": torch.optim.Adadelta,
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam_other": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.03, betas=(0.8, 0.9), amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.02),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.9, 0.99)),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.05, weight_decay=0.1),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "schedule_free_adamw": lambda p: AdamWScheduleFree(
        p, lr=0.05, weight_decay=0.1, warmup_steps=20, foreach=False
    ),
    "l2": lambda p: torch.optim.SGD(decayed(p), lr=0.1),
    "decay": lambda p: torch.optim.Adam(decayed(p), lr=0.01),
    "schedule": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
    "groups": lambda p: torch.optim.AdamW(groups(p)),
    "clip_value": lambda p: torch.optim.SGD(p, lr=0.1),
    "clip_norm": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
    "clip_global_norm": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
    "accumulate": lambda p: torch.optim.Adam(p, lr=0.01),
    "ema": lambda p: torch.optim.SGD(p, lr=0.1),
    "swa": lambda p: torch.optim.SGD(p, lr=0.1),
}
OPTAX = {
    "lion": lambda: optax.lion(0.01, weight_decay=0.1),
    "lamb": lambda: optax.lamb(0.02, weight_decay=0.1),
    "muon": lambda: optax.partition(
        {"matrix": contrib.muon(0.02, weight_decay=0.1), "vector": optax.adamw(0.01)},
        lambda p: {name: "matrix" if w.ndim == 2 else "vector" for name, w in p.items()},
    ),
    "lookahead": lambda: optax.lookahead(optax.sgd(0.1), sync_period=6, slow_step_size=0.7),
    "sam": lambda: contrib.sam(
        optax.sgd(0.1, momentum=0.5),
        optax.chain(contrib.normalize(), optax.sgd(0.2)),
        opaque_mode=True,
    ),
}


def rate(step: int) -> float:
    """The schedule: 0.1 / (1 + step / 20)."""
    return 0.1 / (1 + step / 20)


def flat(arrays) -> np.ndarray:
    return np.concatenate([np.asarray(array).ravel() for array in arrays])


class Parameters(torch.nn.Module):
    """What torch's averages want: a module that has the parameters."""

    def __init__(self, start):
        super().__init__()
        for name in NAMES:
            setattr(self, name, torch.nn.Parameter(torch.tensor(start[name])))


AVERAGES = {
    "ema": lambda module: AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
    "swa": AveragedModel,
}
CLIPS = {
    "clip_value": lambda p: clip_grad_value_(p, 0.05),
    "clip_norm": lambda p: [clip_grad_norm_(each, 0.1) for each in p],
    "clip_global_norm": lambda p: clip_grad_norm_(p, 0.2),
}


def of_torch(name: str, start: dict[str, np.ndarray], X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """All parameters at steps 0, 10, ..., 100."""
    module = Parameters(start)
    parameters = W1, b1, W2, b2 = [getattr(module, name) for name in NAMES]
    optimizer = TORCH[name](parameters)
    average = AVERAGES[name](module) if name in AVERAGES else None
    batches = [slice(5 * i, 5 * i + 5) for i in range(4)] if name == "accumulate" else [slice(None)]
    x, y = torch.tensor(X), torch.tensor(Y)
    found = []
    for step in range(101):
        if step % 10 == 0:
            if hasattr(optimizer, "eval"):
                optimizer.eval()
            read = parameters if average is None else average.module.parameters()
            found.append(flat([p.detach().numpy() for p in read]))
        if hasattr(optimizer, "train"):
            optimizer.train()
        if name == "schedule":
            optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        for rows in batches:
            output = torch.tanh(x[rows] @ W1 + b1) @ W2 + b2
            ((0.5 * (output - y[rows]) ** 2).sum(1).mean() / len(batches)).backward()
        if name in CLIPS:
            CLIPS[name](parameters)
        optimizer.step()
        if name == "ema" or (name == "swa" and step < 40):  # until then it is W
            average.update_parameters(module)
            if name == "swa":
                average.n_averaged.zero_()
        elif name == "swa" and (step + 1 - 40) % 3 == 0:
            average.update_parameters(module)
    return np.array(found)


def of_optax(name: str, start: dict[str, np.ndarray], X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """All parameters at steps 0, 10, ..., 100."""

    def J(p):
        output = jax.numpy.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        return (0.5 * (output - Y) ** 2).sum(1).mean()

    slope = jax.jit(jax.grad(J))
    optimizer = OPTAX[name]()
    w = {name: jax.numpy.array(value) for name, value in start.items()}
    if name == "lookahead":
        w = optax.LookaheadParams.init_synced(w)
    state, found = optimizer.init(w), []
    for step in range(101):
        fast, read = (w.fast, w.slow) if name == "lookahead" else (w, w)
        if step % 10 == 0:
            found.append(flat([read[name] for name in NAMES]))
        more = {"grad_fn": lambda p, _: slope(p)} if name == "sam" else {}
        updates, state = optimizer.update(slope(fast), state, w, **more)
        w = optax.apply_updates(w, updates)
    return np.array(found)


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)  # NAdam's product of momenta is kept in it
    jax.config.update("jax_enable_x64", True)  # as jax wants it
    rng = np.random.default_rng(20260101)
    X, Y = rng.normal(size=(17, 3)), rng.normal(size=(17, 2))
    shapes = {"W1": (3, 5), "b1": (5,), "W2": (5, 2), "b2": (2,)}
    start = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    found = {name: of_torch(name, start, X, Y) for name in TORCH}
    found |= {name: of_optax(name, start, X, Y) for name in OPTAX}
    versions = np.array([f"{name} {version(name)}" for name in VERSIONS])
    path = Path(__file__).with_name("trajectories.npz")
    np.savez_compressed(path, X=X, Y=Y, versions=versions, **start, **found)


if __name__ == "__main__":
    main()
