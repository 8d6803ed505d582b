"""retrograd: backpropagation at hardware speed, with every gradient open to inspection."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# What a training needs is loaded now, so that its first step does not wait for it; all else, and
# what makes machine code, when it is asked for.
from retrograd import errors, gates
from retrograd.autodiff.gradient import gradient
from retrograd.engines.cpu import engine as _engine
from retrograd.gates import *
from retrograd.graph.node import Node, constant, variable
from retrograd.graph.shape import rows
from retrograd.load import load
from retrograd.nn.mlp import MLP
from retrograd.run import compile, evaluate
from retrograd.training.train import train

if TYPE_CHECKING:
    from retrograd.estimators.classifier import MLPClassifier
    from retrograd.estimators.ensemble_classifier import MLPEnsembleClassifier
    from retrograd.estimators.ensemble_regressor import MLPEnsembleRegressor
    from retrograd.estimators.multi_task import MLPMultiTask
    from retrograd.estimators.regressor import MLPRegressor
    from retrograd.inspect.check import check_gradient
    from retrograd.inspect.picture import picture
    from retrograd.inspect.recorder import Recorder
    from retrograd.inspect.sensitivity import integrated_gradients, nudges, sensitivity
    from retrograd.inspect.trace import trace
    from retrograd.inspect.verdicts import diagnose
    from retrograd.nn import initializers
    from retrograd.nn.embeddings import Embedding, Periodic, PiecewiseLinear, Select
    from retrograd.nn.ends import Heads, Inputs
    from retrograd.nn.joins import Concatenate, Residual
    from retrograd.nn.layers import Dense, Dropout
    from retrograd.nn.losses.classes import CrossEntropy
    from retrograd.nn.losses.focal import Focal
    from retrograd.nn.losses.joint import Losses
    from retrograd.nn.losses.likelihood import GaussianNLL, Tweedie
    from retrograd.nn.losses.regression import Huber, Quantile
    from retrograd.nn.network import Network
    from retrograd.nn.nonlinearities import (
        celu,
        elu,
        gelu,
        gelu_tanh,
        hard_sigmoid,
        hard_swish,
        hard_tanh,
        identity,
        leaky_relu,
        mish,
        prelu,
        relu6,
        selu,
        silu,
        softsign,
    )
    from retrograd.nn.normalisation import BatchNorm, LayerNorm
    from retrograd.nn.unit_wise import PReLU, Scale
    from retrograd.optim import schedules
    from retrograd.optim.accumulate import Accumulate
    from retrograd.optim.adam import Adam, AdamW
    from retrograd.optim.adam_variants import Adamax, NAdam, RAdam
    from retrograd.optim.averages import EMA, SWA, Lookahead
    from retrograd.optim.clip import Clip, Decay
    from retrograd.optim.conjugate_gradient import ConjugateGradient, ScaledConjugateGradient
    from retrograd.optim.groups import Groups
    from retrograd.optim.lbfgs import LBFGS
    from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
    from retrograd.optim.muon import Muon
    from retrograd.optim.norms import LAMB, Adafactor
    from retrograd.optim.rms import Adadelta, Adagrad, RMSprop
    from retrograd.optim.schedule_free import ScheduleFreeAdamW
    from retrograd.optim.sgd import SGD
    from retrograd.optim.sharpness import SAM
    from retrograd.optim.signs import Lion, Rprop
    from retrograd.plots.boundary import plot_boundary
    from retrograd.plots.checks import plot_gradient_check
    from retrograd.plots.classes import plot_confusion, plot_roc
    from retrograd.plots.layers import plot_distributions, plot_weights
    from retrograd.plots.losses import plot_history
    from retrograd.plots.norms import plot_norms
    from retrograd.plots.rates import plot_learning_rates
    from retrograd.plots.regression import plot_errors, plot_regression
    from retrograd.plots.surface import plot_loss_surface
    from retrograd.training.history import History
    from retrograd.training.least_squares import least_squares
    from retrograd.training.least_squares_fit import LeastSquaresFit
    from retrograd.training.rate_range import RateRange, learning_rate_range
    from retrograd.training.solvers.unit_variance import unit_variance

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604  # the gates' names are strings too
    *gates.__all__,
    "EMA",
    "LAMB",
    "LBFGS",
    "MLP",
    "SAM",
    "SGD",
    "SWA",
    "Accumulate",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BatchNorm",
    "Clip",
    "Concatenate",
    "ConjugateGradient",
    "CrossEntropy",
    "Decay",
    "Dense",
    "Dropout",
    "Embedding",
    "Focal",
    "GaussianNLL",
    "Groups",
    "Heads",
    "History",
    "Huber",
    "Inputs",
    "LayerNorm",
    "LeastSquaresFit",
    "LevenbergMarquardt",
    "Lion",
    "Lookahead",
    "Losses",
    "MLPClassifier",
    "MLPEnsembleClassifier",
    "MLPEnsembleRegressor",
    "MLPMultiTask",
    "MLPRegressor",
    "Muon",
    "NAdam",
    "Network",
    "Node",
    "PReLU",
    "Periodic",
    "PiecewiseLinear",
    "Quantile",
    "RAdam",
    "RMSprop",
    "RateRange",
    "Recorder",
    "Residual",
    "Rprop",
    "Scale",
    "Select",
    "ScaledConjugateGradient",
    "ScheduleFreeAdamW",
    "Tweedie",
    "celu",
    "check_gradient",
    "compile",
    "constant",
    "diagnose",
    "elu",
    "errors",
    "evaluate",
    "gelu",
    "gelu_tanh",
    "gradient",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "identity",
    "initializers",
    "integrated_gradients",
    "leaky_relu",
    "learning_rate_range",
    "least_squares",
    "load",
    "mish",
    "nudges",
    "picture",
    "plot_boundary",
    "plot_confusion",
    "plot_distributions",
    "plot_errors",
    "plot_gradient_check",
    "plot_history",
    "plot_learning_rates",
    "plot_loss_surface",
    "plot_norms",
    "plot_regression",
    "plot_roc",
    "plot_weights",
    "prelu",
    "relu6",
    "rows",
    "schedules",
    "selu",
    "sensitivity",
    "silu",
    "softsign",
    "trace",
    "train",
    "unit_variance",
    "variable",
]

# Imported when they are asked for: scikit-learn, on which the estimators stand, costs a second, all
# that networks and training know a tenth of it; and not every program trains.
_LAZY = {
    "Accumulate": "retrograd.optim.accumulate",
    "Adadelta": "retrograd.optim.rms",
    "Adafactor": "retrograd.optim.norms",
    "Adagrad": "retrograd.optim.rms",
    "Adam": "retrograd.optim.adam",
    "AdamW": "retrograd.optim.adam",
    "Adamax": "retrograd.optim.adam_variants",
    "BatchNorm": "retrograd.nn.normalisation",
    "Clip": "retrograd.optim.clip",
    "Concatenate": "retrograd.nn.joins",
    "ConjugateGradient": "retrograd.optim.conjugate_gradient",
    "CrossEntropy": "retrograd.nn.losses.classes",
    "Decay": "retrograd.optim.clip",
    "Dense": "retrograd.nn.layers",
    "Dropout": "retrograd.nn.layers",
    "EMA": "retrograd.optim.averages",
    "Embedding": "retrograd.nn.embeddings",
    "Focal": "retrograd.nn.losses.focal",
    "GaussianNLL": "retrograd.nn.losses.likelihood",
    "Groups": "retrograd.optim.groups",
    "Heads": "retrograd.nn.ends",
    "History": "retrograd.training.history",
    "Huber": "retrograd.nn.losses.regression",
    "Inputs": "retrograd.nn.ends",
    "LAMB": "retrograd.optim.norms",
    "LBFGS": "retrograd.optim.lbfgs",
    "LayerNorm": "retrograd.nn.normalisation",
    "LeastSquaresFit": "retrograd.training.least_squares_fit",
    "LevenbergMarquardt": "retrograd.optim.levenberg_marquardt",
    "Lion": "retrograd.optim.signs",
    "Lookahead": "retrograd.optim.averages",
    "Losses": "retrograd.nn.losses.joint",
    "MLPClassifier": "retrograd.estimators.classifier",
    "MLPEnsembleClassifier": "retrograd.estimators.ensemble_classifier",
    "MLPEnsembleRegressor": "retrograd.estimators.ensemble_regressor",
    "MLPMultiTask": "retrograd.estimators.multi_task",
    "MLPRegressor": "retrograd.estimators.regressor",
    "Muon": "retrograd.optim.muon",
    "NAdam": "retrograd.optim.adam_variants",
    "Network": "retrograd.nn.network",
    "PReLU": "retrograd.nn.unit_wise",
    "Periodic": "retrograd.nn.embeddings",
    "PiecewiseLinear": "retrograd.nn.embeddings",
    "Quantile": "retrograd.nn.losses.regression",
    "RAdam": "retrograd.optim.adam_variants",
    "RMSprop": "retrograd.optim.rms",
    "RateRange": "retrograd.training.rate_range",
    "Recorder": "retrograd.inspect.recorder",
    "Residual": "retrograd.nn.joins",
    "Rprop": "retrograd.optim.signs",
    "SAM": "retrograd.optim.sharpness",
    "SGD": "retrograd.optim.sgd",
    "SWA": "retrograd.optim.averages",
    "Scale": "retrograd.nn.unit_wise",
    "ScaledConjugateGradient": "retrograd.optim.conjugate_gradient",
    "ScheduleFreeAdamW": "retrograd.optim.schedule_free",
    "Select": "retrograd.nn.embeddings",
    "Tweedie": "retrograd.nn.losses.likelihood",
    "celu": "retrograd.nn.nonlinearities",
    "check_gradient": "retrograd.inspect.check",
    "diagnose": "retrograd.inspect.verdicts",
    "elu": "retrograd.nn.nonlinearities",
    "gelu": "retrograd.nn.nonlinearities",
    "gelu_tanh": "retrograd.nn.nonlinearities",
    "hard_sigmoid": "retrograd.nn.nonlinearities",
    "hard_swish": "retrograd.nn.nonlinearities",
    "hard_tanh": "retrograd.nn.nonlinearities",
    "identity": "retrograd.nn.nonlinearities",
    "initializers": "retrograd.nn.initializers",
    "integrated_gradients": "retrograd.inspect.sensitivity",
    "leaky_relu": "retrograd.nn.nonlinearities",
    "learning_rate_range": "retrograd.training.rate_range",
    "least_squares": "retrograd.training.least_squares",
    "mish": "retrograd.nn.nonlinearities",
    "nudges": "retrograd.inspect.sensitivity",
    "picture": "retrograd.inspect.picture",
    "plot_boundary": "retrograd.plots.boundary",
    "plot_confusion": "retrograd.plots.classes",
    "plot_distributions": "retrograd.plots.layers",
    "plot_errors": "retrograd.plots.regression",
    "plot_gradient_check": "retrograd.plots.checks",
    "plot_history": "retrograd.plots.losses",
    "plot_learning_rates": "retrograd.plots.rates",
    "plot_loss_surface": "retrograd.plots.surface",
    "plot_norms": "retrograd.plots.norms",
    "plot_regression": "retrograd.plots.regression",
    "plot_roc": "retrograd.plots.classes",
    "plot_weights": "retrograd.plots.layers",
    "prelu": "retrograd.nn.nonlinearities",
    "relu6": "retrograd.nn.nonlinearities",
    "schedules": "retrograd.optim.schedules",
    "selu": "retrograd.nn.nonlinearities",
    "sensitivity": "retrograd.inspect.sensitivity",
    "silu": "retrograd.nn.nonlinearities",
    "softsign": "retrograd.nn.nonlinearities",
    "trace": "retrograd.inspect.trace",
    "unit_variance": "retrograd.training.solvers.unit_variance",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'retrograd' has no attribute {name!r}")
    module = import_module(_LAZY[name])
    found = globals()[name] = getattr(module, name, module)  # some are modules themselves
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
