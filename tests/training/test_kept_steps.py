"""A training like a former one costs its steps: what is kept, and what is asked anew."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.run import executable
from retrograd.errors import DivergenceError
from retrograd.training import step as steps

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, :1] * X[:, 1:2]


@pytest.fixture
def made(monkeypatch):
    """How often steps are built and programs planned, from an empty memory on."""
    counts = {"built": 0, "planned": 0}
    objective, plan_of = steps.objective, executable.plan_of

    def build(*args, **options):
        counts["built"] += 1
        return objective(*args, **options)

    def plan(graph, **options):
        counts["planned"] += 1
        return plan_of(graph, **options)

    monkeypatch.setattr(steps, "objective", build)
    monkeypatch.setattr(executable, "plan_of", plan)
    steps._kept_steps.cache_clear()
    executable._kept.cache_clear()
    return counts


def train(*, seed=0, optimizer=None, activation="tanh", data=X, engine="cpu", **options):
    net = rg.MLP([3, 5, 1], activation=activation, seed=seed)
    history = rg.train(
        net,
        data,
        Y,
        optimizer=optimizer or rg.SGD(0.05, momentum=0.9),
        epochs=3,
        batch_size=16,
        engine=engine,
        **options,
    )
    return net, history


def test_a_second_training_builds_and_plans_nothing(made):
    train()
    before = dict(made)
    train(seed=1, data=2.0 * X, optimizer=rg.SGD(lambda t: 0.01, momentum=0.5))
    assert made == before == {"built": 1, "planned": 2}


def test_a_second_training_with_wrappers_and_groups_builds_and_plans_nothing(made):
    def optimizer(rate):
        inside = rg.Groups({"b*": rg.SGD(rate)}, default=rg.Clip(rg.Adam(rate), norm=1 + rate))
        return rg.EMA(inside, 1 - rate)

    train(optimizer=optimizer(0.1))
    before = dict(made)
    train(seed=1, optimizer=optimizer(0.2))
    assert made == before
    assert made["built"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"optimizer": rg.SGD(0.05)},
        {"optimizer": rg.Clip(rg.SGD(0.05, momentum=0.9), value=0.1)},
        {"optimizer": rg.SGD(0.05, momentum=0.9, nesterov=True)},
        {"optimizer": rg.Adam(0.05)},
        {"activation": "relu"},
        {"l2": 0.1},
        {"sample_weight": np.linspace(0.5, 1.5, 40)},
        {"loss": "squared_error"},
        {"precision": "float32"},
    ],
)
def test_another_structure_is_built_anew_and_trains_as_on_the_reference(other, made):
    train()
    _, history = train(**other)
    assert made["built"] == 2
    _, reference = train(**other, engine="numpy")
    np.testing.assert_allclose(history.J, reference.J, rtol=1e-4)


def test_a_function_that_changes_what_it_closes_over_is_asked_anew(made):
    slope = [0.1]

    def leaky(z):
        return rg.maximum(z, slope[0] * z)

    def loss(output, y):
        return slope[0] * rg.sum(rg.square(output - y), axis=1)

    found = []
    for value in (0.1, 0.3, 0.1):
        slope[0] = value
        found.append(train(activation=leaky, loss=loss)[1].J)
        np.testing.assert_allclose(
            found[-1], train(activation=leaky, loss=loss, engine="numpy")[1].J
        )
    assert found[0] == found[2] != found[1]
    assert made["built"] == 6
    assert made["planned"] == 4  # the third has the graphs of the first


def test_an_optimizer_of_the_users_is_asked_anew(made):
    class Signed(rg.SGD):
        direction = 1.0

        def update(self, w, g, slots, scalars, t):
            return w - self.direction * scalars["learning_rate"] * g, {}

        def slots(self):
            return ()

    down = train(optimizer=Signed(0.05))[1].J
    Signed.direction = -1.0
    up = train(optimizer=Signed(0.05))[1].J
    assert down[-1] < down[0]
    assert up[-1] > up[0]
    assert made["built"] == 2


def test_an_optimizer_of_the_users_inside_another_is_asked_anew(made):
    class Slow(rg.SGD):
        pass

    for _ in range(2):
        train(optimizer=rg.EMA(rg.Clip(Slow(0.05), value=1.0)))
    assert made["built"] == 2


def test_a_network_or_layer_of_the_users_is_asked_anew(made):
    class Doubled(rg.Dense):
        def z(self, x, parameters):
            return 2.0 * super().z(x, parameters)

    class Shifted(rg.Network):
        def forward(self, x, parameters):
            return super().forward(x + 1.0, parameters)

    first = {}
    for name, kind, layer in [
        ("plain", rg.Network, rg.Dense), ("layer", rg.Network, Doubled), ("net", Shifted, rg.Dense)
    ]:  # fmt: skip
        history = rg.train(kind([layer(3, 1)]), X, Y, epochs=1, batch_size=None)
        first[name] = history.J[0]
    assert len(set(first.values())) == 3
    assert made["built"] == 3


def test_kept_steps_are_bounded(made):
    for size in range(1, steps.KEPT_STEPS + 4):
        net = rg.MLP([3, size, 1])
        rg.train(net, X, Y, epochs=1, batch_size=None, engine="numpy")
    info = steps._kept_steps.cache_info()
    assert info.currsize == info.maxsize == steps.KEPT_STEPS


def test_what_a_callback_assigned_is_what_a_divergence_goes_back_to():
    net = rg.MLP([3, 5, 1], activation="tanh")
    assigned = np.full((5, 1), 1e200)  # J is infinite there

    def assign(network, history):
        network.parameters["W2"] = assigned

    with pytest.raises(DivergenceError, match="epoch 2, step 1"):
        rg.train(net, X, Y, epochs=3, batch_size=16, callbacks=[assign])
    np.testing.assert_array_equal(net.parameters["W2"], assigned)
