"""Named inputs and heads: what they compute, their names, files, and what they must not be."""

import pickle

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, ModelFileError, OptionError, ShapeError, UnknownNameError
from retrograd.files import container

RNG = np.random.default_rng(12)
N = 30
X = {"wide": RNG.normal(size=(N, 5)), "age": RNG.uniform(0, 2, N), "town": RNG.integers(0, 4, N)}
SIDE_BY_SIDE = np.column_stack([X["wide"], X["age"], X["town"]])
ENGINES = ("cpu", "numpy")


def both_ends(**options):
    inputs = {"wide": [rg.Dense(5, 6, "tanh")], "age": 1, "town": [rg.Embedding(4, 2)]}
    heads = {"price": [rg.Dense(8, 1)], "kind": [rg.Dense(8, 4, "relu"), rg.Dense(4, 3)]}
    layers = [rg.Inputs(inputs), rg.Dense(9, 8, "tanh"), rg.Heads(heads)]
    return rg.Network(layers, output={"kind": "softmax"}, **options)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def formula(net):
    p = net.parameters
    wide = np.tanh(X["wide"] @ p["W1.1"] + p["b1.1"])
    x = np.column_stack([wide, X["age"], p["W1.2"][X["town"]]])
    h = np.tanh(x @ p["W2"] + p["b2"])
    kind = np.maximum(h @ p["W3.2"] + p["b3.2"], 0) @ p["W3.3"] + p["b3.3"]
    return {"price": h @ p["W3.1"] + p["b3.1"], "kind": softmax(kind)}


def assert_same(found, expected, **tolerance):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, **tolerance)


@pytest.mark.parametrize("engine", ENGINES)
def test_predictions_are_the_formula_of_each_head(engine):
    net = both_ends()
    assert_same(net.predict(X, engine=engine), formula(net), rtol=1e-12)
    one = {name: values[:1] for name, values in X.items()}
    assert_same(
        net.predict(one, engine=engine),
        {head: y[:1] for head, y in formula(net).items()},
        rtol=1e-12,
    )


def test_one_array_with_the_columns_of_all_inputs_will_do_and_many_rows():
    net = both_ends()
    assert_same(net.predict(SIDE_BY_SIDE), net.predict(X), rtol=0)
    many = {name: np.concatenate([x] * 300) for name, x in X.items()}
    expected = {head: np.concatenate([y] * 300) for head, y in formula(net).items()}
    assert_same(net.predict(many), expected, rtol=1e-12)
    assert {h: y.shape for h, y in net.predict(SIDE_BY_SIDE[:0]).items()} == {
        "price": (0, 1),
        "kind": (0, 3),
    }


def test_a_data_frame_gives_its_columns_by_name_in_any_order():
    pandas = pytest.importorskip("pandas")
    net = rg.Network([rg.Inputs({"a": 1, "b": 1}), rg.Dense(2, 1)])
    a, b = RNG.normal(size=(2, N))
    frame = pandas.DataFrame({"b": b, "a": a})
    np.testing.assert_array_equal(net.predict(frame), net.predict({"a": a, "b": b}))
    with pytest.raises(DataError, match=r"X: unknown input 'c'; known: a, b"):
        net.predict(frame.assign(c=1.0))


def test_the_order_of_a_dict_does_not_count():
    net = both_ends()
    turned = dict(reversed(X.items()))
    assert_same(net.predict(turned), net.predict(X), rtol=0)


def test_a_layer_in_two_inputs_has_one_set_of_parameters():
    tower = rg.Dense(3, 4, "tanh")
    net = rg.Network([rg.Inputs({"left": [tower], "right": [tower]}), rg.Dense(8, 1)])
    assert list(net.parameters) == ["W1.1", "b1.1", "W2", "b2"]
    left, right = RNG.normal(size=(2, N, 3))
    p = net.parameters
    h = [np.tanh(x @ p["W1.1"] + p["b1.1"]) for x in (left, right)]
    expected = np.hstack(h) @ p["W2"] + p["b2"]
    np.testing.assert_allclose(net.predict({"left": left, "right": right}), expected, rtol=1e-12)


