"""Every gate on the compiled engine against the reference, at sizes around vectors and tiles."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.errors import GraphError
from retrograd.graph.node import GATES, apply
from retrograd.graph.step import Step
from retrograd.plan.lower import LOWERED
from tests.compare import require_same_runs
from tests.engines.cpu.cases import CASES

poisoned = pytest.mark.usefixtures("poisoned")
HEAVY = ["matmul", "sum", "max", "softmax", "first_max", "scatter_add"]


def step_of(names, n, dtype):
    """All outputs of these gates' cases over n columns, as one program."""
    x, y = (rg.variable(name, shape=(rg.rows, n), dtype=dtype) for name in "xy")
    label = rg.variable("label", shape=(rg.rows,), dtype="int64")
    outputs = {
        f"{name} {i}": node for name in names for i, node in enumerate(CASES[name](x, y, label))
    }
    return Step({"x": x, "y": y, "label": label}, {}, outputs)


def lanes(target, dtype):
    return target.bytes // np.dtype(dtype).itemsize


def require_same(engine, names, n, dtype, rows):
    step = step_of(names, n, dtype)
    for n_rows in rows:
        require_same_runs(engine, step, n_rows=n_rows, seed=n_rows, length=2 * n * n_rows, depth=8)


def test_every_gate_has_a_case():
    assert set(CASES) == set(GATES) - {"variable", "constant"}


@poisoned
@pytest.mark.parametrize("dtype, n", [("float32", "a vector and one"), ("float64", 6)])
def test_every_gate_computes_what_the_reference_does(target, dtype, n):
    columns = n if isinstance(n, int) else lanes(target, dtype) + 1
    rows = [1, target.tile[0] + 1, 2 * lanes(target, dtype) + 3]
    require_same(CpuEngine(target, n_threads=1), CASES, columns, dtype, rows)


@poisoned
def test_every_gate_takes_a_single_column():
    require_same(CpuEngine(n_threads=1), CASES, 1, "float32", [1, 19])


SIZES = {
    "2": lambda n, w: 2,
    "3": lambda n, w: 3,
    "4": lambda n, w: 4,
    "a vector less one": lambda n, w: n - 1,
    "a vector": lambda n, w: n,
    "3 vectors and one": lambda n, w: 3 * n + 1,
    "a tile less one": lambda n, w: w * n - 1,
    "a tile": lambda n, w: w * n,
}


@poisoned
@pytest.mark.parametrize(
    "dtype, size", [*(("float32", size) for size in SIZES), ("float64", "3 vectors and one")]
)
def test_products_and_reductions_at_the_edges_of_vectors_and_tiles(target, dtype, size):
    n, (tile, w) = lanes(target, dtype), target.tile
    engine = CpuEngine(target, n_threads=1)
    rows = [1, tile - 1, tile, tile + 1, 2 * tile + 1, n, 4 * n + 1]
    require_same(engine, HEAVY, SIZES[size](n, w), dtype, rows)


@pytest.mark.parametrize("name", CASES)
def test_a_gate_of_complex_numbers_is_refused_by_name(name):
    found = next(node for node in step_of([name], 3, "float64").order() if node.gate.name == name)
    inputs = [
        rg.variable(f"x{i}", shape=x.shape, dtype="complex128" if x.dtype.kind == "f" else x.dtype)
        for i, x in enumerate(found.inputs)
    ]
    params = dict(found.params)
    if "dtype" in params:
        params["dtype"] = np.dtype("complex128")
    node = apply(found.gate, *inputs, **params)
    what = "" if name in LOWERED else f"^{name}: "
    with pytest.raises(GraphError, match=f"{what}.*no complex numbers.*use engine='numpy'"):
        CpuEngine().function([node], inputs)
