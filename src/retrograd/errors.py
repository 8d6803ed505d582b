"""The errors that retrograd raises, as one tree: catch the root to catch them all.

::

    RetrogradError                    anything below
    ├── GraphError (ValueError)       a graph that cannot be built or run: an unbound variable,
    │   │                             a gate out of place
    │   ├── ShapeError                operands whose sizes do not fit a gate
    │   └── DtypeError (TypeError)    operands of a kind that a gate does not take
    ├── DataError (ValueError)        a user's arrays: NaN, no rows, lengths that differ,
    │                                 labels out of range
    ├── OptionError (ValueError)      an argument out of its range, or of the wrong kind
    │   └── UnknownNameError          a name that is not known; the message lists the known ones
    ├── DivergenceError (ArithmeticError)
    │   │                             training left the finite numbers; says at which epoch and step
    │   └── FitDivergenceError (ValueError)
    │                                 the same in an estimator's fit: scikit-learn's is a ValueError
    ├── FileError (OSError)           a file that cannot be read or written
    │   ├── TableError                a table (CSV, Parquet) that is not one
    │   └── ModelFileError            a model file that is damaged, cut, or of another format
    └── MissingDependencyError (ImportError)
                                      an extra that is not installed; the message says
                                      how to install it

A message names what was wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any


class RetrogradError(Exception):
    """The root of every error that retrograd raises on purpose."""


class GraphError(RetrogradError, ValueError):
    """A graph that cannot be built or run."""


class ShapeError(GraphError):
    """Operands whose sizes do not fit a gate."""


class DtypeError(GraphError, TypeError):
    """Operands of a kind that a gate does not take."""


class DataError(RetrogradError, ValueError):
    """A user's arrays cannot be used as they are."""


class OptionError(RetrogradError, ValueError):
    """An argument is out of its range or of the wrong kind."""


class UnknownNameError(OptionError):
    """A name that is not known. The message lists the known names."""


class DivergenceError(RetrogradError, ArithmeticError):
    """Training left the finite numbers.

    `epoch` and `step` count from 1: the first step of the first epoch is (1, 1). `origin`: where
    the first NaN or infinity came from, layer, gate and operand; None where it was not found.
    """

    def __init__(self, message: str, *, epoch: int, step: int, origin: Any = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.origin = origin

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled as its positional arguments; these go by keyword.
        return partial(type(self), epoch=self.epoch, step=self.step, origin=self.origin), self.args


class FitDivergenceError(DivergenceError, ValueError):
    """Training of an estimator left the finite numbers: a ValueError, as in scikit-learn."""


class FileError(RetrogradError, OSError):
    """A file that cannot be read or written."""


class TableError(FileError):
    """A table (CSV, Parquet) that cannot be understood."""


class ModelFileError(FileError):
    """A model file that is damaged, cut, or not one of ours."""


class MissingDependencyError(RetrogradError, ImportError):
    """An optional dependency is not installed."""


def unknown_name(kind: str, name: object, known: Collection[str]) -> UnknownNameError:
    """The error for an unknown name: it lists the known ones, and that which was meant.

    >>> str(unknown_name("activation", "rellu", ["relu", "tanh"]))
    "unknown activation 'rellu' (did you mean 'relu'?); known: relu, tanh"
    >>> str(unknown_name("loss", "MSE", ["huber", "squared_error"]))
    "unknown loss 'MSE' (did you mean 'squared_error'?); known: huber, squared_error"
    """
    names = sorted(known)
    meant = _meant(str(name), names)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    return UnknownNameError(f"unknown {kind} {name!r}{hint}; known: {', '.join(names)}")


def _meant(name: str, known: Collection[str]) -> str | None:
    """The known name that is spelled alike, is called so elsewhere, or is the nearest."""
    from difflib import get_close_matches  # only an error needs it

    word = _plain(name)
    alike = [one for one in known if _plain(one) == word]
    called = [one for one in ELSEWHERE.get(word, "").split() if one in known]
    return next(iter([*alike, *called, *get_close_matches(name, known, n=1)]), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


ELSEWHERE = {
    # arguments
    "lr": "learning_rate",
    "learningrateinit": "learning_rate",
    "stepsize": "learning_rate every",
    "eta": "learning_rate",
    "betas": "beta1",
    "b1": "beta1",
    "b2": "beta2",
    "eps": "epsilon",
    "alpha": "rho l2",
    "decay": "weight_decay",
    "gamma": "factor",
    "milestones": "steps",
    "tmax": "steps",
    "totalsteps": "steps",
    "etamin": "final",
    "infeatures": "fan_in",
    "outfeatures": "fan_out",
    "units": "fan_out",
    "act": "activation",
    "usebias": "bias",
    "kernelinitializer": "initializer",
    "p": "rate",
    "numembeddings": "n_categories",
    "embeddingdim": "units",
    "normalizedshape": "units",
    "numfeatures": "units",
    "criterion": "loss",
    "lossfn": "loss",
    "optim": "optimizer",
    "solver": "optimizer",
    "maxiter": "epochs",
    "nepochs": "epochs",
    "numepochs": "epochs",
    "validationsplit": "validation",
    "validationdata": "validation",
    "validationfraction": "validation",
    "metrics": "score",
    "earlystopping": "patience",
    "niternochange": "patience",
    "tol": "tolerance",
    "randomstate": "seed",
    "verbose": "progress",
    "weightdecay": "l2",
    "device": "engine",
    "dtype": "precision",
    # losses
    "mse": "squared_error",
    "mseloss": "squared_error",
    "meansquarederror": "squared_error",
    "l2": "squared_error",
    "mae": "absolute_error",
    "l1": "absolute_error",
    "l1loss": "absolute_error",
    "meanabsoluteerror": "absolute_error",
    "smoothl1": "huber",
    "smoothl1loss": "huber",
    "crossentropyloss": "cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy",
    "binarycrossentropy": "cross_entropy",
    "bce": "cross_entropy",
    "bceloss": "cross_entropy",
    "bcewithlogits": "cross_entropy",
    "bcewithlogitsloss": "cross_entropy",
    "nll": "cross_entropy",
    "nllloss": "cross_entropy",
    "logloss": "cross_entropy",
    "categoricalhinge": "hinge",
    "multimarginloss": "hinge",
    "kl": "kl_divergence",
    "kldiv": "kl_divergence",
    "kldivloss": "kl_divergence",
    "pinball": "quantile",
    "cosinesimilarity": "cosine",
    # activations
    "swish": "silu",
    "linear": "identity",
    "none": "identity",
    "logistic": "sigmoid",
    "lrelu": "leaky_relu",
    # optimizers
    "momentum": "sgd",
    "cg": "conjugate_gradient",
    "scg": "scaled_conjugate_gradient",
    "lm": "levenberg_marquardt",
    # initializers
    "xavier": "glorot glorot_uniform",
    "xavieruniform": "glorot_uniform",
    "xaviernormal": "glorot_normal",
    "kaiming": "he he_uniform",
    "kaiminguniform": "he_uniform",
    "kaimingnormal": "he_normal",
    "randomnormal": "normal",
    "randomuniform": "uniform",
}
"""What PyTorch, Keras, scikit-learn or Optax call something, in small letters without signs, and
its names here: the first that is known where it is asked for."""


def require_known(kind: str, name: object, known: Collection[str]) -> str:
    """The name, if it is one of those known; else `unknown_name`.

    >>> require_known("shape", "linear", ["cosine", "linear"])
    'linear'
    """
    if isinstance(name, str) and name in known:
        return name
    raise unknown_name(kind, name, known)
