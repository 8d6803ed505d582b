"""The registries of layers, optimizers and losses name the classes as these name themselves."""

from __future__ import annotations

import pytest

from retrograd.nn.kinds import LAYERS
from retrograd.nn.layer import Layer
from retrograd.nn.losses import LOSSES
from retrograd.nn.losses.base import LossSpec
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS

REGISTRIES = {
    "layers": (LAYERS, "kind", Layer),
    "losses": (LOSSES, "name", LossSpec),
    "optimizers": (OPTIMIZERS, "name", (Optimizer, FullBatch)),
}
ENTRIES = [(which, key) for which, (known, _, _) in REGISTRIES.items() for key in known]


@pytest.mark.parametrize(("which", "key"), ENTRIES)
def test_every_key_is_the_name_of_the_class_at_its_place(which, key):
    known, attribute, base = REGISTRIES[which]
    made = known[key]
    assert issubclass(made, base)
    assert getattr(made, attribute) == key


@pytest.mark.parametrize("which", REGISTRIES)
def test_no_two_keys_are_of_one_class(which):
    known = REGISTRIES[which][0]
    assert len({*known.values()}) == len(known)
