"""Operands of products in pairs: which they are, what they hold, and where they lie."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.step import Step
from retrograd.plan.pack import BFLOAT16, PACK, PACK_TURNED, pack
from retrograd.plan.schedule import plan
from retrograd.plan.text import as_text

DATA = rg.variable("X", shape=(rg.rows, 40), dtype="float32")
FLOWN = rg.variable("D", shape=(rg.rows, 20), dtype="float32")
WEIGHTS = rg.variable("W", shape=(40, 20), dtype="float32")
x, d, w = map(rg.round_bfloat16, (DATA, FLOWN, WEIGHTS))
VALUES = {
    node: np.random.default_rng(i).normal(size=(7 if i < 2 else 40, size)).astype(np.float32)
    for i, (node, size) in enumerate({DATA: 40, FLOWN: 20, WEIGHTS: 20}.items())
}
PRODUCTS = {
    "forward": (x @ w, [BFLOAT16, PACK]),
    "back": (d @ w.T, [BFLOAT16, PACK_TURNED]),
    "back, transposed twice": (d @ w.T.T.T, [BFLOAT16, PACK_TURNED]),
    "gradient": (x.T @ d, [BFLOAT16, PACK]),
}


def operands(product):
    """The gates that make what a product reads."""
    return [(y.inputs[0] if y.gate.name == "transpose" else y).gate for y in product.inputs]


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_rounded_numbers_read_packed_ones(name):
    product, expected = PRODUCTS[name]
    (packed,) = pack([product])
    assert operands(packed) == expected
    assert packed.inputs[1].inputs[0].gate is BFLOAT16
    np.testing.assert_array_equal(*rg.evaluate([packed, product], VALUES))


@pytest.mark.parametrize(
    "product",
    [
        DATA @ w,
        x @ WEIGHTS,
        x @ w[:, :1],
        x.T @ rg.round_bfloat16(rg.sum(FLOWN, axis=1, keepdims=True)),
        x[:, :16].T @ d,
        rg.round_bfloat16(rg.cast(DATA, "float64"))
        @ rg.round_bfloat16(rg.cast(WEIGHTS, "float64")),
    ],
    ids=["not rounded", "nor this", "one column", "one column again", "few rows", "double"],
)
def test_other_products_stay_as_they_are(product):
    assert pack([product]) == [product]


def test_operands_are_rounded_once_each_and_share_no_memory_with_other_arrays():
    h = rg.tanh(x @ w)
    g = rg.round_bfloat16(h) @ w.T + rg.round_bfloat16(DATA * 2.0)
    step = Step({"X": DATA, "D": FLOWN}, {"W": WEIGHTS}, {"y": g}, {}, {"W": x.T @ d})
    program = plan(step, packs=True)
    stored = list(program.stored())
    gates = [node.gate for node in stored]
    assert (gates.count(BFLOAT16), gates.count(PACK), gates.count(PACK_TURNED)) == (2, 2, 1)
    homes = {}
    for node in stored:
        if node in program.slots:
            kind = node.gate.name if node.gate in (BFLOAT16, PACK, PACK_TURNED) else "numbers"
            assert homes.setdefault(program.slots[node], kind) == kind


def test_nothing_is_packed_unless_it_is_asked_for():
    step = Step({"X": DATA}, {"W": WEIGHTS}, {"y": x @ w})
    gates = {node.gate for kernel in plan(step).kernels for node in kernel.body}
    assert not gates & {BFLOAT16, PACK, PACK_TURNED}


def test_a_program_says_what_lies_in_two_bytes():
    inputs, state = {"X": DATA, "D": FLOWN}, {"W": WEIGHTS}
    program = plan(Step(inputs, state, {"back": d @ w.T}, {}, {"W": x.T @ d}), packs=True)
    stored = [" ".join(line.split()) for line in as_text(program).splitlines() if "->" in line]
    assert stored == [
        "%0 = bfloat16(D) (rows, 20) bfloat16 -> slot 0",
        "%1 = bfloat16(X) (rows, 40) bfloat16 -> slot 1",
        "%2 = pack(%0) (rows, 20) bfloat16 -> slot 2",
        "%3 = pack_turned(bfloat16(W)) (20, 40) bfloat16 -> slot 3",
        "back = %0 @ %3 (rows, 40) float32 -> output",
        "W' = %1.T @ %2 (40, 20) float32 -> state",
    ]
