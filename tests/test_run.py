"""Evaluating and compiling: values in, values out, from several threads too."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, GraphError, OptionError, ShapeError, UnknownNameError
from retrograd.run import find_engine

x = rg.variable("x", 2.0)
y = rg.variable("y", 3.0)
batch = rg.variable("batch", shape=(rg.rows, 2))
target = rg.variable("target", shape=(rg.rows,))
unbound = rg.variable("unbound", shape=(2, 3))


def test_a_node_gives_a_value_and_a_sequence_a_list():
    assert rg.evaluate(x * y) == 6.0
    assert rg.evaluate([x * y, x]) == [6.0, 2.0]
    assert rg.evaluate((x,)) == [2.0]
    assert rg.evaluate([]) == []


def test_what_has_no_dimension_is_a_python_number():
    assert type(rg.evaluate(x * y)) is float
    assert type(rg.evaluate(x > y)) is bool
    assert type(rg.evaluate(rg.cast(x, "int64"))) is int
    assert type(rg.evaluate(x * 1j)) is complex
    assert type(rg.evaluate(rg.cast(x, "float32"))) is float
    assert isinstance(rg.evaluate(rg.constant([1.0])), np.ndarray)


def test_values_stand_in_place_of_a_variables_own():
    assert rg.evaluate(x * y, {x: 10.0}) == 30.0
    assert rg.evaluate(x * y, {x: 10, y: np.float32(2)}) == 20.0
    assert rg.evaluate(x * y) == 6.0


def test_a_value_for_a_variable_that_is_not_needed_is_checked_and_ignored():
    assert rg.evaluate(x, {y: 1.0}) == 2.0
    with pytest.raises(ShapeError, match=r"'y': expected shape \(\), got \(2,\)"):
        rg.evaluate(x, {y: [1.0, 2.0]})


def test_values_are_cast_to_the_variables_dtype():
    single = rg.variable("s", np.zeros(2, np.float32))
    whole = rg.variable("i", shape=(2,), dtype="int64")
    assert rg.evaluate(single * 1, {single: [1, 2]}).dtype == np.float32
    assert rg.evaluate(whole[::-1], {whole: [1.0, 2.0]}).tolist() == [2, 1]


def test_a_result_is_a_new_array_and_arguments_are_left_alone():
    value = np.arange(4.0).reshape(2, 2)
    function = rg.compile([batch, batch.T, rg.relu(batch)], [batch])
    first = function(value)
    kept = [result.copy() for result in first]
    for result in first:
        assert not np.may_share_memory(result, value)
    function(value + 5.0)
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    first[0][:] = -1.0
    assert np.array_equal(value, np.arange(4.0).reshape(2, 2))
    assert first[1].flags.writeable


def test_a_function_takes_any_number_of_rows():
    function = rg.compile([rg.sum(batch, axis=1), rg.mean(batch)], [batch])
    for n_rows in [3, 1, 7, 3, 0, 2, 9]:
        value = np.arange(2.0 * n_rows).reshape(n_rows, 2)
        sums, mean = function(value)
        assert np.array_equal(sums, value.sum(axis=1))
        assert np.isnan(mean) if n_rows == 0 else mean == value.mean()


def test_an_output_may_be_named_twice_and_may_be_an_input():
    assert rg.compile([x, x, x * y], [x])(4.0) == [4.0, 4.0, 12.0]


def test_arguments_may_come_in_any_layout():
    value = np.arange(6.0).reshape(3, 2)
    for same in (value, np.asfortranarray(value), value[::-1][::-1], value.tolist()):
        assert np.array_equal(rg.evaluate(batch @ batch.T, {batch: same}), value @ value.T)


def test_a_function_knows_what_it_was_made_of():
    function = rg.compile([x * y], [y])
    assert function.inputs == (y,)
    assert function.outputs[0].gate.name == "multiply"
    assert function.engine == "cpu"
    assert rg.compile([x * y], [y], engine="numpy").engine == "numpy"


@pytest.fixture
def hasty_threads():
    """Python gives way to another thread as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_call_one_function_at_once_get_their_own_answers():
    function = rg.compile([rg.sum(rg.tanh(batch @ batch.T) * 2.0, axis=1)], [batch])
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(60 + i % 2, 2)) for i in range(32)]
    expected = [function(value)[0] for value in values]

    def call(i):
        return all(np.array_equal(function(values[i])[0], expected[i]) for _ in range(10))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(len(values))))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rg.evaluate(unbound * 2.0), GraphError, r"unbound \(2, 3\) needs a value"),
        (
            lambda: rg.evaluate(unbound * 2.0, {unbound: np.zeros((3, 2))}),
            ShapeError,
            r"'unbound': expected shape \(2, 3\), got \(3, 2\)",
        ),
        (
            lambda: rg.evaluate(
                rg.sum(batch) + rg.sum(target), {batch: np.zeros((3, 2)), target: np.zeros(4)}
            ),
            ShapeError,
            "batch has 3 rows, target has 4; all must have the same number",
        ),
        (
            lambda: rg.evaluate(batch, {batch: np.zeros(3)}),
            ShapeError,
            r"'batch': expected shape \(rows, 2\), got \(3,\)",
        ),
        (lambda: rg.evaluate(x, {x: "a"}), DataError, "x: expected numbers, got <U1"),
        (lambda: rg.evaluate(x, {x: None}), DataError, "x: expected numbers, got object"),
        (
            lambda: rg.evaluate(target, {target: [[1.0], [1.0, 2.0]]}),
            DataError,
            "target: not an array of numbers: ",
        ),
        (
            lambda: rg.evaluate(target, {target: np.array([1, "b"], object)}),
            DataError,
            "target: expected numbers, got object",
        ),
        (lambda: rg.evaluate(x, {x: 1j}), DataError, "x: expected real numbers, got complex128"),
        (
            lambda: rg.compile([x], [3.0]),
            GraphError,
            "compile: an input must be a variable, got 3.0",
        ),
        (lambda: rg.compile([x], [x * y]), GraphError, "an input must be a variable, got <multip"),
        (lambda: rg.compile([x], [x, x]), GraphError, "compile: one variable is an input twice"),
        (lambda: rg.compile([2.0], [x]), GraphError, "an output must be a node, got float"),
        (lambda: rg.evaluate([x, 2.0]), GraphError, "an output must be a node, got float"),
        (rg.compile([x], [x]), DataError, r"expected 1 values \(x\), got 0"),
        (
            lambda: rg.evaluate(x, engine="nunpy"),
            UnknownNameError,
            r"unknown engine 'nunpy' \(did you mean 'numpy'\?\); known: auto, cpu, numpy",
        ),
        (
            lambda: find_engine("tpu"),
            UnknownNameError,
            "unknown engine 'tpu' .*known: auto, cpu, numpy",
        ),
    ],
)
def test_what_cannot_be_run_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_integers_are_expected_where_the_variable_is_one():
    i = rg.variable("i", shape=(2,), dtype="int64")
    for bad in ([0.5, 1.0], [np.nan, 1.0]):
        with pytest.raises(DataError, match="i: expected integers, got float64"):
            rg.evaluate(i, {i: bad})


