"""The compiled session: threads, copies, forks, stops, and data as users have it."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

import retrograd as rg
from retrograd.arrays import SparseRows
from retrograd.engines.cpu.abi.table import Table
from retrograd.engines.cpu.code.emit import emit
from retrograd.engines.cpu.code.sharing import Sharing
from retrograd.engines.cpu.code.shuffle import emit_shuffle
from retrograd.engines.cpu.code.workers import emit_pool
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine.host import machine_of
from retrograd.engines.cpu.machine.llvm import assemble, optimize
from retrograd.engines.cpu.machine.target import TARGETS
from retrograd.engines.cpu.run import autotune, calls, executable
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError, GraphError
from retrograd.graph.step import Step
from retrograd.nn.losses import find_loss
from retrograd.plan.schedule import plan
from retrograd.training.interrupt import Interrupt
from retrograd.training.step import objective, training_steps
from tests.compare import require_close, require_same_runs, values_of
from tests.engines.cpu.cases import CASES

rng = np.random.default_rng(0)
N, I, O = 150, 20, 5
X = rng.normal(size=(N, I)).astype(np.float32)
LABEL = rng.integers(0, O, N)
STATE = {
    "W": rng.normal(size=(I, O)).astype(np.float32),
    "v": np.zeros((I, O), np.float32),
    "b": np.zeros(O, np.float32),
    "t": np.zeros(()),
}


def training(dtype="float32"):
    """Softmax regression with momentum: what sums over rows, over columns, and updates in place."""
    x = rg.variable("x", shape=(rg.rows, I), dtype=dtype)
    label = rg.variable("label", shape=(rg.rows,), dtype="int64")
    state = {
        name: rg.variable(name, shape=value.shape, dtype="float64" if name == "t" else dtype)
        for name, value in STATE.items()
    }
    W, v, b, rate = state["W"], state["v"], state["b"], rg.variable("rate", shape=())
    z = x @ W + b
    J = -rg.mean(rg.sum(rg.one_hot(label, O, dtype) * rg.log_softmax(z), axis=1))
    dW, db = rg.gradient(J, [W, b])
    velocity = 0.9 * v + dW
    updates = {"W": W - rate * velocity, "v": velocity, "b": b - rate * db, "t": state["t"] + 1.0}
    outputs = {"J": J, "z": z, "norm": rg.sqrt(rg.sum(rg.square(dW)))}
    return Step({"x": x, "label": label}, state, outputs, {"rate": rate}, updates)


TRAIN = {"train": training()}
DATA = {"x": X, "label": LABEL}
RATE = {"rate": 0.1}
ORDER = rng.permutation(N)


def everything(session, *, order=ORDER, batch_size=40, rate=0.1):
    outputs = session.run("train", order, {"rate": rate}, batch_size=batch_size)
    return outputs | {f"next {name}": value for name, value in session.snapshot().items()}


def opened(*, n_threads=1, **options):
    return CpuEngine(n_threads=n_threads).open(TRAIN, STATE, DATA, **options)


def require_equal(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name, strict=True)


ALONE = everything(opened())


def test_training_is_that_of_the_reference():
    expected = everything(NumpyEngine().open(TRAIN, STATE, DATA))
    for name, value in expected.items():
        made_in = np.float32
        require_close(ALONE[name], value, length=N, depth=20, what=name, made_in=made_in)


def test_rates_may_be_numbers_or_arrays_from_run_to_run():
    session, reference = opened(), NumpyEngine().open(TRAIN, STATE, DATA)
    several, one = np.array([0.01, 0.02, 0.03, 0.04]), np.broadcast_to(0.05, 4)
    for rate in (several, one, 0.01, several[::-1], 0.02, one, np.float32(0.03), 0.01):
        found, expected = (
            s.run("train", ORDER, {"rate": rate}, batch_size=40) for s in (session, reference)
        )
        require_close(found["z"], expected["z"], length=N, depth=100)


def test_what_was_returned_is_not_overwritten_by_the_next_run():
    session = opened()
    first = session.run("train", ORDER, RATE, batch_size=40)
    kept = {name: value.copy() for name, value in first.items()}
    session.run("train", ORDER[::-1], RATE, batch_size=40)
    require_equal(first, kept)


def test_smaller_and_larger_batches_follow_each_other():
    session, reference = opened(), NumpyEngine().open(TRAIN, STATE, DATA)
    for size in (3, 64, 1, 65, N, 17):
        found, expected = (
            s.run("train", ORDER[:130], RATE, batch_size=size) for s in (session, reference)
        )
        require_close(found["z"], expected["z"], length=N, depth=300)


# Threads.


@pytest.mark.parametrize("n_threads", [2, 3])
@pytest.mark.parametrize("batch_size", [1, 33, 150])
def test_several_threads_give_the_same_bits_as_one(n_threads, batch_size, always_threaded):
    found = everything(opened(n_threads=n_threads), batch_size=batch_size)
    require_equal(found, everything(opened(), batch_size=batch_size))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_threads_give_the_same_bits_for_every_gate(dtype, always_threaded):
    x, y = (rg.variable(name, shape=(rg.rows, 37), dtype=dtype) for name in "xy")
    label = rg.variable("label", shape=(rg.rows,), dtype="int64")
    outputs = [node for case in CASES.values() for node in case(x, y, label)]
    names = {f"{i} {node!r}": node for i, node in enumerate(outputs)}
    step = Step({"x": x, "y": y, "label": label}, {}, names)
    data = values_of(step.inputs, rng, 70)
    results = [
        CpuEngine(n_threads=n).open({"step": step}, {}, data).run("step", np.arange(70))
        for n in (1, 2)
    ]
    require_equal(*results)


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_threads_wait_three_times_in_a_step_however_deep_the_network(depth):
    """For the transposed weights, for the gradients' operands, and at the end of the batch."""
    net = rg.MLP([I, *[7] * depth, O], output="softmax")
    loss = find_loss("cross_entropy", net)
    problem = objective(net, loss, loss.target(LABEL, O, net.dtype))
    program = plan(training_steps(problem, rg.Adam(0.01))["train"])
    sharing = Sharing(Table(program, TARGETS["avx512"]))
    for node in program.inputs.values():
        sharing.write_rows(node)
    assert sum(sharing.needs_barrier(kernel) for kernel in program.kernels) == 2


