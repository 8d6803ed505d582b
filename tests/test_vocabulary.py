"""docs/vocabulary.md: every public name has its row, and the page is what the code says."""

from __future__ import annotations

import pytest

import retrograd as rg
from docs import make_vocabulary as vocabulary
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.initializers import INITIALIZERS
from retrograd.nn.losses import LOSSES
from retrograd.optim.names import OPTIMIZERS
from retrograd.training.scores import SCORES

SECTIONS = vocabulary.sections()
ROWS = [(section, row) for section in SECTIONS for row in vocabulary.rows_of(section)]


def test_the_page_is_what_its_script_makes():
    assert vocabulary.PAGE.read_text("utf-8") == vocabulary.page(), "run `make vocabulary`"


def test_every_public_name_has_a_row_under_its_own_name_or_that_of_a_table():
    things = [thing for section in SECTIONS for thing in section.things.values()]
    names = {name for section in SECTIONS for name in section.things}
    kinds = {id(thing) for thing in things}
    missing = [
        name
        for name in rg.__all__
        if f"rg.{name}" not in names and id(getattr(rg, name)) not in kinds
    ]
    assert not missing


def test_every_name_of_a_table_has_a_row():
    names = {name for section in SECTIONS for name in section.things}
    for table in (ACTIVATIONS, INITIALIZERS, LOSSES, OPTIMIZERS, SCORES):
        assert {f'"{name}"' for name in table} <= names
    assert {f"rg.schedules.{name}" for name in rg.schedules.__all__} <= names


@pytest.mark.parametrize("section, row", ROWS, ids=[row.name for _, row in ROWS])
def test_a_row_has_a_formula_a_source_and_tests(section, row):
    assert row.formula.lines and all(line.strip() for line in row.formula.lines)
    assert row.source or not section.is_cited, "the docstring names no source in brackets"
    assert row.tests
    for path in row.tests:
        assert (vocabulary.ROOT / "tests" / path).is_file()
