"""`least_squares`: the parameters that make the residuals of any graph as small as they can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from retrograd import gates
from retrograd.arrays import Array, require_finite, require_integer, require_number
from retrograd.autodiff.gradient import gradient
from retrograd.engines.checks import count_rows
from retrograd.errors import DataError, DtypeError, GraphError, OptionError, ShapeError
from retrograd.graph.node import FLOATS, VARIABLE, Node, describe, variable
from retrograd.graph.order import variables
from retrograd.graph.shape import Rows, has_rows, rows, size_of
from retrograd.run import as_value, find_engine
from retrograd.training.interrupt import Interrupt
from retrograd.training.least_squares_fit import LeastSquaresFit
from retrograd.training.origin import BACKWARD, FORWARD, origin_in
from retrograd.training.residual_steps import residual_steps
from retrograd.training.solvers.damped import Descent
from retrograd.training.solvers.flat import Halt, never, unflatten
from retrograd.training.solvers.residuals import Residuals, require_few, require_own_rows
from retrograd.training.solvers.tangent import Tangent

Values = dict[Node, Array]

CLOSE = 0.01  # a fall of S by 1e-4 of it is near enough to a minimum to try undamped steps
POLISH = 100  # undamped steps at most
NEGLIGIBLE = 1e-8  # of a parameter: less is rounding, where S falls no further
ROUNDINGS = 10.0  # in units of the last place: as little of the residuals is no slope of S
ENTRY = "entry of the residuals"


def least_squares(
    residuals: Node,
    parameters: Mapping[Node, ArrayLike],
    data: Mapping[Node, ArrayLike] | None = None,
    *,
    max_iterations: int = 1000,
    tolerance: float = 1e-10,
    damping: float = 1e-3,
    engine: str = "auto",
) -> LeastSquaresFit:
    """The parameters that minimise the sum of the squared residuals, with their standard errors.

    Levenberg-Marquardt: Gauss-Newton steps, damped in the units of the Jacobian's columns
    [Marquardt 1963; More 1978; Nielsen 1999], and undamped ones near the end; the Jacobian comes by
    backpropagation. A step at which the residuals overflow is not taken. The minimum is a local
    one: where there are several, the start decides.

    Args:
        residuals: a node of any gates. (rows,) or (rows, O), where each row depends on its own row
            of the data alone; or of a shape without `rows`, where anything goes.
        parameters: variables without `rows`, each with the value to start from.
        data: the values of other variables, where they have none of their own.
        max_iterations: steps after which no more are begun, at least 1.
        tolerance: the offset (see `LeastSquaresFit`) at which to stop, > 0.
        damping: of the first step, relative to the largest curvature, > 0.
        engine: "auto", "cpu" or "numpy".

    To weigh residuals, divide them by their standard deviations. Ctrl-C ends the search; the fit is
    then what was reached.

    Raises:
        GraphError: a variable has no value, or the residuals of a row depend on other rows.
        DataError: the residuals or their derivatives are not finite at the start.
        OptionError: fewer residuals than parameters, an argument out of its range, or a key of data
            that is none of the residuals' variables.

    >>> x, y = (rg.variable(name, shape=(rg.rows,)) for name in "xy")
    >>> a, k = (rg.variable(name, shape=()) for name in "ak")
    >>> t = np.linspace(0.0, 4.0, 20)
    >>> measured = 3.0 * np.exp(-0.7 * t) + 0.01 * np.cos(40.0 * t)
    >>> fit = rg.least_squares(a * rg.exp(-k * x) - y, {a: 1.0, k: 1.0}, {x: t, y: measured})
    >>> print(fit)  # doctest: +ELLIPSIS
    a = 3.0029649 ± 0.0051
    k = 0.700897 ± 0.0019
    residual sum of squares 0.0010344335, 18 degrees of freedom
    converged after ... iterations
    """
    max_iterations = require_integer("least_squares", "max_iterations", max_iterations)
    require_number("least_squares", "tolerance", tolerance, open_low=True)
    require_number("least_squares", "damping", damping, open_low=True)
    start = _starts(residuals, parameters)
    given = _given(residuals, start, data)
    with Interrupt() as interrupted:
        problem = _open(residuals, start, given, engine)
        search = _Search(problem, problem.point(), damping, tolerance)
        problem.halted = lambda: "interrupted" if interrupted() else None
        try:
            search.run(max_iterations)
        except Halt:
            problem.halted = never
            search.settle("it was interrupted")
    return _fit(search, {str(node.name): value.shape for node, value in start.items()}, residuals)


class _Search:
    """From a start to a minimum: falling steps far from it, undamped ones close to it."""

    def __init__(self, problem: Residuals, start: Array, damping: float, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self._descent = Descent(problem, start, damping=damping, is_scaled=True)
        self.n_iterations, self.why = 0, ""
        self._be(start, self._tangent(start, self._descent.r))

    def run(self, max_iterations: int) -> None:
        """Go down until a minimum is reached, or no step goes lower."""
        close = CLOSE
        while True:
            if self._descent.decrement() <= close:
                if self._polish():
                    return None
                close *= 0.01
            if self.n_iterations >= max_iterations:
                return self.settle("max_iterations was reached")
            if not self._descent.step():
                self._polish()
                return self.settle("no step lowers the sum of squares")
            self.n_iterations += 1

    def settle(self, why: str) -> None:
        """End at the lowest point known, and say why."""
        self.why = why
        if 2.0 * self._descent.S < self.tangent.sum_of_squares * (1.0 - NEGLIGIBLE):
            self._be(self._descent.point, self._tangent(self._descent.point, self._descent.r))

    def _polish(self) -> bool:
        """Undamped steps from here, as long as the offset falls; whether the tolerance is reached.

        S is flat at its minimum: its differences show only half of the parameters' digits.
        """
        point = self._descent.point
        tangent = self._tangent(point, self._descent.r)
        for _ in range(POLISH):
            self._be(point, tangent)
            if tangent.offset <= self.tolerance:
                return True
            point = point + tangent.step
            if not self.problem.is_finite(point):
                return False
            tangent = self._tangent(point, self.problem.values(point))
            is_level = tangent.sum_of_squares <= self.tangent.sum_of_squares * (1.0 + NEGLIGIBLE)
            if not (is_level and tangent.offset < 0.9 * self.tangent.offset):
                return False
            self.n_iterations += 1
        return False

    def _tangent(self, point: Array, r: Array) -> Tangent:
        return Tangent(self.problem.jacobian(point), r)

    def _be(self, point: Array, tangent: Tangent) -> None:
        self.point, self.tangent = point, tangent


def _fit(
    search: _Search, shapes: Mapping[str, tuple[int, ...]], residuals: Node
) -> LeastSquaresFit:
    tangent, point = search.tangent, search.point
    covariance = tangent.covariance()
    is_negligible = bool((np.abs(tangent.step) <= NEGLIGIBLE * np.abs(point)).all())
    # The residuals are differences of terms as large as |J| |p|, and rounded like these.
    terms = np.abs(search.problem.jacobian(point)) @ np.abs(point)
    is_rounding = tangent.along <= ROUNDINGS * search.problem.epsilon * np.linalg.norm(terms)
    unknown = unflatten(tangent.undetermined, shapes)
    names = [name for name, marks in unknown.items() if marks.any()]
    if names:
        ending = f"not converged: the data do not determine {', '.join(names)}"
    elif tangent.offset <= search.tolerance:
        ending = "converged"
    elif is_negligible or is_rounding:
        ending = "converged to rounding"
    else:
        ending = f"not converged: {search.why}"
    r = search.problem.values(point)
    return LeastSquaresFit(
        parameters=unflatten(point, shapes),
        standard_errors=unflatten(np.sqrt(np.diag(covariance)), shapes),
        covariance=covariance,
        residuals=r.reshape([-1 if isinstance(size, Rows) else size for size in residuals.shape]),
        residual_sum_of_squares=tangent.sum_of_squares,
        degrees_of_freedom=tangent.degrees_of_freedom,
        n_iterations=search.n_iterations,
        offset=tangent.offset,
        converged=ending.startswith("converged"),
        message=ending,
    )


# What is asked for, checked


def _starts(residuals: Node, parameters: Mapping[Node, ArrayLike]) -> Values:
    if not isinstance(residuals, Node):
        raise GraphError(f"least_squares: residuals is a node, got {residuals!r}")
    if residuals.dtype not in FLOATS:
        raise DtypeError(f"least_squares: residuals must be float32 or float64, got {residuals!r}")
    if has_rows(residuals.shape[1:]):
        raise ShapeError(f"least_squares: residuals may have rows only in front, got {residuals!r}")
    if not isinstance(parameters, Mapping) or not parameters:
        raise OptionError(
            f"least_squares: parameters is a dict from variables to starts, got {parameters!r}"
        )
    found: Values = {}
    for node, start in parameters.items():
        if not isinstance(node, Node) or node.gate is not VARIABLE or has_rows(node.shape):
            raise OptionError(
                f"least_squares: a parameter is a variable without rows, got {node!r}"
            )
        if node.name in {other.name for other in found}:
            raise OptionError(f"least_squares: two parameters are named {node.name!r}")
        found[node] = _value(node, start)
    return found


def _value(node: Node, value: ArrayLike) -> Array:
    array = as_value(node, value)
    count_rows([node], [array])
    require_finite(array, str(node.name))
    return array


def _given(residuals: Node, start: Values, data: Mapping[Node, ArrayLike] | None) -> Values:
    """The values of the variables that are no parameters."""
    data = {} if data is None else data
    if not isinstance(data, Mapping):
        raise OptionError(f"least_squares: data is a dict from variables to values, got {data!r}")
    others = [node for node in variables([residuals]) if node not in start]
    known = set(others)
    for key in data:
        if key not in known:
            _refuse(key, start, others)
    found: Values = {}
    for node in others:
        if node in data:
            found[node] = _value(node, data[node])
        elif node.value is None:
            raise GraphError(f"least_squares: {describe(node)} needs a value: give it in data")
    return found


def _refuse(key: object, start: Values, others: list[Node]) -> NoReturn:
    """Raise OptionError for a key of data that is none of the residuals' other variables."""
    if not isinstance(key, Node):
        raise OptionError(f"least_squares: data has the key {key!r}; give the variable itself")
    if key in start:
        raise OptionError(
            f"least_squares: {describe(key)} is in parameters and in data; give it in one"
        )
    known = ", ".join(map(describe, others)) or "no others"
    raise OptionError(
        f"least_squares: data has {describe(key)}, on which the residuals do not depend; give the "
        f"variable itself that they are made of: {known}"
    )


