"""The seam between graphs and engines is small: a fake engine of a few lines fits it."""

import inspect

import numpy as np

from retrograd import compile, evaluate, run, variable
from retrograd.engines.base import Engine, Session
from retrograd.engines.copies import CopiedSession
from retrograd.engines.numpy import NumpyEngine, NumpySession
from retrograd.graph.node import CONSTANT
from retrograd.graph.order import order
from retrograd.graph.step import Step


class Plain:
    """An engine in a dozen lines: no buffers, no sessions."""

    name = "plain"

    def function(self, outputs, inputs):
        def call(values):
            known = dict(zip(inputs, values, strict=True))
            for node in order(outputs):
                if node in known:
                    continue
                if node.value is not None or node.gate is CONSTANT:
                    known[node] = node.value
                else:
                    operands = [known[x] for x in node.inputs]
                    known[node] = node.gate.numpy(*operands, **node.params)
            return [np.array(known[node]) for node in outputs]

        return call


def test_a_fake_engine_takes_the_place_of_a_real_one(monkeypatch):
    monkeypatch.setitem(run.ENGINES, "plain", lambda n_threads: Plain())
    x, w = variable("x", [1.0, 2.0]), variable("w", 3.0)
    function = compile([x * w, x + w], [x], engine="plain")
    assert function.engine == "plain"
    assert np.array_equal(function([2.0, 4.0]), [[6, 12], [5, 7]])
    assert evaluate(w * 2.0, {w: 5.0}, engine="plain") == 10.0


def test_a_function_of_an_engine_that_does_not_bind_is_bound_all_the_same(monkeypatch):
    monkeypatch.setitem(run.ENGINES, "plain", lambda n_threads: Plain())
    x, w = variable("x", shape=(2,)), variable("w", shape=())
    own = np.array(3.0)
    for engine in ("plain", "numpy", "cpu"):
        bound = compile([x * w], [x, w], engine=engine).bind([own])
        for factor in (3.0, 4.0):
            own[...] = factor
            assert np.array_equal(bound([np.array([1.0, 2.0])])[0], [factor, 2 * factor])


class Adder:
    """An engine and its session in one: all that it can is add 1 to its state for each batch."""

    name = "adder"

    def open(self, steps, state, data, *, copies=None):
        if copies is not None:
            return CopiedSession(self, steps, state, data, copies)
        opened = Adder()
        opened.n = state["n"]
        return opened

    def run(self, step, order, scalars=None, *, batch_size=None, pass_rows=None, stop=None):
        old, self.n = self.n, self.n + len(order) // (batch_size or len(order))
        return {"n": np.arange(old, self.n)}

    def read(self, name):
        return np.array(self.n)


def test_any_engine_has_copies_of_its_sessions():
    n = variable("n", shape=())
    step = Step(inputs={}, state={"n": n}, outputs={"n": n}, updates={"n": n + 1.0})
    session = Adder().open({"add": step}, {"n": np.array([0.0, 5.0])}, {}, copies=2)
    found = session.run("add", np.arange(6), batch_size=2)
    assert np.array_equal(found["n"], [[0, 1, 2], [5, 6, 7]])
    assert np.array_equal(session.snapshot()["n"], [3, 8])


def test_the_sessions_keep_to_the_protocol():
    engine: Engine = NumpyEngine()
    session: Session = NumpySession({}, {}, {})
    copied: Session = CopiedSession(engine, {}, {}, {}, 2)
    assert engine.name == "numpy"
    assert session.snapshot() == copied.snapshot() == {}
    for protocol, thing in [(Engine, engine), (Session, session), (Session, copied)]:
        for name in [name for name in vars(protocol) if not name.startswith("_")]:
            wanted = list(inspect.signature(getattr(protocol, name)).parameters)[1:]
            assert list(inspect.signature(getattr(thing, name)).parameters) == wanted, name
