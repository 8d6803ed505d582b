"""The variants of scikit-learn against its own classes, step by step."""

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

import retrograd as rg
from retrograd.errors import OptionError
from retrograd.optim.scikit_learn import ScikitLearnAdam, ScikitLearnSGD

VARIANTS = {
    "sgd": (
        ScikitLearnSGD(0.1, momentum=0.7, nesterov=False),
        lambda w: SGDOptimizer(w, 0.1, momentum=0.7, nesterov=False),
    ),
    "nesterov": (
        ScikitLearnSGD(0.1, momentum=1.0),
        lambda w: SGDOptimizer(w, 0.1, momentum=1.0, nesterov=True),
    ),
    "adam": (
        ScikitLearnAdam(0.1, 0.8, 0.95, 1e-3),
        lambda w: AdamOptimizer(w, 0.1, 0.8, 0.95, 1e-3),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_equations_give_scikit_learns_steps(name):
    optimizer, peer = VARIANTS[name]
    rng = np.random.default_rng(0)
    ours = rng.normal(size=(3, 2))
    theirs = [ours.copy()]
    slots = {slot: np.zeros_like(ours) for slot in optimizer.slots()}
    other = peer(theirs)
    for t in range(1, 6):
        g = rng.normal(size=ours.shape)
        w, slope = rg.variable("w", ours), rg.variable("g", g)
        new, new_slots = optimizer.update(
            w,
            slope,
            {slot: rg.variable(slot, value) for slot, value in slots.items()},
            {number: rg.variable(number, value) for number, value in optimizer.numbers().items()},
            rg.variable("t", float(t)),
        )
        ours, *values = rg.evaluate([new, *new_slots.values()])
        slots = dict(zip(new_slots, values, strict=True))
        other.update_params(theirs, [g])
        np.testing.assert_allclose(ours, theirs[0], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("bad", [{"learning_rate": 0.0}, {"momentum": 1.5}, {"momentum": -0.1}])
def test_sgd_checks_its_numbers(bad):
    with pytest.raises(OptionError):
        ScikitLearnSGD(**bad)


@pytest.mark.parametrize("bad", [{"beta1": 1.0}, {"beta2": -0.1}, {"epsilon": 0.0}])
def test_adam_checks_its_numbers(bad):
    with pytest.raises(OptionError):
        ScikitLearnAdam(**bad)
