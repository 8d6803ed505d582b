"""Make schedules.npz: the rates of PyTorch's schedulers at 60 steps, in float64.

Made with Python 3.11, torch 2.13.0 (CPU), numpy 2.4.6:

    python tests/optim/make_schedules.py

`metrics` are what "plateau" was shown after each step.
"""

from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler as peers

N = 60
SCHEDULERS = {
    "step": lambda o: peers.StepLR(o, 7, 0.3),
    "multi_step": lambda o: peers.MultiStepLR(o, [5, 20, 21], 0.3),
    "exponential": lambda o: peers.ExponentialLR(o, 0.9),
    "polynomial": lambda o: peers.PolynomialLR(o, 40, 1.5),
    "cosine": lambda o: peers.CosineAnnealingLR(o, N, 0.01),
    "restarts": lambda o: peers.CosineAnnealingWarmRestarts(o, 8, 2, 0.01),
    "one_cycle": lambda o: peers.OneCycleLR(o, 0.5, N, cycle_momentum=False),
    "one_cycle_linear": lambda o: peers.OneCycleLR(
        o,
        0.5,
        N,
        pct_start=0.4,
        anneal_strategy="linear",
        cycle_momentum=False,
        div_factor=10.0,
        final_div_factor=100.0,
    ),
    "warm_up": lambda o: peers.ChainedScheduler(
        [peers.LinearLR(o, 0.25, 1.0, 10), peers.ExponentialLR(o, 0.95)]
    ),
    "chained": lambda o: peers.SequentialLR(
        o, [peers.ConstantLR(o, 1.0, 100), peers.ExponentialLR(o, 0.9)], [15]
    ),
    "plateau": lambda o: peers.ReduceLROnPlateau(
        o, factor=0.5, patience=2, threshold=0.01, cooldown=3, min_lr=0.03
    ),
}


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(0)
    metrics = np.maximum(np.exp(-np.arange(N) / 8), 0.2) * rng.uniform(0.97, 1.03, N)
    found = {}
    for name, make in SCHEDULERS.items():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        scheduler, rates = make(optimizer), []
        for metric in metrics:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*([metric] if name == "plateau" else []))
        found[name] = np.array(rates)
    versions = np.array([f"torch {torch.__version__}", f"numpy {np.__version__}"])
    path = Path(__file__).with_name("schedules.npz")
    np.savez_compressed(path, metrics=metrics, versions=versions, **found)


if __name__ == "__main__":
    main()
