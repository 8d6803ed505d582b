"""An optimizer of a user's own, in the long form: state of any shape, all gradients, a reading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError
from retrograd.optim.base import Optimizer, Rate, Slot, slot_name

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


@dataclass(frozen=True)
class Normalised(Optimizer):
    """W = W - rate * g / norm(all g); reads the mean of W and of where it began."""

    name = "normalised"

    learning_rate: Rate = 0.1

    def state(self, shapes):
        begins = {slot_name("begin", n): Slot(s, copy_of=n) for n, s in shapes.items()}
        return {**begins, "path": Slot((), initial=2.0)}

    def step(self, at):
        norm = rg.sqrt(sum(rg.sum(rg.square(g)) for g in at.g.values()))
        rate = at.scalars["learning_rate"]
        updates = {name: w - rate / norm * at.g[name] for name, w in at.w.items()}
        begins = {n: at.state[n] for n in at.state if n != "path"}
        return {**updates, **begins, "path": at.state["path"] + rate}

    def read(self, w, state, scalars):
        return {name: 0.5 * (x + state[slot_name("begin", name)]) for name, x in w.items()}


def distance(a, b):
    return np.sqrt(sum(np.square(a[name] - b[name]).sum() for name in a))


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_an_optimizer_of_a_users_own_sees_all_gradients_and_supplies_a_reading(engine):
    net, before = rg.MLP([3, 2]), dict(rg.MLP([3, 2]).parameters)
    history = rg.train(
        net, X, Y, optimizer=Normalised(0.1), epochs=1, batch_size=None, engine=engine
    )
    assert distance(net.parameters, before) == pytest.approx(0.05, rel=1e-12)
    assert history.checkpoint.state["path"] == 2.1
    assert distance({n: history.checkpoint.state[n] for n in before}, before) == pytest.approx(0.1)


def test_it_can_stand_inside_others():
    net, before = rg.MLP([3, 2]), dict(rg.MLP([3, 2]).parameters)
    optimizer = rg.Groups({"b*": rg.SGD(0.1)}, default=rg.SAM(Normalised(0.1)))
    rg.train(net, X, Y, optimizer=optimizer, epochs=1, batch_size=None)
    moved = np.linalg.norm(net.parameters["W1"] - before["W1"])
    assert moved == pytest.approx(0.05, rel=1e-12)


def test_adamw_is_adam_with_decay_around_it():
    own, wrapped = rg.MLP([3, 2]), rg.MLP([3, 2])
    options = {"epochs": 5, "batch_size": 4}
    rg.train(own, X, Y, optimizer=rg.AdamW(0.1, weight_decay=0.3), **options)
    rg.train(wrapped, X, Y, optimizer=rg.Decay(rg.Adam(0.1), weight_decay=0.3), **options)
    assert distance(own.parameters, wrapped.parameters) < 1e-13


def test_decay_counts_in_the_second_gradient_of_the_optimizer_within():
    own, wrapped = (rg.MLP([3, 2], bias=False) for _ in range(2))
    options = {"epochs": 3, "batch_size": 4}
    rg.train(own, X, Y, optimizer=rg.SAM(rg.SGD(0.1), rho=0.5), l2=0.3, **options)
    rg.train(wrapped, X, Y, optimizer=rg.Decay(rg.SAM(rg.SGD(0.1), rho=0.5), l2=0.3), **options)
    assert distance(own.parameters, wrapped.parameters) < 1e-13


@pytest.mark.parametrize("limit", [{"value": 1e-3}, {"norm": 1e-3}, {"global_norm": 1e-3}])
def test_the_second_gradient_of_the_optimizer_within_is_clipped_too(limit):
    net, before = rg.MLP([3, 2]), dict(rg.MLP([3, 2]).parameters)
    optimizer = rg.Clip(rg.SAM(rg.SGD(1.0)), **limit)
    rg.train(net, X, Y, optimizer=optimizer, epochs=1, batch_size=None)
    entries = sum(value.size for value in before.values())
    assert 0.0 < distance(net.parameters, before) <= 1e-3 * np.sqrt(entries)


def test_there_is_no_second_gradient_of_several_batches():
    with pytest.raises(OptionError, match=r"second gradient.*rg.SAM\(rg.Accumulate"):
        rg.train(rg.MLP([3, 2]), X, Y, optimizer=rg.Accumulate(rg.SAM(rg.SGD(0.1))), epochs=1)
    outside = rg.SAM(rg.Accumulate(rg.SGD(0.1), every=2))
    rg.train(rg.MLP([3, 2]), X, Y, optimizer=outside, epochs=2)


def test_a_rate_is_replaced_where_it_stands_and_nowhere_else():
    optimizer = rg.EMA(rg.Groups({"b*": rg.SGD(0.3)}, default=rg.Clip(rg.Adam(), norm=1.0)))
    numbers = optimizer.with_rate(0.7).numbers()
    assert numbers == optimizer.numbers() | {"learning_rate": 0.7}


@pytest.mark.parametrize("average", [rg.EMA, rg.SWA, rg.Lookahead])
@pytest.mark.parametrize(
    "within",
    [
        rg.ScheduleFreeAdamW(),
        rg.Clip(rg.ScheduleFreeAdamW(), norm=1.0),
        rg.Groups({"b*": rg.ScheduleFreeAdamW()}, default=rg.SGD(0.1)),
        rg.Groups({"b*": rg.EMA(rg.SGD(0.1))}, default=rg.SGD(0.1)),
        Normalised(),
    ],
)
def test_an_average_of_what_reads_an_average_out_is_refused(average, within):
    with pytest.raises(OptionError, match=f"^{average.__name__}: .* reads other weights out"):
        average(within)


def test_one_average_around_another_is_refused():
    with pytest.raises(OptionError, match="one average is enough"):
        rg.SWA(rg.EMA(rg.SGD(0.1)))
    rg.Clip(rg.EMA(rg.SGD(0.1)), norm=1.0)


def test_decay_around_groups_takes_the_rate_of_each_group():
    outside, inside = rg.MLP([3, 4, 2]), rg.MLP([3, 4, 2])
    groups = {"b*": rg.SGD(0.5), "W2": rg.Muon(0.3)}
    decayed = {name: rg.Decay(x, weight_decay=0.2) for name, x in groups.items()}
    default = rg.SGD(0.01)
    options = {"epochs": 3, "batch_size": 4}
    around = rg.Decay(rg.Groups(groups, default=default), weight_decay=0.2)
    rg.train(outside, X, Y, optimizer=around, **options)
    within = rg.Groups(decayed, default=rg.Decay(default, weight_decay=0.2))
    rg.train(inside, X, Y, optimizer=within, **options)
    assert distance(outside.parameters, inside.parameters) < 1e-14


def test_decay_around_muon_takes_the_fallbacks_rate_for_biases():
    wrapped, byhand = rg.MLP([3, 2]), rg.MLP([3, 2])
    for net in (wrapped, byhand):
        net.parameters["b1"] = np.array([1.0, -2.0])
    muon = rg.Muon(0.3, fallback=rg.SGD(0.1))
    options = {"epochs": 1, "batch_size": None}
    rg.train(wrapped, X, Y, optimizer=rg.Decay(muon, weight_decay=0.5), **options)
    rg.train(byhand, X, Y, optimizer=muon, **options)
    decayed = byhand.parameters["b1"] - 0.1 * 0.5 * np.array([1.0, -2.0])
    assert np.allclose(wrapped.parameters["b1"], decayed, rtol=1e-14, atol=0)


def test_an_optimizer_without_a_rate_says_so():
    @dataclass(frozen=True)
    class Still(Normalised):
        learning_rate: None = None

    with pytest.raises(OptionError, match="Still has no learning rate"):
        rg.Clip(Still(), norm=1.0).with_rate(0.1)
    within = rg.Groups({"b*": Still()}, default=rg.SGD(0.1))
    with pytest.raises(OptionError, match="the optimizer of b1 has no learning rate"):
        rg.train(rg.MLP([3, 2]), X, Y, optimizer=rg.Decay(within, weight_decay=0.1), epochs=1)
    with pytest.raises(OptionError, match="needs an optimizer with a learning rate"):
        rg.Decay(Still(), weight_decay=0.1)
