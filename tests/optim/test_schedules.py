"""The schedules: PyTorch's rates (make_schedules.py), their bounds, and a rate in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import retrograd as rg
from retrograd import schedules
from retrograd.errors import OptionError, UnknownNameError

STORED = np.load(Path(__file__).with_name("schedules.npz"))
SCHEDULES = {
    "step": schedules.StepDecay(0.5, every=7, factor=0.3),
    "multi_step": schedules.MultiStep(0.5, steps=[5, 20, 21], factor=0.3),
    "exponential": schedules.Exponential(0.5, factor=0.9),
    "polynomial": schedules.Polynomial(0.5, steps=40, power=1.5),
    "cosine": schedules.Cosine(0.5, steps=60, final=0.01),
    "restarts": schedules.CosineRestarts(0.5, steps=8, growth=2, final=0.01),
    "one_cycle": schedules.OneCycle(0.5, steps=60),
    "one_cycle_linear": schedules.OneCycle(
        0.5, steps=60, rise=0.4, first=10.0, last=100.0, shape="linear"
    ),
    "warm_up": schedules.WarmUp(schedules.Exponential(0.5, factor=0.95), steps=10, first=0.25),
    "chained": schedules.Chained([0.5, schedules.Exponential(0.5, factor=0.9)], steps=[15]),
}
X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, :1] * X[:, 1:2]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_gives_pytorchs_rates(name):
    found = [SCHEDULES[name](step) for step in range(60)]
    np.testing.assert_allclose(found, STORED[name], rtol=1e-12, atol=1e-15)
    assert len(set(found)) > 3


def test_a_plateau_gives_pytorchs_rates():
    schedule, found = (
        schedules.ReduceOnPlateau(
            0.5, factor=0.5, patience=2, threshold=0.01, cooldown=3, final=0.03
        ),
        [],
    )
    for J in STORED["metrics"]:
        found.append(schedule(0))
        schedule = schedule.after(J)
    np.testing.assert_allclose(found, STORED["plateau"], rtol=1e-14)
    assert found[-1] == 0.03


def test_every_stored_schedule_is_compared():
    assert set(STORED) == {*SCHEDULES, "plateau", "metrics", "versions"}


def test_a_plateau_that_meets_nan_counts_bad_epochs():
    schedule = schedules.ReduceOnPlateau(0.5, factor=0.5, patience=1)
    for J in (float("nan"), float("nan"), 3.0):
        schedule = schedule.after(J)
    assert schedule(0) == 0.25
    assert schedule.seen.best == 3.0


def test_a_plateau_of_negative_J_asks_for_a_lower_one():
    schedule = schedules.ReduceOnPlateau(0.5, factor=0.5, patience=0, threshold=0.1)
    assert schedule.after(-1.0).after(-1.2)(0) == 0.5
    assert schedule.after(-1.0).after(-1.05)(0) == 0.25


def test_after_their_steps_schedules_stay_at_their_end():
    assert schedules.Cosine(0.5, steps=10, final=0.1)(99) == 0.1
    assert schedules.Polynomial(0.5, steps=10, final=0.1)(99) == 0.1
    one = schedules.OneCycle(0.5, steps=10)
    assert one(9) == one(99) == pytest.approx(0.5 / 25 / 1e4)


def test_rates_are_multiplied_and_inverse_scaling_is_a_power():
    found = schedules.Product([schedules.InverseScaling(0.8, power=1.0), 0.5])
    assert [found(step) for step in (0, 1, 3)] == [0.4, 0.2, 0.1]


def test_restarts_of_one_length_restart():
    schedule = schedules.CosineRestarts(0.5, steps=7)
    assert [schedule(step) for step in (0, 7, 7000)] == [0.5] * 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: schedules.Constant(0.0),
        lambda: schedules.StepDecay(0.1, every=0),
        lambda: schedules.StepDecay(0.1, every=5, factor=0.0),
        lambda: schedules.MultiStep(0.1, steps=[]),
        lambda: schedules.MultiStep(0.1, steps=[5, 4]),
        lambda: schedules.Exponential(0.1, factor=-1.0),
        lambda: schedules.Polynomial(0.1, steps=10, power=0.0),
        lambda: schedules.InverseScaling(0.1, power=0.0),
        lambda: schedules.Cosine(0.1, steps=1.5),
        lambda: schedules.CosineRestarts(0.1, steps=10, growth=0),
        lambda: schedules.OneCycle(0.1, steps=1),
        lambda: schedules.OneCycle(0.1, steps=10, rise=0.1),
        lambda: schedules.WarmUp("fast", steps=10),
        lambda: schedules.WarmUp(0.1, steps=10, first=1.5),
        lambda: schedules.Chained([0.1, 0.2], steps=[]),
        lambda: schedules.Chained([0.1, -0.2], steps=[5]),
        lambda: schedules.Product([]),
        lambda: schedules.EachEpoch(0.1, batches=0),
        lambda: schedules.ReduceOnPlateau(0.1, factor=1.0),
        lambda: schedules.ReduceOnPlateau(0.1, patience=-1),
        lambda: schedules.WarmUp(schedules.ReduceOnPlateau(0.1), steps=10),
    ],
)
def test_an_argument_out_of_its_range_is_an_option_error(make):
    with pytest.raises(OptionError):
        make()


def test_an_unknown_shape_of_a_cycle_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="known: cosine, linear"):
        schedules.OneCycle(0.1, steps=10, shape="cosinus")


def test_a_schedule_is_a_rate_of_any_optimizer():
    schedule = schedules.WarmUp(schedules.Cosine(0.1, steps=8), steps=2, first=0.5)
    net = rg.MLP([3, 4, 1])
    optimizer = rg.EMA(rg.Clip(rg.NAdam(schedule), norm=1.0), 0.9)
    history = rg.train(net, X, Y, optimizer=optimizer, epochs=4, batch_size=10)
    assert history.learning_rate == [schedule(step) for step in (1, 3, 5, 7)]


def plateau(net, **options):
    rate = schedules.ReduceOnPlateau(0.5, factor=0.1, patience=1, threshold=0.5)
    optimizer = rg.Clip(rg.SGD(rate), norm=1e-9)  # it stands still
    return rg.train(net, X, Y, optimizer=optimizer, batch_size=None, **options)


def test_a_plateau_lowers_the_rate_between_epochs():
    history = plateau(rg.MLP([3, 4, 1]), epochs=6)
    np.testing.assert_allclose(history.learning_rate, [0.5, 0.5, 0.5, 0.05, 0.05, 0.005])


def test_a_plateau_goes_on_in_a_resumed_run_and_begins_anew_at_each_start():
    whole, parts = rg.MLP([3, 4, 1]), rg.MLP([3, 4, 1])
    expected = plateau(whole, epochs=6)
    history = plateau(parts, epochs=2)
    history = plateau(parts, epochs=4, resume=history)
    assert history.learning_rate == expected.learning_rate
    assert plateau(whole, epochs=6, random_starts=3).learning_rate == expected.learning_rate


def test_a_plateau_looks_at_the_validation_rows():
    """J falls on, the validation J rises: the rate falls."""
    rate = schedules.ReduceOnPlateau(0.05, factor=0.5, patience=1)
    net = rg.MLP([3, 4, 1], activation="tanh")
    optimizer, against = rg.SGD(rate), (X, -Y - 1.0)
    history = rg.train(
        net, X, Y + 1.0, optimizer=optimizer, epochs=5, batch_size=None, validation=against
    )
    assert history.J == sorted(history.J, reverse=True)
    assert history.validation_J == sorted(history.validation_J)
    assert history.learning_rate == [0.05, 0.05, 0.05, 0.025, 0.025]
