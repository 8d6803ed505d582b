"""The node: an immutable value of a graph, and `apply`, which makes one from a gate and inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import DtypeError, GraphError, OptionError
from retrograd.graph.shape import Shape, as_shape, show

Array = NDArray[Any]
Like = Union["Node", ArrayLike]

NO_PARAMS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Gate:
    """A primitive operation: everything the package knows of it, in one place.

    - `numpy(*values, out=None, **params)`: its definition. Returns the result, written into `out`
      where `out` is given; a gate with `is_view` returns a view of its first value and ignores it.
    - `infer(*inputs, **params)`: the shape and dtype of the result; raises ShapeError, DtypeError.
    - `vjp(dy, y, *inputs, **params)`: for each input, the propagated gradient `dy` (of y's shape
      and dtype) times the local gradient, as a node; None where the input gets no gradient. A
      result that still has the shape to which the input was broadcast is right: `gradient` sums it
      to the input's own. A gate without a vjp is constant almost everywhere.
    - `flops(y, *inputs, n_rows)`: its cost in floating-point operations.
    - `is_analytic`: whether the definition holds for complex values, as the complex step needs.
    - `promotes`: whether inputs are first brought to one dtype (element-wise gates).
    """

    name: str
    numpy: Callable[..., Array]
    infer: Callable[..., tuple[Shape, np.dtype[Any]]]
    flops: Callable[..., int]
    vjp: Callable[..., tuple[Node | None, ...]] | None = None
    is_analytic: bool = True
    is_view: bool = False
    promotes: bool = False

    def __repr__(self) -> str:
        return f"<gate {self.name}>"


GATES: dict[str, Gate] = {}
"""Every primitive gate by name. An engine that compiles has one line for each."""

OPERATORS: dict[str, Callable[..., Node]] = {}
"""What Python's operators on nodes do; the gates fill it."""


def define(gate: Gate) -> Gate:
    """Enter a gate in the table of gates."""
    if gate.name in GATES:
        raise GraphError(f"gate {gate.name!r} is defined twice")
    GATES[gate.name] = gate
    return gate


def _source(*_: object, **__: object) -> Any:
    raise GraphError("a variable or constant has no definition to run")


VARIABLE = define(Gate("variable", _source, _source, lambda *_, **__: 0))
CONSTANT = define(Gate("constant", _source, _source, lambda *_, **__: 0))

_ids = itertools.count()


