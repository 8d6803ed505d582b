"""The structure of a graph: what it computes, whichever nodes it is made of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType

from retrograd.graph.node import Node
from retrograd.graph.order import order

LIMIT = 4096  # bytes of an array in the graph: a larger one is not read for a comparison

Named = Mapping[str, Node]
NOTHING: Named = MappingProxyType({})


class Structure:
    """Named nodes that go into a graph and come out of it, compared by what the graph computes.

    Two are equal if they have the same names, gates, parameters, shapes, dtypes and values in the
    same order: then all that is made of one serves for the other. It is the graph that is compared,
    so a function that built it may be impure, or change what it closes over.

    A graph with an array of more than LIMIT bytes is equal to itself only, and `is_comparable` says
    no: what is made of it is not worth keeping, as it would keep the array.

    >>> def double(name):
    ...     x = rg.variable(name, shape=(rg.rows, 3))
    ...     return Structure({name: x}, {}, {"y": 2.0 * x})
    >>> double("x") == double("x"), double("x") == double("u")
    (True, False)
    """

    __slots__ = ("_hash", "_key", "inputs", "outputs", "scalars", "state", "updates")

    def __init__(
        self,
        inputs: Named,
        state: Named,
        outputs: Named,
        scalars: Named = NOTHING,
        updates: Named = NOTHING,
    ) -> None:
        self.inputs, self.state, self.outputs = dict(inputs), dict(state), dict(outputs)
        self.scalars, self.updates = dict(scalars), dict(updates)
        self._key = _key((inputs, state, outputs, scalars, updates))
        self._hash = hash(self._key) if self._key is not None else id(self)

    @property
    def is_comparable(self) -> bool:
        """Whether another graph can be equal to this one."""
        return self._key is not None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Structure):
            return self is other
        return self._hash == other._hash and self._key is not None and self._key == other._key


def _key(groups: tuple[Named, ...]) -> Hashable | None:
    """The nodes in order, each input as its number, then the names; None with a large array."""
    number: dict[Node, int] = {}
    parts: list[Hashable] = []
    for node in order(node for group in groups for node in group.values()):
        number[node] = len(number)
        own: Hashable = None
        if not node.inputs:  # only these have a name or a value
            if node.value is not None and node.value.nbytes > LIMIT:
                return None
            own = node.name, None if node.value is None else node.value.tobytes()
        inputs = tuple([number[x] for x in node.inputs])
        params = tuple(node.params.items())
        parts.append((node.gate, inputs, params, node.shape, node.dtype, own))
    names = tuple([tuple([(name, number[x]) for name, x in group.items()]) for group in groups])
    return tuple(parts), names