def test_infinities_and_nan_warn_of_nothing():
    assert rg.evaluate(rg.exp(x) / 0.0) == np.inf
    assert np.isnan(rg.evaluate(rg.log(-x)))


def test_a_node_where_a_list_is_wanted_is_a_clear_error():
    x = rg.variable("x", 1.0)
    with pytest.raises(GraphError, match=r"outputs is a list of nodes, .*write \[node\]"):
        rg.compile(x * 2.0, [x])
    with pytest.raises(GraphError, match=r"inputs is a list of variables, .*write \[x\]"):
        rg.compile([x * 2.0], x)
    with pytest.raises(GraphError, match=r"got 3\.0"):
        rg.evaluate(3.0)


def test_a_compiled_function_shows_its_stages_as_text():
    w = rg.variable("w", np.ones((2, 3)))
    outputs = [rg.relu(batch @ w + 1.0)]
    function, again = (rg.compile(outputs, [batch, w], engine="cpu") for _ in range(2))
    assert function.graph.splitlines()[-1].startswith("%5 = relu %4")
    assert "kernel 0: matmul (rows, 3), fused with add, relu" in function.program
    assert "output_0 = relu(batch @ w + 1) " in function.program
    assert "define void @run(ptr" in function.llvm_ir
    assert "kernel_0:" in function.assembly
    for stage in ("graph", "program", "llvm_ir", "assembly"):
        assert getattr(function, stage) == getattr(again, stage)


def test_a_stage_is_made_only_when_it_is_asked_for(monkeypatch):
    from retrograd.engines.cpu.run.listing import CpuListing

    made = []
    make = CpuListing._module
    monkeypatch.setattr(CpuListing, "_module", lambda listing: made.append(1) or make(listing))
    function = rg.compile([batch * 2.0], [batch], engine="cpu")
    function(np.ones((3, 2)))
    assert not made
    assert function.llvm_ir and made


def test_the_reference_engine_has_a_graph_and_no_code():
    function = rg.compile([x * y], [x, y], engine="numpy")
    assert "multiply" in function.graph
    for stage in ("program", "llvm_ir", "assembly"):
        with pytest.raises(OptionError, match=rf"engine='cpu'\)\.{stage}"):
            getattr(function, stage)


def test_a_number_too_large_for_the_variable_is_a_data_error():
    x = rg.variable("x", shape=(2,))
    with pytest.raises(DataError, match="x: has a number too large for float64"):
        rg.compile([x * 2.0], [x])(np.array([1.0, np.longdouble("1e4000")]))
