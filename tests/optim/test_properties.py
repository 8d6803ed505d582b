"""What an optimizer says of itself, whatever it stands around or inside of."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError
from retrograd.optim.base import Optimizer, require_normal
from retrograd.optim.names import OPTIMIZERS

WITH_EPSILON = [
    (name, each.name)
    for name, made in OPTIMIZERS.items()
    if issubclass(made, Optimizer)
    for each in fields(made)
    if "epsilon" in each.name
]


def inside(optimizer: Optimizer) -> list[Optimizer]:
    """The optimizer itself, and inside of others."""
    groups = rg.Groups({"W*": optimizer}, default=rg.SGD(0.1))
    return [optimizer, rg.Decay(optimizer, l2=0.1), groups, rg.SAM(rg.Accumulate(groups, every=2))]


@pytest.mark.parametrize(("name", "field"), WITH_EPSILON)
def test_every_epsilon_must_be_a_normal_number(name, field):
    for each in inside(OPTIMIZERS[name](**{field: 1e-40})):
        with pytest.raises(OptionError, match=f"{field}=1e-40 is below the least normal float32"):
            require_normal(each, np.dtype(np.float32))
        require_normal(each, np.dtype(np.float64))


def test_no_other_number_must_be_one():
    require_normal(rg.Decay(rg.SGD(1e-40, momentum=1e-40), l2=1e-40), np.dtype(np.float32))


def test_clipping_is_seen_inside_others():
    assert all(each.is_clipping for each in inside(rg.Clip(rg.Adam(), value=1.0)))
    assert not any(each.is_clipping for each in inside(rg.Adam()))


@pytest.mark.parametrize(("n_steps", "n_batches", "waiting"), [(0, 3, 3), (2, 1, 0), (0, 0, 0)])
def test_batches_that_wait_for_a_first_step_are_seen_inside_others(n_steps, n_batches, waiting):
    counts = {"accumulate: n_batches": float(n_batches), "accumulate: n_steps": float(n_steps)}
    one = rg.Accumulate(rg.SGD(0.1), every=4)
    assert one.waiting(counts) == waiting
    assert rg.Decay(one, l2=0.1).waiting(counts) == waiting
    groups = rg.Groups({"W*": one}, default=rg.SGD(0.1))
    state = {f"W*: {name}": count for name, count in counts.items()}
    assert {*state} <= {*groups.state({"W1": (2,), "b1": (2,)})}
    assert groups.waiting(state) == waiting
    assert rg.Adam().waiting({}) == 0
