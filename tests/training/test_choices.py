"""What `rg.train` takes it takes by name or by object, and an unknown name lists the known ones."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, UnknownNameError
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.initializers import INITIALIZERS
from retrograd.nn.losses import LOSSES
from retrograd.optim.names import OPTIMIZERS
from retrograd.run import ENGINES
from retrograd.training.scores import SCORES

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 2))
LABELS = RNG.integers(0, 2, 20)


def train(**options):
    net = rg.MLP([3, 2])
    rg.train(net, X, Y, **{"engine": "numpy", "epochs": 2, **options})
    return net.parameters["W1"]


@pytest.mark.parametrize(
    "choice, known",
    [
        ("loss", ["auto", *LOSSES]),
        ("optimizer", OPTIMIZERS),
        ("score", ["auto", "loss", *SCORES]),
        ("engine", ["auto", *ENGINES]),
        ("precision", ["auto", "float32", "float64", "bfloat16"]),
    ],
)
@pytest.mark.parametrize("wrong", ["nonesuch", 5, ["adam"]])
def test_an_unknown_name_in_train_lists_the_known_ones(choice, known, wrong):
    with pytest.raises(UnknownNameError) as caught:
        train(**{choice: wrong})
    assert str(caught.value).endswith(f"known: {', '.join(sorted(known))}")


@pytest.mark.parametrize(
    "choice, known",
    [
        ("activation", ACTIVATIONS),
        ("output", ACTIVATIONS),
        ("initializer", INITIALIZERS),
        ("bias_initializer", INITIALIZERS),
    ],
)
@pytest.mark.parametrize("wrong", ["nonesuch", 5])
def test_an_unknown_name_in_a_network_lists_the_known_ones(choice, known, wrong):
    with pytest.raises(UnknownNameError) as caught:
        rg.MLP([3, 4, 2], **{choice: wrong})
    assert str(caught.value).endswith(f"known: {', '.join(sorted(known))}")


def test_class_weights_of_no_known_kind_say_what_they_may_be():
    net = rg.MLP([3, 2], output="softmax")
    for data in [(X, LABELS), ([(X, LABELS)],)]:
        with pytest.raises(OptionError, match=r"'balanced' or \{label: weight\}, got 'even'"):
            rg.train(net, *data, class_weight="even", engine="numpy")


def test_a_rate_by_name_is_told_of_the_schedules():
    with pytest.raises(OptionError, match=r"function of the step .* rg\.schedules"):
        rg.Adam("cosine")


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_may_be_an_object(name):
    np.testing.assert_array_equal(train(engine=ENGINES[name]()), train(engine=name))


def test_names_stand_for_objects_with_their_usual_numbers():
    one = train(loss="huber", optimizer="adam", score="r2", validation=0.2)
    other = train(loss=rg.Huber(), optimizer=rg.Adam(), score=SCORES["r2"], validation=0.2)
    np.testing.assert_array_equal(one, other)
