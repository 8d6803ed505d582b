"""Initial weights and biases: bounds, moments, seeds, files; unit variance over data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError, UnknownNameError
from retrograd.nn.initializers import INITIALIZERS, VARIANCES, Initializer, find_initializer

I, O = 300, 200
VARIANCE = {"glorot": 2 / (I + O), "he": 2 / I, "lecun": 1 / I, "fan_in": 1 / (3 * I)}


@pytest.mark.parametrize("kind", VARIANCE)
@pytest.mark.parametrize("shape", ["uniform", "normal", "truncated_normal"])
def test_the_variance_is_the_papers(kind, shape):
    W = find_initializer(f"{kind}_{shape}")(np.random.default_rng(1), I, O)
    assert W.shape == (I, O)
    n, variance = W.size, VARIANCE[kind]
    # Five standard errors; the fourth moment is 1.8 variance**2 (uniform), 3 variance**2 (normal),
    # and between them where a normal is cut.
    assert abs(W.mean()) < 5 * np.sqrt(variance / n)
    spread = np.sqrt((0.8 if shape == "uniform" else 2.0) / n)
    assert abs(W.var() / variance - 1) < 5 * spread


@pytest.mark.parametrize("kind", VARIANCE)
def test_a_uniform_draw_fills_its_bounds(kind):
    W = find_initializer(f"{kind}_uniform")(np.random.default_rng(1), I, O)
    limit = np.sqrt(3 * VARIANCE[kind])
    assert np.abs(W).max() < limit
    assert np.abs(W).max() > 0.999 * limit


def test_zeros_are_zeros():
    net = rg.MLP([3, 4, 2], initializer="zeros")
    assert all(not value.any() for value in net.parameters.values())


def test_biases_start_at_0():
    net = rg.MLP([3, 4, 2])
    assert not net.parameters["b1"].any()
    assert net.parameters["W1"].any()


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"zeros", "ones"}))
def test_equal_seeds_give_equal_weights_and_others_do_not(name):
    first, same, other = (rg.MLP([4, 3], initializer=name, seed=s) for s in (7, 7, 8))
    np.testing.assert_array_equal(first.parameters["W1"], same.parameters["W1"])
    assert (first.parameters["W1"] != other.parameters["W1"]).all()


def test_without_a_seed_two_networks_differ():
    first, second = rg.MLP([4, 3], seed=None), rg.MLP([4, 3], seed=None)
    assert (first.parameters["W1"] != second.parameters["W1"]).any()


@pytest.mark.parametrize(
    ("activation", "name"), [("relu", "he_uniform"), ("tanh", "glorot_uniform")]
)
def test_auto_is_he_for_relu_else_glorot(activation, name):
    auto = rg.MLP([5, 4, 4], activation=activation, seed=3)
    named = rg.MLP([5, 4, 4], activation=activation, initializer=name, seed=3)
    np.testing.assert_array_equal(auto.parameters["W1"], named.parameters["W1"])


@pytest.mark.parametrize("name", ["xavier", 3, None, ["he_normal"]])
def test_an_unknown_initializer_lists_the_known_ones(name):
    with pytest.raises(UnknownNameError, match="glorot_normal, glorot_truncated_normal, glorot_u"):
        rg.Dense(2, 2, initializer=name)


def test_every_rule_of_variance_has_one_here():
    assert set(VARIANCES) == set(VARIANCE)


def drawn(initializer, *sizes, seed=3):
    return initializer(np.random.default_rng(seed), *sizes)


@pytest.mark.parametrize("gain", [1.0, 1.4])
@pytest.mark.parametrize("sizes", [(7, 7), (9, 4), (4, 9), (5, 1)])
def test_an_orthogonal_matrix_has_orthogonal_columns_or_rows(sizes, gain):
    W = drawn(rg.initializers.Orthogonal(gain), *sizes)
    assert W.shape == sizes
    product = W.T @ W if sizes[0] >= sizes[1] else W @ W.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(sizes)), atol=1e-14)


def test_orthogonal_matrices_prefer_no_direction():
    """Without the signs of R, the first entry of a QR's Q would never be positive."""
    first = [drawn(find_initializer("orthogonal"), 3, 3, seed=s)[0, 0] for s in range(400)]
    assert abs(np.mean(first)) < 5 * np.sqrt(1 / 3 / 400)
    assert np.var(first) == pytest.approx(1 / 3, rel=0.25)


