"""Products: copied operands, rows and columns left over, threads; the same bits however blocked."""

from collections import OrderedDict
from functools import cache

import mpmath
import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.abi import scratch
from retrograd.engines.cpu.abi.layout import Now
from retrograd.engines.cpu.abi.scratch import FIRST_CACHE, SOME_ROWS, is_copied, scratch_bytes
from retrograd.engines.cpu.abi.table import SCRATCH
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine import compiled
from retrograd.engines.cpu.machine.host import runnable
from retrograd.engines.cpu.run import executable
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import Memory
from retrograd.engines.numpy import NumpyEngine
from retrograd.graph.step import Step
from retrograd.nn.losses import find_loss
from retrograd.plan.reading import FEW_ROWS, LONG, NARROW
from retrograd.plan.schedule import plan
from retrograd.training.step import objective, state_at, training_steps
from tests.compare import DTYPES, require_close, require_same_runs

poisoned = pytest.mark.usefixtures("poisoned")
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
N = 60
BATCHES = [1, 2, 7, 33]
MOMENTUM = rg.SGD(0.01, momentum=0.9)


class Layer:
    """The training of a wide layer, whose weight gradient is m x n; its data and first state."""

    def __init__(self, m, n, dtype=np.float32, optimizer=MOMENTUM):
        net, rng = rg.MLP([m, n], output="identity", dtype=dtype), np.random.default_rng(m)
        X, Y = (rng.normal(size=(N, size)).astype(dtype) for size in (m, n))
        loss = find_loss("half_squared_error", net)
        problem = objective(net, loss, loss.target(Y, n, dtype), is_penalised=False)
        self.step = training_steps(problem, optimizer)["train"]
        self.state, self.data = state_at(net.parameters, optimizer), {"x": X, "y": Y}
        self.rates = {"l2": 0.0, **optimizer.numbers()}

    def program(self, target):
        """Its program, which must be one with a product whose operands are copied."""
        program = plan(self.step)
        assert any(is_copied(kernel, target) for kernel in program.kernels)
        return program

    def after(self, engine, batch_size):
        """The state after some batches, of which the last is smaller."""
        session = engine.open({"train": self.step}, self.state, self.data)
        order = np.random.default_rng(1).permutation(N)[: batch_size + (batch_size + 1) // 2]
        session.run("train", order, self.rates, batch_size=batch_size)
        return session.snapshot()


def require_same(layer, engine, batch_size):
    found, expected = (layer.after(each, batch_size) for each in (engine, NumpyEngine()))
    for name, value in expected.items():
        require_close(found[name], value, length=N, depth=4, what=f"{name}, {batch_size} rows")


def require_equal(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name, strict=True)


@pytest.fixture
def uncached(monkeypatch):
    """Code is made anew in this test, and forgotten after it."""
    monkeypatch.setenv("RETROGRAD_CACHE", "off")

    def forget():
        monkeypatch.setattr(compiled, "_COMPILED", OrderedDict())
        executable._kept.cache_clear()

    forget()
    yield forget
    executable._kept.cache_clear()


# Weight gradients.


@poisoned
@each_dtype
@pytest.mark.parametrize("optimizer", [MOMENTUM, rg.Adam(0.001)], ids=["momentum", "adam"])
def test_a_wide_layer_trains_as_on_the_reference(target, dtype, optimizer):
    layer = Layer(131, 203, dtype, optimizer)
    layer.program(target)
    for batch_size in BATCHES:
        require_same(layer, CpuEngine(target, n_threads=1), batch_size)


def edges(target, dtype):
    """The least weight gradients whose operands are copied: in rows, in columns; whole panels."""
    panel = target.tile[1] * target.bytes // np.dtype(dtype).itemsize
    least, enough = FEW_ROWS + 1, FIRST_CACHE // (SOME_ROWS * np.dtype(dtype).itemsize)
    return [
        (least, max(2 * panel + 1, enough)),
        (max(least, enough // 16 * 16 + 1), max(2 * panel, NARROW) + 1),
        (4 * least - 1, max(4, -(-enough // panel)) * panel),
    ]


@poisoned
@each_dtype
@pytest.mark.parametrize("case", range(3), ids=["fewest rows", "fewest columns", "whole panels"])
def test_the_least_gradients_that_are_copied_are_those_of_the_reference(target, dtype, case):
    layer = Layer(*edges(target, dtype)[case], dtype)
    layer.program(target)
    for batch_size in (1, 7, 33):
        require_same(layer, CpuEngine(target, n_threads=1), batch_size)


@poisoned
@each_dtype
def test_neither_copies_nor_their_pieces_change_a_bit(target, dtype, uncached, monkeypatch):
    """Columns are copied in pieces where there are many terms; at worst panel by panel."""
    layer, engine = Layer(131, 203, dtype), CpuEngine(target, n_threads=1)
    expected = [layer.after(engine, size) for size in BATCHES]
    for limit, n_bytes in (("PANELS", 1 << 12), ("PANELS", 1), ("FIRST_CACHE", 1 << 40)):
        uncached()
        monkeypatch.setattr(scratch, limit, n_bytes)
        are_copied = any(is_copied(kernel, target) for kernel in plan(layer.step).kernels)
        assert are_copied == (limit == "PANELS")
        for size, state in zip(BATCHES, expected, strict=True):
            require_equal(layer.after(engine, size), state)


@poisoned
@each_dtype
@pytest.mark.parametrize("size", [(131, 203), (17, 700)])
def test_threads_with_copies_of_their_own_give_the_bits_of_one(
    target, dtype, size, always_threaded
):
    layer = Layer(*size, dtype)
    layer.program(target)
    for batch_size in (1, 33):
        one, *several = (layer.after(CpuEngine(target, n_threads=n), batch_size) for n in (1, 2, 3))
        for found in several:
            require_equal(found, one)


@poisoned
@each_dtype
def test_a_sum_over_a_known_number_of_terms_may_be_copied_too(target, dtype):
    """As where both operands are state: there k is no number of rows."""
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=(150, n)).astype(dtype) for n in (35, 203))
    a, b = (rg.variable(name, shape=x.shape, dtype=dtype) for name, x in (("a", A), ("b", B)))
    step = Step({}, {"a": a, "b": b}, {"c": a.T @ b})
    program = plan(step)
    assert any(is_copied(kernel, target) for kernel in program.kernels)
    found, expected = (
        engine.open({"step": step}, {"a": A, "b": B}, {}).run("step", np.zeros(1, int))["c"]
        for engine in (CpuEngine(target, n_threads=1), NumpyEngine())
    )
    require_close(found, expected, length=150)


def in_double(W, dW):
    """What has half as many lanes as the product alone would have."""
    return rg.cast(rg.cast(dW, "float64") * 1.5 + rg.cast(W, "float64"), W.dtype)


def turned(W, dW):
    """What reads the gradient transposed, from memory."""
    return dW + (dW[:, :131].T)[:, :1] * W


@poisoned
@each_dtype
@pytest.mark.parametrize("update", [in_double, turned], ids=lambda f: f.__name__)
def test_whatever_follows_a_copied_product_is_that_of_the_reference(target, dtype, update):
    x, y = (rg.variable(s, shape=(rg.rows, n), dtype=dtype) for s, n in (("x", 131), ("y", 203)))
    W = rg.variable("W", shape=(131, 203), dtype=dtype)
    dW = x.T @ (x @ W - y)
    step = Step(
        {"x": x, "y": y}, {"W": W}, {"norm": rg.sum(rg.square(dW))}, {}, {"W": update(W, dW)}
    )
    assert any(is_copied(kernel, target) for kernel in plan(step).kernels)
    engine = CpuEngine(target, n_threads=1)
    for n_rows in (1, 7, 33):
        require_same_runs(engine, step, n_rows=n_rows, length=131 * n_rows, depth=4)


def test_scratch_memory_is_there_only_where_something_is_copied(target):
    wide, narrow = Layer(131, 203), Layer(20, 5)
    program = wide.program(target)
    for n_threads, own in ((1, 131), (3, 48)):  # rows of weights, of which one thread has most
        needed = [scratch_bytes(program, target, rows, n_threads, Now()) for rows in (1, 33)]
        memories = [Memory(Executable(program, target), rows, n_threads) for rows in (1, 33)]
        assert [m.arrays[SCRATCH].nbytes for m in memories] == [n_threads * n for n in needed]
        least = scratch.PANELS + 33 * (own * 4)
        assert least <= needed[1] <= least + 33 * 1024
    small = plan(narrow.step)
    assert not any(is_copied(kernel, target) for kernel in small.kernels)
    assert Memory(Executable(small, target), 33, 3).arrays[SCRATCH].nbytes == 0


def test_predictions_copy_nothing(target):
    net = rg.MLP([131, 203, 203])
    output, inputs = net.prediction()
    function = CpuEngine(target, n_threads=1).function([output], inputs)
    function([np.zeros((300, 131)), *net.parameters.values()])
    assert [m.arrays[SCRATCH].nbytes for m in function._memories] == [0]


# Rows left over.

K = 37


@cache
def forward(dtype):
    """Products of the rows with weights: one column, few, many, and transposed ones."""
    x = rg.variable("x", shape=(rg.rows, K), dtype=dtype)
    shapes = {"u": (K, 1), "v": (K, 5), "W": (K, 203), "T": (203, K)}
    state = {name: rg.variable(name, shape=s, dtype=dtype) for name, s in shapes.items()}
    outputs = {name: x @ (w.T if name == "T" else w) for name, w in state.items()}
    rng = np.random.default_rng(3)
    values = {name: rng.normal(size=s).astype(dtype) for name, s in shapes.items()}
    data = {"x": rng.normal(size=(51, K)).astype(dtype)}
    return Step({"x": x}, state, outputs), values, data


@poisoned
@each_dtype
def test_a_row_is_computed_alike_in_batches_of_every_size(target, dtype):
    step, state, data = forward(dtype)
    session = CpuEngine(target, n_threads=1).open({"step": step}, state, data)
    whole = session.run("step", np.arange(51))
    for name, w in state.items():
        expected = data["x"] @ (w.T if name == "T" else w)
        require_close(whole[name], expected, length=K, what=name)
    for size in range(1, 18):
        require_equal(session.run("step", np.arange(51), batch_size=size), whole)


@poisoned
@each_dtype
@pytest.mark.parametrize("k", [8, 9, 10, 12, 13, 16, 17, 33])
def test_weights_of_any_width_are_turned_by_any_number_of_threads(
    target, dtype, k, always_threaded
):
    rng = np.random.default_rng(k)
    n = 203 if k > NARROW else LONG - 1  # of more rows they are kept transposed
    W, X = rng.normal(size=(n, k)).astype(dtype), rng.normal(size=(51, k)).astype(dtype)
    x = rg.variable("x", shape=(rg.rows, k), dtype=dtype)
    w = rg.variable("w", shape=W.shape, dtype=dtype)
    step = Step({"x": x}, {"w": w}, {"y": x @ w.T})
    assert any(kernel.stores[0].gate.name == "transpose" for kernel in plan(step).kernels)
    for n_threads in (1, 2, 3):
        engine = CpuEngine(target, n_threads=n_threads)
        found = engine.open({"step": step}, {"w": W}, {"x": X}).run("step", np.arange(51))
        require_close(found["y"], X @ W.T, length=k)


@poisoned
@each_dtype
@pytest.mark.parametrize("k", [31, 32, 33, 35, 36, 100])
def test_narrow_products_whose_sums_are_made_in_parts_have_the_same_bits_wherever_they_are(
    dtype, k, uncached
):
    rng, widths = np.random.default_rng(k), (2, 5, 16, 17)
    X = rng.normal(size=(35, k)).astype(dtype)
    state = {f"w{n}": rng.normal(size=(k, n)).astype(dtype) for n in widths}
    x = rg.variable("x", shape=(rg.rows, k), dtype=dtype)
    variables = {name: rg.variable(name, shape=w.shape, dtype=dtype) for name, w in state.items()}
    products = [x @ w for w in variables.values()]
    first = None
    for target in (one for one in runnable() if one.has_fma):
        for n_threads, size in ((1, 35), (2, 35), (1, 1), (1, 3), (2, 18)):
            function = CpuEngine(target, n_threads).function(products, [x, *variables.values()])
            parts = [function([X[i : i + size], *state.values()]) for i in range(0, 35, size)]
            whole = map(np.concatenate, zip(*parts, strict=True))
            found = dict(zip(state, whole, strict=True))
            first = first or found
            require_equal(found, first)
    for name, w in state.items():
        require_close(first[name], X @ w, length=k, what=name)


@poisoned
@each_dtype
@pytest.mark.parametrize("k", [8, 17, 32, 33, 48, 100])
@pytest.mark.parametrize("n", [2, 3, 5, 8, 9, 16])
def test_layers_of_few_outputs_train_as_on_the_reference_with_the_same_bits_on_any_threads(
    target, dtype, k, n, always_threaded
):
    """Their weights and moments lie transposed, and threads share out the columns of these."""
    net, rng = rg.MLP([3, k, n], output="identity", dtype=dtype), np.random.default_rng(k)
    X, Y = (rng.normal(size=(35, size)).astype(dtype) for size in (3, n))
    loss, rule = find_loss("half_squared_error", net), rg.Adam(0.01)
    problem = objective(net, loss, loss.target(Y, n, dtype), is_penalised=False)
    steps, state = training_steps(problem, rule), state_at(net.parameters, rule)
    rates = {"l2": 0.1, **rule.numbers()}

    def trained(engine, size):
        session = engine.open(steps, state, {"x": X, "y": Y})
        session.run("train", np.arange(35), rates, batch_size=size)
        scored = session.run("score", np.arange(35), {}, batch_size=size)
        return {**session.snapshot(), **scored}

    for size in (1, 2, 16, 35):
        one, *several = (trained(CpuEngine(target, n), size) for n in (1, 2, 3))
        for found in several:
            require_equal(found, one)
        for name, expected in trained(NumpyEngine(), size).items():
            require_close(one[name], expected, length=k, depth=64, what=f"{name}, {size} rows")


@poisoned
@each_dtype
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8, 9, 10, 16])
def test_lanes_are_added_up_each_vector_in_a_lane_of_its_own(target, dtype, n):
    """A row's dot products, with numbers that are exact in any order."""
    k = 64 + n
    X = np.random.default_rng(n).integers(-9, 10, (5, k)).astype(dtype)
    W = np.random.default_rng(k).integers(-9, 10, (n, k)).astype(dtype)
    x, w = rg.variable("x", shape=(rg.rows, k), dtype=dtype), rg.variable("w", W)
    function = CpuEngine(target, 1).function([x @ w.T], [x, w])
    np.testing.assert_array_equal(function([X, W])[0], X @ W.T)


@poisoned
@each_dtype
def test_sums_in_parts_that_underflow_have_the_same_sign_of_zero_in_batches_of_every_size(
    target, dtype
):
    k, n = 40, 9
    tiny = np.sqrt(np.finfo(dtype).tiny) / 4.0
    X, W = np.full((35, k), -tiny, dtype), np.full((k, n), tiny, dtype)
    x, w = rg.variable("x", shape=(rg.rows, k), dtype=dtype), rg.variable("w", W)
    step = Step({"x": x}, {"w": w}, {"y": x @ w})
    signs = []
    for size in (35, 8, 3, 1):
        session = CpuEngine(target, 1).open({"step": step}, {"w": W}, {"x": X})
        signs.append(np.signbit(session.run("step", np.arange(35), batch_size=size)["y"]))
    assert all((sign == signs[0]).all() for sign in signs)


# Columns of which there are few: each would wait for its own sum.

ROWS = 77


@cache
def gradients_of_one_output(m, dtype):
    """The gradients of the weights and the bias of a single output with m inputs."""
    x, d = (rg.variable(name, shape=(rg.rows, n), dtype=dtype) for name, n in (("x", m), ("d", 1)))
    rng = np.random.default_rng(m)
    data = {"x": rng.normal(size=(ROWS, m)).astype(dtype)}
    data["d"] = rng.normal(size=(ROWS, 1)).astype(dtype)
    outputs = {"dW": x.T @ d, "db": rg.sum(d, 0), "columns": rg.sum(x, 0)}
    return Step({"x": x, "d": d}, {}, outputs), data


@poisoned
@each_dtype
@pytest.mark.parametrize("m", [1, 2, 5, 15, 16, 17, 31, 33, 64, 100])
def test_gradients_of_a_single_output_have_the_same_bits_on_any_number_of_threads(
    target, dtype, m, always_threaded
):
    step, data = gradients_of_one_output(m, dtype)
    for rows in (1, 2, 7, 8, 9, 16, 35, ROWS):
        first = None
        for n_threads in (1, 2, 3):
            session = CpuEngine(target, n_threads).open({"step": step}, {}, data)
            found = session.run("step", np.arange(rows))
            first = first or found
            require_equal(found, first)
        x, d = (data[name][:rows] for name in "xd")
        for name, expected in (("dW", x.T @ d), ("db", d.sum(0)), ("columns", x.sum(0))):
            require_close(first[name], expected[None], length=rows, what=f"{name}, {rows} rows")


@pytest.mark.parametrize("n", [5, 10, 16, 32, 48])
def test_columns_are_added_up_in_parts(target, n):
    """In a single sum of float32 each 1 would be lost: 2**24 + 1 is 2**24."""
    X = np.ones((64, n), np.float32)
    X[0] = 2.0**24
    x, d = (rg.variable(s, shape=(rg.rows, k), dtype=np.float32) for s, k in (("x", n), ("d", 1)))
    function = CpuEngine(target).function([rg.sum(x, 0), x.T @ d], [x, d])
    for found in function([X, np.ones((64, 1), np.float32)]):
        assert (found >= 2.0**24 + 24).all()


@each_dtype
def test_a_compiled_function_computes_a_row_alike_whatever_follows_it(target, dtype):
    step, state, data = forward(dtype)
    outputs, inputs = [*step.outputs.values()], [step.inputs["x"], *step.state.values()]
    function = CpuEngine(target, n_threads=1).function(outputs, inputs)
    whole = function([data["x"], *state.values()])
    for n in range(1, 18):
        found = function([data["x"][:n], *state.values()])
        for one, expected in zip(found, whole, strict=True):
            np.testing.assert_array_equal(one, expected[:n])


@each_dtype
def test_left_over_rows_of_known_number_are_those_of_a_larger_product(target, dtype):
    rng, tile = np.random.default_rng(4), target.tile[0]
    sizes = [1, 2, tile - 1, tile, tile + 1, 2 * tile - 1, 2 * tile + 3, 4 * tile]
    A, B = (rng.normal(size=s).astype(dtype) for s in ((4 * tile, K), (K, 203)))
    b = rg.variable("b", shape=B.shape, dtype=dtype)
    rows = [rg.variable(f"a{m}", shape=(m, K), dtype=dtype) for m in sizes]
    function = CpuEngine(target, n_threads=1).function([a @ b for a in rows], [*rows, b])
    found = function([*(A[:m] for m in sizes), B])
    require_close(found[-1], A @ B, length=K)
    for m, one in zip(sizes, found, strict=True):
        np.testing.assert_array_equal(one, found[-1][:m])


@each_dtype
def test_a_product_with_a_constant_of_one_entry_reads_it_from_the_code(dtype):
    x, two = rg.variable("x", shape=(rg.rows, 1), dtype=dtype), rg.constant([[2.0]], dtype=dtype)
    X = np.array([[1.0], [-3.0]], dtype)
    products = [rg.tanh(x) @ two, x @ rg.transpose(two), two @ rg.transpose(x), two @ two]
    found = rg.compile(products, [x], engine="cpu")(X)
    for one, expected in zip(found, (2 * np.tanh(X), 2 * X, 2 * X.T, [[4.0]]), strict=True):
        require_close(one, np.array(expected, dtype))


# Sums of products.


@each_dtype
def test_a_sum_of_a_product_is_rounded_once_where_the_processor_can(target, dtype):
    rng = np.random.default_rng(5)
    a, b, c = rng.normal(size=(3, 40, 7)).astype(dtype)
    c[:20] = -(a * b)[:20]  # what is left is the rounding of the product
    x, y, z = (rg.variable(name, shape=(rg.rows, 7), dtype=dtype) for name in "xyz")
    outputs = [z + x * y, z + rg.square(x), z[:, 0] + x[:, 0] * y[:, 0], z + x * y[:, :1]]
    found = CpuEngine(target).function(outputs, [x, y, z])([a, b, c])
    operands = [(a, b, c), (a, a, c), (a[:, 0], b[:, 0], c[:, 0]), (a, b[:, :1], c)]
    for one, (p, q, r) in zip(found, operands, strict=True):
        expected = once_rounded(p, q, r) if target.has_fma else r + p * q
        np.testing.assert_array_equal(one, expected, strict=True)


@each_dtype
def test_a_difference_with_a_rate_is_rounded_once_and_one_of_two_products_alike(target, dtype):
    """w - rate * g; but x x - m m is 0 where m is x, and may be divided by or rooted."""
    w, g = np.random.default_rng(6).normal(size=(2, 40, 7)).astype(dtype)
    x, y = (rg.variable(name, shape=(rg.rows, 7), dtype=dtype) for name in "xy")
    rate = dtype(0.3)
    outputs = [x - rate * y, rg.square(x) - x * x, x * y - y * x]
    step, *zeros = CpuEngine(target).function(outputs, [x, y])([w, g])
    expected = once_rounded(-rate, g, w) if target.has_fma else w - rate * g
    np.testing.assert_array_equal(step, expected, strict=True)
    for zero in zeros:
        np.testing.assert_array_equal(zero, np.zeros((40, 7), dtype), strict=True)


def once_rounded(x, y, z):
    """x * y + z, with all digits until the end."""
    digits = np.finfo(z.dtype).nmant + 1

    def of(x, y, z):
        with mpmath.workprec(400):
            exact = mpmath.mpf(float(x)) * float(y) + float(z)
        with mpmath.workprec(digits):
            return float(+exact)

    return np.vectorize(of)(x, y, z).astype(z.dtype)
