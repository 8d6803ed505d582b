"""Every optimizer, loss and activation: training on the compiled engine, beside the reference."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.numpy import NumpyEngine
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.losses import find_loss
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS
from retrograd.optim.scikit_learn import ScikitLearnAdam, ScikitLearnSGD
from retrograd.training.step import gradient_step, objective, state_at, training_steps
from tests.compare import require_close

rng = np.random.default_rng(0)
CPU = CpuEngine(n_threads=1)
N, I, O = 23, 5, 3
X = rng.normal(size=(N, I))
TARGETS = {
    "numbers": rng.normal(size=(N, O)),
    "labels": rng.integers(0, O, N),
    "one-hot": np.eye(O)[rng.integers(0, O, N)],
    "yes or no": rng.integers(0, 2, (N, O)).astype(float),
    "counts": rng.poisson(1.0, (N, O)).astype(float),
    "shares": rng.dirichlet(np.ones(O), N),
    "a column": rng.normal(size=(N, 1)),
}
OPTIMIZER_CHOICES = {
    "sgd": rg.SGD(0.1),
    "momentum": rg.SGD(0.1, momentum=0.9),
    "nesterov": rg.SGD(0.1, momentum=0.9, nesterov=True),
    "dampening": rg.SGD(0.1, momentum=0.9, dampening=0.5),
    "rmsprop": rg.RMSprop(0.01),
    "centered": rg.RMSprop(0.01, momentum=0.5, centered=True, epsilon=0.1),
    "adagrad": rg.Adagrad(0.1),
    "adadelta": rg.Adadelta(),
    "adam": rg.Adam(0.01),
    "amsgrad": rg.Adam(0.01, amsgrad=True),
    "adamw": rg.AdamW(0.01),
    "adamax": rg.Adamax(0.01),
    "nadam": rg.NAdam(0.01),
    "radam": rg.RAdam(0.01, beta2=0.9),
    "lion": rg.Lion(0.01),
    "lamb": rg.LAMB(0.01),
    "adafactor": rg.Adafactor(0.01),
    "muon": rg.Muon(0.01),
    "rprop": rg.Rprop(0.01),
    "schedule-free": rg.ScheduleFreeAdamW(0.01),
    "clip value": rg.Clip(rg.SGD(0.1), value=0.1),
    "clip norm": rg.Clip(rg.SGD(0.1), norm=0.1),
    "clip global norm": rg.Clip(rg.SGD(0.1), global_norm=0.1),
    "decay": rg.Decay(rg.SGD(0.1, momentum=0.5), l2=0.1, weight_decay=0.1),
    "groups": rg.Groups({"b*": rg.SGD(0.1), "W2": rg.Adam(0.02)}, default=rg.Adam(0.01)),
    "ema": rg.EMA(rg.SGD(0.1), 0.8),
    "swa": rg.SWA(rg.SGD(0.1), start=1, every=2),
    "lookahead": rg.Lookahead(rg.SGD(0.1), every=2),
    "accumulate": rg.Accumulate(rg.Adam(0.01), every=2),
    "sam": rg.SAM(rg.Clip(rg.Adam(0.01), norm=0.1)),
    "together": rg.EMA(rg.SAM(rg.Accumulate(rg.NAdam(0.01), every=2)), 0.5),
    "around an average": rg.SAM(rg.Accumulate(rg.ScheduleFreeAdamW(0.01), every=2)),
    "scikit-learn sgd": ScikitLearnSGD(0.1),
    "scikit-learn momentum": ScikitLearnSGD(0.1, nesterov=False),
    "scikit-learn adam": ScikitLearnAdam(0.01),
}
AVERAGED = {"schedule-free", "ema", "swa", "lookahead", "together"}  # they read other weights out


def swish(z):
    return z * rg.sigmoid(z)


def huber(output, y):
    error = rg.abs(output - y)
    return rg.sum(rg.where(rg.less(error, 1.0), 0.5 * rg.square(error), error - 0.5), axis=1)


def trained(engine, network, loss, Y, optimizer, *, names=("train",), weighted=False):
    """What five batches of "train", and others of the steps, give; and the state after them."""
    dtype = network.dtype
    chosen = find_loss(loss, network)
    target = chosen.target(Y, O, dtype)
    problem = objective(network, chosen, target, weighted=("",) if weighted else ())
    steps = training_steps(problem, optimizer) | {"gradient": gradient_step(problem)}
    data = {"x": X.astype(dtype), "y": target.array}
    if weighted:
        data["sample_weight"] = np.linspace(0, 1, N).astype(dtype)
    session = engine.open(steps, state_at(network.parameters, optimizer), data)
    order, scalars = np.arange(N)[::-1], {"l2": 0.01, **optimizer.numbers()}
    results = {}
    for name in names:
        found = session.run(name, np.tile(order, 2)[:33], scalars, batch_size=7)
        results |= {f"{name}: {output}": value for output, value in found.items()}
    return {**results, **session.snapshot()}


def require_same(cpu, *args, **options):
    found, expected = (trained(engine, *args, **options) for engine in (cpu, NumpyEngine()))
    assert set(found) == set(expected)
    for name, value in expected.items():
        made_in = args[0].dtype
        require_close(found[name], value, length=N, depth=100, what=name, made_in=made_in)


def network(activation="tanh", output="identity", dtype=np.float64):
    return rg.MLP([I, 7, O], activation=activation, output=output, dtype=dtype)


def test_every_optimizer_is_tried():
    tried = {type(optimizer) for optimizer in OPTIMIZER_CHOICES.values()}
    # Solvers of full batches run the step "gradient", or those of residuals.
    assert tried >= {made for made in OPTIMIZERS.values() if not issubclass(made, FullBatch)}


@pytest.mark.parametrize("name", OPTIMIZER_CHOICES)
def test_every_optimizer_trains_as_on_the_reference(name):
    optimizer = OPTIMIZER_CHOICES[name]
    net = network(dtype=np.float32 if "scikit" in name else np.float64)
    names = ("train", "read") if name in AVERAGED else ("train",)
    require_same(CPU, net, "squared_error", TARGETS["numbers"], optimizer, names=names)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, swish])
def test_every_activation_trains_as_on_the_reference(activation):
    require_same(CPU, network(activation), "half_squared_error", TARGETS["numbers"], rg.SGD(0.1))


@pytest.mark.parametrize(
    "loss, output, targets",
    [
        ("cross_entropy", "softmax", "labels"),
        ("cross_entropy", "softmax", "one-hot"),
        ("cross_entropy", "sigmoid", "yes or no"),
        ("half_squared_error", "identity", "numbers"),
        ("squared_error", "sigmoid", "yes or no"),
        (huber, "identity", "numbers"),
        (rg.Huber(0.5), "identity", "numbers"),
        ("log_cosh", "tanh", "numbers"),
        ("quantile", "identity", "a column"),
        ("cosine", "identity", "numbers"),
        (rg.Tweedie(1.3), "exp", "counts"),
        (rg.CrossEntropy(label_smoothing=0.1), "softmax", "labels"),
        ("focal", "softmax", "labels"),
        (rg.Focal(alpha=0.3), "sigmoid", "yes or no"),
        ("squared_hinge", "softmax", "labels"),
        ("kl_divergence", "softmax", "shares"),
    ],
)
def test_every_loss_trains_as_on_the_reference(loss, output, targets):
    weighted = targets == "labels"
    net = network(output=output)
    require_same(CPU, net, loss, TARGETS[targets], rg.SGD(0.1, momentum=0.9), weighted=weighted)


def test_every_instruction_set_trains_as_the_reference(cpu, poisoned):
    net = network("relu", "softmax", np.float32)
    names = ("gradient", "train", "observe", "score")
    require_same(cpu, net, "cross_entropy", TARGETS["labels"], rg.SGD(0.1), names=names)
