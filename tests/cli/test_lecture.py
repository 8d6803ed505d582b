"""`retrograd lecture`: the lectures' numbers, row by row (see the rows' names in the output)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retrograd.cli.lecture import LECTURES
from retrograd.cli.lectures import cost
from retrograd.cli.lectures.page import Page

Run = Callable[..., Any]


def cells(result: Any, start: str) -> list[str]:
    return re.split(r"\s{2,}", result.line(start).strip())


def milliseconds(cell: str) -> float:
    """Of "12.3 ms", or "12.3 ms *" where a part was measured and scaled up."""
    number, unit = cell.split()[:2]
    assert unit == "ms"
    return float(number)


@pytest.mark.parametrize("name", LECTURES)
def test_every_lecture_checks_its_own_numbers(name: str, run: Run):
    result = run("lecture", name)
    assert result.code == 0 and result.err == ""
    assert re.fullmatch(r"\d+ checks of the numbers above: all agree", result.lines[-1])
    assert max(map(len, result.lines)) <= 110


def test_without_a_name_they_are_listed(run: Run):
    result = run("lecture")
    assert [line.split()[0] for line in result.lines[2:7]] == list(LECTURES)


def test_the_node_of_lecture_3(run: Run):
    result = run("lecture", "node")
    assert cells(result, "v  ") == ["v", "x * y", "6", "4"]
    assert cells(result, "u  ") == ["u", "w + v", "11", "4"]
    assert cells(result, "f  ") == ["f", "u * z", "44", "1"]
    given = [line.split() for line in result.lines if " given " in line]
    assert [(row[0], row[3]) for row in given] == [("w", "4"), ("x", "8"), ("y", "12"), ("z", "11")]
    nudged = [line.split() for line in result.lines if re.match(r"[wxyz] +\d\.001", line)]
    assert [row[3] for row in nudged] == ["44.004", "44.008", "44.012", "44.011"]
    assert "L3.1-L3.3" in result.out and "L3.4" in result.out and "L3.5" in result.out
    assert cells(result, "max(x, y)") == ["max(x, y)", "1", "0", "g to the larger, 0 to the other"]


def test_the_chain_shows_delta_and_e_of_every_unit(run: Run):
    result = run("lecture", "chain")
    z, a, e, delta = map(float, cells(result, "3  ")[2:6])
    assert a == pytest.approx(1 / (1 + np.exp(-z)), abs=2e-6)
    assert e == pytest.approx(a - 0.9, abs=2e-6)
    assert delta == pytest.approx(a * (1 - a) * e, abs=2e-6)
    assert all(row in result.out for row in ("L2.3", "L2.4", "L2.5", "L2.6"))


def test_the_cost_lecture_prints_passes_and_times_side_by_side(run: Run):
    result = run("lecture", "cost")
    lines = [line for line in result.lines if re.match(r" +\d+ +\d+ +1 \+ 1 ", line)]
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert [row[0] for row in rows] == ["10", "100", "1000", "10000"]
    assert [row[1] for row in rows] == ["11", "101", "1001", "10001"]
    assert [row[3] for row in rows] == ["5.5 x", "50.5 x", "500.5 x", "5000.5 x"]
    assert "L2.1" in result.out and "L2.2" in result.out
    # 500 and 5000 times the passes: no load of the machine turns that round.
    assert all(milliseconds(row[4]) > milliseconds(row[5]) for row in rows[2:])


def test_a_cost_that_was_measured_in_part_says_so(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "SIZES", ((4, 2, 1), (9, 10, 1), (24, 40, 1)))
    whole = cost.measure
    monkeypatch.setattr(cost, "measure", lambda sizes: whole(sizes, budget=1e-9))
    result = run("lecture", "cost")
    assert result.code == 0
    assert "* measured for 1 of the 1000 weights, and scaled up" in result.out


def test_finite_differences_are_those_of_the_definition():
    w = np.array([[1.0, 2.0]])
    found, seconds = cost.differences(lambda: float((w**2).sum()), [w], budget=60.0)
    assert found == pytest.approx([2.0, 4.0], abs=1e-5) and seconds > 0
    assert w.tolist() == [[1.0, 2.0]]


def test_the_matrix_lecture_trains_to_the_exclusive_or(run: Run):
    result = run("lecture", "matrix")
    outputs = [float(x) for x in result.line("  O.T").split("=")[1].split()]
    assert [round(x) for x in outputs] == [0, 1, 1, 0]
    assert all(f"L1.{row}" in result.out for row in (1, 2, 4, 5, 6, 7))


def test_the_batch_lecture_compares_every_parameter(run: Run):
    result = run("lecture", "batch")
    for name in ("W1", "b1", "W2", "b2"):
        assert float(cells(result, f"{name} ")[-1]) < 1e-15
    assert all(row in result.out for row in ("L4.1", "L4.2", "L4.3", "L4.4, L4.5"))


def test_a_number_that_is_off_gives_code_1(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(LECTURES, "node", ("wrong", lambda: False))
    assert run("lecture", "node").code == 1


def test_a_check_that_fails_is_printed_and_counted(capsys: pytest.CaptureFixture[str]):
    page = Page("title")
    page.check("two", 2.0, 2.0)
    page.check("three", 3.0 + 1e-9, 3.0)
    page.check("shape", [1.0], [[1.0]])
    page.check("number", float("nan"), 1.0)
    assert not page.end()
    printed = capsys.readouterr().out
    assert "WRONG: three" in printed and "WRONG: shape" in printed and "WRONG: number" in printed
    assert printed.endswith("4 checks of the numbers above: 3 DISAGREE\n")