def test_a_truncated_normal_stays_within_two_deviations():
    W = drawn(rg.initializers.TruncatedNormal(0.3), I, O)
    assert 0.59 < np.abs(W).max() <= 0.6
    assert W.std() == pytest.approx(0.3 * 0.8796256610342398, rel=0.01)


@pytest.mark.parametrize(
    ("initializer", "mean", "deviation"),
    [
        (rg.initializers.Normal(0.3), 0.0, 0.3),
        (rg.initializers.Uniform(-1.0, 3.0), 1.0, 4 / 12**0.5),
        (rg.initializers.Constant(0.25), 0.25, 0.0),
        (rg.initializers.VarianceScaling("lecun", gain=3.0), 0.0, 3.0 / I**0.5),
    ],
)
def test_an_object_has_numbers_of_its_own(initializer, mean, deviation):
    W = drawn(initializer, I, O)
    assert W.mean() == pytest.approx(mean, abs=5 * deviation / W.size**0.5)
    assert W.std() == pytest.approx(deviation, rel=0.02)


def test_a_bias_is_drawn_by_the_sizes_of_its_layer():
    net = rg.MLP([400, 3000], initializer="fan_in_uniform", bias_initializer="fan_in_uniform")
    for name in ("W1", "b1"):
        value = net.parameters[name]
        assert np.abs(value).max() <= 1 / 20
        assert np.abs(value).max() > 0.998 / 20
    constant = rg.MLP([2, 3], bias_initializer=rg.initializers.Constant(0.1))
    np.testing.assert_array_equal(constant.parameters["b1"], [0.1, 0.1, 0.1])


def test_drawn_biases_leave_the_first_weights_as_they_were():
    plain, drawn_too = rg.MLP([3, 4, 2]), rg.MLP([3, 4, 2], bias_initializer="normal")
    np.testing.assert_array_equal(plain.parameters["W1"], drawn_too.parameters["W1"])
    assert drawn_too.parameters["b2"].all()


def test_initializers_come_back_from_a_file(tmp_path):
    orthogonal, constant = rg.initializers.Orthogonal(1.4), rg.initializers.Constant(0.1)
    layers = [
        rg.Dense(3, 4, "relu", initializer=orthogonal, bias_initializer=constant),
        rg.Dense(4, 2, initializer="glorot_truncated_normal", bias_initializer="ones"),
    ]
    net = rg.Network(layers, seed=1)
    net.save(tmp_path / "a.model")
    back = rg.load(tmp_path / "a.model")
    assert back.layers == net.layers
    np.testing.assert_array_equal(back.initial(5)["W1"], net.initial(5)["W1"])


def test_a_file_from_before_there_were_initializers_of_biases_is_read():
    old = {name: v for name, v in rg.Dense(2, 3).to_json().items() if name != "bias_initializer"}
    assert rg.Dense.from_json(old) == rg.Dense(2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rg.Dense(2, 2, bias_initializer="orthogonal"), "orthogonal makes matrices; a"),
        (lambda: rg.Dense(2, 2, bias_initializer="auto"), "unknown initializer 'auto'"),
        (
            lambda: rg.Dense(2, 2, initializer=rg.initializers.Orthogonal),
            r"pass an instance, Orthogonal\(\), not the class",
        ),
        (lambda: rg.initializers.Orthogonal(0), r"Orthogonal: gain must be in \(0, inf\)"),
        (lambda: rg.initializers.Normal(-1.0), "Normal: deviation must be in"),
        (lambda: rg.initializers.TruncatedNormal(0.0), "TruncatedNormal: deviation must be"),
        (lambda: rg.initializers.Uniform(1.0, 1.0), r"Uniform: high must be in \(1, inf\)"),
        (lambda: rg.initializers.Constant(np.inf), "Constant: value must be in"),
        (
            lambda: rg.initializers.VarianceScaling("xavier"),
            "unknown rule of an initializer 'xavier'",
        ),
        (lambda: rg.initializers.VarianceScaling("he", "cauchy"), "unknown distribution 'cauchy'"),
        (
            lambda: rg.initializers.VarianceScaling("he", gain=0.0),
            "VarianceScaling: gain must be in",
        ),
    ],
)
def test_what_is_no_initializer_is_an_option_error(make, message):
    with pytest.raises(OptionError, match=message):
        make()


# Unit variance over data.

