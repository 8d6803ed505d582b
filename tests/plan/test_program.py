"""What programs small steps become, and what programs are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

import retrograd as rg
from retrograd.errors import GraphError
from retrograd.graph.step import Step
from retrograd.plan.program import signature
from retrograd.plan.schedule import plan
from retrograd.plan.text import as_text
from retrograd.plan.verify import verify
from tests.compare import require_same_runs
from tests.plan.steps import STEPS, array

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("name", STEPS)
def test_the_program_is_the_one_on_file(name):
    """If the planner is meant to do otherwise now: python -m tests.plan.make_programs."""
    assert f"{as_text(plan(STEPS[name]()))}\n" == (PROGRAMS / f"{name}.txt").read_text()


def test_weights_are_turned_together_where_the_rows_first_need_one_of_them():
    x, y = (rg.variable(s, shape=(rg.rows, n)) for s, n in (("x", 5), ("y", 3)))
    W = [rg.variable(f"W{i}", shape=s) for i, s in enumerate([(5, 7), (7, 6), (6, 3)])]
    out = rg.tanh(rg.tanh(x @ W[0]) @ W[1]) @ W[2]
    J = rg.sum(rg.square(out - y))
    slopes = rg.gradient(J, W)
    updates = {w.name: w - 0.1 * g for w, g in zip(W, slopes, strict=True)}
    state = {w.name: w for w in W}
    kernels = plan(Step({"x": x, "y": y}, state, {"J": J}, {}, updates)).kernels
    turned = [i for i, kernel in enumerate(kernels) if kernel.stores[0].gate.name == "transpose"]
    first = min(
        i for i, kernel in enumerate(kernels) if kernels[turned[0]].stores[0] in kernel.loads
    )
    assert turned == [3, 4] and first == 5  # after what goes forward


def test_a_weight_gradient_goes_into_the_update_and_is_not_stored():
    program = plan(STEPS["cross_entropy_with_adam"]())
    (update,) = [k for k in program.kernels if program.updates["W"] in k.stores]
    assert update.heavy.gate.name == "matmul"
    assert set(update.stores) == {program.updates[name] for name in ("W", "m", "v")}


def test_a_dense_layer_is_one_kernel():
    (kernel,) = plan(STEPS["dense"]()).kernels
    assert [node.gate.name for node in kernel.body] == ["matmul", "add", "tanh"]


def test_the_loss_of_a_single_output_is_one_sum():
    """Its sum over the outputs of a row is no sum."""
    x, y = array("x", rg.rows, 1), array("y", rg.rows, 1)
    of_rows = rg.sum(rg.square(x - y), 1)
    J = rg.mean(0.5 * of_rows) + rg.mean(rg.max(x, 1))
    program = plan(Step({"x": x, "y": y}, {}, {"J": J}))
    assert [k.heavy.gate.name for k in program.kernels if k.heavy is not None] == ["sum"] * 2
    assert all(node.shape == () for node in program.stored())


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_stored_that_nobody_reads(name):
    program = plan(STEPS[name]())
    read = {x for kernel in program.kernels for x in kernel.loads}
    results = {*program.outputs.values(), *program.in_place}
    assert set(program.stored()) <= read | results


@pytest.mark.parametrize("name", STEPS)
def test_the_program_computes_what_the_graph_does(name, cpu):
    require_same_runs(cpu, STEPS[name](), batch_size=7)


def test_equal_steps_share_their_code_and_others_do_not():
    def square(flip):
        x, y = array("x", 3, 3), array("y", 3, 3)
        product = (y if flip else x).T @ y
        return Step({}, {"x": x, "y": y}, {"out": product + (rg.square(x) + rg.square(y))})

    first, same, other = (signature(plan(square(flip))) for flip in (False, False, True))
    assert first == same
    assert first != other  # what a product reads transposed counts, too


# Illegal programs.


def changed(program, number, **parts):
    kernels = list(program.kernels)
    kernels[number] = replace(kernels[number], **parts)
    return replace(program, kernels=tuple(kernels))


def chain():
    """Two products, one after the other, and the update of a weight that the first reads."""
    x, W, V = array("x", rg.rows, 4), array("W", 4, 3), array("V", 3, 4)
    a = rg.tanh(x @ W)
    return plan(Step({"x": x}, {"W": W, "V": V}, {"y": a @ V}, {}, {"W": W * 0.5}))


def kernel_of(program, node):
    return next(i for i, kernel in enumerate(program.kernels) if node in kernel.stores)


def first_and_second(program):
    first, second = (i for i, k in enumerate(program.kernels) if k.heavy is not None)
    return first, second


def test_a_kernel_cannot_read_what_a_later_one_stores():
    program = chain()
    kernels = list(program.kernels)
    first, second = first_and_second(program)
    kernels[first], kernels[second] = kernels[second], kernels[first]
    with pytest.raises(GraphError, match=rf"kernel {first} reads .*tanh.*not in memory"):
        verify(replace(program, kernels=tuple(kernels)))


def test_a_kernel_cannot_read_a_state_variable_that_was_overwritten():
    program = chain()
    update = program.kernels[kernel_of(program, program.updates["W"])]
    kernels = (update, *(k for k in program.kernels if k is not update))
    with pytest.raises(GraphError, match=r"reads .*'W'.*overwritten"):
        verify(replace(program, kernels=kernels))


def test_two_values_alive_at_the_same_time_cannot_share_a_slot():
    x, u = array("x", rg.rows, 4), array("u", rg.rows, 4)
    V = array("V", 4, 4)
    a, b = rg.tanh(x) @ V, rg.exp(u) @ V
    program = plan(Step({"x": x, "u": u}, {"V": V}, {"y": rg.sum(a, 1) + rg.sum(b, 0)[0]}))
    assert len(set(program.slots.values())) > 1
    with pytest.raises(GraphError, match="not in memory"):
        verify(replace(program, slots=dict.fromkeys(program.slots, 0)))


@pytest.mark.parametrize("heavy", [False, True])
def test_a_kernel_is_made_around_its_own_product(heavy):
    program = chain()
    first, second = first_and_second(program)
    other = program.kernels[second].heavy if heavy else None
    with pytest.raises(GraphError, match=rf"kernel {first} computes .*made around"):
        verify(changed(program, first, heavy=other))


def test_a_kernel_stores_only_what_it_computes():
    program = chain()
    first, second = first_and_second(program)
    stores = (*program.kernels[first].stores, program.kernels[second].stores[0])
    with pytest.raises(GraphError, match=rf"kernel {first} stores .*does not compute"):
        verify(changed(program, first, stores=stores))


def test_a_kernel_stores_only_nodes_of_its_space():
    program = chain()
    first, _ = first_and_second(program)
    with pytest.raises(GraphError, match=rf"kernel {first} of space \(7,\) stores"):
        verify(changed(program, first, space=(7,)))


def test_a_kernel_loads_what_it_does_not_compute():
    program = chain()
    first, _ = first_and_second(program)
    with pytest.raises(GraphError, match=rf"kernel {first} needs .*neither loads nor computes"):
        verify(changed(program, first, loads=()))


def test_a_kernel_overwrites_a_variable_only_entry_by_entry():
    a = array("a", 3)
    program = plan(Step({}, {"a": a}, {}, {}, {"a": a[::-1]}))
    first, _ = program.kernels  # reversed elsewhere, then copied back
    in_place = {first.stores[0]: a}
    with pytest.raises(GraphError, match=r"kernel 0 overwrites .*'a'.* reads elsewhere"):
        verify(replace(program, kernels=(first,), in_place=in_place, slots={}))


def test_every_output_is_stored():
    program = chain()
    _, second = first_and_second(program)
    kernels = tuple(k for i, k in enumerate(program.kernels) if i != second)
    with pytest.raises(GraphError, match="output y is not stored"):
        verify(replace(program, kernels=kernels))


def test_every_update_is_stored():
    program = chain()
    update = kernel_of(program, program.updates["W"])
    kernels = tuple(k for i, k in enumerate(program.kernels) if i != update)
    with pytest.raises(GraphError, match="next value of W is not stored"):
        verify(replace(program, kernels=kernels))


def test_a_legal_program_is_returned_as_it_is():
    program = chain()
    assert verify(program) is program