class Node:
    """A value in a graph: the gate that makes it, its inputs, and the shape and dtype it will have.

    Nodes are immutable. `==` is identity, so nodes can be keys of a dict; `rg.equal` is the gate.
    The `id` grows with creation, so sorting nodes by it puts inputs before what uses them.
    """

    __slots__ = ("__weakref__", "dtype", "gate", "id", "inputs", "name", "params", "shape", "value")

    gate: Gate
    inputs: tuple[Node, ...]
    params: Mapping[str, Any]
    shape: Shape
    dtype: np.dtype[Any]
    name: str | None
    value: Array | None
    id: int

    # NumPy arrays leave `array * node` to the node.
    __array_ufunc__ = None

    def __init__(
        self,
        gate: Gate,
        inputs: tuple[Node, ...],
        params: Mapping[str, Any],
        shape: Shape,
        dtype: np.dtype[Any],
        name: str | None = None,
        value: Array | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "gate", gate)
        put(self, "inputs", inputs)
        put(self, "params", params)
        put(self, "shape", shape)
        put(self, "dtype", dtype)
        put(self, "name", name)
        put(self, "value", value)
        put(self, "id", next(_ids))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a node is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a node is immutable: cannot delete {name!r}")

    def __reduce__(self) -> Any:
        raise TypeError("a node cannot be pickled or copied: nodes are compared by identity")

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<{self.gate.name}{name} {show(self.shape)} {self.dtype}>"

    def __bool__(self) -> bool:
        raise DtypeError(
            "a node has no truth value before it is evaluated; use rg.where(condition, a, b)"
        )

    def __len__(self) -> int:
        raise DtypeError("a node has no length; its sizes are in .shape")

    def __iter__(self) -> Any:
        raise DtypeError("a node cannot be iterated over; index it or use rg.take")

    def __float__(self) -> float:
        raise DtypeError("a node has no number before it is evaluated; use rg.evaluate(node)")

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def T(self) -> Node:
        """The node with its axes reversed."""
        return OPERATORS["transpose"](self)

    def __add__(self, other: Like) -> Node:
        return OPERATORS["add"](self, other)

    def __radd__(self, other: Like) -> Node:
        return OPERATORS["add"](other, self)

    def __sub__(self, other: Like) -> Node:
        return OPERATORS["subtract"](self, other)

    def __rsub__(self, other: Like) -> Node:
        return OPERATORS["subtract"](other, self)

    def __mul__(self, other: Like) -> Node:
        return OPERATORS["multiply"](self, other)

    def __rmul__(self, other: Like) -> Node:
        return OPERATORS["multiply"](other, self)

    def __truediv__(self, other: Like) -> Node:
        return OPERATORS["divide"](self, other)

    def __rtruediv__(self, other: Like) -> Node:
        return OPERATORS["divide"](other, self)

    def __pow__(self, other: Like) -> Node:
        return OPERATORS["power"](self, other)

    def __rpow__(self, other: Like) -> Node:
        return OPERATORS["power"](other, self)

    def __matmul__(self, other: Like) -> Node:
        return OPERATORS["matmul"](self, other)

    def __rmatmul__(self, other: Like) -> Node:
        return OPERATORS["matmul"](other, self)

    def __neg__(self) -> Node:
        return OPERATORS["negative"](self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return OPERATORS["abs"](self)

    def __lt__(self, other: Like) -> Node:
        return OPERATORS["less"](self, other)

    def __le__(self, other: Like) -> Node:
        return OPERATORS["less_equal"](self, other)

    def __gt__(self, other: Like) -> Node:
        return OPERATORS["greater"](self, other)

    def __ge__(self, other: Like) -> Node:
        return OPERATORS["greater_equal"](self, other)

    def __getitem__(self, index: Any) -> Node:
        return OPERATORS["getitem"](self, index)


FLOATS = tuple(map(np.dtype, (np.float32, np.float64)))
COMPLEX = tuple(map(np.dtype, (np.complex64, np.complex128)))
DTYPES = (np.dtype(np.bool_), np.dtype(np.int64), *FLOATS, *COMPLEX)


def as_dtype(dtype: object) -> np.dtype[Any]:
    """One of the dtypes that a node can have: bool, int64, and two sizes of float and complex."""
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]  # any dtype-like
    except TypeError:
        raise DtypeError(f"{dtype!r} is not a dtype; a node can have: {_known_dtypes()}") from None
    if found not in DTYPES:
        raise DtypeError(f"{found} is not a dtype that a node can have: {_known_dtypes()}")
    return found


def _known_dtypes() -> str:
    return ", ".join(map(str, DTYPES))


