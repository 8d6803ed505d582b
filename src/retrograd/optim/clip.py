"""What is done to gradients before a step: clipping, and decay of the weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.gates import maximum, minimum
from retrograd.graph.node import Node
from retrograd.optim.base import RATE, Nodes, Point
from retrograd.optim.lengths import joint_norm, norm
from retrograd.optim.wrapper import Wrapper

TINY = 1e-6  # added to a norm before it divides, as in PyTorch


@dataclass(frozen=True)
class Clip(Wrapper):
    """Gradients cut to a length before the step [Pascanu, Mikolov & Bengio 2013, algorithm 1].

    ::

        value         g = max(-value, min(value, g))
        norm          g = g * min(1, norm / (norm(g) + 1e-6))           # of each parameter
        global_norm   the same with the norm of all gradients together

    The 1e-6 is PyTorch's. The gradient norm of a history is that before clipping.

    Args:
        optimizer: what steps by the clipped gradients.
        value, norm, global_norm: > 0; exactly one of them.

    >>> rg.Clip(rg.Adam(), global_norm=1.0).numbers()["clip: global_norm"]
    1.0
    """

    name = "clip"

    value: float | None = None
    norm: float | None = None
    global_norm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        limits = {name: getattr(self, name) for name in ("value", "norm", "global_norm")}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if len(given) != 1:
            raise OptionError(
                f"Clip: give exactly one of value, norm and global_norm, got {len(given)}"
            )
        for name, limit in given.items():
            require_number("Clip", name, limit, open_low=True)

    @property
    def is_clipping(self) -> bool:
        """It is."""
        return True

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""

        def gradient(w: Nodes) -> dict[str, Node]:
            return self._clipped(at.gradient(w), at.scalars)

        return self.optimizer.step(
            replace(at, g=self._clipped(at.g, at.scalars), gradient=gradient)
        )

    def _clipped(self, gradients: Nodes, scalars: Nodes) -> dict[str, Node]:
        if self.value is not None:
            limit = scalars[self.own("value")]
            return {name: maximum(-limit, minimum(limit, g)) for name, g in gradients.items()}
        if self.norm is not None:
            limit = scalars[self.own("norm")]
            return {name: g * _share(limit, norm(g)) for name, g in gradients.items()}
        share = _share(scalars[self.own("global_norm")], joint_norm(gradients))
        return {name: g * share for name, g in gradients.items()}


def _share(limit: Node, length: Node) -> Node:
    return minimum(1.0, limit / (length + TINY))


@dataclass(frozen=True)
class Decay(Wrapper):
    """Weights drawn to 0 by any optimizer: as part of the gradient, or beside it.

    ::

        l2             g = g + l2 * W, then the step                # as PyTorch's weight_decay
        weight_decay   W = W - learning_rate * weight_decay * W, then the step   # decoupled

    The second is that of [Loshchilov & Hutter 2019, algorithm 2]. Every parameter of the optimizer
    within decays, biases too; in `Groups` it is for some, and around `Groups` it takes the rate of
    each parameter's group. Unlike `l2` of `rg.train`, the term is not in the J that is reported.

    Args:
        optimizer: what steps.
        l2: >= 0. weight_decay: >= 0, needs an optimizer with a learning rate.

    >>> optimizer = rg.Groups({"W*": rg.Decay(rg.SGD(0.1), l2=1e-3)}, default=rg.SGD(0.2))
    >>> optimizer.numbers()["W*: decay: l2"]
    0.001
    """

    name = "decay"

    l2: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("Decay", "l2", self.l2)
        require_number("Decay", "weight_decay", self.weight_decay)
        if self.weight_decay and RATE not in self.optimizer.numbers():
            raise OptionError("Decay: weight_decay needs an optimizer with a learning rate")

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""

        def with_l2(g: Nodes, w: Nodes) -> dict[str, Node]:
            if not self.l2:
                return dict(g)
            l2 = at.scalars[self.own("l2")]
            return {name: slope + l2 * w[name] for name, slope in g.items()}

        def gradient(w: Nodes) -> dict[str, Node]:
            return with_l2(at.gradient(w), w)

        w, g = dict(at.w), with_l2(at.g, at.w)
        if self.weight_decay:
            decay, names = at.scalars[self.own("weight_decay")], self._rate_names(w)
            w = {name: x * (1.0 - at.scalars[names[name]] * decay) for name, x in w.items()}
        return self.optimizer.step(replace(at, w=w, g=g, gradient=gradient))

    def _rate_names(self, w: Nodes) -> dict[str, str]:
        found = self.rate_names({name: x.shape for name, x in w.items()})
        for name in w:
            if name not in found:
                raise OptionError(f"Decay: the optimizer of {name} has no learning rate")
        return found
