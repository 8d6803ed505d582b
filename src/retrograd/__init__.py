"""retrograd: backpropagation at hardware speed, with every gradient open to inspection."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from retrograd import errors, gates
from retrograd.autodiff.gradient import gradient
from retrograd.gates import *
from retrograd.graph.node import Node, constant, variable
from retrograd.graph.shape import rows
from retrograd.load import load
from retrograd.nn.layers import Dense, Dropout, LayerNorm
from retrograd.nn.network import MLP, Network
from retrograd.optim.adam import Adam, AdamW
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.sgd import SGD
from retrograd.run import compile, evaluate
from retrograd.training.history import History
from retrograd.training.train import train

if TYPE_CHECKING:
    from retrograd.estimators.classifier import MLPClassifier
    from retrograd.estimators.regressor import MLPRegressor
    from retrograd.inspect.check import check_gradient
    from retrograd.inspect.trace import trace

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604  # the gates' names are strings too
    *gates.__all__,
    "LBFGS",
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "Dense",
    "Dropout",
    "History",
    "LayerNorm",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Node",
    "check_gradient",
    "compile",
    "constant",
    "errors",
    "evaluate",
    "gradient",
    "load",
    "rows",
    "trace",
    "train",
    "variable",
]

# Imported when they are asked for: scikit-learn, on which the estimators stand, costs a second;
# not every program looks at its gradients.
_LAZY = {
    "MLPClassifier": "retrograd.estimators.classifier",
    "MLPRegressor": "retrograd.estimators.regressor",
    "check_gradient": "retrograd.inspect.check",
    "trace": "retrograd.inspect.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'retrograd' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
