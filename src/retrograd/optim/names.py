"""The optimizers by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from retrograd.errors import OptionError, unknown_name
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.registry import Registry

OPTIMIZERS: Registry[type[Optimizer | FullBatch]] = Registry(
    "retrograd.optim",
    {
        "sgd": "sgd:SGD",
        "rmsprop": "rms:RMSprop",
        "adagrad": "rms:Adagrad",
        "adadelta": "rms:Adadelta",
        "adam": "adam:Adam",
        "adamw": "adam:AdamW",
        "adamax": "adam_variants:Adamax",
        "nadam": "adam_variants:NAdam",
        "radam": "adam_variants:RAdam",
        "lion": "signs:Lion",
        "lamb": "norms:LAMB",
        "adafactor": "norms:Adafactor",
        "muon": "muon:Muon",
        "rprop": "signs:Rprop",
        "schedule_free_adamw": "schedule_free:ScheduleFreeAdamW",
        "lbfgs": "lbfgs:LBFGS",
        "conjugate_gradient": "conjugate_gradient:ConjugateGradient",
        "scaled_conjugate_gradient": "conjugate_gradient:ScaledConjugateGradient",
        "levenberg_marquardt": "levenberg_marquardt:LevenbergMarquardt",
    },
)


def find_optimizer(optimizer: Optimizer | FullBatch | str) -> Optimizer | FullBatch:
    """The optimizer of a name, with its default numbers, or the optimizer itself.

    >>> find_optimizer("adam")
    Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=False)
    """
    if isinstance(optimizer, Optimizer | FullBatch):
        return optimizer
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]()
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer | FullBatch):
        raise OptionError(f"optimizer: pass an instance, rg.{optimizer.__name__}(), not the class")
    raise unknown_name("optimizer", optimizer, OPTIMIZERS)


def with_usual_momentum(name: str, learning_rate: float | None) -> Optimizer | FullBatch:
    """The optimizer of a name at this learning rate, if one is given; SGD with momentum 0.9."""
    made = find_optimizer(name)
    if isinstance(made, FullBatch) or learning_rate is None:
        return made
    usual: dict[str, Any] = {"momentum": 0.9} if name == "sgd" else {}
    return replace(made.with_rate(learning_rate), **usual)
