"""Emitted machine code kept on disk, so that a program seen before is loaded instead of compiled.

The folder is the user's own cache folder; RETROGRAD_CACHE names another, or is `off`. An entry's
name is the hash of all that its code depends on: the program's structure (not its numbers: rates
and penalties are arguments), the processor, and the versions of LLVM and of the generator. An entry
that is damaged, or that is another one's, is made anew; what cannot be written is not kept, and
nothing fails for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from importlib.machinery import PathFinder

# pathlib and tempfile take longer to load than kept code to run.

LIMIT = 256 << 20  # bytes that are kept; the entries used longest ago go first
ABANDONED = 3600.0  # seconds after which an unfinished file is nobody's
TRIM_EVERY = 64  # entries written: looking through the folder takes longer than writing one
MAGIC = b"retrograd code 3\n"


_written: list[int] = []  # bytes, of each entry of this process


def folder() -> str | None:
    """Where entries are kept; None where nothing is."""
    named = os.environ.get("RETROGRAD_CACHE", "")
    if named.lower() == "off":
        return None
    where = os.path.expanduser(named or _users_own())
    return None if where.startswith("~") else where  # there is no home folder


def _users_own() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("retrograd")


def _llvm_version() -> bytes:
    """What the version of llvmlite follows from, which to import takes longer than to run code."""
    found = PathFinder.find_spec("llvmlite")
    if found is None or found.origin is None:
        return b""
    return _bytes_of(os.path.join(os.path.dirname(found.origin), "_version.py"))


def sources() -> list[str]:
    """The files that say what code a graph becomes."""
    engine = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    plan = os.path.join(os.path.dirname(os.path.dirname(engine)), "plan")
    return sorted(
        os.path.join(place, name)
        for root in (plan, engine)
        for place, _, names in os.walk(root)
        for name in names
        if name.endswith(".py")
    )


def _bytes_of(file: str) -> bytes:
    with open(file, "rb") as content:
        return content.read()


def _generator() -> bytes:
    """A hash of the code generator itself: code of another version is another entry."""
    total = hashlib.sha256(_llvm_version())
    for file in sources():
        total.update(_bytes_of(file))
    return total.digest()


GENERATOR = _generator()  # now: a file may be changed after it was imported


def entry(key: str) -> str | None:
    """The file of an entry."""
    where = folder()
    if where is None:
        return None
    return os.path.join(where, f"{hashlib.sha256(GENERATOR + key.encode()).hexdigest()}.o")


def _head(key: str, code: bytes) -> bytes:
    """What an entry begins with: of this key and code, and of no other."""
    of_both = hashlib.sha256(hashlib.sha256(key.encode()).digest())
    of_both.update(code)
    return MAGIC + of_both.digest()


def read(key: str) -> bytes | None:
    """The object code kept for a key; None where there is none, or it is damaged."""
    file = entry(key)
    if file is None:
        return None
    try:
        data = _bytes_of(file)
    except OSError:
        return None
    start = len(MAGIC) + 32
    body = data[start:]
    if data[:start] != _head(key, body):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # used just now
    return body


def write(key: str, code: bytes) -> None:
    """Keep object code for a key: whole or not at all, whoever else writes it at the same time."""
    file = entry(key)
    if file is None:
        return
    import tempfile

    where = os.path.dirname(file)
    with contextlib.suppress(OSError):
        os.makedirs(where, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=where, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(_head(key, code) + code)
            os.replace(temporary, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _written.append(len(code))
        if len(_written) % TRIM_EVERY == 1:
            _trim(where)


def _trim(where: str) -> None:
    """Delete the entries used longest ago until the rest is within the limit."""
    found = []
    with os.scandir(where) as files:
        for file in files:
            with contextlib.suppress(OSError):
                stat = file.stat()
                if file.name.endswith(".o"):
                    found.append((stat.st_mtime, stat.st_size, file.path))
                # Of a process that was ended while it wrote.
                elif file.name.endswith(".new") and stat.st_mtime < time.time() - ABANDONED:
                    os.unlink(file.path)
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= LIMIT:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
