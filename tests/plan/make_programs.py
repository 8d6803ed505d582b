"""Write the programs of tests/plan/programs anew: read the difference before keeping it."""

from pathlib import Path

from retrograd.plan.schedule import plan
from retrograd.plan.text import as_text
from tests.plan.steps import STEPS

if __name__ == "__main__":
    for name, step in STEPS.items():
        (Path(__file__).parent / "programs" / f"{name}.txt").write_text(
            f"{as_text(plan(step()))}\n"
        )
