"""A file is replaced whole or stays as it was, whatever fails on the way."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from retrograd.errors import FileError, OptionError
from retrograd.files.atomic import replace_file

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes and links as POSIX has them")
not_as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user"
)


def _failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def _stops_midway(error: BaseException) -> Iterator[bytes]:
    yield b"half of it"
    raise error


def test_the_chunks_become_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a much longer older content")
    replace_file(path, [b"one", bytearray(b" two"), memoryview(b" three")])
    assert path.read_bytes() == b"one two three"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("older", "failing"),
    [(None, "replace"), (None, "fsync"), (b"x", "replace"), (b"x", "fsync"), (b"x", "chmod")],
)
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FileError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
def test_a_failure_leaves_the_older_file_and_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    older: bytes | None,
    failing: str,
    error: BaseException,
    raised: type[BaseException],
) -> None:
    path = tmp_path / "file"
    if older is not None:
        path.write_bytes(older)
    monkeypatch.setattr(os, failing, _failing(error))
    with pytest.raises(raised):
        replace_file(path, [b"newer"])
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ([] if older is None else ["file"])
    assert older is None or path.read_bytes() == older


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FileError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OptionError("not a column"), OptionError),
    ],
)
def test_a_failure_between_two_chunks_leaves_the_older_file(
    tmp_path: Path, error: BaseException, raised: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    with pytest.raises(raised):
        replace_file(path, _stops_midway(error))
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == b"older"


def test_a_full_disk_is_a_file_error_that_says_so(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileError, match=r"file: cannot be written: No space left on device$"):
        replace_file(tmp_path / "file", _stops_midway(full))


def test_the_file_is_synced_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(handle: int) -> None:
        found = os.fstat(handle)
        steps.append("folder" if stat.S_ISDIR(found.st_mode) else "file")
        assert steps[-1] == "folder" or found.st_size == len(b"newer")  # nothing left in a buffer
        fsync(handle)

    def record_replace(source: Path, target: Path) -> None:
        steps.append("rename")
        assert source.read_bytes() == b"newer"
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    replace_file(tmp_path / "file", [b"newer"])
    assert steps == ["file", "rename"] + ["folder"] * (os.name != "nt")


@on_posix
def test_a_folder_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    replace_file(tmp_path / "file", [b"newer"])
    assert (tmp_path / "file").read_bytes() == b"newer"


@on_posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "file", [b"x"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@on_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    path.chmod(mode)
    replace_file(path, [b"newer"])
    assert stat.S_IMODE(path.stat().st_mode) == mode


@on_posix
def test_a_private_file_is_private_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    path.chmod(0o600)

    def modes() -> set[int]:
        return {stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}

    def chunks() -> Iterator[bytes]:
        assert modes() == {0o600}
        yield b"newer"

    monkeypatch.setattr(os, "chmod", lambda *_: seen.append(modes()))
    seen: list[set[int]] = []
    replace_file(path, chunks())
    assert seen == [{0o600}]


@on_posix
def test_a_symbolic_link_stays_and_the_file_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    real.write_bytes(b"older")
    link.symlink_to(real)
    replace_file(link, [b"newer"])
    assert link.is_symlink()
    assert real.read_bytes() == b"newer"


@on_posix
def test_a_link_in_a_circle_is_a_file_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(FileError):
        replace_file(tmp_path / "a", [b"x"])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"there is no folder .*models; make it first"):
        replace_file(tmp_path / "models" / "file", [b"x"])


def test_a_folder_in_the_place_of_the_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder; give the name of a file"):
        replace_file(tmp_path, [b"x"])


@on_posix
def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is not a regular file"):
        replace_file(tmp_path / "pipe", [b"x"])
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for any user but root
    with pytest.raises(FileError, match="is read-only"):
        replace_file(path, [b"newer"])
    assert path.read_bytes() == b"older"


@not_as_root
def test_a_folder_without_permission_is_a_file_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FileError, match="cannot be written: Permission denied"):
            replace_file(tmp_path / "file", [b"x"])
    finally:
        tmp_path.chmod(0o700)


def test_a_null_character_in_the_path_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="null"):
        replace_file(f"{tmp_path}/a\0b", [b"x"])


@on_posix
def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path: Path) -> None:
    replace_file(tmp_path / ("n" * 255), [b"x"])
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"
