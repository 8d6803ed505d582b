"""The examples run from a clone as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
LAST_LINES = {
    "classes_and_numbers": "right cultivars",
    "inverse_fin": "test RMSE",
    "own_activation_and_loss": "the gradient agrees",
    "several_inputs_and_heads": "right kinds",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_ends_with_its_result(path: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert LAST_LINES[path.stem] in done.stdout
