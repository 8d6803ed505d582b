"""What the two estimators share: parameters and their ranges, the course of a fit, prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_is_fitted,
    validate_data,
)

from retrograd.arrays import Array, SparseRows
from retrograd.errors import DataError, DivergenceError, OptionError, ShapeError
from retrograd.estimators import inputs, look, options
from retrograd.estimators.border import (
    checked,
    plainly,
    require_finite_outputs,
    require_unmasked,
    weights_in,
)
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.descent import descend
from retrograd.estimators.form import Form, Place, activations_of, initial, named, outputs
from retrograd.estimators.full_batch import solve
from retrograd.estimators.inputs import Inputs, Scale
from retrograd.estimators.losses import loss_of
from retrograd.estimators.notes import Notes
from retrograd.estimators.ongoing import Ongoing
from retrograd.estimators.optimizers import (
    SCIKIT_LEARN_LBFGS,
    OptimizerState,
    full_batch_of,
    is_stochastic,
    start,
)
from retrograd.estimators.quasi_newton import minimise
from retrograd.estimators.validation import Given, Held, Score, append, hold_out
from retrograd.inspect.subject import Subject
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Network
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession
from retrograd.training.train import MIXED

HISTORY = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
    "is_stopped_",
)


@dataclass(frozen=True, eq=False)
class Targets:
    """Checked targets: as the network takes them, as scores compare them, and to split by."""

    target: Target
    n_outputs: int
    truth: Any
    stratify: Any = None


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn is not typed
    """The base of the estimators. Parameters and attributes are scikit-learn's, names and all.

    The fitted state is plain arrays and numbers: `coefs_` and `intercepts_` may be read, changed
    in place and assigned.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        **options.CONSTRAINTS,
    }

    _is_numeric: ClassVar[bool] = False  # whether targets are numbers
    # Parameters, set by the constructors of the two.
    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: int | str
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    loss: Any
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool | int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    clip_norm: float | None
    standardize: bool
    encode_columns: bool
    callbacks: Any
    engine: Any
    precision: str
    n_threads: int | None
    random_starts: int

    # Attributes, set by fit.
    coefs_: list[Array]
    intercepts_: list[Array]
    n_features_in_: int
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: Any  # None with early stopping, as the next two are without
    validation_scores_: Any
    best_validation_score_: Any
    validation_loss_curve_: Any
    is_stopped_: bool
    _no_improvement_count: int
    _dtype: np.dtype[Any]
    _optimizer: OptimizerState
    _best_weights: Mapping[str, Array] | None = None
    _inputs: Inputs | None = None
    _target_scale: Scale | None = None
    _ongoing: Ongoing | None = None

    @abstractmethod
    def _meet(self, y: Any, *, is_first: bool, is_partial: bool) -> None:
        """Learn from the checked y what its targets are, or require that they are as before."""

    @abstractmethod
    def _targets(self, y: Any, *, dtype: np.dtype[Any]) -> Targets:
        """The checked y as targets."""

    @abstractmethod
    def _row_weights(
        self, y: Any, sample_weight: Array | None, *, is_partial: bool
    ) -> Array | None:
        """The weights of rows, with those of their classes."""

    @abstractmethod
    def _ready_target(self, y: Array) -> Array | None:
        """The targets of y where it needs no more checks than can be made at once; else None."""

    @abstractmethod
    def _output_activation(self) -> str:
        """What turns the last layer's result into predictions."""

    @abstractmethod
    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        """The score of the network's output; NaN where it is not finite."""

    def _score_by(self, loss: Loss) -> Score | None:
        """How validation rows are scored; None for the negative of their loss."""
        return self._score_of

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, given: Given | None = None, *, is_partial: bool
    ) -> Self:
        self._settle()
        hidden = _hidden_sizes(self.hidden_layer_sizes)
        is_first = not hasattr(self, "coefs_") or not (self.warm_start or is_partial)
        calls = Calls(self, X, y, {"sample_weight": sample_weight})
        X, y = self._checked(X, y, is_first=is_first)
        # A model that goes on keeps the precision of its first fit.
        dtype = X.dtype if is_first else self._dtype
        X = X.astype(dtype, copy=False)
        with plainly():
            self._meet(y, is_first=is_first, is_partial=is_partial)
            targets = self._targets(y, dtype=dtype)
        sample_weight = self._weighed(X, y, sample_weight, is_partial=is_partial)
        rng = check_random_state(self.random_state)
        sizes = (X.shape[1], *hidden, targets.n_outputs)
        if is_first:
            self._begin(sizes, rng, dtype)
        form = self._form()
        if form.sizes != sizes:
            raise ShapeError(
                f"the weights are for the sizes {form.sizes}, the parameters and data ask for "
                f"{sizes}; fit with warm_start=False to begin again"
            )
        if self.early_stopping and is_partial and given is None:
            raise OptionError("partial_fit does not support early_stopping=True")
        if is_partial and getattr(self, "is_stopped_", False) and given is not None:
            return self
        network = form.network(dtype, options.rates_of(self.dropout, len(hidden)))
        data = _rows(X, targets, sample_weight)
        loss = self._loss(network)
        order, held = np.arange(len(data)), None
        if given is not None:
            data, held = self._append(data, given, loss)
        elif self.early_stopping and is_stochastic(self.solver):
            order, held = hold_out(self, data, targets, rng=rng, score=self._score_by(loss))
        n_starts = self.random_starts if is_first else 1
        self._best_of(
            n_starts, sizes, network, data, loss, order, held, rng, calls, is_partial=is_partial
        )
        calls.end()
        return self

    def _weighed(self, X: Any, y: Any, sample_weight: Any, *, is_partial: bool) -> Array | None:
        """The weights of rows that a user gave, checked, with those of their classes."""
        if sample_weight is not None:
            require_unmasked(sample_weight, "sample_weight")
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=X.dtype, ensure_non_negative=True
            )
        return self._row_weights(y, sample_weight, is_partial=is_partial)

    def _loss(self, network: Network) -> Loss:
        return loss_of(self.loss, network, getattr(self, "label_smoothing", 0.0))

    def _checked(self, X: Any, y: Any = None, *, is_first: bool) -> tuple[Any, Any]:
        """X and y checked, X as the network takes it."""
        is_encoded = self.encode_columns
        if not is_encoded:
            X, y = checked(
                self,
                X,
                y,
                multi_output=True,
                y_numeric=self._is_numeric,
                dtype=options.dtypes_of(self.precision),
                reset=is_first,
            )
        else:
            validate_data(self, X, reset=is_first, skip_check_array=True)
            y = _check_y(y, multi_output=True, y_numeric=self._is_numeric, estimator=self)
            check_consistent_length(X, y)
        if is_first:
            self._inputs = None
            if is_encoded or self.standardize:
                self._inputs = inputs.learn(X, self._column_names(), encode=is_encoded)
        return self._encoded(X), y

    def _encoded(self, X: Any) -> Any:
        """Checked X as the network takes it."""
        if self._inputs is None:
            return X
        found = self._inputs.apply(X, self._column_names())
        if self.encode_columns and self.precision != "auto":
            return found.astype(options.dtypes_of(self.precision))
        return found

    def _column_names(self) -> list[str]:
        named = getattr(self, "feature_names_in_", None)
        return list(named) if named is not None else [f"x{j}" for j in range(self.n_features_in_)]

    def _append(self, data: Rows, given: Given, loss: Loss) -> tuple[Rows, Held]:
        """The data with the validation rows that were given behind them."""
        try:
            X, y = self._checked(given.X, given.y, is_first=False)
            dtype = data.X.dtype
            weights = given.sample_weight
            if weights is not None:
                weights = _check_sample_weight(weights, X, dtype=dtype, ensure_non_negative=True)
            self._meet(y, is_first=False, is_partial=True)
            targets = self._targets(y, dtype=dtype)
        except DataError as error:
            raise DataError(f"validation data: {error}") from None
        if targets.target.array.shape[1:] != data.only_target.array.shape[1:]:
            raise DataError(
                f"validation data: y_val has the shape {targets.target.array.shape}, "
                f"y has {data.only_target.array.shape}; they must have the same form"
            )
        score, stops = self._score_by(loss), self.early_stopping
        return append(data, X.astype(dtype, copy=False), targets, weights, score, stops=stops)

    def _best_of(
        self,
        n_starts: int,
        sizes: tuple[int, ...],
        network: Network,
        data: Rows,
        loss: Loss,
        order: Array,
        held: Held | None,
        rng: np.random.RandomState,
        calls: Calls,
        *,
        is_partial: bool,
    ) -> None:
        """Train from each start in turn; the model is left as the best of them left it."""
        best: tuple[float, dict[str, Any]] | None = None
        failed: DivergenceError | None = None
        for number in range(n_starts):
            if number:
                self._begin(sizes, rng, data.X.dtype)
            network.parameters.update(named(*self._weights()))
            try:
                self._train(network, data, loss, order, held, rng, calls, is_partial=is_partial)
            except DivergenceError as error:
                if n_starts == 1:
                    raise
                failed = error
                continue
            figure = -self.loss_ if held is None else self.best_validation_score_
            if best is None or figure > best[0]:
                best = figure, dict(self.__dict__)
        if best is None:
            assert failed is not None
            raise failed
        self.__dict__.update(best[1])

    def _train(
        self,
        network: Network,
        data: Rows,
        loss: Loss,
        order: Array,
        held: Held | None,
        rng: np.random.RandomState,
        calls: Calls,
        *,
        is_partial: bool,
    ) -> None:
        """Train the network on the rows `order`, and give the model its attributes."""
        alpha, goes_on = float(self.alpha), is_partial and hasattr(self, "_optimizer")
        is_by_batches, full_batch = is_stochastic(self.solver), None
        if is_by_batches and not goes_on:
            self._optimizer = start(self)
        elif not is_by_batches:
            full_batch = full_batch_of(self)
        noise = network.noise()
        session = TrainingSession(
            network,
            data,
            loss=loss,
            optimizer=self._optimizer.optimizer if is_by_batches else None,
            # The penalty alpha/2 ||W||**2 is divided by the batch's weight, as the loss is.
            l2=lambda weights: np.divide(
                alpha, weights, where=weights > 0, out=np.zeros(len(weights))
            ),
            engine=self._place().find(),
            is_mixed=self.precision == MIXED,
            is_least_squares=isinstance(full_batch, LevenbergMarquardt),
            seed=0 if noise is None else int(rng.randint(2**31 - 1)),
        )
        self._begin_history(held)
        best = self._best_weights if is_partial else None
        if best is None and held is not None and self.best_validation_score_ == -np.inf:
            best = session.parameters()  # no score may be better than none, as where all are NaN
        notes = Notes(
            self,
            session,
            held,
            after_epoch=calls.after_epoch(),
            best=best,
        )
        if is_by_batches:
            if goes_on:
                own = session.engine.snapshot()
                state = {name: x for name, x in self._optimizer.state.items() if name in own}
                session.engine.restore(state)
                session.assign(network.parameters)
            run = descend(self, session, notes, order=order, rng=rng, is_partial=is_partial)
            is_plain = held is None and not notes.calls_back and self._inputs is None
            if is_partial and is_plain and data.sample_weight is None and noise is None:
                self._ongoing = Ongoing(self, run, data.only_target)
        elif full_batch is None:
            minimise(self, session, notes, order)
        else:
            solve(self, session, notes, order, full_batch)

    def _begin(
        self, sizes: tuple[int, ...], rng: np.random.RandomState, dtype: np.dtype[Any]
    ) -> None:
        """Draw initial weights and set the attributes of a model without an epoch."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_, self.n_outputs_ = len(sizes), sizes[-1]
        self.out_activation_ = self._output_activation()
        self._dtype = dtype
        form = Form(sizes, activations_of(self.activation, len(sizes) - 2), self.out_activation_)
        try:
            self.coefs_, self.intercepts_ = initial(form, rng, dtype, self.activation)
        except (MemoryError, ValueError) as error:
            raise OptionError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}: weights of the shapes "
                f"{form.shapes} are more than fit in memory"
            ) from error
        self._best_weights = None
        for name in HISTORY:
            if hasattr(self, name):
                delattr(self, name)

    def _begin_history(self, held: Held | None) -> None:
        """Begin what this kind of fit takes down, where no fit before it has."""
        is_silent = self.solver == SCIKIT_LEARN_LBFGS
        if not (is_silent or hasattr(self, "loss_curve_")):
            self.loss_curve_ = []
            self.best_loss_ = self.validation_scores_ = self.best_validation_score_ = None
            self._no_improvement_count = 0
        if held is not None and getattr(self, "validation_scores_", None) is None:
            self.validation_scores_, self.validation_loss_curve_ = [], []
            self.best_validation_score_ = -np.inf
        if not is_silent and self.best_loss_ is None and not (held is not None and held.stops):
            self.best_loss_ = np.inf

    def _form(self) -> Form:
        """The form of the network with the weights that are there now."""
        coefs, _ = self._weights()
        sizes = (len(coefs[0]), *(coef.shape[1] for coef in coefs))
        return Form(sizes, activations_of(self.activation, len(sizes) - 2), self.out_activation_)

    def _weights(self) -> tuple[list[Array], list[Array]]:
        """The weights that are there now, assigned ones too, in the precision of the fit."""
        return weights_in(self.coefs_, self.intercepts_, self._dtype)

    def _place(self) -> Place:
        return Place(self.engine, self.n_threads)

    def _rows_for(self, X: Any) -> Any:
        """A user's X as the network of the fitted model takes it."""
        check_is_fitted(self)
        if self.encode_columns:
            validate_data(self, X, reset=False, skip_check_array=True)
        else:
            dtype = "numeric" if self.precision == "auto" else options.dtypes_of(self.precision)
            X = checked(self, X, dtype=dtype, reset=False)
        return self._encoded(X)

    def activations(self, X: Any, layer: int) -> Array:
        """What a layer gives out for each row of X: (n, units of the layer).

        `layer`: 1 is the first hidden one, `n_layers_ - 1` the output; -1 is the last, too.

        >>> X = np.linspace(-1.0, 1.0, 21)[:, None]
        >>> model = rg.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs").fit(X, X.ravel())
        >>> model.activations(X, 1).shape
        (21, 8)
        """
        X = self._rows_for(X)
        n = len(self.coefs_)
        is_number = isinstance(layer, Integral) and not isinstance(layer, bool)
        if not is_number or not (1 <= layer <= n or -n <= layer <= -1):
            raise OptionError(
                f"activations: layer is from 1 (the first hidden one) to {n} (the output), or "
                f"counts from the end as -1; got {layer!r}"
            )
        number = int(layer) if layer > 0 else n + 1 + int(layer)
        return look.activations(self._form(), *self._weights(), X, number, self._place())

    def _input_gradients(self, X: Any) -> Array:
        """d(output)/d(column of X) for each row: (n, n_outputs, n_features)."""
        X = self._rows_for(X)
        found = look.input_gradients(self._form(), *self._weights(), X, self._place())
        return found if self._inputs is None else self._inputs.of_features(found)

    def _outputs(self, X: Any) -> Array:
        """The network's output for a user's X: (n, n_outputs_)."""
        X = self._rows_for(X)
        found = outputs(self._form(), *self._weights(), X, self._place())
        require_finite_outputs(found)
        return found

    def _settle(self) -> None:
        """Close the session of partial_fit that is open; its state becomes the model's."""
        if self._ongoing is not None:
            self._ongoing.settle()
            self._ongoing = None

    def __getstate__(self) -> Any:
        if self._ongoing is not None:
            self._ongoing.settle()
        return {k: v for k, v in super().__getstate__().items() if k != "_ongoing"}

    def _goes_on(self, X: Any, y: Any) -> bool:
        """Run one epoch on the session that is open, if there is one that takes these rows."""
        if self._ongoing is None or hasattr(self, "_skl_callbacks"):
            return False
        rows = self._ongoing.rows(self, X, y)
        if rows is None:
            return False
        self._ongoing.go(self, rows)
        return True

    def _as_network(self) -> Network:
        """The network as it is trained, with the weights that are there now."""
        check_is_fitted(self)
        form = self._form()
        rates = options.rates_of(self.dropout, len(form.activations))
        network = form.network(self._dtype, rates)
        network.parameters.update(named(*self._weights()))
        return network

    def _inputs_for(self, X: Any) -> Any:
        """A user's X as that network takes it."""
        return self._rows_for(X)

    def _subject(self, X: Any, y: Any, sample_weight: Any = None) -> Subject:
        """The network, its loss and penalty, and these rows, to be looked at.

        Rows are prepared as in `fit`, and count by `sample_weight` and `class_weight`; "balanced"
        balances the classes of these rows.
        """
        network = self._as_network()
        X, y = self._checked(X, y, is_first=False)
        X = X.astype(self._dtype, copy=False)
        with plainly():
            self._meet(y, is_first=False, is_partial=True)  # they may lack a class
            targets = self._targets(y, dtype=self._dtype)
        if targets.n_outputs != self.n_outputs_:
            raise ShapeError(
                f"y: targets of the shape {y.shape} ask for {targets.n_outputs} outputs, the model "
                f"has {self.n_outputs_}; give y as in fit"
            )
        data = _rows(X, targets, self._weighed(X, y, sample_weight, is_partial=False))
        weights = data.sample_weight
        total = len(data) if weights is None else max(float(weights.sum()), 1.0)
        return Subject.of(network, data, self._loss(network), float(self.alpha) / total)

    def _has_partial_fit(self) -> bool:
        if is_stochastic(self.solver):
            return True
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{self.solver} is not stochastic."
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not (self.standardize or self.encode_columns)
        tags.input_tags.allow_nan = tags.input_tags.string = bool(self.encode_columns)
        return tags


def network_of(model: BaseMLP) -> Network:
    """The network of a fitted estimator, its weights 0: what is computed, not with what."""
    return model._form().network(model.coefs_[0].dtype)


def _rows(X: Any, targets: Targets, sample_weight: Array | None) -> Rows:
    return Rows(X if isinstance(X, np.ndarray) else SparseRows(X), targets.target, sample_weight)


def _hidden_sizes(value: Any) -> list[int]:
    """Units of each hidden layer, from a number or a sequence of them."""
    is_sequence = hasattr(value, "__iter__") and not isinstance(value, type)
    sizes = list(value) if is_sequence else [value]
    if not all(isinstance(size, Integral) for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size < 1 for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]
