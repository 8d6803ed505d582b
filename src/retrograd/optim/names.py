"""The optimizers by name."""

from __future__ import annotations

from retrograd.errors import OptionError, unknown_name
from retrograd.optim.adam import Adam, AdamW
from retrograd.optim.base import Optimizer
from retrograd.optim.conjugate_gradient import ConjugateGradient, ScaledConjugateGradient
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.optim.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer | FullBatch]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "lbfgs": LBFGS,
    "conjugate_gradient": ConjugateGradient,
    "scaled_conjugate_gradient": ScaledConjugateGradient,
    "levenberg_marquardt": LevenbergMarquardt,
}


def find_optimizer(optimizer: Optimizer | FullBatch | str) -> Optimizer | FullBatch:
    """The optimizer of a name, with its default numbers, or the optimizer itself.

    >>> find_optimizer("adam")
    Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """
    if isinstance(optimizer, Optimizer | FullBatch):
        return optimizer
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]()
    if isinstance(optimizer, type) and optimizer in OPTIMIZERS.values():
        raise OptionError(f"optimizer: pass an instance, rg.{optimizer.__name__}(), not the class")
    raise unknown_name("optimizer", optimizer, OPTIMIZERS)
