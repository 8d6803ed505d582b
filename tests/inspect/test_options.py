"""Options of a look are checked where they are given, by whoever takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, UnknownNameError

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, :1]


def network() -> rg.Network:
    return rg.MLP([3, 4, 1])


TAKERS: dict[str, Any] = {
    "Recorder": lambda **options: rg.Recorder(X, Y, epochs=[1], **options),
    "check_gradient": lambda **options: rg.check_gradient(network(), X, Y, **options),
    "diagnose": lambda **options: rg.diagnose(network(), X, Y, **options),
    "trace": lambda **options: rg.trace(network(), X, Y, **options),
}


@pytest.mark.parametrize("owner", TAKERS)
@pytest.mark.parametrize("options", [{"engine": "nope"}, {"loss": "mean"}])
def test_an_unknown_name_is_told_before_anything_runs(owner, options):
    with pytest.raises(UnknownNameError, match=f"unknown {next(iter(options))}"):
        TAKERS[owner](**options)


@pytest.mark.parametrize("owner", TAKERS)
def test_an_error_names_who_takes_the_option(owner):
    with pytest.raises(OptionError, match=f"^{owner}: l2"):
        TAKERS[owner](l2=-1.0)
    with pytest.raises(UnknownNameError, match=f"argument of {owner} 'lose'"):
        TAKERS[owner](lose="huber")


@pytest.mark.parametrize("owner", ["Recorder", "diagnose", "trace"])
@pytest.mark.parametrize("seed", [2**53, 2**60, -1, 1.5])
def test_a_seed_out_of_its_range_is_told(owner, seed):
    with pytest.raises(OptionError, match=f"^{owner}: seed"):
        TAKERS[owner](seed=seed)


@pytest.mark.parametrize("owner", ["Recorder", "diagnose", "trace"])
def test_the_largest_seed_is_taken(owner):
    TAKERS[owner](seed=2**53 - 1)


def test_a_trace_stays_as_it_was_when_the_rows_change():
    given, targets, weights = X.copy(), Y.copy(), np.ones(len(X))
    t = rg.trace(network(), given, targets, sample_weight=weights)
    before = t.example(0)
    assert not np.shares_memory(t.X, given)
    given[0], targets[0], weights[0] = 99.0, -99.0, 0.0
    after = t.example(0)
    np.testing.assert_array_equal(t.X, X)
    for name, value in before.arrays().items():
        np.testing.assert_array_equal(after.arrays()[name], value)
    assert after.J == before.J