def test_one_input_and_one_head_are_a_dict_too():
    inside = [rg.Inputs({"x": 2}), rg.Dense(2, 3), rg.Heads({"y": [rg.Dense(3, 1)]})]
    net, plain = rg.Network(inside), rg.Network([rg.Dense(2, 3), rg.Dense(3, 1)])
    x = RNG.normal(size=(N, 2))
    found = net.predict({"x": x})
    assert list(found) == ["y"]
    np.testing.assert_array_equal(found["y"], plain.predict(x))


def test_what_a_network_says_of_its_ends():
    net = both_ends()
    assert net.inputs == {"wide": 5, "age": 1, "town": 1}
    assert {name: (h.n_outputs, h.output) for name, h in net.heads.items()} == {
        "price": (1, "identity"),
        "kind": (3, "softmax"),
    }
    assert net.output == {"price": "identity", "kind": "softmax"}
    assert (net.n_inputs, net.n_outputs) == (7, 4)
    assert repr(net).endswith("heads price identity, kind softmax, 184 parameters>")
    plain = rg.MLP([2, 1])
    assert (plain.inputs, plain.heads) == ({}, {})


def test_one_output_is_that_of_every_head():
    heads = rg.Heads({"a": [rg.Dense(2, 1)], "b": [rg.Dense(2, 2)]})
    assert rg.Network([heads], output="sigmoid").output == {"a": "sigmoid", "b": "sigmoid"}


def test_the_summary_has_a_line_for_each_head():
    lines = both_ends().summary().lines
    assert [(x.name, x.kind, x.shape[1]) for x in lines] == [
        ("1", "inputs, tanh", 9),
        ("2", "dense, tanh", 8),
        ("3", "heads, relu", 4),
        ("output price", "identity", 1),
        ("output kind", "softmax", 3),
        ("all", "", 4),
    ]
    assert lines[-1].n_parameters == both_ends().n_parameters


def squared(z):
    return z * z


