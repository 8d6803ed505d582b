"""The optimizers by name."""

from __future__ import annotations

from retrograd.errors import OptionError, unknown_name
from retrograd.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from retrograd.optim.base import Optimizer
from retrograd.optim.conjugate_gradient import ConjugateGradient, ScaledConjugateGradient
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.optim.muon import Muon
from retrograd.optim.norms import LAMB, Adafactor
from retrograd.optim.rms import Adadelta, Adagrad, RMSprop
from retrograd.optim.schedule_free import ScheduleFreeAdamW
from retrograd.optim.sgd import SGD
from retrograd.optim.signs import Lion, Rprop

OPTIMIZERS: dict[str, type[Optimizer | FullBatch]] = {
    "sgd": SGD,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": AdamW,
    "adamax": Adamax,
    "nadam": NAdam,
    "radam": RAdam,
    "lion": Lion,
    "lamb": LAMB,
    "adafactor": Adafactor,
    "muon": Muon,
    "rprop": Rprop,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "lbfgs": LBFGS,
    "conjugate_gradient": ConjugateGradient,
    "scaled_conjugate_gradient": ScaledConjugateGradient,
    "levenberg_marquardt": LevenbergMarquardt,
}


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
    if isinstance(made, SGD):
        return SGD(learning_rate, momentum=0.9)
    return made.with_rate(learning_rate)
