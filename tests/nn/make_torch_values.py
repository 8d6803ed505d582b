"""Make torch_values.npz: PyTorch's activations, losses and norms with gradients, in float64.

Made with Python 3.11, torch 2.13.0 (CPU), numpy 2.4.6:

    python tests/nn/make_torch_values.py

For each activation two arrays, its value and its gradient at `z`. For each loss its value, one
number with PyTorch's usual reduction, and its gradient in `output` (in `two_heads` for means and
variances side by side); outputs and targets are stored by name. For each normalisation what it
makes of `rows` with `scale` and `shift`, the gradient of sum(rows_dz * z) in the three, and the
running estimates after two batches, the second of them `rows`, and what a prediction makes of it.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

B, C, UNITS = 6, 3, 5

ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "tanh": torch.tanh,
    "hard_tanh": F.hardtanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
}

# name: (output, targets, the loss of both)
LOSSES = {
    "squared_error": ("output", "numbers", F.mse_loss),
    "absolute_error": ("output", "numbers", F.l1_loss),
    "huber": ("output", "numbers", lambda o, y: F.huber_loss(o, y, delta=0.5)),
    "poisson": ("output", "counts", F.poisson_nll_loss),
    "gaussian_nll": (
        "two_heads",
        "numbers",
        lambda o, y: F.gaussian_nll_loss(o[:, :C], y, torch.exp(o[:, C:]) + 1e-6, eps=1e-9),
    ),
    "cross_entropy": ("output", "labels", F.cross_entropy),
    "label_smoothing": (
        "output",
        "labels",
        lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1),
    ),
    "class_weights": (
        "output",
        "labels",
        lambda o, y: F.cross_entropy(o, y, weight=torch.tensor([0.5, 2.0, 3.0], dtype=o.dtype)),
    ),
    "binary_cross_entropy": ("output", "yes_or_no", F.binary_cross_entropy_with_logits),
    "hinge": ("output", "labels", F.multi_margin_loss),
    "squared_hinge": ("output", "labels", lambda o, y: F.multi_margin_loss(o, y, p=2)),
    "cosine": (
        "output",
        "numbers",
        lambda o, y: F.cosine_embedding_loss(o, y, torch.ones(B, dtype=o.dtype)),
    ),
    "kl_divergence": (
        "output",
        "shares",
        lambda o, y: F.kl_div(F.log_softmax(o, 1), y, reduction="batchmean"),
    ),
}


def norms(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Layer and batch normalisation, by the name of each array."""
    found = {}
    for name, layer in {
        "layer_norm": torch.nn.LayerNorm(UNITS, eps=0.01, dtype=torch.float64),
        "batch_norm": torch.nn.BatchNorm1d(UNITS, eps=0.01, momentum=0.3, dtype=torch.float64),
    }.items():
        with torch.no_grad():
            layer.weight[:] = torch.tensor(data["scale"])
            layer.bias[:] = torch.tensor(data["shift"])
        layer(torch.tensor(data["rows_before"]))
        x = torch.tensor(data["rows"], requires_grad=True)
        z = layer(x)
        (z * torch.tensor(data["rows_dz"])).sum().backward()
        own = {
            "z": z.detach(),
            "dx": x.grad,
            "dscale": layer.weight.grad,
            "dshift": layer.bias.grad,
        }
        layer.eval()
        own["prediction"] = layer(x).detach()
        if name == "batch_norm":
            own |= {"mean": layer.running_mean, "variance": layer.running_var}
        found |= {f"norm {name} {what}": array.numpy() for what, array in own.items()}
    return found


def with_gradient(function, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value, and the gradient of its sum."""
    leaf = torch.tensor(x, requires_grad=True)
    y = function(leaf)
    y.sum().backward()
    return y.detach().numpy(), leaf.grad.numpy()


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(20260301)
    kinks = [-3.0, -1.0, 0.0, 1.0, 3.0, 6.0]
    data = {
        "z": np.concatenate([np.linspace(-5, 8, 60), kinks]),
        "output": 2 * rng.normal(size=(B, C)),
        "two_heads": rng.normal(size=(B, 2 * C)),
        "numbers": rng.normal(size=(B, C)),
        "counts": rng.poisson(2.0, (B, C)).astype(float),
        "labels": np.array([0, 2, 1, 1, 2, 0]),
        "yes_or_no": rng.integers(0, 2, (B, C)).astype(float),
        "shares": rng.dirichlet(np.ones(C), B),
        "rows_before": rng.normal(-1, 3, size=(9, UNITS)),
        "rows": rng.normal(2, 3, size=(B, UNITS)),
        "rows_dz": rng.normal(size=(B, UNITS)),
        "scale": rng.uniform(-2, 2, UNITS),
        "shift": rng.normal(size=UNITS),
    }
    found = norms(data)
    for name, function in ACTIVATIONS.items():
        found[f"{name} value"], found[f"{name} gradient"] = with_gradient(function, data["z"])
    for name, (output, targets, function) in LOSSES.items():
        y = torch.tensor(data[targets])
        value, gradient = with_gradient(lambda o, f=function, y=y: f(o, y), data[output])
        found[f"loss {name} value"], found[f"loss {name} gradient"] = value, gradient
    versions = np.array([f"torch {torch.__version__}", f"numpy {np.__version__}"])
    path = Path(__file__).with_name("torch_values.npz")
    np.savez_compressed(path, versions=versions, **data, **found)


if __name__ == "__main__":
    main()
