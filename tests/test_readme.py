"""What the README says, run as it stands."""

import re
from pathlib import Path

import pytest

from retrograd.cli.main import main

ROOT = Path(__file__).parents[1]


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_the_readme_shows_the_api_in_about_thirty_lines():
    (block,) = python_blocks()
    code = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    assert 20 <= len(code) <= 30


def test_the_readmes_python_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(python_blocks()[0], "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("[44.0, 4.0, 8.0]\n2.0\n")
    assert float(printed.splitlines()[-1]) > 0.9


def test_the_readme_shows_the_program_that_explain_prints(capsys: pytest.CaptureFixture[str]):
    text = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"```\n(kernel \d.*?)```", text, re.DOTALL)
    assert main(["explain", "digits", "--hidden", "100"]) == 0
    printed = capsys.readouterr().out
    assert all(part in printed for part in shown.split("...\n"))
    counts, _, _ = printed.splitlines()[1].partition(";")
    assert counts in text


def test_every_link_of_the_readme_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    missing = [link for link in links if not (ROOT / link).exists()]
    assert links and not missing
