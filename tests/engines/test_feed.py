"""A session that is fed other rows computes what one opened on them would."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DtypeError, ShapeError
from retrograd.graph.step import Step
from retrograd.run import ENGINES, find_engine

RNG = np.random.default_rng(3)


def step():
    """A step of descent on (x w - y)**2."""
    x, y = rg.variable("x", shape=(rg.rows, 3)), rg.variable("y", shape=(rg.rows,))
    w = rg.variable("w", shape=(3,))
    e = x @ w - y
    return Step(
        inputs={"x": x, "y": y},
        state={"w": w},
        outputs={"e": e, "J": rg.mean(rg.square(e))},
        updates={"w": w - 0.1 * (e @ x) / rg.row_count()},
    )


def data(n):
    return {"x": RNG.normal(size=(n, 3)), "y": RNG.normal(size=n)}


@pytest.mark.parametrize("copies", [None, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_are_fed_stand_in_place_of_those_before(engine, copies):
    one, w = step(), np.zeros(3 if copies is None else (copies, 3))
    first = data(4)
    session = find_engine(engine).open({"step": one}, {"w": w}, first, copies=copies)
    for n in (4, 4, 4, 4, 4, 300, 7, 7, 7, 4):  # equal sizes take a way of their own
        fed = data(n)
        session.feed(fed)
        fresh = find_engine(engine).open({"step": one}, {"w": w}, fed, copies=copies)
        order = RNG.permutation(n)
        found = session.run("step", order, batch_size=3)
        expected = fresh.run("step", order, batch_size=3)
        for name in ("e", "J"):
            np.testing.assert_array_equal(found[name], expected[name])
        w = session.read("w")
        np.testing.assert_array_equal(w, fresh.read("w"))


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_do_not_fit_the_steps_are_refused(engine):
    session = find_engine(engine).open({"step": step()}, {"w": np.zeros(3)}, data(4))
    with pytest.raises(ShapeError, match="expected shape"):
        session.feed({"x": np.ones((4, 2)), "y": np.ones(4)})
    with pytest.raises(ShapeError, match="4 rows, y has 5"):
        session.feed({"x": np.ones((4, 3)), "y": np.ones(5)})
    with pytest.raises(DtypeError, match="float32"):
        session.feed({"x": np.ones((4, 3), np.float32), "y": np.ones(4)})
