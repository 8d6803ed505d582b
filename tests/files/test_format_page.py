"""docs/model-files.md tells the truth about the files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retrograd.files.container import write

PAGE = (Path(__file__).parents[2] / "docs" / "model-files.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return str(blocks[0])


def _write_example(path: Path) -> bytes:
    arrays = {"W": np.array([[2.0], [1.0]]), "b": np.array([0.5], np.float32)}
    write(path, "line", {"unit": "m"}, arrays)
    return path.read_bytes()


def test_the_snippet_accepts_a_whole_file_and_no_damaged_one(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(_block("python"), names)
    is_whole: Callable[[Path], bool] = names["is_whole"]
    content = _write_example(tmp_path / "a.model")
    assert is_whole(tmp_path / "a.model")
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x20
        (tmp_path / "a.model").write_bytes(damaged)
        assert not is_whole(tmp_path / "a.model")
    for length in range(len(content)):
        (tmp_path / "a.model").write_bytes(content[:length])
        assert not is_whole(tmp_path / "a.model")


def test_the_snippet_is_ten_lines_of_the_standard_library() -> None:
    lines = [line for line in _block("python").splitlines() if line]
    assert len(lines) <= 10
    assert [line for line in lines if "import" in line] == ["import hashlib"]


def test_the_example_header_is_the_one_that_is_written(tmp_path: Path) -> None:
    content = _write_example(tmp_path / "a.model")
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].decode("utf-8")
    assert header.rstrip(" ") == _block("json").replace("\n", "")
    assert length % 8 == 0
    assert len(content) == 8 + length + 20


def test_the_places_that_the_page_names_are_the_places_in_the_file(tmp_path: Path) -> None:
    content = _write_example(tmp_path / "a.model")
    assert f"`{content[8:44].decode()}`" in PAGE
    assert f"sha256:{content[44:108].decode()}" in PAGE
