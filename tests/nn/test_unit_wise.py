"""PReLU and Scale: their formulas, their learning, their way through a file."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, ShapeError
from retrograd.nn.losses import find_loss
from retrograd.training.step import objective

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 4)), RNG.normal(size=(40, 1))


def net(slopes=6, dtype=np.float64):
    layers = [rg.Scale(4), rg.Dense(4, 6), rg.PReLU(slopes), rg.Dense(6, 1)]
    return rg.Network(layers, dtype=dtype)


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("slopes", [1, 6])
def test_prediction_is_the_formula(engine, slopes):
    network = net(slopes)
    network.parameters["scale1"] = RNG.normal(size=4)
    network.parameters["slope3"] = RNG.normal(size=slopes)
    scale, W2, b2, slope, W4, b4 = network.parameters.arrays()
    z = (X * scale) @ W2 + b2
    expected = np.where(z > 0, z, slope * z) @ W4 + b4
    np.testing.assert_allclose(network.predict(X, engine=engine), expected, rtol=1e-12)


@pytest.mark.parametrize("slopes", [1, 6])
def test_they_begin_as_pytorchs_and_learn_the_same_on_each_engine(slopes):
    nets = net(slopes), net(slopes)
    assert set(nets[0].parameters["slope3"]) == {0.25}
    assert set(nets[0].parameters["scale1"]) == {1.0}
    J = [
        rg.train(n, X, Y, epochs=5, engine=e).J for n, e in zip(nets, ("cpu", "numpy"), strict=True)
    ]
    np.testing.assert_allclose(*J, rtol=1e-12)
    for name in ("scale1", "slope3"):
        np.testing.assert_allclose(*(n.parameters[name] for n in nets), rtol=1e-9)
    assert not np.isclose(nets[0].parameters["slope3"], 0.25).any()


@pytest.mark.parametrize("slopes", [1, 6])
def test_the_gradient_is_right(slopes):
    network = net(slopes)
    loss = find_loss("half_squared_error", network)
    J = objective(network, loss, loss.target(Y, 1, X.dtype))
    values = {J.inputs["x"]: X, J.inputs["y"]: Y, J.l2: 0.0}
    values |= {J.parameters[name]: value for name, value in network.parameters.items()}
    assert rg.check_gradient(J.J, list(J.trained.values()), values).ok


def test_they_go_through_a_file(tmp_path):
    layers = [rg.Scale(4, 0.5), rg.Dense(4, 2), rg.PReLU(initial_slope=0.1)]
    rg.Network(layers).save(tmp_path / "a.model")
    again = rg.load(tmp_path / "a.model")
    assert again.layers == tuple(layers)
    assert (again.parameters["scale1"][0], again.parameters["slope3"][0]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rg.PReLU(0), OptionError, "PReLU: units must be an integer of at least 1"),
        (lambda: rg.PReLU(2, np.nan), OptionError, "PReLU: initial_slope must be in"),
        (lambda: rg.Scale(2.5), OptionError, "Scale: units must be an integer of at least 1"),
        (lambda: rg.Scale(2, np.inf), OptionError, "Scale: initial_scale must be in"),
        (
            lambda: rg.Network([rg.Dense(2, 3), rg.PReLU(4)]),
            ShapeError,
            "layer 1 has 3 units, layer 2 takes 4 inputs",
        ),
    ],
)
def test_a_wrong_choice_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()
