"""Traces of chosen epochs, taken by a callback while a network trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import ArrayLike

from retrograd.arrays import require_integer
from retrograd.errors import OptionError
from retrograd.inspect.layers import NetworkTrace
from retrograd.inspect.options import TraceOptions
from retrograd.inspect.trace import of_model
from retrograd.nn.network import Network
from retrograd.training.history import History


class Recorder:
    """A callback of `rg.train` that traces the network on a batch after chosen epochs.

    Args:
        X, Y: the rows to trace, and their targets.
        epochs: the numbers of the epochs, from 1; or with `every` each so many.
        every: at least 1.
        options: as in `rg.trace`: loss, l2, mode, ...

    `traces`: the trace of each epoch by its number.

    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> record = rg.Recorder(X, X**2, epochs=[1, 5])
    >>> _ = rg.train(rg.MLP([1, 4, 1]), X, X**2, epochs=5, callbacks=[record])
    >>> {epoch: t.layer(1).dW.shape for epoch, t in record.traces.items()}
    {1: (1, 4), 5: (1, 4)}
    """

    def __init__(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        epochs: Collection[int] = (),
        every: int | None = None,
        **options: Any,
    ) -> None:
        if every is not None:
            require_integer("Recorder", "every", every)
        if isinstance(epochs, str) or not isinstance(epochs, Collection):
            raise OptionError(f"Recorder: epochs is a list of numbers, got {epochs!r}")
        if every is None and not len(epochs):
            raise OptionError("Recorder: give epochs, such as [1, 10, 100], or every=10")
        for epoch in epochs:
            require_integer("Recorder", "an epoch", epoch)
        self._X, self._Y = X, Y
        self._options = TraceOptions.of("Recorder", options)
        self._epochs, self._every = frozenset(map(int, epochs)), every
        self.traces: dict[int, NetworkTrace] = {}

    def __call__(self, network: Network, history: History) -> None:
        """Trace the network, if this epoch is one of those asked for."""
        epoch = history.epochs
        if epoch in self._epochs or (self._every is not None and epoch % self._every == 0):
            self.traces[epoch] = of_model(network, self._X, self._Y, self._options)
