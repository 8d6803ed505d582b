"""The error tree is the one that its docstring draws."""

from __future__ import annotations

import builtins
import inspect
import pickle
import re

import pytest

from retrograd import errors
from retrograd.errors import DivergenceError, OptionError, RetrogradError, unknown_name

# "    │   └── DtypeError (TypeError)    operands ...": branches, name, the built-in it is as well
DRAWN = re.compile(r" {4}((?:[│ ] {3})*(?:[├└]── )?)(\w+)(?: \((\w+)\))?(?:  +\S.*)?")


def _drawing() -> dict[str, tuple[str, ...]]:
    """Name of each error drawn -> names of its bases."""
    found: dict[str, tuple[str, ...]] = {}
    above: list[str] = []  # from the root to the error last read
    for line in filter(None, map(DRAWN.fullmatch, (errors.__doc__ or "").splitlines())):
        branches, name, builtin = line.groups()
        del above[len(branches) // 4 :]
        found[name] = (above[-1] if above else "Exception", *filter(None, [builtin]))
        above.append(name)
    return found


def _classes() -> dict[str, type]:
    return dict(inspect.getmembers(errors, inspect.isclass))


def test_the_drawing_shows_every_error_with_its_bases_and_no_other():
    defined = {
        name: tuple(base.__name__ for base in cls.__bases__)
        for name, cls in _classes().items()
        if cls.__module__ == errors.__name__
    }
    assert _drawing() == defined


def test_an_error_that_is_a_builtin_as_well_is_caught_as_that():
    builtin = {name: bases[1] for name, bases in _drawing().items() if len(bases) == 2}
    assert builtin["DataError"] == "ValueError"
    for name, base in builtin.items():
        assert issubclass(getattr(errors, name), getattr(builtins, base))


@pytest.mark.parametrize("name", sorted(_drawing()))
def test_an_error_survives_the_way_between_two_processes(name: str):
    kind = getattr(errors, name)
    where = {"epoch": 3, "step": 7} if issubclass(kind, DivergenceError) else {}
    error: RetrogradError = kind("what was wrong", **where)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == "what was wrong"
    assert vars(back) == vars(error)


def test_a_divergence_says_where_it_happened():
    error = DivergenceError("J is nan", epoch=3, step=7)
    assert (error.epoch, error.step) == (3, 7)


def test_a_name_far_from_every_known_one_gets_the_list_and_no_guess():
    error = unknown_name("loss", "qqq", ["squared_error", "cross_entropy"])
    assert isinstance(error, OptionError)
    assert str(error) == "unknown loss 'qqq'; known: cross_entropy, squared_error"
