"""Running graphs: evaluate once, compile to call often, and which engine a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import cast
from retrograd.engines.base import Binds, Engine, Listed, Listing
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError, GraphError, OptionError, require_known
from retrograd.graph.node import VARIABLE, Array, Node, describe
from retrograd.graph.order import order, variables
from retrograd.graph.text import as_text


def _cpu(n_threads: int | None = None) -> Engine:
    from retrograd.engines.cpu.engine import CpuEngine

    return CpuEngine(n_threads=n_threads)


def _numpy(n_threads: int | None = None) -> Engine:
    return NumpyEngine()  # its threads are NumPy's own


Call = Callable[[Sequence[Array]], list[Array]]
"""From values of some inputs, ready for an engine, to the outputs."""

ENGINES: dict[str, Callable[[int | None], Engine]] = {"cpu": _cpu, "numpy": _numpy}
AUTO = "auto"
REFERENCE = "numpy"


def _best(n_threads: int | None) -> Engine:
    from retrograd.engines.cpu.machine.host import host

    try:
        host()
    except OptionError:  # there is no code for this processor
        return NumpyEngine()
    return _cpu(n_threads)


def find_engine(name: str | Engine = AUTO, *, n_threads: int | None = None) -> Engine:
    """The engine of a name, or the engine itself; "auto" is the fastest that is present.

    `n_threads`: at most so many threads, where the engine "cpu" is named or found; None for as many
    as there are processors.

    >>> find_engine("auto").name
    'cpu'
    """
    if isinstance(name, Engine) and not isinstance(name, type):
        return name
    known = require_known("engine", name, [AUTO, *ENGINES])
    return _best(n_threads) if known == AUTO else ENGINES[known](n_threads)


class Function:
    """A compiled graph: call it with values of its inputs. Safe to call from several threads.

    `call(values)` is the engine's own function, without the checks: it takes a sequence of arrays
    that already have the inputs' dtypes, and returns arrays. `bind(last)` is `call` as a function
    of the first inputs: the last ones are these arrays, which it keeps alive; changes are seen.

    What it is made of can be read, stage by stage, as text: `graph` on every engine; `program`,
    `llvm_ir` and `assembly` where the engine is "cpu", else they raise OptionError. Each is made
    when it is asked for.

    >>> x, w = rg.variable("x", shape=(rg.rows, 3)), rg.variable("w", np.ones((3, 2)))
    >>> fn = rg.compile([rg.relu(x @ w + 1.0)], [x, w], engine="cpu")
    >>> print(fn.program)
    1 kernel for 3 gates; 1 value goes to memory
    inputs    x  (rows, 3) float64
    state     w  (3, 2) float64
    <BLANKLINE>
    kernel 0: matmul (rows, 2), fused with add, relu
      output_0 = relu(x @ w + 1)           (rows, 2) float64  -> output
    """

    def __init__(self, outputs: Sequence[Node], inputs: Sequence[Node], engine: Engine) -> None:
        self.outputs = tuple(outputs)
        self.inputs = tuple(inputs)
        self.engine = engine.name
        self.call = call = engine.function(self.outputs, self.inputs)
        self.bind = call.bind if isinstance(call, Binds) else partial(_bound, call)

    def __call__(self, *values: ArrayLike) -> list[Any]:
        """The outputs' values: an array each, a Python number where the output has no dimension."""
        if len(values) != len(self.inputs):
            names = ", ".join(str(node.name) for node in self.inputs)
            raise DataError(f"expected {len(self.inputs)} values ({names}), got {len(values)}")
        arrays = [as_value(node, value) for node, value in zip(self.inputs, values, strict=True)]
        return [result if result.ndim else result.item() for result in self.call(arrays)]

    @property
    def graph(self) -> str:
        """The graph of the outputs: one line a node."""
        return as_text(self.outputs)

    @property
    def program(self) -> str:
        """The plan: the kernels in order, what is fused in each, and what goes to memory."""
        return self._listing("program").program

    @property
    def llvm_ir(self) -> str:
        """The optimised module in LLVM's intermediate language."""
        return self._listing("llvm_ir").llvm_ir

    @property
    def assembly(self) -> str:
        """The machine code for this processor."""
        return self._listing("assembly").assembly

    def _listing(self, stage: str) -> Listing:
        if not isinstance(self.call, Listed):
            raise OptionError(
                f"engine {self.engine!r} walks the graph and makes no {stage}; the engine 'cpu' "
                f"does: rg.compile(outputs, inputs, engine='cpu').{stage}"
            )
        return self.call.listing


