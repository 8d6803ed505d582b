"""Name a file of another kind by its first bytes, so that an error can say what it is."""

from __future__ import annotations

_BEGINNINGS = (
    ((b"PK\x03\x04",), "a zip archive (such as PyTorch and numpy.savez write)"),
    (tuple(bytes([0x80, protocol]) for protocol in range(2, 6)), "a pickle"),
    ((b"\x93NUMPY",), "an array of numpy.save"),
    ((b"\x89HDF",), "an HDF5 file"),
    ((b"\x1f\x8b",), "a gzip file"),
    ((b"PAR1",), "a Parquet table"),
)
_NEVER_IN_TEXT = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1b")


def recognise(start: bytes, *, size: int) -> str | None:
    r"""What a file of `size` bytes is that begins with `start`; None where it cannot be told.

    Nothing is opened or parsed: a pickle is told by two bytes, a text by what it does not hold.

    >>> recognise(b"PK\x03\x04...", size=1000)
    'a zip archive (such as PyTorch and numpy.savez write)'
    >>> recognise(b"sepal,petal\n", size=12)
    'a text file'
    """
    if size == 0:
        return "an empty file"
    for beginnings, what in _BEGINNINGS:
        if start.startswith(beginnings):
            return what
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8:
        return "a safetensors file that retrograd did not save, or whose first bytes are damaged"
    return None if _NEVER_IN_TEXT & set(start) else "a text file"