def test_threads_are_tried_where_a_step_is_long_enough(monkeypatch):
    tried, call = [], calls._call
    executable._kept.cache_clear()  # where it was measured, there is nothing to try
    monkeypatch.setattr(autotune, "WORTH", 0.0)
    monkeypatch.setattr(autotune, "TRIAL", 0.0)
    monkeypatch.setattr(autotune, "WAKING", 0.0)
    monkeypatch.setattr(calls, "_call", lambda *args: (tried.append(args[-1]), call(*args)))
    require_equal(
        everything(opened(n_threads=2), batch_size=10), everything(opened(), batch_size=10)
    )
    assert set(tried) == {1, 2}


def test_sessions_in_several_python_threads_do_not_disturb_each_other():
    found, errors = [], []

    def work():
        try:
            session = opened()
            found.append([everything(session), *(everything(session) for _ in range(20))][0])
        except Exception as error:  # noqa: BLE001  # looked at below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for one in found:
        require_equal(one, ALONE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_session_may_be_used_after_a_fork(n_threads, always_threaded):
    session = opened(n_threads=n_threads)
    start = session.snapshot()
    everything(session)
    session.restore(start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            require_equal(everything(session), ALONE)
            require_equal(everything(opened(n_threads=n_threads)), ALONE)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    require_equal(everything(session), ALONE)


def test_rows_that_meet_rows_wait_for_all_threads(always_threaded):
    x, w = rg.variable("x", shape=(rg.rows, 4)), rg.variable("w", shape=(4, 4))
    u = rg.sum(rg.exp(x @ w), axis=1)
    near = rg.exp(-rg.square(rg.reshape(u, (rg.rows, 1)) - rg.reshape(u, (1, rg.rows))))
    outputs = {"a": rg.sum(near, axis=1), "b": rg.sum(near * rg.tanh(near), 0), "c": near @ x}
    step = Step({"x": x}, {"w": w}, outputs)
    data, state = values_of(step.inputs, rng, 300), values_of(step.state, rng)
    alone = CpuEngine(n_threads=1).open({"step": step}, state, data).run("step", np.arange(300))
    for _ in range(3):  # each with memory that nothing was written to yet
        session = CpuEngine(n_threads=2).open({"step": step}, state, data)
        require_equal(session.run("step", np.arange(300)), alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_another_thread_compiles_leaves_a_child_that_can_compile(monkeypatch):
    monkeypatch.setenv("RETROGRAD_CACHE", "off")

    def compile_one(size):
        x = rg.variable("x", shape=(size,))
        call = CpuEngine(n_threads=1).function([rg.exp(x) * 2.0], [x])
        np.testing.assert_allclose(call([np.zeros(size)])[0], 2.0)

    sizes, done = iter(range(1000, 2000)), threading.Event()

    def work():
        while not done.is_set():
            compile_one(next(sizes))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for size in range(5):
            time.sleep(0.01)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                status = 1
                try:
                    signal.alarm(10)
                    compile_one(2000 + size)
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()


# Copies.

M = 3
MANY = {name: np.stack([value + i for i in range(M)]) for name, value in STATE.items()}


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("order", [ORDER, np.stack([rng.permutation(N)[:90] for _ in range(M)])])
@pytest.mark.parametrize("rate", [0.1, rng.uniform(0.1, 0.2, (M, 3))])
def test_copies_give_the_bits_of_sessions_of_their_own(n_threads, order, rate, always_threaded):
    order = order[..., :90]
    copies = CpuEngine(n_threads=n_threads).open(TRAIN, MANY, DATA, copies=M)
    found = everything(copies, order=order, rate=rate, batch_size=32)
    for m in range(M):
        own = {name: value[m] for name, value in MANY.items()}
        alone = CpuEngine(n_threads=1).open(TRAIN, own, DATA)
        parts = [a[m] if np.ndim(a) == 2 else a for a in (order, rate)]
        expected = everything(alone, order=parts[0], rate=parts[1], batch_size=32)
        require_equal({name: value[m] for name, value in found.items()}, expected)


@pytest.mark.parametrize("only", [None, [0, 2], [1]])
def test_copies_whose_batches_are_shared_out_in_pieces_give_the_same_bits(
    only, always_threaded, monkeypatch
):
    monkeypatch.setattr(calls, "OF_PIECE", 1)
    orders = np.stack([rng.permutation(N)[:90] for _ in range(M)])
    rate = rng.uniform(0.1, 0.2, (M, 23))
    pieces, shared = [], calls.run_parallel

    def counted(code, jobs, *, is_shared=False, later=None):
        pieces.append(len(jobs[0]) / (later or 1))
        shared(code, jobs, is_shared=is_shared, later=later)

    monkeypatch.setattr(calls, "run_parallel", counted)
    found = []
    for n_threads in (1, 2, 3):
        session = CpuEngine(n_threads=n_threads).open(TRAIN, MANY, DATA, copies=M)
        at = slice(None) if only is None else only
        run = session.run("train", orders[at], {"rate": rate[at]}, batch_size=4, only=only)
        found.append({**run, **session.snapshot()})
    for each in found[1:]:
        require_equal(each, found[0])
    if only != [1]:
        assert max(pieces) == calls.PIECES


def test_copies_without_a_state_variable_say_which():
    without = {name: value for name, value in MANY.items() if name != "t"}
    with pytest.raises(GraphError, match="state t has no value"):
        CpuEngine().open(TRAIN, without, DATA, copies=M)


# Stopping.

LONG = np.tile(ORDER, 400_000 // N)  # batches of one row: some seconds of them


@pytest.mark.parametrize("copies", [None, M])
def test_a_stop_is_honoured_within_a_tenth_of_a_second(copies):
    session = (
        opened(copies=copies)
        if copies is None
        else CpuEngine(n_threads=1).open(TRAIN, MANY, DATA, copies=M)
    )
    session.run("train", ORDER[:2], RATE, batch_size=1)  # compiled, and measured
    order, asked = np.tile(LONG, 10), []

    def stop():
        asked.append(time.perf_counter())
        return len(asked) == 3

    begin = session.read("t")
    found = session.run("train", order, RATE, batch_size=1, stop=stop)
    end = time.perf_counter()
    n_run = found["J"].shape[-1]
    assert 0 < n_run < len(order)
    np.testing.assert_array_equal(session.read("t") - begin, n_run)
    assert end - asked[-1] < 0.1
    assert np.diff(asked).max() < 0.5  # 0.05 where no other process has the processor


def test_a_stop_that_says_no_changes_nothing():
    session = opened()
    found = session.run("train", ORDER, RATE, batch_size=1, stop=lambda: False)
    require_equal(found, opened().run("train", ORDER, RATE, batch_size=1))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer here")
def test_ctrl_c_stops_after_the_current_batches():
    session = opened()
    previous = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with Interrupt() as interrupt:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            found = session.run("train", np.tile(LONG, 10), RATE, batch_size=1, stop=interrupt)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert interrupt()
    assert len(found["J"]) < len(LONG) * 10


# The caller's floating-point mode.


def test_denormals_are_zero_inside_and_the_callers_again_outside():
    tiny = np.full(40, 1e-40, np.float32)
    x = rg.variable("x", shape=(rg.rows,), dtype="float32")
    step = Step(
        {"x": x}, {}, {"y": x * 0.5, "bad": rg.take(rg.constant(np.zeros(3)), rg.cast(x, "int64"))}
    )
    session = CpuEngine().open({"step": step}, {}, {"x": tiny})
    assert (tiny * np.float32(0.5)).all()
    assert not session.run("step", np.arange(40))["y"].any()
    assert (tiny * np.float32(0.5)).all()
    wrong = CpuEngine().open({"step": step}, {}, {"x": tiny + 7})
    with pytest.raises(DataError, match="take: index 7 is out of range for an axis of size 3"):
        wrong.run("step", np.arange(40))
    assert (tiny * np.float32(0.5)).all()


# Data and orders as users have them.


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_outputs_are_joined_along_the_rows_of_the_order(n, batch_size):
    results = [
        engine.open(TRAIN, STATE, DATA).run("train", ORDER[:n], RATE, batch_size=batch_size)
        for engine in (CpuEngine(), NumpyEngine())
    ]
    for name, value in results[1].items():
        require_close(results[0][name], value, length=N, depth=20, what=name, made_in=np.float32)


def test_an_order_may_repeat_rows_and_be_of_any_integers():
    order = np.array([3, 3, 0, 149, 3], np.uint8)[::-1]
    require_equal(
        opened().run("train", order, RATE), opened().run("train", order.astype(np.int64), RATE)
    )


def read_only(x):
    copy = x.copy()
    copy.setflags(write=False)
    return copy


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read only": read_only,
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_data_may_lie_in_memory_in_any_way(layout):
    data = {name: LAYOUTS[layout](value) for name, value in DATA.items()}
    state = {name: LAYOUTS[layout](value) if value.ndim else value for name, value in STATE.items()}
    require_equal(everything(CpuEngine(n_threads=1).open(TRAIN, state, data)), ALONE)


def test_rows_that_are_one_row_repeated_are_read_as_such():
    data = {"x": np.broadcast_to(X[:1], X.shape), "label": np.broadcast_to(LABEL[:1], N)}
    copied = {name: value.copy() for name, value in data.items()}
    results = [everything(CpuEngine(n_threads=1).open(TRAIN, STATE, d)) for d in (data, copied)]
    require_equal(*results)


@pytest.mark.parametrize("copies", [None, M])
@pytest.mark.parametrize("batch_size", [1, 40, None])
def test_sparse_rows_give_what_the_same_rows_give_dense(copies, batch_size):
    state = STATE if copies is None else MANY
    sparse = X * (rng.random(X.shape) < 0.2)
    results = []
    for x in (SparseRows(csr_array(sparse)), sparse):
        data = {"x": x, "label": LABEL}
        session = CpuEngine(n_threads=1).open(TRAIN, state, data, copies=copies)
        results.append(everything(session, batch_size=batch_size))
    require_equal(*results)


def test_sparse_rows_are_expanded_batch_by_batch_only():
    taken = []

    class Watched(SparseRows):
        def take(self, indices, *args, **options):
            taken.append(len(indices))
            return super().take(indices, *args, **options)

    session = CpuEngine().open(TRAIN, STATE, {"x": Watched(csr_array(X)), "label": LABEL})
    session.run("train", ORDER, RATE, batch_size=40)
    assert taken == [40, 40, 40, 30]
    taken.clear()
    asked = iter([False, True])
    found = session.run("train", ORDER, RATE, batch_size=40, stop=lambda: next(asked))
    assert taken == [40, 40]
    assert len(found["J"]) == 2


@pytest.mark.parametrize("index", [3, -4, 2**40])
@pytest.mark.parametrize("gate", ["take", "scatter_add"])
def test_an_index_out_of_range_is_the_references_error(gate, index):
    i = rg.variable("i", shape=(rg.rows,), dtype="int64")
    table = rg.constant(np.arange(3.0))
    y = rg.take(table, i) if gate == "take" else rg.scatter_add(rg.cast(i, "float64"), i, 3)
    step = Step({"i": i}, {}, {"y": y if gate == "take" else rg.sum(y)})
    messages = []
    for engine in (CpuEngine(), NumpyEngine()):
        session = engine.open({"step": step}, {}, {"i": np.array([0, 2, index, 1])})
        with pytest.raises(DataError) as caught:
            session.run("step", np.arange(4))
        messages.append(str(caught.value))
        session.run("step", np.array([0, 1, 3]))  # the error is not raised again
    assert messages[0] == messages[1]


def test_an_error_is_of_one_run_only_in_all_copies():
    i, s = rg.variable("i", shape=(rg.rows,), dtype="int64"), rg.variable("s", shape=())
    step = Step({"i": i}, {"s": s}, {"y": s * rg.take(rg.constant(np.arange(3.0)), i)})
    session = CpuEngine().open({"step": step}, {"s": np.ones(M)}, {"i": np.array([0, 7])}, copies=M)
    with pytest.raises(DataError, match="index 7"):
        session.run("step", np.array([1]))
    assert not session.run("step", np.array([0]))["y"].any()


# State variables.


def test_two_state_variables_are_exchanged(cpu, poisoned):
    a, b = (rg.variable(name, shape=(17,)) for name in "ab")
    step = Step({}, {"a": a, "b": b}, {"sum": rg.sum(a)}, {}, {"a": b, "b": a})
    state = {"a": np.arange(17.0), "b": -np.arange(17.0)}
    session = cpu.open({"step": step}, state, {})
    session.run("step", np.arange(3), batch_size=1)
    np.testing.assert_array_equal(session.read("a"), state["b"])
    np.testing.assert_array_equal(session.read("b"), state["a"])


def test_what_reads_a_state_variable_reads_it_as_it_was(cpu, poisoned):
    W, b, x = (
        rg.variable("W", shape=(6, 6)),
        rg.variable("b", shape=(6,)),
        rg.variable("x", shape=(rg.rows, 6)),
    )
    updates = {"W": W @ W.T * 0.1 + b, "b": rg.sum(W, axis=0) * b[::-1]}
    step = Step({"x": x}, {"W": W, "b": b}, {"y": x @ W, "z": rg.sum(b) * x}, {}, updates)
    require_same_runs(cpu, step, batch_size=7)


# Processors that are not here.


@pytest.mark.parametrize("n", [32, 64, 128, 256])
def test_arrays_whose_rows_are_padded_to_other_lengths_meet_entry_by_entry(cpu, poisoned, n):
    """Rows of 512 bytes are padded: of float64 from 64 columns on, of float32 from 128 on."""
    a = rg.variable("a", shape=(20, n), dtype="float32")
    b = rg.variable("b", shape=(20, n), dtype="float64")
    step = Step({}, {"a": a, "b": b}, {}, {}, {"a": a * 2, "b": b + rg.cast(a, "float64")})
    require_same_runs(cpu, step)


def test_code_for_arm_is_assembled():
    neon = TARGETS["neon"]
    x, y = (rg.variable(name, shape=(rg.rows, 6), dtype="float32") for name in "xy")
    label = rg.variable("label", shape=(rg.rows,), dtype="int64")
    cases = {"matmul", "softmax", "exp", "take", "first_max", "scatter_add"}
    nodes = [node for name in sorted(cases) for node in CASES[name](x, y, label)]
    gates = Step(
        {"x": x, "y": y, "label": label}, {}, {str(i): node for i, node in enumerate(nodes)}
    )
    programs = [plan(step) for step in (gates, TRAIN["train"])]
    modules = [emit(program, neon, Table(program, neon)) for program in programs]
    for module in (*modules, emit_pool(neon), emit_shuffle(neon)):
        code = assemble(optimize(str(module), machine_of(neon)), machine_of(neon))
        assert code[:4] == b"\x7fELF"
        assert int.from_bytes(code[18:20], "little") == 183  # AArch64