def _as_array(value: object, dtype: object, what: str) -> Array:
    """A read-only copy in a dtype that a node can have; integers become float64 unless asked."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DtypeError(f"{what}: not an array of numbers: {error}") from None
    if array.dtype.kind not in "biufc":
        raise DtypeError(f"{what}: expected numbers, got {array.dtype} from {type(value).__name__}")
    if dtype is not None:
        wanted = as_dtype(dtype)
    elif array.dtype in DTYPES and array.dtype.kind != "i":
        wanted = array.dtype
    elif array.dtype == np.float16:
        wanted = np.dtype(np.float32)
    else:
        wanted = np.dtype(np.complex128 if array.dtype.kind == "c" else np.float64)
    copy = np.array(array, dtype=wanted, order="C")
    copy.setflags(write=False)
    return copy


def variable(
    name: str,
    value: ArrayLike | None = None,
    *,
    shape: object = None,
    dtype: object = None,
) -> Node:
    """A value that is given when the graph runs.

    Args:
        name: what to call it, in tables, pictures and errors.
        value: the value it has unless another is given. Integers become float64.
        shape: needed when there is no value; may lead with `rg.rows`, the number of examples.
        dtype: bool, int64, float32 or float64; by default the value's, or float64.

    >>> x, w = rg.variable("x", shape=(rg.rows, 2)), rg.variable("w", [5.0, 7.0])
    >>> x.shape, w.shape
    ((rows, 2), (2,))
    >>> rg.evaluate(x * w, {x: [[1.0, 2.0]]})
    array([[ 5., 14.]])
    """
    if not isinstance(name, str) or not name:
        raise OptionError(f"variable: a name is a non-empty string, got {name!r}")
    if value is None and shape is None:
        raise OptionError(f"variable {name!r}: give a value or a shape")
    if value is None:
        kind = as_dtype(np.float64 if dtype is None else dtype)
        return Node(VARIABLE, (), NO_PARAMS, as_shape(shape), kind, name)
    array = _as_array(value, dtype, f"variable {name!r}")
    if shape is not None and as_shape(shape) != array.shape:
        raise OptionError(
            f"variable {name!r}: shape {shape} was asked for, the value has shape {array.shape}"
        )
    return Node(VARIABLE, (), NO_PARAMS, array.shape, array.dtype, name, array)


def constant(value: ArrayLike, *, dtype: object = None, name: str | None = None) -> Node:
    """A value that never changes. Integers become float64 unless `dtype` says otherwise.

    What is not numbers raises DtypeError.

    >>> rg.evaluate(rg.constant([1, 2]))
    array([1., 2.])
    """
    if isinstance(value, Node):
        raise DtypeError(f"constant: {value!r} is a node already")
    if name is not None and not isinstance(name, str):
        raise OptionError(f"constant: a name is a string, got {name!r}")
    array = _as_array(value, dtype, "constant")
    return Node(CONSTANT, (), NO_PARAMS, array.shape, array.dtype, name, array)


def as_node(value: Like) -> Node:
    """The node itself, or a constant of the value."""
    return value if isinstance(value, Node) else constant(value)


def apply(gate: Gate, *inputs: Like, **params: Any) -> Node:
    """The node that a gate makes from its inputs. Shape and dtype errors are raised here."""
    nodes = promote(inputs) if gate.promotes else tuple(map(as_node, inputs))
    try:
        shape, dtype = gate.infer(*nodes, **params)
    except GraphError as error:
        operands = " and ".join(map(describe, nodes)) or "nothing"
        raise type(error)(f"{gate.name} of {operands}: {error}") from None
    frozen = MappingProxyType(params) if params else NO_PARAMS
    return Node(gate, nodes, frozen, shape, dtype)


def again(node: Node, inputs: tuple[Node, ...]) -> Node:
    """What the node's gate makes of other inputs, whose shapes and dtypes are those of its own."""
    return Node(node.gate, inputs, node.params, node.shape, node.dtype)


def promote(inputs: tuple[Like, ...]) -> tuple[Node, ...]:
    """Operands in one floating dtype, so that an element-wise gate never mixes two.

    Python numbers take the dtype of the others; an operand without dimensions does not widen one
    that has some (a float64 learning rate leaves float32 weights float32), as in PyTorch.
    """
    same = tuple(x for x in inputs if isinstance(x, Node))
    kinds = {x.dtype for x in same}
    if len(same) == len(inputs) and len(kinds) == 1 and kinds.pop().kind in "fc":
        return same
    nodes = [x if isinstance(x, Node | _NUMBER) else constant(x) for x in inputs]
    known = [x for x in nodes if isinstance(x, Node)]
    target = _common(known)
    if target.kind != "c" and any(isinstance(x, complex) for x in nodes):
        target = np.result_type(target, np.complex64)
    return tuple(_in_dtype(x, target) for x in nodes)


def _in_dtype(x: Like, target: np.dtype[Any]) -> Node:
    if not isinstance(x, Node):
        return constant(x, dtype=target)
    return x if x.dtype == target else OPERATORS["cast"](x, target)


# A NumPy scalar is a number like Python's own: it takes the dtype of the arrays it meets.
_NUMBER = int | float | complex | np.number | np.bool_


def _common(nodes: list[Node]) -> np.dtype[Any]:
    dtypes = {node.dtype for node in nodes}
    if len(dtypes) == 1 and (only := dtypes.pop()).kind in "fc":
        return only
    sized = [node.dtype for node in nodes if node.shape and node.dtype.kind in "fc"]
    whole = sized or [node.dtype for node in nodes if node.dtype.kind in "fc"]
    if not whole:
        return np.dtype(np.float64)
    target = np.result_type(*whole)
    if target.kind == "f" and any(node.dtype.kind == "c" for node in nodes):
        target = np.result_type(target, np.complex64)
    return target


def describe(node: Node) -> str:
    """An operand in an error message: its name, or the gate that makes it, and its shape."""
    return f"{node.name or node.gate.name} {show(node.shape)}"
