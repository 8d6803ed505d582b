"""Files that a command will write: found out before the work whether they can be."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from retrograd.errors import FileError, MissingDependencyError
from retrograd.plots import canvas


def output_option(help: str) -> Any:
    """The option --output of a command that writes one file."""
    return typer.Option("--output", "-o", metavar="PATH", help=help, show_default=False)


def require_matplotlib(what: str) -> None:
    """Raise MissingDependencyError, which says how to install it, where matplotlib is missing."""
    if not canvas.is_available():
        raise MissingDependencyError(f"{what} needs matplotlib: {canvas.INSTALL}")


def require_writable(path: Path, *, inputs: Iterable[Path | None] = ()) -> None:
    """Raise FileError unless a file can be written at `path`; makes its folder if there is none.

    `inputs`: files that are read, and must not be written over.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"{path}: is a folder or a device; give the name of a file")
        for read in inputs:
            if read is not None and path.exists() and path.samefile(read):
                raise FileError(f"{path}: is read by this command; write to another name")
        # Asking for permissions does not tell all: a full disk, a read-only system.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            with path.open("ab"):
                pass
    except FileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: cannot be written: {reason}") from error