def _open(residuals: Node, start: Values, given: Values, engine: str) -> Residuals:
    """The residuals on an engine, one for each row, or for each entry where there are no rows."""
    if not has_rows(residuals.shape):
        if any(has_rows(node.shape) for node in given):
            raise GraphError("least_squares: residuals without rows take no data with rows")
        size = size_of(residuals.shape, 1)
        entry = variable(ENTRY, shape=(rows,), dtype=np.int64)
        residuals = gates.take(gates.reshape(residuals, (size,)), entry)
        given = {**given, entry: np.arange(size)}
    columns = size_of(residuals.shape, 1)
    inputs = {f"data {i}": x for i, x in enumerate(given) if has_rows(x.shape)}
    others = {f"value {i}": x for i, x in enumerate(given) if not has_rows(x.shape)}
    parameters = {str(node.name): node for node in start}
    shapes = {name: start[node].shape for name, node in parameters.items()}
    n_rows = count_rows([*given], [*given.values()])
    n_parameters = require_few("least_squares", shapes)
    if n_rows * columns < n_parameters:
        raise OptionError(
            f"least_squares: {n_rows * columns} residuals do not determine "
            f"{n_parameters} parameters"
        )
    state = {name: start[node] for name, node in parameters.items()}
    session = find_engine(engine).open(
        residual_steps(gates.reshape(residuals, (rows, columns)), inputs, parameters, others),
        state | {name: given[node] for name, node in others.items()},
        {name: given[node] for name, node in inputs.items()},
    )
    problem = Residuals(session, np.arange(n_rows), shapes, columns)
    if not problem.is_finite(problem.point()):
        raise _broken(residuals, {**start, **given}, n_rows)
    require_own_rows("least_squares", problem, problem.point())
    return problem


def _broken(residuals: Node, values: Values, n_rows: int) -> DataError:
    """The error for a start where something is not finite; it names the gate that made it so."""
    S = gates.sum(gates.square(residuals))
    slopes = gradient(gates.sum(residuals), [v for v in values if v.dtype in FLOATS])
    results = {FORWARD: [residuals, S], BACKWARD: slopes}
    origin = origin_in(results, values, n_rows, "residuals")
    return DataError(
        "least_squares: the residuals or their derivatives are not finite at the start"
        + ("" if origin is None else f"; {origin}")
    )
