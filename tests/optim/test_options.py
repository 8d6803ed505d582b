"""The optimizers' numbers, names and state."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, UnknownNameError
from retrograd.nn.losses import find_loss
from retrograd.optim.base import rates
from retrograd.optim.names import OPTIMIZERS, find_optimizer
from retrograd.training.step import objective, training_steps


@pytest.mark.parametrize(
    "make",
    [
        lambda: rg.SGD(0.0),
        lambda: rg.SGD(-1.0),
        lambda: rg.SGD(float("nan")),
        lambda: rg.SGD(float("inf")),
        lambda: rg.SGD("fast"),
        lambda: rg.SGD(True),
        lambda: rg.SGD(0.1, momentum=1.0),
        lambda: rg.SGD(0.1, momentum=-0.1),
        lambda: rg.SGD(0.1, nesterov=True),
        lambda: rg.SGD(0.1, momentum=0.9, nesterov=1),
        lambda: rg.SGD(0.1, momentum=0.9, dampening=1.5),
        lambda: rg.SGD(0.1, dampening=0.5),
        lambda: rg.SGD(0.1, momentum=0.9, nesterov=True, dampening=0.5),
        lambda: rg.Adam(amsgrad=1),
        lambda: rg.Adam(beta1=1.0),
        lambda: rg.Adam(beta2=-0.1),
        lambda: rg.Adam(epsilon=0.0),
        lambda: rg.AdamW(weight_decay=-1.0),
        lambda: rg.NAdam(momentum_decay=-1.0),
        lambda: rg.RMSprop(rho=1.0),
        lambda: rg.RMSprop(momentum=1.0),
        lambda: rg.RMSprop(centered="yes"),
        lambda: rg.Adagrad(initial=-1.0),
        lambda: rg.Adadelta(epsilon=0.0),
        lambda: rg.Lion(weight_decay=-0.1),
        lambda: rg.Rprop(up=1.0),
        lambda: rg.Rprop(down=1.0),
        lambda: rg.Rprop(smallest=2.0, largest=1.0),
        lambda: rg.LAMB(weight_decay=-0.1),
        lambda: rg.Adafactor(power=0.0),
        lambda: rg.Adafactor(epsilon1=0.0),
        lambda: rg.Adafactor(threshold=0.0),
        lambda: rg.Muon(iterations=0),
        lambda: rg.Muon(nesterov=None),
        lambda: rg.Muon(fallback="adam"),
        lambda: rg.ScheduleFreeAdamW(beta1=0.0),
        lambda: rg.Clip("adam", value=1.0),
        lambda: rg.Clip(rg.Adam(), value=0.0),
        lambda: rg.Decay(rg.Adam(), l2=-1.0),
        lambda: rg.EMA(rg.Adam(), 1.0),
        lambda: rg.SWA(rg.Adam(), start=-1),
        lambda: rg.SWA(rg.Adam(), every=0),
        lambda: rg.Lookahead(rg.Adam(), every=1.5),
        lambda: rg.Lookahead(rg.Adam(), alpha=0.0),
        lambda: rg.Accumulate(rg.LBFGS(), every=2),
        lambda: rg.Accumulate(rg.Adam(), every=0),
        lambda: rg.SAM(rg.Adam(), rho=0.0),
        lambda: rg.Groups({"b*": "adam"}),
        lambda: rg.Groups({"b*": rg.Adam()}, default=rg.Adam),
        lambda: rg.LBFGS(memory=0),
        lambda: rg.LBFGS(memory=2.5),
        lambda: rg.LBFGS(max_evaluations=0),
        lambda: rg.ConjugateGradient(curvature=0.0),
        lambda: rg.ConjugateGradient(curvature=1.0),
        lambda: rg.ScaledConjugateGradient(sigma=0.0),
        lambda: rg.ScaledConjugateGradient(damping=-1.0),
        lambda: rg.LevenbergMarquardt(damping=0.0),
        lambda: rg.LevenbergMarquardt(bayesian=1),
    ],
)
def test_a_number_out_of_its_range_is_an_option_error(make):
    with pytest.raises(OptionError, match=r"must be|needs|give|is True or False"):
        make()


def test_an_unknown_optimizer_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"did you mean 'adam'.*adam, .*muon, .*sgd"):
        find_optimizer("adamm")


def test_a_class_in_place_of_an_instance_says_so():
    with pytest.raises(OptionError, match=r"rg\.Adam\(\), not the class"):
        find_optimizer(rg.Adam)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rg.Clip(rg.Adam()), "exactly one of value, norm and global_norm, got 0"),
        (lambda: rg.Clip(rg.Adam(), value=1.0, norm=1.0), "exactly one .* got 2"),
        (lambda: rg.EMA(rg.Clip(rg.EMA(rg.Adam()), value=1.0)), "around another EMA"),
        (lambda: rg.EMA(rg.Groups({"b*": rg.SGD()}, default=rg.EMA(rg.SGD()))), "another EMA"),
        (lambda: rg.Groups({}), "optimizers by pattern"),
        (lambda: rg.Groups({2: rg.Adam()}), "a pattern is a text"),
        (lambda: rg.Groups({"b*": rg.Groups({"W*": rg.Adam()})}), "no Groups itself"),
        (lambda: rg.EMA(rg.EMA(rg.Adam())), "once is enough"),
    ],
)
def test_optimizers_that_do_not_fit_together_are_an_option_error(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_name_makes_its_optimizer(name):
    assert find_optimizer(name).name == name


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (rg.SGD(0.1), []),
        (rg.SGD(0.1, momentum=0.5), ["velocity of W1", "velocity of b1"]),
        (rg.Adam(), ["m of W1", "v of W1", "m of b1", "v of b1"]),
        (rg.AdamW(), ["m of W1", "v of W1", "m of b1", "v of b1"]),
    ],
)
def test_weights_slots_and_t_are_state_of_one_step(optimizer, slots):
    net = rg.MLP([3, 2])
    loss = find_loss("half_squared_error", net)
    target = loss.target(np.zeros((4, 2)), 2, np.float64)
    step = training_steps(objective(net, loss, target), optimizer)["train"]
    assert set(step.state) == {"W1", "b1", "t", *slots}
    assert set(step.updates) == set(step.state)
    assert set(step.outputs) == {"J"}


def test_a_schedule_is_a_function_of_the_step_from_0():
    np.testing.assert_array_equal(rates(lambda step: 1.0 / (step + 1), 2, 3), [1 / 3, 1 / 4, 1 / 5])
    assert rates(0.1, 2, 3) == 0.1


@pytest.mark.parametrize("bad", [float("nan"), -1.0, float("inf")])
def test_a_schedule_that_leaves_the_range_names_the_step(bad):
    with pytest.raises(OptionError, match="at step 3"):
        rates(lambda step: bad if step == 3 else 0.1, 0, 5)


@pytest.mark.parametrize("bad", [None, "fast", [0.1, 0.2]])
def test_a_schedule_must_give_numbers(bad):
    with pytest.raises(OptionError, match="must give a number"):
        rates(lambda step: bad, 0, 5)
