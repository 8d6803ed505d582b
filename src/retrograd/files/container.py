"""The model file: a safetensors file with strict JSON in its header and a checksum over every byte.

docs/model-files.md describes it byte by byte, for other programs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from retrograd.errors import FileError, ModelFileError, OptionError
from retrograd.files import strict_json
from retrograd.files.atomic import replace_file, require_path
from retrograd.files.layout import Array, Block, array_of, bytes_of, head, place, type_in, type_of
from retrograd.files.recognise import recognise
from retrograd.files.strict_json import JSON

FORMAT_VERSION = 1
_VERSION = str(FORMAT_VERSION)

# The header begins so in every format version: the checksum's digits have a fixed place, and a
# file is verified before a word of it is parsed.
_START = b'{"__metadata__":{"checksum":"sha256:'
_DIGITS = slice(8 + len(_START), 8 + len(_START) + 64)
_ZEROS = "0" * 64

# The safetensors library reads no longer one.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, eq=False)
class ModelFile:
    """What a model file holds: its kind, its header, its arrays by name."""

    kind: str
    header: dict[str, JSON]
    arrays: dict[str, Array]


def write(
    path: str | os.PathLike[str], kind: str, header: dict[str, JSON], arrays: Mapping[str, Array]
) -> None:
    """Write one model file, whole or not at all; the same content gives the same bytes.

    `kind`: what the file holds, in a word. `header`: strict JSON. `arrays`: of any shape;
    float16 to float64, integers of 8 to 64 bits, bool. An OptionError names the key or the array
    that cannot be written, a FileError says why the file cannot. An older file at `path` is
    replaced as `replace_file` tells.

    >>> import os, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "line.model")
    ...     write(path, "line", {"unit": "m"}, {"W": np.array([2.0, 1.0])})
    ...     read(path)
    ModelFile(kind='line', header={'unit': 'm'}, arrays={'W': array([2., 1.])})
    """
    _check_name("kind", kind)
    if not isinstance(header, dict):
        raise OptionError(f"header is of the type {type(header).__name__}; give a dict")
    for name in arrays:
        _check_name("array name", name)
    blocks = place({name: type_of(name, array) for name, array in arrays.items()})
    start = bytearray(_head(kind, header, blocks))
    if len(start) - 8 > _LONGEST_HEADER:
        raise OptionError(
            f"the header takes {len(start) - 8} bytes as JSON, {_LONGEST_HEADER} at most can be "
            "read; put long lists of numbers into arrays"
        )
    data = [bytes_of(arrays[block.name], block) for block in blocks]
    checksum = hashlib.sha256(start)
    for chunk in data:
        checksum.update(chunk)
    start[_DIGITS] = checksum.hexdigest().encode("ascii")
    replace_file(path, [start, *data])


def read(path: str | os.PathLike[str]) -> ModelFile:
    """Read one model file; its checksum is verified before anything in it is believed.

    The arrays are writable, own their memory, are C-ordered and in the machine's byte order.
    A file that is damaged, cut, of a newer format or no model file is a ModelFileError; one that
    cannot be read at all (missing, a folder, no permission) is a FileError.

    >>> read("no.model")
    Traceback (most recent call last):
    ...
    retrograd.errors.FileError: no.model: there is no such file
    """
    data = _read_bytes(path)
    try:
        _verify(data)
        return _parse(data)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of a file that begins as a model file does."""
    require_path(path)
    try:
        # Asked of the name, not of the open file: opening a pipe would wait for a writer.
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            what = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
            raise FileError(f"{path}: is {what}; give the name of a model file")
        with open(path, "rb", buffering=0) as file:
            # A look before reading it all: a wrong file may be of any size.
            start = file.read(_DIGITS.stop)
            if len(start) < _DIGITS.stop or start[8 : _DIGITS.start] != _START:
                what = recognise(start, size=info.st_size) or "cut, or damaged at its beginning"
                raise ModelFileError(
                    f"{path}: not a model file but {what}; give a file that retrograd saved"
                )
            file.seek(0)
            return file.readall()
    except FileError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: cannot be read: {reason}") from error


def _verify(data: bytes) -> None:
    """Compare the checksum in the file with the checksum of the file."""
    checksum = hashlib.sha256(_with_zeros(data[: _DIGITS.stop]))
    checksum.update(memoryview(data)[_DIGITS.stop :])
    if data[_DIGITS] != checksum.hexdigest().encode("ascii"):
        raise ModelFileError("damaged or cut: its checksum does not fit; use another copy of it")


def _parse(data: bytes) -> ModelFile:
    """What a verified file holds. Law: `write` would give what is read the same header again."""
    start = data[: 8 + int.from_bytes(data[:8], "little")]
    try:
        top = strict_json.loads(start[8:].decode("utf-8"))
        if not isinstance(top, dict):
            raise ModelFileError("its header is not an object")
        match top.pop("__metadata__", None):
            case {"format_version": str(version)} if version != _VERSION:
                raise ModelFileError(
                    f"made by a newer retrograd: format {version[:20]}, this one reads {_VERSION}; "
                    "upgrade retrograd"
                )
            case {"kind": str(kind), "retrograd": str(text)}:
                header = strict_json.loads(text)
            case _:
                raise ModelFileError("its header has no kind or no content")
    except ValueError as error:  # not UTF-8 or not strict JSON
        raise ModelFileError(f"its header is malformed: {error}") from error
    if not isinstance(header, dict):
        raise ModelFileError("its header's content is not an object")
    blocks = place({name: type_in(name, entry) for name, entry in top.items()})
    # One comparison for all that could be amiss: places, order, spaces, a key too many.
    if _head(kind, header, blocks) != _with_zeros(start):
        raise ModelFileError("its header is not as retrograd writes it")
    if len(data) - len(start) != sum(block.end - block.begin for block in blocks):
        raise ModelFileError("its arrays are not as long as its header says")
    content = memoryview(data)[len(start) :]
    return ModelFile(kind, header, {block.name: array_of(content, block) for block in blocks})


def _head(kind: str, header: dict[str, JSON], blocks: list[Block]) -> bytes:
    """The file up to its data, the checksum's digits still zeros."""
    metadata = {
        "checksum": "sha256:" + _ZEROS,
        "format": "retrograd",
        "format_version": _VERSION,
        "kind": kind,
        "retrograd": strict_json.dumps(header, name="header"),
    }
    return head(metadata, blocks)


def _with_zeros(start: bytes) -> bytes:
    return start[: _DIGITS.start] + _ZEROS.encode("ascii") + start[_DIGITS.stop :]


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise OptionError(f"{what} {name!r} must be printable text of at least one character")
