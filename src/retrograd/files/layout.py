"""The safetensors layout: where each array lies in a file, and the header that says so.

A file is 8 bytes of header length, the header (JSON), the arrays one after the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ModelFileError, OptionError
from retrograd.files.strict_json import JSON

# safetensors' name of a type -> NumPy's. In a file numbers are little-endian.
_NUMPY_TYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "b1",
}
_FILE_TYPES = {numpy_type: file_type for file_type, numpy_type in _NUMPY_TYPES.items()}

Array = NDArray[Any]


@dataclass(frozen=True)
class ArrayType:
    """What a header says of an array besides its place."""

    file_type: str
    shape: tuple[int, ...]

    @property
    def item_size(self) -> int:
        """The bytes of one element."""
        return np.dtype(_NUMPY_TYPES[self.file_type]).itemsize


@dataclass(frozen=True)
class Block:
    """An array's place: bytes `begin` to `end`, counted from the end of the header."""

    name: str
    type: ArrayType
    begin: int
    end: int


def type_of(name: str, array: object) -> ArrayType:
    """The type of an array to be written; an OptionError names one that a file cannot hold.

    >>> type_of("W", np.zeros((4, 3)))
    ArrayType(file_type='F64', shape=(4, 3))
    """
    if name == "__metadata__":
        raise OptionError("'__metadata__' cannot be an array name: safetensors keeps it")
    # A masked array would come back without its mask.
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise OptionError(f"array {name!r} is of the type {type(array).__name__}; give an ndarray")
    numpy_type = f"{array.dtype.kind}{array.dtype.itemsize}"
    if numpy_type not in _FILE_TYPES:
        known = ", ".join(np.dtype(known).name for known in _FILE_TYPES)
        raise OptionError(f"array {name!r} has the dtype {array.dtype}; a file holds {known}")
    return ArrayType(_FILE_TYPES[numpy_type], array.shape)


def type_in(name: str, entry: JSON) -> ArrayType:
    """The type that a header's entry gives for the array `name`, or a ModelFileError.

    >>> type_in("W", {"dtype": "F64", "shape": [4, 3], "data_offsets": [0, 96]})
    ArrayType(file_type='F64', shape=(4, 3))
    """
    match entry:
        case {"dtype": str(file_type), "shape": list(shape)} if file_type in _NUMPY_TYPES:
            sizes = tuple(size for size in shape if type(size) is int and size >= 0)
            if len(sizes) == len(shape):
                return ArrayType(file_type, sizes)
    raise ModelFileError(f"array {name[:80]!r} has no type or no shape that can be read")


def place(types: Mapping[str, ArrayType]) -> list[Block]:
    """Give each array its place: large elements first, then by name, without gaps.

    So each begins at a multiple of its element's size, and equal content makes equal files.

    >>> types = {"used": ArrayType("BOOL", (3,)), "W": ArrayType("F64", (2,))}
    >>> [(block.name, block.begin, block.end) for block in place(types)]
    [('W', 0, 16), ('used', 16, 19)]
    """
    blocks = []
    begin = 0
    for name, its_type in sorted(types.items(), key=lambda item: (-item[1].item_size, item[0])):
        end = begin + math.prod(its_type.shape) * its_type.item_size
        blocks.append(Block(name, its_type, begin, end))
        begin = end
    return blocks


def head(metadata: dict[str, str], blocks: list[Block]) -> bytes:
    r"""The file up to its data: the length, the JSON, spaces up to a multiple of 8.

    The metadata come first, in the order given. The safetensors library cannot do this: it
    writes them in the order of a hash table with a random seed, so that two saves of one model
    differ and nothing in the header has a fixed place.

    >>> head({"format": "x"}, [])
    b' \x00\x00\x00\x00\x00\x00\x00{"__metadata__":{"format":"x"}} '
    """
    top: dict[str, object] = {"__metadata__": metadata}
    for block in blocks:
        top[block.name] = {
            "dtype": block.type.file_type,
            "shape": block.type.shape,
            "data_offsets": (block.begin, block.end),
        }
    text = json.dumps(top, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def bytes_of(array: Array, block: Block) -> memoryview:
    """An array as it stands in a file: C order, little-endian; a view where it is so already."""
    in_file = np.ascontiguousarray(array, dtype="<" + _NUMPY_TYPES[block.type.file_type])
    return in_file.reshape(-1).view(np.uint8).data


def array_of(content: memoryview, block: Block) -> Array:
    """The array of a block, as a copy of its own in the machine's byte order."""
    numpy_type = _NUMPY_TYPES[block.type.file_type]
    # A byte that is neither 0 nor 1 must not pass for a bool: read it as a number first.
    in_file = "u1" if numpy_type == "b1" else "<" + numpy_type
    try:
        values = np.frombuffer(content[block.begin : block.end], in_file)
        return values.reshape(block.type.shape).astype(numpy_type)
    except ValueError as error:  # no values, but more dimensions or sizes than NumPy can count
        raise ModelFileError(f"array {block.name[:80]!r} cannot be made: {error}") from error
