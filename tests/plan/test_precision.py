"""Mixed precision: products see bfloat16, sums and weights stay float32."""

import numpy as np

import retrograd as rg
from retrograd.graph.node import variable
from retrograd.graph.step import Step
from retrograd.plan.precision import in_bfloat16


def to_bfloat16(x):
    part, exponent = np.frexp(x)
    return np.ldexp(np.rint(part * 256) / 256, exponent).astype(np.float32)


def test_the_operands_of_products_are_rounded_and_nothing_else_is():
    rng = np.random.default_rng(0)
    X, A = rng.normal(size=(2, 4, 4)).astype(np.float32)
    x, w = variable("x", shape=(rg.rows, 4), dtype="float32"), variable("w", A)
    step = in_bfloat16(Step({"x": x}, {"w": w}, {"y": x @ w.T + w[0]}, {}, {"w": w * 3.0}))
    y, new = rg.evaluate([step.outputs["y"], step.updates["w"]], {x: X, w: A})
    np.testing.assert_allclose(y, to_bfloat16(X) @ to_bfloat16(A).T + A[0], rtol=1e-6)
    assert np.array_equal(new, A * np.float32(3))


def test_training_in_bfloat16_follows_training_in_float32():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(256, 16)).astype(np.float32)
    Y = np.sin(X[:, :2])
    histories = {}
    for precision in ("float32", "bfloat16"):
        for engine in ("cpu", "numpy"):
            net = rg.MLP([16, 32, 2], activation="tanh")
            run = rg.train(net, X, Y, epochs=20, precision=precision, engine=engine)
            histories[precision, engine] = run.J
            assert net.dtype == np.float32
    exact, mixed = histories["float32", "cpu"], histories["bfloat16", "cpu"]
    np.testing.assert_allclose(mixed, exact, rtol=2e-2)
    assert not np.allclose(mixed, exact, rtol=1e-6)
    np.testing.assert_allclose(mixed, histories["bfloat16", "numpy"], rtol=1e-3)