@pytest.mark.parametrize("output", [{"kind": "softmax"}, {"price": squared, "kind": "softmax"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_and_a_pickle_bring_them_back(tmp_path, output, dtype):
    net = rg.Network(both_ends().layers, output=output, dtype=dtype)
    net.save(tmp_path / "a.model")
    for again in (rg.load(tmp_path / "a.model"), pickle.loads(pickle.dumps(net))):
        assert again.layers == net.layers
        assert again.to_json() == net.to_json()
        assert_same(again.predict(X), net.predict(X), rtol=0)


def broken():
    json = both_ends().to_json()
    inputs, dense, heads = json["layers"]

    def layers(*changed):
        return json | {"layers": [*changed]}

    yield "no names of heads", layers(inputs, dense, {k: heads[k] for k in ("kind", "branches")})
    yield "a name too many", layers(inputs, dense, heads | {"names": ["a", "b", "c"]})
    yield "a name twice", layers(inputs, dense, heads | {"names": ["price", "price"]})
    yield "other widths", layers(inputs | {"widths": [5, 2, 1]}, dense, heads)
    yield "no widths", layers({k: inputs[k] for k in ("kind", "branches")}, dense, heads)
    yield "an output of no head", json | {"output": {"price": "identity", "kid": "softmax"}}
    yield "an output too many", json | {"output": json["output"] | {"kid": "softmax"}}
    yield "one output for all", json | {"output": "softmax"}
    yield "a choice too many", layers(inputs, dense, heads | {"colour": 1})


@pytest.mark.parametrize("json", [pytest.param(j, id=name) for name, j in broken()])
def test_wrong_content_is_a_model_file_error(tmp_path, json):
    container.write(tmp_path / "b.model", "network", json, dict(both_ends().parameters))
    with pytest.raises(ModelFileError, match=r"b\.model: "):
        rg.load(tmp_path / "b.model")


@pytest.mark.parametrize(
    "given, dtype",
    [
        (["float32", "int64"], "float32"),
        (["float32", "float64"], "float64"),
        (["float16", "int8"], "float32"),
        (["int64", "bool"], "float64"),
    ],
)
def test_whole_numbers_follow_the_float_type_of_the_others(given, dtype):
    net = rg.Network([rg.Inputs({"a": 1, "b": 1}), rg.Dense(2, 1)])
    data = {name: np.ones(4, kind) for name, kind in zip("ab", given, strict=True)}
    rg.train(net, data, np.arange(4.0), epochs=1)
    assert net.dtype == dtype


def test_unit_variance_takes_named_inputs():
    net = rg.Network([rg.Inputs({"a": 2, "b": 1}), rg.Dense(3, 4, "tanh"), rg.Dense(4, 1)])
    data = {"a": RNG.normal(3, 2, size=(50, 2)), "b": RNG.normal(size=50)}
    rg.unit_variance(net, data)
    z = np.column_stack([data["a"], data["b"]]) @ net.parameters["W2"] + net.parameters["b2"]
    np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=1e-12)


DENSE = [rg.Dense(2, 1)]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: rg.Heads([rg.Dense(2, 1)]), OptionError, "Heads: give a dict of names and layers"),
        (lambda: rg.Heads({}), OptionError, "Heads: give a dict of names and layers"),
        (lambda: rg.Heads({"a": rg.Dense(2, 1)}), OptionError, "Heads: give lists of layers"),
        (lambda: rg.Heads({1: DENSE}), OptionError, "Heads: a name is a word, got 1"),
        (
            lambda: rg.Heads({"a": DENSE, "b": [rg.Dense(3, 1)]}),
            ShapeError,
            "Heads: its lists take 2 and 3 inputs",
        ),
        (lambda: rg.Inputs({"a": 0}), OptionError, "Inputs: a must be an integer of at least 1"),
        (lambda: rg.Inputs({"a": rg.Dense(2, 1)}), OptionError, "Inputs: give lists of layers"),
        (lambda: rg.Inputs({"a": []}), ShapeError, "Inputs: the layers of 'a' do not say"),
        (
            lambda: rg.Network([rg.Heads({"a": DENSE}), rg.Dense(1, 1)]),
            OptionError,
            "rg.Heads is layer 1 of 2; it must be the last",
        ),
        (
            lambda: rg.Network([rg.Dense(2, 2), rg.Inputs({"a": 2})]),
            OptionError,
            "rg.Inputs is layer 2; it must be the first",
        ),
        (
            lambda: rg.Network([rg.Residual([rg.Heads({"a": [rg.Dense(2, 2)]})])]),
            OptionError,
            "layer 1 holds an rg.Inputs or rg.Heads",
        ),
        (
            lambda: rg.Network([rg.Inputs({"a": 2, "b": 3}), rg.Dense(4, 1)]),
            ShapeError,
            "layer 1 has 5 units, layer 2 takes 4 inputs",
        ),
        (
            lambda: rg.Network([rg.Heads({"a": DENSE})], output={"b": "softmax"}),
            UnknownNameError,
            "unknown head 'b'; known: a",
        ),
        (
            lambda: rg.MLP([2, 1], output={"a": "softmax"}),
            OptionError,
            "output is a dict, but the last layer is no rg.Heads",
        ),
    ],
)
def test_what_ends_must_not_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "given, message",
    [
        ({**X, "agee": X["age"]}, r"X: unknown input 'agee' \(did you mean 'age'\?\)"),
        ({"age": X["age"]}, r"X: nothing is given for the inputs 'wide' and 'town'; it has age"),
        ({**X, "age": X["age"][:3]}, r"X\['wide'\] has 30 rows, X\['age'\] has 3; they must match"),
        ({**X, "wide": X["wide"][:, 1:]}, r"X\['wide'\]: has 4 columns, expected 5"),
        ({**X, "age": np.full(N, np.nan)}, r"X\['age'\]: nan at row 0, column 0 \(30 such"),
        ({**X, "age": ["old"] * N}, r"X\['age'\]: expected real numbers"),
        ({}, r"X: nothing is given for the inputs 'wide' and 'age' and 'town'; it has no names"),
        (X["wide"], "X: has 5 columns, expected 7"),
    ],
)
def test_what_named_inputs_must_not_be(given, message):
    with pytest.raises(DataError, match=message):
        both_ends().predict(given)


def test_a_dict_for_a_network_of_one_array_is_an_error():
    with pytest.raises(DataError, match="X: is a dict, but the network takes one array of 5"):
        rg.MLP([5, 1]).predict(X)
