"""The node: immutable, compared by identity, and made in one dtype."""

import copy
import pickle

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DtypeError, GraphError, OptionError, ShapeError
from retrograd.graph.node import GATES, Gate, Node, apply, as_node

x = rg.variable("x", [1.0, 2.0])


@pytest.mark.parametrize("name", ["value", "shape", "inputs", "dtype", "name", "anything"])
def test_a_node_is_immutable(name):
    with pytest.raises(AttributeError, match=f"a node is immutable: cannot set '{name}'"):
        setattr(x, name, None)
    with pytest.raises(AttributeError, match=f"a node is immutable: cannot delete '{name}'"):
        delattr(x, name)


def test_the_arrays_and_parameters_of_a_node_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        x.value[0] = 5.0
    with pytest.raises(TypeError, match="does not support item assignment"):
        rg.sum(x, axis=0).params["axes"] = ()


def test_a_node_keeps_a_copy_of_the_array_it_was_given():
    array = np.array([1.0, 2.0])
    node, fixed = rg.variable("v", array), rg.constant(array)
    array[0] = 9.0
    assert np.array_equal(rg.evaluate([node, fixed]), [[1, 2], [1, 2]])


def test_equality_is_identity_and_nodes_are_keys():
    a, b = x + 1.0, x + 1.0
    assert a == a
    assert a != b
    assert {a: 1, b: 2}[a] == 1
    assert b not in {a: 1, x: 2}
    assert (np.ones(2) == a) is False


@pytest.mark.parametrize(
    "use, message",
    [
        (bool, "no truth value before it is evaluated; use rg.where"),
        (lambda node: 0.0 < node < 1.0, "no truth value"),
        (float, "no number before it is evaluated; use rg.evaluate"),
        (len, r"no length; its sizes are in .shape"),
        (list, "cannot be iterated over; index it or use rg.take"),
        (lambda node: 1.0 in node, "is not iterable|cannot be iterated over"),
        (pickle.dumps, "cannot be pickled or copied"),
        (copy.copy, "cannot be pickled or copied"),
        (copy.deepcopy, "cannot be pickled or copied"),
    ],
)
def test_what_a_node_is_not(use, message):
    with pytest.raises(TypeError, match=message):
        use(x)


def test_ids_grow_so_that_inputs_come_first():
    y = rg.exp(x) * x
    assert all(node.id < y.id for node in y.inputs)


def test_a_node_shows_its_gate_name_shape_and_dtype():
    rows = rg.variable("batch", shape=(rg.rows, 3), dtype="float32")
    assert repr(x) == "<variable 'x' (2,) float64>"
    assert repr(rows) == "<variable 'batch' (rows, 3) float32>"
    assert repr(rg.tanh(rows)) == "<tanh (rows, 3) float32>"
    assert repr(rg.constant(2.0)) == "<constant () float64>"
    assert repr(GATES["tanh"]) == "<gate tanh>"


OPERATIONS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "matmul": lambda a, b: a @ b,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operator_is_its_gate_from_either_side_for_nodes_arrays_and_numbers(name):
    operation = OPERATIONS[name]
    value, other = np.array([1.5, 2.0]), np.array([3.0, 2.0])
    for left, right in [
        (rg.constant(value), rg.constant(other)),
        (value, rg.constant(other)),
        (rg.constant(value), other),
        (rg.constant(value), list(other)),
        (list(value), rg.constant(other)),
    ]:
        assert np.array_equal(rg.evaluate(operation(left, right)), operation(value, other))
    if name != "matmul":
        for left, right in [(2.5, rg.constant(other)), (rg.constant(value), np.float64(3.0))]:
            plain = [rg.evaluate(v) if isinstance(v, Node) else v for v in (left, right)]
            assert np.array_equal(rg.evaluate(operation(left, right)), operation(*plain))


def test_the_one_sided_operators():
    value = np.array([[1.5, -2.0]])
    node = rg.constant(value)
    assert np.array_equal(rg.evaluate(-node), -value)
    assert +node is node
    assert np.array_equal(rg.evaluate(abs(node)), abs(value))
    assert np.array_equal(rg.evaluate(node.T), value.T)
    assert node.ndim == 2


def test_numpys_functions_do_not_take_a_node_by_mistake():
    with pytest.raises(TypeError):
        np.exp(x)


# dtypes: rows of the table say what two operands give together.

