"""The essays run, print what they say, and show the pictures that they draw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.make_lectures import LECTURES, essays, run


@pytest.mark.parametrize("essay", essays(), ids=lambda essay: essay.stem)
def test_an_essay_prints_and_draws_what_it_shows(essay: Path, tmp_path: Path):
    assert run(essay, tmp_path) == essay.read_text("utf-8"), "run `make lectures`"
    drawn = {path.name for path in (tmp_path / "images").iterdir()}
    shown = set(re.findall(r"!\[.*?\]\(images/(.*?)\)", essay.read_text("utf-8")))
    assert drawn == shown
    for name in drawn:
        stored = (LECTURES / "images" / name).read_bytes()
        if name.endswith(".svg"):  # matplotlib's own pictures differ with its version
            assert (tmp_path / "images" / name).read_bytes() == stored, "run `make lectures`"
        assert stored


def test_there_is_an_essay_for_each_section_of_the_lectures_and_no_picture_is_left_over():
    assert [essay.stem for essay in essays()] == ["1-node", "2-chain", "3-matrix", "4-examples"]
    words = "".join(essay.read_text("utf-8") for essay in essays())
    assert all(path.name in words for path in (LECTURES / "images").iterdir())


def test_every_link_of_the_essays_leads_to_a_file():
    for page in LECTURES.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (LECTURES / link).exists(), (page.name, link)


def test_an_essay_can_be_read_on_a_page_of_880_pixels():
    """No picture is made smaller than its letters can be read, no line of code is cut."""
    for picture in (LECTURES / "images").glob("*.svg"):
        (width,) = re.findall(r'<svg [^>]*?width="([0-9.]+)"', picture.read_text("utf-8"))[:1]
        assert float(width) <= 880, picture.name
    for essay in essays():
        for block in re.findall(r"```\w+\n(.*?)```", essay.read_text("utf-8"), re.DOTALL):
            assert max(map(len, block.splitlines())) <= 100, essay.name