def _bound(call: Call, last: Sequence[Array]) -> Call:
    return lambda first: call([*first, *last])


def as_value(node: Node, value: ArrayLike) -> Array:
    """A value for a variable, as an array of the variable's dtype."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{node.name}: not an array of numbers: {error}") from None
    if array.dtype.kind not in "biufc":
        raise DataError(f"{node.name}: expected numbers, got {array.dtype}")
    if array.dtype.kind == "c" and node.dtype.kind != "c":
        raise DataError(f"{node.name}: expected real numbers, got {array.dtype}")
    if node.dtype.kind == "i" and array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise DataError(f"{node.name}: expected integers, got {array.dtype}")
    if array.dtype.kind == node.dtype.kind == "f" and array.dtype.itemsize > node.dtype.itemsize:
        return cast(array, str(node.name), node.dtype)
    return array.astype(node.dtype, copy=False)


def compile(outputs: Sequence[Node], inputs: Sequence[Node], *, engine: str = AUTO) -> Function:
    """A function from values of `inputs` to values of `outputs`.

    Args:
        outputs: nodes to compute.
        inputs: variables that become arguments, in this order. Other variables must have a value.
        engine: "auto", "cpu" or "numpy".

    >>> x, y = rg.variable("x", shape=()), rg.variable("y", 3.0)
    >>> fn = rg.compile([x * y, x + y], inputs=[x])
    >>> fn(4.0)
    [12.0, 7.0]
    """
    if isinstance(outputs, Node) or not isinstance(outputs, Iterable):
        raise GraphError(f"compile: outputs is a list of nodes, got {outputs!r}; write [node]")
    if isinstance(inputs, Node) or not isinstance(inputs, Iterable):
        raise GraphError(f"compile: inputs is a list of variables, got {inputs!r}; write [x]")
    for node in inputs:
        if not isinstance(node, Node) or node.gate is not VARIABLE:
            raise GraphError(f"compile: an input must be a variable, got {node!r}")
    given = set(inputs)
    if len(given) < len(inputs):
        raise GraphError("compile: one variable is an input twice")
    for node in outputs:
        if not isinstance(node, Node):
            raise GraphError(f"compile: an output must be a node, got {type(node).__name__}")
    for node in variables(outputs):
        if node not in given and node.value is None:
            raise GraphError(f"{describe(node)} needs a value: it was made without one")
    is_complex = any(node.dtype.kind == "c" for node in order(outputs))
    # The compiled engine takes real numbers only.
    is_auto = isinstance(engine, str) and engine == AUTO
    return Function(outputs, inputs, find_engine(REFERENCE if is_auto and is_complex else engine))


@overload
def evaluate(
    outputs: Node, values: Mapping[Node, ArrayLike] | None = None, *, engine: str = AUTO
) -> Any: ...
@overload
def evaluate(
    outputs: Sequence[Node],
    values: Mapping[Node, ArrayLike] | None = None,
    *,
    engine: str = AUTO,
) -> list[Any]: ...


def evaluate(
    outputs: Node | Sequence[Node],
    values: Mapping[Node, ArrayLike] | None = None,
    *,
    engine: str = AUTO,
) -> Any:
    """The value of a node, or a list of values for several.

    Args:
        outputs: a node, or a sequence of them.
        values: values for variables, in place of their own.
        engine: "cpu" or "numpy"; "auto" is the reference, "numpy": code that is run once is not
            worth making.

    Returns:
        An array of the node's shape, a Python number where it has no dimension.

    >>> w = rg.variable("w", 5.0)
    >>> rg.evaluate(w * 2), rg.evaluate(w * 2, {w: 1.5})
    (10.0, 3.0)
    """
    if values is not None and not isinstance(values, Mapping):
        raise GraphError(f"evaluate: values is a dict of values by variable, got {values!r}")
    given = dict(values or {})
    if not isinstance(outputs, Node | Sequence):
        raise GraphError(f"evaluate: expected a node or a list of nodes, got {outputs!r}")
    many = [outputs] if isinstance(outputs, Node) else list(outputs)
    # What is run once is not worth compiling.
    once = REFERENCE if isinstance(engine, str) and engine == AUTO else engine
    results = compile(many, list(given), engine=once)(*given.values())
    return results[0] if isinstance(outputs, Node) else results
