"""pyproject.toml: the lower bounds are those that `make test-lowest` installs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DEVELOPERS = {"dev", "test"}  # extras that no user needs


def _users_requirements() -> Iterator[Requirement]:
    """What a user's installation may bring along: everything but what developers need."""
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    for lines in (PROJECT["dependencies"], *(extras[name] for name in extras.keys() - DEVELOPERS)):
        yield from (line for line in map(Requirement, lines) if line.name != PROJECT["name"])


def _constraints() -> dict[str, str]:
    lines = (ROOT / "tests" / "lowest-constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_a_requirement_has_a_lower_bound_and_no_other():
    for requirement in _users_requirements():
        assert [part.operator for part in requirement.specifier] == [">="], str(requirement)


def test_the_lower_bounds_are_the_versions_of_the_lowest_constraints():
    bounds = {
        requirement.name: part.version
        for requirement in _users_requirements()
        for part in requirement.specifier
    }
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    of_tests = {x.name: x.specifier for x in map(Requirement, extras["test"]) if x.specifier}
    constraints = _constraints()
    assert {name: constraints.get(name) for name in bounds} == bounds
    for name in constraints.keys() - bounds.keys():
        assert str(of_tests[name]) == f">={constraints[name]}"


def test_the_extra_all_brings_every_other_extra_for_users():
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    others = PROJECT["optional-dependencies"].keys() - {"all"} - DEVELOPERS
    assert everything.name == PROJECT["name"]
    assert everything.extras == others


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_pythons_that_are_named_are_allowed(version: str):
    classifier = f"Programming Language :: Python :: {version}"
    assert classifier in PROJECT["classifiers"]
    assert version in Requirement(f"python{PROJECT['requires-python']}").specifier
