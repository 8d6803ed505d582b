"""Test scores beside scikit-learn's: a few seeds and epochs of what benchmarks/scores.py runs."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "scores.py"


@pytest.fixture(scope="module")
def scores():
    spec = spec_from_file_location("benchmark_of_scores", BENCHMARK)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("name", ["digits", "diabetes", "fin"])
def test_the_mean_score_is_at_least_scikit_learns_less_a_standard_error(scores, name):
    found = scores.compare(name, "adam", range(3), max_iter=10, learning_rate_init=0.01)
    assert found.is_met
    assert found.ours.mean() == pytest.approx(found.theirs.mean(), abs=1e-3)
    assert found.ours.mean() > {"digits": 0.9, "diabetes": 0.2, "fin": 0.8}[name]
