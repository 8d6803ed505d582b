"""Run the essays of docs/lectures, and write what they print and draw: `make lectures`.

An essay is Markdown. Its blocks of Python run in order, in one namespace; the block of text behind
one is what it printed. A test runs them again, and compares.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

LECTURES = Path(__file__).parent / "lectures"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n.*?```\n)?", re.DOTALL)


def essays() -> list[Path]:
    """The essays, in order."""
    return sorted(LECTURES.glob("[0-9]-*.md"))


def run(essay: Path, folder: Path) -> str:
    """The text of an essay with what its blocks print now; their pictures go to folder/images."""
    names: dict[str, object] = {"__name__": essay.stem}
    (folder / "images").mkdir(exist_ok=True)

    def again(block: re.Match[str]) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block[1], essay.name, "exec"), names)
        said = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
        return f"```python\n{block[1]}```\n" + (f"\n```text\n{said}\n```\n" if said else "")

    before = Path.cwd()
    os.chdir(folder)
    try:
        return BLOCK.sub(again, essay.read_text("utf-8"))
    finally:
        os.chdir(before)


def main() -> None:
    """Write all essays and their pictures anew."""
    for essay in essays():
        essay.write_text(run(essay, LECTURES), "utf-8")


if __name__ == "__main__":
    main()
