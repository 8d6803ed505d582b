"""Callbacks between epochs: functions of the estimator, and scikit-learn's own framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retrograd.errors import OptionError
from retrograd.estimators.optimizers import is_stochastic

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

Callback = Callable[[Any], bool | None]
"""Called with the estimator, which is ready to predict; True stops training."""


class Calls:
    """What is called in one fit. `X`, `y`, `metadata`: as the user gave them."""

    def __init__(self, model: BaseMLP, X: Any, y: Any, metadata: dict[str, Any]) -> None:
        self._model = model
        self._functions = _functions(model.callbacks)
        self._facts = {"X": X, "y": y, "metadata": metadata}
        self._context: Any = None
        if getattr(model, "_skl_callbacks", None):
            # Not known before are the iterations of solvers that begin anew, and of several starts.
            is_bounded = is_stochastic(model.solver) and model.random_starts == 1
            self._context = model._init_callback_context(
                max_subtasks=int(model.max_iter) if is_bounded else None
            )
            self._context.call_on_fit_task_begin(estimator=model, **self._facts)

    def after_epoch(self) -> Callable[[], bool] | None:
        """What to call between epochs, if anything: it tells whether to stop."""
        return self._call if self._functions or self._context is not None else None

    def _call(self) -> bool:
        model = self._model
        asked = [bool(function(model)) for function in self._functions]
        if self._context is not None:
            epoch = self._context.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(estimator=model, **self._facts)
            asked.append(
                epoch.call_on_fit_task_end(
                    estimator=model, reconstruction_attributes=self._weights, **self._facts
                )
            )
        return any(asked)

    def end(self) -> None:
        """Tell scikit-learn's callbacks that the fit is over."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._model, reconstruction_attributes=self._weights, **self._facts
            )

    def _weights(self) -> dict[str, Any]:
        # In lists of their own: what a callback keeps must not move on with the training.
        model = self._model
        return {"coefs_": list(model.coefs_), "intercepts_": list(model.intercepts_)}


def _functions(callbacks: Any) -> list[Callback]:
    found = list(callbacks or ())
    for callback in found:
        if not callable(callback):
            raise OptionError(
                f"callbacks is a list of functions of the estimator, got {callback!r}; callbacks "
                "of scikit-learn are given by set_callbacks"
            )
    return found
