"""The random numbers of a fit: scikit-learn's generator, begun without what it would throw away."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from sklearn.utils import check_random_state


class _Still(ISeedSequence):
    """A state of zeros, which the seed replaces."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return [0] * n_words  # a list, for they are taken one by one


def generator(random_state: Any) -> np.random.RandomState:
    """`check_random_state` of scikit-learn; of an integer in 10 microseconds, not in 200.

    >>> bool(generator(3).randint(10**6) == np.random.RandomState(3).randint(10**6))
    True
    """
    if not isinstance(random_state, Integral) or isinstance(random_state, bool):
        return check_random_state(random_state)
    # What would be asked of the system for a first state is lost by seeding.
    still: Any = _Still()
    made = np.random.RandomState(np.random.MT19937(still))
    made.seed(int(random_state))
    return made
