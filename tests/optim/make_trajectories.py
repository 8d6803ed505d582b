"""Make trajectories.npz: parameters along 100 steps of PyTorch's optimizers, in float64.

Made with Python 3.11, torch 2.13.0 (CPU), numpy 2.4.6:

    python tests/optim/make_trajectories.py

The network is 3-5-2 with tanh, its loss half the squared error, mean over the rows, all rows at
each step. The arrays `X`, `Y` and the initial `W1, b1, W2, b2` are stored with the results, one
array (11, 32) for each optimizer: all parameters in this order, flat, at steps 0, 10, ..., 100.
"""

from pathlib import Path

import numpy as np
import torch

NAMES = ("W1", "b1", "W2", "b2")
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam_other": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "l2": lambda p: torch.optim.SGD(
        [{"params": p[0::2], "weight_decay": 0.03}, {"params": p[1::2]}], lr=0.1
    ),
    "schedule": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
}


def rate(step: int) -> float:
    """The schedule: 0.1 / (1 + step / 20)."""
    return 0.1 / (1 + step / 20)


def trajectory(name: str, start: dict[str, np.ndarray], X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """All parameters at steps 0, 10, ..., 100."""
    parameters = [torch.tensor(start[n], requires_grad=True) for n in NAMES]
    W1, b1, W2, b2 = parameters
    optimizer = OPTIMIZERS[name](parameters)
    x, y = torch.tensor(X), torch.tensor(Y)
    found = []
    for step in range(101):
        if step % 10 == 0:
            found.append(np.concatenate([p.detach().numpy().ravel() for p in parameters]))
        if name == "schedule":
            optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        output = torch.tanh(x @ W1 + b1) @ W2 + b2
        (0.5 * (output - y) ** 2).sum(1).mean().backward()
        optimizer.step()
    return np.array(found)


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(20260101)
    X, Y = rng.normal(size=(17, 3)), rng.normal(size=(17, 2))
    shapes = {"W1": (3, 5), "b1": (5,), "W2": (5, 2), "b2": (2,)}
    start = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    found = {name: trajectory(name, start, X, Y) for name in OPTIMIZERS}
    versions = np.array([f"torch {torch.__version__}", f"numpy {np.__version__}"])
    path = Path(__file__).with_name("trajectories.npz")
    np.savez_compressed(path, X=X, Y=Y, versions=versions, **start, **found)


if __name__ == "__main__":
    main()
