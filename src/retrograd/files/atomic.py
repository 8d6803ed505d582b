"""Replace a file in one move: a reader meets the old bytes or the new ones, never half of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from retrograd.errors import FileError, OptionError, RetrogradError


def replace_file(
    path: str | os.PathLike[str], chunks: Iterable[bytes | bytearray | memoryview]
) -> None:
    """Write `chunks`, one after the other, as the whole content of the file at `path`.

    They go into a new file in the same folder, which is fsynced and then renamed over `path`. If
    anything fails before the rename, Ctrl-C included, the new file is removed and an older file
    stays as it was. A new file has the mode of any new file (0o666 less the umask), a replaced
    one keeps its mode. A symbolic link stays: the file that it leads to is replaced.

    FileError: no such folder, no permission, a full disk, or something at `path` that is not a
    regular file (a folder, a device). OptionError: a path that is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder, "note.txt"), [b"one ", b"two"])
    ...     print(Path(folder, "note.txt").read_text(), os.listdir(folder))
    one two ['note.txt']
    """
    require_path(path)
    try:
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise FileError(f"{path}: there is no folder {target.parent}; make it first")
        mode = _mode_of(target)
        # The name does not grow with the target's, which may be as long as the system allows.
        new = target.with_name(f".retrograd-{secrets.token_hex(8)}.tmp")
        try:
            _write(new, chunks, mode)
            os.replace(new, target)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        _sync_folder(target.parent)
    except RetrogradError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: cannot be written: {reason}") from error


def require_path(path: object) -> None:
    """Raise OptionError unless this names a file: a text or a pathlib.Path."""
    if not isinstance(path, str | os.PathLike):
        raise OptionError(f"path: expected a text or a pathlib.Path, got {path!r}")


def _mode_of(target: Path) -> int | None:
    """The permission bits of the file to be replaced, None where there is none yet."""
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        what = "a folder" if stat.S_ISDIR(found) else "not a regular file"
        raise FileError(f"{target}: is {what}; give the name of a file")
    # A rename would go past the file's own permission, so ask here.
    if not os.access(target, os.W_OK):
        raise FileError(f"{target}: is read-only; make it writable or give another name")
    return stat.S_IMODE(found) & 0o777


def _write(new: Path, chunks: Iterable[bytes | bytearray | memoryview], mode: int | None) -> None:
    # Made with the old file's mode, not given it later: a private file is private throughout.
    creation_mode = 0o666 if mode is None else mode
    with open(new, "xb", opener=lambda name, flags: os.open(name, flags, creation_mode)) as file:
        if mode is not None:
            os.chmod(new, mode)  # gives back the bits that the umask took
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring the rename itself to the disk, where the system can.

    Windows opens no folders, and some file systems sync none. The new file is in its place by
    now and whole, so that is no failure to report.
    """
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