f32, f64, c64, c128, i64, flag = "float32", "float64", "complex64", "complex128", "int64", "bool"
TABLE = [
    ((f32, 1), (f32, 1), f32),
    ((f64, 1), (f64, 1), f64),
    ((f32, 1), (f64, 1), f64),
    ((f32, 1), (f64, 0), f32),  # an operand without dimensions does not widen one that has some
    ((f64, 0), (f32, 0), f64),
    ((f32, 0), (f32, 0), f32),
    ((i64, 1), (f32, 1), f32),
    ((flag, 1), (f32, 1), f32),
    ((i64, 1), (i64, 1), f64),
    ((flag, 1), (flag, 1), f64),
    ((f32, 1), (c64, 1), c64),
    ((f64, 1), (c64, 1), c128),
    ((f32, 1), (c128, 0), c64),
    ((c64, 0), (f64, 0), c128),
]


def of(dtype, ndim):
    return rg.variable("v", np.ones((2,) * ndim), dtype=dtype)


@pytest.mark.parametrize("left, right, result", TABLE)
def test_two_operands_meet_in_one_floating_dtype(left, right, result):
    for a, b in [(left, right), (right, left)]:
        y = of(*a) * of(*b)
        assert y.dtype == result
        assert all(operand.dtype == result for operand in y.inputs)
        assert np.asarray(rg.evaluate(y)).dtype == np.dtype(result) or y.shape == ()


@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5), np.int32(2), np.bool_(True)])
def test_a_number_takes_the_dtype_of_what_it_meets(number):
    assert (of(f32, 1) + number).dtype == np.float32
    assert (number * of(f32, 0)).dtype == np.float32
    assert (of(i64, 1) + number).dtype == np.float64


def test_a_complex_number_makes_its_partner_complex():
    assert (of(f32, 1) * 1j).dtype == np.complex64
    assert (of(f64, 1) * 1j).dtype == np.complex128


@pytest.mark.parametrize(
    "value, dtype",
    [
        (1, f64),
        ([1, 2], f64),
        (np.int32([1]), f64),
        (np.uint8([1]), f64),
        (1.5, f64),
        (np.float16([1]), f32),
        (np.float32([1]), f32),
        (np.longdouble([1]), f64),
        (True, flag),
        ([True, False], flag),
        (1j, c128),
        (np.complex64([1]), c64),
    ],
)
def test_a_value_becomes_one_of_the_dtypes_of_nodes(value, dtype):
    assert rg.variable("v", value).dtype == dtype
    assert rg.constant(value).dtype == dtype
    assert rg.constant(value, dtype=c128).dtype == c128


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: rg.variable(""), OptionError, "a name is a non-empty string, got ''"),
        (lambda: rg.variable(3, 1.0), OptionError, "a name is a non-empty string, got 3"),
        (lambda: rg.variable("v"), OptionError, "variable 'v': give a value or a shape"),
        (
            lambda: rg.variable("v", [1.0], shape=(2,)),
            OptionError,
            r"variable 'v': shape \(2,\) was asked for, the value has shape \(1,\)",
        ),
        (lambda: rg.variable("v", ["a"]), DtypeError, "variable 'v': expected numbers, got <U1"),
        (lambda: rg.variable("v", {1}), DtypeError, "'v': expected numbers, got object from set"),
        (lambda: rg.variable("v", [[1], [1, 2]]), DtypeError, "'v': not an array of numbers"),
        (
            lambda: rg.variable("v", np.array(["2020-01-01"], "datetime64[D]")),
            DtypeError,
            r"expected numbers, got datetime64\[D\]",
        ),
        (lambda: rg.variable("v", shape=(-1,)), ShapeError, "a size is at least 0, got -1"),
        (lambda: rg.variable("v", shape="ab"), ShapeError, "a size is an integer or `rows`"),
        (lambda: rg.variable("v", shape=(), dtype="int32"), DtypeError, "int32 is not a dtype"),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_be_made_says_why(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_variable_has_the_shape_asked_for_or_that_of_its_value():
    assert rg.variable("v", shape=3).shape == (3,)
    assert rg.variable("v", shape=np.int64(3)).shape == (3,)
    assert rg.variable("v", shape=(rg.rows, 3), dtype=flag).dtype == bool
    assert rg.variable("v", np.asfortranarray(np.ones((2, 3)))).value.flags.c_contiguous


def test_a_gate_of_ones_own_is_applied_like_any_other():
    cube = Gate(
        "cube",
        lambda x, out=None: np.power(x, 3, out=out),
        lambda x: (x.shape, x.dtype),
        lambda y, x, n_rows: 2,
        lambda dy, y, x: (dy * 3.0 * x * x,),
    )
    y = apply(cube, x)
    assert np.array_equal(rg.evaluate(y), [1, 8])
    assert np.array_equal(rg.evaluate(rg.gradient(rg.sum(y), x)), [3, 12])


def test_a_variable_has_no_definition_to_run():
    with pytest.raises(GraphError, match="has no definition to run"):
        GATES["variable"].numpy()


def test_as_node_leaves_nodes_alone():
    assert as_node(x) is x
    assert as_node(2.0).gate is GATES["constant"]
