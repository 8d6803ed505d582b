"""Make two_heads.npz: PyTorch trains a network of two inputs and two heads, in float64.

Made with Python 3.11, torch 2.13.0 (CPU), numpy 2.4.6:

    python tests/training/make_two_heads.py

The data, the initial parameters ("start W1.1", ...), and those after 100 epochs of Adam in batches
of 16 rows ("end W1.1", ...).
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

N, BATCH, EPOCHS, RATE = 64, 16, 100, 0.02
WEIGHTS, CLASS_WEIGHTS = (0.3, 1.7), [0.5, 1.0, 3.0]
SHAPES = {"1.1": (4, 6), "1.2": (2, 3), "2": (9, 5), "3.1": (5, 2), "3.2": (5, 3)}


def J_of(p: dict[str, torch.Tensor], a, b, numbers, labels) -> torch.Tensor:
    """0.3 times the squared error of one head, 1.7 times the cross entropy of the other."""
    inputs = [torch.tanh(a @ p["W1.1"] + p["b1.1"]), torch.tanh(b @ p["W1.2"] + p["b1.2"])]
    h = torch.tanh(torch.cat(inputs, 1) @ p["W2"] + p["b2"])
    error = h @ p["W3.1"] + p["b3.1"] - numbers
    logits = h @ p["W3.2"] + p["b3.2"]
    weight = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
    entropy = F.cross_entropy(logits, labels, weight=weight)
    return WEIGHTS[0] * (error**2).sum(1).mean() + WEIGHTS[1] * entropy


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(5)
    data = {
        "a": rng.normal(size=(N, 4)),
        "b": rng.normal(size=(N, 2)),
        "numbers": rng.normal(size=(N, 2)),
        "labels": rng.integers(0, 3, N),
    }
    start = {f"W{place}": rng.normal(size=shape) / 2 for place, shape in SHAPES.items()}
    start |= {f"b{place}": np.zeros(shape[1]) for place, shape in SHAPES.items()}
    p = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimizer = torch.optim.Adam(p.values(), lr=RATE)
    for _ in range(EPOCHS):
        for begin in range(0, N, BATCH):
            batch = [torch.tensor(value[begin : begin + BATCH]) for value in data.values()]
            loss = J_of(p, *batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    np.savez_compressed(
        Path(__file__).with_name("two_heads.npz"),
        versions=np.array([f"torch {torch.__version__}", f"numpy {np.__version__}"]),
        **data,
        **{f"start {name}": value for name, value in start.items()},
        **{f"end {name}": value.detach().numpy() for name, value in p.items()},
    )


if __name__ == "__main__":
    main()
