"""An argument of the wrong kind, or of a name that nothing has, is one of the package's errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

import retrograd as rg
from retrograd import gates
from retrograd.errors import OptionError, RetrogradError, UnknownNameError
from retrograd.nn import initializers
from retrograd.nn.losses import LOSSES
from retrograd.optim import schedules
from retrograd.optim.names import OPTIMIZERS
from retrograd.training.rate_range import RateRange

WRONG = {
    "None": None,
    "text": "no such thing",
    "empty": [],
    "texts": ["no such thing"],
    "minus 1": -1,
    "nan": float("nan"),
    "a half": 0.5,
    "complex": 1j,
    "an array": np.ones(3),
    "object": object(),
    "a class": dict,
}
NEVER_RIGHT = {"text", "object", "a class"}
TAKES_ANY = {
    ("constant", "name"),
    ("variable", "name"),
    ("plot_learning_rates", "title"),
    ("Recorder", "X"),  # looked at with the network
    ("Recorder", "Y"),
}
ROOMS = ("retrograd.gates", "retrograd.nn.nonlinearities")  # of functions of nodes

X = np.linspace(-1.0, 1.0, 8)[:, None]
V = rg.variable("v", 2.0)
FOUND = RateRange(np.array([0.1, 0.2]), np.ones(2), np.ones(2), 0.1, 0.2)


def concatenated(branch: Any) -> rg.Concatenate:
    return rg.Concatenate([rg.Scale(2)], branch)


def head(layers: Any) -> rg.Heads:
    return rg.Heads({"a": [rg.Scale(2)], "b": layers})


def named_input(layers: Any) -> rg.Inputs:
    return rg.Inputs({"a": 2, "b": layers})


def head_trained(
    x: Any, y: Any, loss: Any, weight: Any, sample_weight: Any, class_weight: Any, pair: Any
) -> rg.History:
    ends = rg.Inputs({"a": 1, "b": 1}), rg.Heads({"c": [rg.Dense(2, 1)], "d": [rg.Dense(2, 2)]})
    losses = rg.Losses({"c": loss, "d": "auto"}, weights={"c": weight})
    return rg.train(
        rg.Network(ends, output={"d": "softmax"}),
        {"a": X, "b": x},
        {"c": y, "d": np.arange(8) % 2},
        loss=losses,
        sample_weight={"c": sample_weight},
        class_weight={"d": class_weight},
        validation=(pair, {"c": X, "d": np.arange(8) % 2}),
        epochs=1,
        engine="numpy",
    )


def network() -> rg.Network:
    return rg.MLP([1, 2, 1])


def keyed(**right: Any) -> Callable[[], dict[str, Any]]:
    """The right arguments, made anew for each call."""
    return lambda: dict(right)


WRAPPERS = [rg.EMA, rg.SWA, rg.Lookahead, rg.SAM, rg.Accumulate, rg.Decay]


def trace_of_node(output, values=None):
    return rg.trace(output, values)


def trace_of_model(
    model, X, Y, loss="auto", l2=None, sample_weight=None, frozen=(), mode="train", seed=0,
    engine="numpy",
):  # fmt: skip
    return rg.trace(
        model, X, Y, loss=loss, l2=l2, sample_weight=sample_weight, frozen=frozen, mode=mode,
        seed=seed, engine=engine,
    )  # fmt: skip


def diagnose_model(
    model, X, Y, history=None, optimizer=None, loss="auto", l2=None, sample_weight=None, seed=0,
    engine="numpy",
):  # fmt: skip
    return rg.diagnose(
        model, X, Y, history=history, optimizer=optimizer, loss=loss, l2=l2,
        sample_weight=sample_weight, seed=seed, engine=engine,
    )  # fmt: skip


RIGHT: dict[Any, Callable[[], dict[str, Any]]] = {
    **{kind: keyed() for kind in (*OPTIMIZERS.values(), *LOSSES.values())},
    rg.SGD: keyed(momentum=0.9),
    rg.RMSprop: keyed(momentum=0.5),
    **{kind: keyed(optimizer=rg.Adam()) for kind in WRAPPERS},
    rg.Clip: keyed(optimizer=rg.Adam(), value=1.0),
    rg.Groups: keyed(groups={"b*": rg.Adam()}),
    schedules.Constant: keyed(learning_rate=0.1),
    schedules.StepDecay: keyed(learning_rate=0.1, every=2),
    schedules.MultiStep: keyed(learning_rate=0.1, steps=[1, 2]),
    schedules.Exponential: keyed(learning_rate=0.1, factor=0.9),
    schedules.Polynomial: keyed(learning_rate=0.1, steps=3),
    schedules.InverseScaling: keyed(learning_rate=0.1),
    schedules.WarmUp: keyed(rate=0.1, steps=3),
    schedules.Chained: keyed(rates=[0.1, 0.2], steps=[3]),
    schedules.Product: keyed(rates=[0.1, 0.2]),
    schedules.EachEpoch: keyed(rate=0.1, batches=3),
    schedules.Cosine: keyed(learning_rate=0.1, steps=3),
    schedules.CosineRestarts: keyed(learning_rate=0.1, steps=3),
    schedules.OneCycle: keyed(learning_rate=0.1, steps=30),
    schedules.ReduceOnPlateau: keyed(learning_rate=0.1),
    initializers.VarianceScaling: keyed(rule="he"),
    initializers.Orthogonal: keyed(),
    initializers.TruncatedNormal: keyed(),
    initializers.Normal: keyed(),
    initializers.Uniform: keyed(),
    initializers.Constant: keyed(),
    rg.Dense: keyed(fan_in=2, fan_out=3),
    rg.Dropout: keyed(rate=0.5),
    rg.BatchNorm: keyed(units=2),
    rg.LayerNorm: keyed(units=2),
    rg.Embedding: keyed(n_categories=2, units=3),
    rg.Periodic: keyed(n_inputs=2, n_frequencies=3),
    rg.PiecewiseLinear: keyed(edges=[[0.0, 1.0]]),
    rg.PiecewiseLinear.of_quantiles: keyed(X=X),
    rg.Select: keyed(n_inputs=3, columns=[0]),
    rg.PReLU: keyed(units=2),
    rg.Scale: keyed(units=2),
    concatenated: keyed(branch=[rg.Scale(2)]),
    rg.Heads: keyed(heads={"a": [rg.Scale(2)]}),
    rg.Inputs: keyed(inputs={"a": 2}),
    rg.Losses: keyed(losses={"a": "huber"}),
    head: keyed(layers=[rg.Scale(2)]),
    named_input: keyed(layers=[rg.Scale(2)]),
    head_trained: lambda: dict(
        x=X,
        y=X,
        loss="huber",
        weight=0.5,
        sample_weight=np.ones(8),
        class_weight="balanced",
        pair={"a": X, "b": X},
    ),
    rg.Residual: keyed(layers=[rg.Scale(2)]),
    rg.variable: keyed(name="x", value=1.0),
    rg.constant: keyed(value=1.0),
    gates.uniform: keyed(shape=3, seed=1),
    gates.normal: keyed(shape=3, seed=1),
    gates.bernoulli: keyed(p=0.5, shape=3, seed=1),
    gates.top_k_mask: keyed(x=[1.0, 2.0], k=1),
    gates.clip: keyed(x=[1.0], low=0.0, high=2.0),
    gates.take: keyed(x=[1.0], indices=[0]),
    gates.scatter_add: keyed(x=[1.0], indices=[0], size=3),
    gates.one_hot: keyed(indices=[0], depth=3),
    gates.where: keyed(condition=[True], x=1.0, y=2.0),
    gates.concatenate: keyed(nodes=[[1.0], [2.0]]),
    gates.reshape: keyed(x=[1.0, 2.0], shape=(2, 1)),
    gates.transpose: keyed(x=[[1.0, 2.0]], axes=(1, 0)),
    gates.broadcast_to: keyed(x=[1.0], shape=(2, 1)),
    gates.sum_to: keyed(x=[[1.0]], shape=(1,)),
    gates.zeros: keyed(shape=(2,)),
    gates.cast: keyed(x=[1.0], dtype="float32"),
    gates.matmul: keyed(x=[[1.0]], w=[[1.0]]),
    rg.gradient: keyed(output=V * V, wrt=[V]),
    rg.evaluate: keyed(outputs=V * V),
    rg.compile: keyed(outputs=[V * V], inputs=[V], engine="numpy"),
    rg.check_gradient: keyed(output=V * V),
    trace_of_node: keyed(output=V * V),
    trace_of_model: lambda: dict(model=network(), X=X, Y=X),
    diagnose_model: lambda: dict(model=network(), X=X, Y=X),
    rg.sensitivity: lambda: dict(model=network(), X=X),
    rg.integrated_gradients: lambda: dict(model=network(), X=X),
    rg.nudges: keyed(f=V * V),
    rg.Recorder: lambda: dict(X=X, Y=X, every=1),
    rg.train: lambda: dict(network=network(), X=X, Y=X, epochs=1, engine="numpy"),
    rg.learning_rate_range: lambda: dict(network=network(), X=X, Y=X, steps=5, engine="numpy"),
    rg.unit_variance: lambda: dict(network=network(), X=X),
    rg.least_squares: keyed(residuals=V * rg.constant([1.0, 2.0]) - 1.0, parameters={V: 1.0}),
    rg.plot_learning_rates: keyed(found=FOUND),
}
for name in rg.__all__:  # functions of x, or of x and y, are alike
    thing = getattr(rg, name)
    if inspect.isfunction(thing) and thing.__module__.startswith(ROOMS):
        asked = [
            p.name for p in inspect.signature(thing).parameters.values() if p.default is p.empty
        ]
        RIGHT.setdefault(thing, keyed(**{argument: [[1.0, 2.0]] for argument in asked}))


def cases() -> Iterator[Any]:
    for make, right in RIGHT.items():
        for parameter, facts in inspect.signature(make).parameters.items():
            if parameter != "seen" and facts.kind is not facts.VAR_KEYWORD:
                yield pytest.param(make, right, parameter, id=f"{make.__name__}-{parameter}")


@pytest.mark.parametrize("make, right, parameter", cases())
def test_an_argument_of_the_wrong_kind_is_an_error_of_the_package(make, right, parameter):
    make(**right())
    others, taken = [], []
    for word, wrong in WRONG.items():
        try:
            repr(make(**{**right(), parameter: wrong}))
        except RetrogradError:
            continue
        except Exception as error:  # noqa: BLE001  # that it is another is what is looked for
            others.append(f"{word}: {type(error).__name__}: {error}")
        else:
            if word in NEVER_RIGHT and (make.__name__, parameter) not in TAKES_ANY:
                taken.append(word)
    assert (others, taken) == ([], [])


ESTIMATORS = (
    rg.MLPClassifier,
    rg.MLPRegressor,
    rg.MLPEnsembleClassifier,
    rg.MLPEnsembleRegressor,
    rg.MLPMultiTask,
)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.filterwarnings("ignore")  # what a fit of two rounds on eight rows says is not asked
def test_a_parameter_of_the_wrong_kind_is_an_error_of_the_package_or_scikit_learns(kind):
    few = {"hidden_layer_sizes": (2,), "max_iter": 2}
    if "n_estimators" in kind().get_params():
        few["n_estimators"] = 2
    y = (X[:, 0] > 0).astype(int)
    others, taken = [], []
    for parameter in kind().get_params():
        for word, wrong in WRONG.items():
            try:
                kind(**{**few, parameter: wrong}).fit(X, y)
            except (RetrogradError, InvalidParameterError):
                continue
            except Exception as error:  # noqa: BLE001  # that it is another is what is looked for
                others.append(f"{parameter}, {word}: {type(error).__name__}: {error}")
            else:
                if word in NEVER_RIGHT:
                    taken.append(f"{parameter}, {word}")
    assert (others, taken) == ([], [])


def test_no_optimizer_schedule_initializer_or_layer_is_left_out():
    public = [getattr(rg, name) for name in rg.__all__]
    public += [getattr(schedules, name) for name in schedules.__all__]
    public += [getattr(initializers, name) for name in initializers.__all__]
    rooms = ("retrograd.optim", "retrograd.nn.losses", "retrograd.nn.initializers", "retrograd.nn")
    others = {rg.Network, rg.Concatenate, initializers.Initializer}
    made = {x for x in public if inspect.isclass(x) and x.__module__.startswith(rooms)}
    assert made - others <= set(RIGHT)


NAMES = [
    (lambda: rg.Adam(lr=0.1), "unknown argument of Adam 'lr' (did you mean 'learning_rate'?)"),
    (lambda: rg.Adam(eps=0.1), "unknown argument of Adam 'eps' (did you mean 'epsilon'?)"),
    (lambda: rg.RMSprop(alpha=0.9), "unknown argument of RMSprop 'alpha' (did you mean 'rho'?)"),
    (lambda: rg.LBFGS(memry=3), "unknown argument of LBFGS 'memry' (did you mean 'memory'?)"),
    (lambda: rg.Huber(dleta=1.0), "unknown argument of Huber 'dleta' (did you mean 'delta'?)"),
    (lambda: rg.Dropout(p=0.5), "unknown argument of Dropout 'p' (did you mean 'rate'?)"),
    (lambda: rg.Dense(2, units=3), "of Dense 'units' (did you mean 'fan_out'?)"),
    (lambda: rg.schedules.StepDecay(0.1, 2, gamma=0.5), "'gamma' (did you mean 'factor'?)"),
    (lambda: rg.initializers.Normal(std=1.0), "unknown argument of Normal 'std'; known: deviation"),
    (lambda: rg.train(network(), X, X, n_epochs=3), "'n_epochs' (did you mean 'epochs'?)"),
    (
        lambda: rg.train(network(), X, X, stream=True),
        "unknown argument of train 'stream'; known: X",
    ),
    (lambda: rg.learning_rate_range(network(), X, X, tol=1), "of learning_rate_range 'tol'"),
    (lambda: rg.train(network(), X, X, loss="mse"), "loss 'mse' (did you mean 'squared_error'?)"),
    (lambda: rg.train(network(), X, X, loss="BCEWithLogitsLoss"), "mean 'cross_entropy'?"),
    (lambda: rg.train(network(), X, X, optimizer="AdaGrad"), "(did you mean 'adagrad'?)"),
    (lambda: rg.Dense(2, 3, "LeakyReLU"), "'LeakyReLU' (did you mean 'leaky_relu'?)"),
    (lambda: rg.Dense(2, 3, "swish"), "unknown activation 'swish' (did you mean 'silu'?)"),
    (lambda: rg.Dense(2, 3, initializer="xavier_normal"), "(did you mean 'glorot_normal'?)"),
]


@pytest.mark.parametrize("make, message", NAMES)
def test_a_name_from_elsewhere_is_an_error_that_tells_the_name_here(make, message):
    with pytest.raises(UnknownNameError) as caught:
        make()
    assert message in str(caught.value)


def test_a_class_of_a_users_own_with_any_arguments_is_left_to_itself():
    class Own(rg.Scale):
        def __init__(self, **options: int) -> None:
            super().__init__(options["n"])

    assert Own(n=3).units == 3


def test_a_number_beyond_the_floats_is_an_option_error():
    with pytest.raises(OptionError, match="SGD: learning_rate must be in"):
        rg.SGD(10**400)
