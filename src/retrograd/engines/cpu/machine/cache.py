"""Emitted machine code kept on disk, so that a program seen before is loaded instead of compiled.

The folder is the user's own cache folder; RETROGRAD_CACHE names another, or is `off`. An entry's
name is the hash of all that its code depends on: the program's structure (not its numbers: rates
and penalties are arguments), the processor, and the versions of LLVM and of the generator. An entry
that is damaged is made anew; what cannot be written is not kept, and nothing fails for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import tempfile
import time
from pathlib import Path

LIMIT = 256 << 20  # bytes that are kept; the entries used longest ago go first
ABANDONED = 3600.0  # seconds after which an unfinished file is nobody's
TRIM_EVERY = 64  # entries written: looking through the folder takes longer than writing one
MAGIC = b"retrograd code 1\n"


_written: list[int] = []  # bytes, of each entry of this process


def folder() -> Path | None:
    """Where entries are kept; None where nothing is."""
    named = os.environ.get("RETROGRAD_CACHE", "")
    if named.lower() == "off":
        return None
    try:
        return Path(named or _users_own()).expanduser()
    except RuntimeError:  # there is no home folder
        return None


def _users_own() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("retrograd")


def _llvm_version() -> bytes:
    """What the version of llvmlite follows from, which to import takes longer than to run code."""
    found = importlib.util.find_spec("llvmlite")
    if found is None or found.origin is None:
        return b""
    return Path(found.origin).with_name("_version.py").read_bytes()


def sources() -> list[Path]:
    """The files that say what code a graph becomes."""
    package = Path(__file__).parents[3]
    return sorted([*package.glob("plan/*.py"), *package.glob("engines/cpu/**/*.py")])


def _generator() -> bytes:
    """A hash of the code generator itself: code of another version is another entry."""
    total = hashlib.sha256(_llvm_version())
    for file in sources():
        total.update(file.read_bytes())
    return total.digest()


GENERATOR = _generator()  # now: a file may be changed after it was imported


def entry(key: str) -> Path | None:
    """The file of an entry."""
    where = folder()
    if where is None:
        return None
    return where / f"{hashlib.sha256(GENERATOR + key.encode()).hexdigest()}.o"


def read(key: str) -> bytes | None:
    """The object code kept for a key; None where there is none, or it is damaged."""
    file = entry(key)
    if file is None:
        return None
    try:
        data = file.read_bytes()
    except OSError:
        return None
    start = len(MAGIC) + 32
    body = data[start:]
    if data[:start] != MAGIC + hashlib.sha256(body).digest():
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # used just now
    return body


def write(key: str, code: bytes) -> None:
    """Keep object code for a key: whole or not at all, whoever else writes it at the same time."""
    file = entry(key)
    if file is None:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _written.append(len(code))
        if len(_written) % TRIM_EVERY == 1:
            _trim(file.parent)


def _trim(where: Path) -> None:
    """Delete the entries used longest ago until the rest is within the limit."""
    found = []
    for file in where.glob("*.new"):  # of a process that was ended while it wrote
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < time.time() - ABANDONED:
                file.unlink()
    for file in where.glob("*.o"):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((stat.st_mtime, stat.st_size, file))
    total = sum(size for _, size, _ in found)
    for _, size, file in sorted(found):
        if total <= LIMIT:
            return
        with contextlib.suppress(OSError):
            file.unlink()
        total -= size
