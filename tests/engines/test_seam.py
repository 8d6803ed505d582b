"""The seam between graphs and engines is small: a fake engine of a few lines fits it."""

import numpy as np

from retrograd import compile, evaluate, run, variable
from retrograd.engines.base import Engine, Session
from retrograd.engines.numpy import NumpyEngine, NumpySession
from retrograd.graph.node import CONSTANT
from retrograd.graph.order import order


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
    monkeypatch.setitem(run.ENGINES, "plain", Plain)
    x, w = variable("x", [1.0, 2.0]), variable("w", 3.0)
    function = compile([x * w, x + w], [x], engine="plain")
    assert function.engine == "plain"
    assert np.array_equal(function([2.0, 4.0]), [[6, 12], [5, 7]])
    assert evaluate(w * 2.0, {w: 5.0}, engine="plain") == 10.0


def test_the_reference_engine_keeps_to_the_protocols():
    engine: Engine = NumpyEngine()
    session: Session = NumpySession({}, {}, {})
    assert engine.name == "numpy"
    assert session.snapshot() == {}
    for protocol, thing in [(Engine, engine), (Session, session)]:
        names = [name for name in vars(protocol) if not name.startswith("_")]
        assert all(callable(getattr(thing, name)) for name in names)
