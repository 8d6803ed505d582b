"""The planner's law: running the program equals walking the graph, up to rounding."""

import random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine.host import runnable
from retrograd.graph.node import GATES
from tests.compare import DTYPES, require_same_runs
from tests.plan.graphs import random_step

few = settings(max_examples=60, deadline=None, derandomize=True)


@few
@given(st.data())
def test_running_the_program_equals_walking_the_graph(data):
    def choose(options):
        return data.draw(st.sampled_from(list(options)))

    target, dtype = choose(runnable()), np.dtype(choose(DTYPES))
    step = random_step(choose, choose([4, 10, 16]), dtype)
    n_rows, batch_size = choose([1, 7, 16, 33]), choose([None, 1, 4, 16])
    engine = CpuEngine(target, n_threads=1)
    require_same_runs(engine, step, n_rows=n_rows, batch_size=batch_size, depth=64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_steps_are_made_of_every_gate_that_takes_floats(dtype):
    found = set()
    for seed in range(300):
        source = random.Random(seed)
        step = random_step(lambda s, source=source: source.choice(list(s)), 16, np.dtype(dtype))
        found |= {node.gate.name for node in step.order()}
    assert found == set(GATES)