X = np.random.default_rng(8).normal(3.0, 5.0, (300, 4)) * [1.0, 0.01, 100.0, 1.0]
ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def every_z(net, x):
    """The pre-activations of each layer, in NumPy."""
    found = []
    for number, layer in enumerate(net.layers, start=1):
        z = x @ net.parameters[f"W{number}"] + net.parameters.get(f"b{number}", 0.0)
        found.append(z)
        x = ACTIVATIONS.get(layer.activation, lambda v: v)(z)
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("each", ["unit", "layer"])
def test_every_z_has_unit_variance(activation, bias, each):
    net = rg.MLP([4, 20, 20, 3], activation=activation, bias=bias, seed=2)
    rg.unit_variance(net, X, each=each)
    for z in every_z(net, X):
        if each == "layer":
            assert z.std() == pytest.approx(1.0, rel=1e-10)
            continue
        is_alive = z.std(axis=0) > 0
        assert is_alive.mean() > 0.9
        np.testing.assert_allclose(z.std(axis=0)[is_alive], 1.0, rtol=1e-10)
        if bias:
            np.testing.assert_allclose(z.mean(axis=0)[is_alive], 0.0, atol=1e-10)


def test_the_directions_of_the_weights_are_kept():
    net, before = rg.MLP([4, 5, 2]), rg.MLP([4, 5, 2])
    rg.unit_variance(net, X)
    ratio = net.parameters["W1"] / before.parameters["W1"]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-14)


def test_a_unit_that_is_constant_is_left_as_it_is():
    net = rg.MLP([4, 3, 1])
    net.parameters["W1"] = np.array([[1.0, 0.0, 1.0]] * 4)
    net.parameters["b1"] = np.array([0.0, 0.7, 0.0])
    rg.unit_variance(net, X)
    assert not net.parameters["W1"][:, 1].any()
    assert net.parameters["b1"][1] == 0.7


def test_layers_without_weights_are_passed_over():
    layers = [rg.Dense(4, 8, "tanh"), rg.LayerNorm(8), rg.Dropout(0.5), rg.Dense(8, 2)]
    net = rg.Network(layers)
    rg.unit_variance(net, X)
    assert np.array_equal(net.parameters["scale2"], np.ones(8))
    np.testing.assert_allclose(net.predict(X).std(axis=0), 1.0, rtol=1e-10)


def test_the_parameters_keep_their_dtype():
    net = rg.MLP([4, 3, 1], dtype=np.float32)
    rg.unit_variance(net, X.astype(np.float32))
    assert net.dtype == np.float32
    np.testing.assert_allclose(every_z(net, X)[0].std(axis=0), 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rg.unit_variance(None, X), OptionError, "unit_variance: expected a network"),
        (lambda: rg.unit_variance(rg.MLP([4, 1]), X[:1]), OptionError, "X has 1 row"),
        (lambda: rg.unit_variance(rg.MLP([3, 1]), X), DataError, "X: has 4 columns, expected 3"),
        (lambda: rg.unit_variance(rg.MLP([4, 1]), X, each="row"), UnknownNameError, "layer, unit"),
    ],
)
def test_what_has_no_variance_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@dataclass(frozen=True)
class Halves(Initializer):
    name = "halves"

    def __call__(self, rng, fan_in, fan_out, shape=None):
        return np.full(shape or (fan_in, fan_out), 0.5)


def test_a_network_with_an_initializer_of_the_users_is_saved_and_loaded(tmp_path):
    network = rg.Network([rg.Dense(3, 2, initializer=Halves())])
    assert (network.parameters["W1"] == 0.5).all()
    network.save(tmp_path / "mine.model")
    loaded = rg.load(tmp_path / "mine.model")
    np.testing.assert_array_equal(loaded.parameters["W1"], network.parameters["W1"])


def test_relu_by_its_name_and_as_a_function_begin_alike(tmp_path):
    by_name, as_function = (rg.MLP([3, 4, 1], activation=f) for f in ("relu", rg.relu))
    for name, w in by_name.parameters.items():
        np.testing.assert_array_equal(w, as_function.parameters[name])
    as_function.save(tmp_path / "a.model")
    assert rg.load(tmp_path / "a.model").layers == by_name.layers


def test_dir_shows_what_is_public():
    assert dir(rg.initializers) == sorted(rg.initializers.__all__)
    assert "Orthogonal" in dir(rg.initializers) and "np" not in dir(rg.initializers)
    assert dir(rg.schedules) == sorted(rg.schedules.__all__)
