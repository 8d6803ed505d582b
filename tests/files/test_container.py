"""A model file comes back bit by bit, or is a typed error."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from retrograd.errors import FileError, ModelFileError, OptionError
from retrograd.files import container
from retrograd.files.container import ModelFile, read, write

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: texts | st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: name.isprintable() and name != "__metadata__"
)
arrays_of_any_kind = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)


def _small() -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    header = {"layers": [{"size": 3, "activation": "tanh"}], "mean": [0.1, -0.0], "note": "Maß"}
    arrays = {
        "W": np.array([[1.5, -0.0], [np.inf, 5e-324]]),
        "b": np.array([1.5, 2.5, -3.5], np.float32),
        "count": np.array(7),
        "used": np.array([True, False, True]),
        "none": np.zeros((0, 4)),
    }
    return header, arrays


def _write_small(path: Path) -> bytes:
    header, arrays = _small()
    write(path, "test", header, arrays)
    return path.read_bytes()


def _assert_same(
    found: dict[str, np.ndarray[Any, Any]], expected: dict[str, np.ndarray[Any, Any]]
) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=50, deadline=None)  # a disk may take its time to sync
@given(st.dictionaries(texts, json_values, max_size=4))
def test_a_header_comes_back_equal(tmp_path_factory: Any, header: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "header.model"
    write(path, "test", header, {})
    assert read(path).header == header


@settings(max_examples=50, deadline=None)  # a disk may take its time to sync
@given(st.dictionaries(names, arrays_of_any_kind, max_size=5))
def test_arrays_come_back_bit_by_bit(
    tmp_path_factory: Any, arrays: dict[str, np.ndarray[Any, Any]]
) -> None:
    from safetensors.numpy import load_file

    path = tmp_path_factory.getbasetemp() / "arrays.model"
    write(path, "test", {}, arrays)
    _assert_same(read(path).arrays, arrays)
    _assert_same(load_file(path), arrays)


def test_a_model_file_comes_back_whole(tmp_path: Path) -> None:
    _write_small(tmp_path / "a.model")
    header, arrays = _small()
    found = read(tmp_path / "a.model")
    assert isinstance(found, ModelFile)
    assert (found.kind, found.header) == ("test", header)
    _assert_same(found.arrays, arrays)


def test_arrays_that_are_read_are_the_readers_own(tmp_path: Path) -> None:
    _write_small(tmp_path / "a.model")
    for array in read(tmp_path / "a.model").arrays.values():
        assert array.flags.writeable and array.flags.owndata and array.flags.aligned
        assert array.flags.c_contiguous and array.dtype.isnative
    one, other = read(str(tmp_path / "a.model")), read(tmp_path / "a.model")
    one.arrays["W"][...] = 0
    assert other.arrays["W"][0, 0] == 1.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_layout_in_memory_does_not_show_in_the_file(tmp_path: Path, dtype: str) -> None:
    plain = (np.arange(24).reshape(2, 3, 4) % 5).astype(dtype)
    write(tmp_path / "plain", "test", {}, {"a": plain})
    wide = np.zeros((2, 6, 4), dtype)
    wide[:, ::2] = plain
    views = {
        "columns first": np.asfortranarray(plain),
        "big-endian": plain.astype(np.dtype(dtype).newbyteorder(">")),
        "strided": wide[:, ::2],
        "backwards": plain[::-1].copy()[::-1],
    }
    for name, view in views.items():
        assert np.array_equal(view, plain)
        write(tmp_path / name, "test", {}, {"a": view})
        assert (tmp_path / name).read_bytes() == (tmp_path / "plain").read_bytes(), name


def test_equal_content_gives_equal_bytes_in_any_process(tmp_path: Path) -> None:
    script = """
import sys, numpy as np
from retrograd.files.container import write
names = ["W", "b", "used"][:: int(sys.argv[2])]
arrays = {"W": np.ones((2, 3)), "b": np.zeros(3, np.float32), "used": np.array([True])}
write(sys.argv[1], "test", {n: 1 for n in names}, {n: arrays[n] for n in names})
"""
    contents = set()
    for seed, order in [("1", "1"), ("2", "-1"), ("3", "1")]:
        path = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, path, order], env=environment, check=True)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_writing_what_was_read_gives_the_same_file(tmp_path: Path) -> None:
    first = _write_small(tmp_path / "a.model")
    found = read(tmp_path / "a.model")
    write(tmp_path / "b.model", found.kind, found.header, found.arrays)
    assert (tmp_path / "b.model").read_bytes() == first


def test_safetensors_opens_the_file(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    content = _write_small(tmp_path / "a.model")
    header, arrays = _small()
    _assert_same(load_file(tmp_path / "a.model"), arrays)
    with safe_open(tmp_path / "a.model", framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata.pop("retrograd")) == header
    blank = content.replace(metadata["checksum"][7:].encode(), b"0" * 64)
    assert metadata == {
        "format": "retrograd",
        "format_version": "1",
        "kind": "test",
        "checksum": "sha256:" + hashlib.sha256(blank).hexdigest(),
    }


def test_every_array_begins_at_a_multiple_of_its_elements_size(tmp_path: Path) -> None:
    arrays = {f"{dtype} {n}": np.ones(n, dtype) for dtype in DTYPES for n in (1, 3)}
    write(tmp_path / "a.model", "test", {}, arrays)
    content = (tmp_path / "a.model").read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    entries = json.loads(content[8 : 8 + length])
    for name, array in arrays.items():
        assert entries[name]["data_offsets"][0] % array.itemsize == 0


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    content = _write_small(path)
    for mask in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
        for place in range(len(content)):
            damaged = bytearray(content)
            damaged[place] ^= mask
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                read(path)


def test_every_cut_and_every_addition_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    content = _write_small(path)
    cuts = [content[:length] for length in range(len(content))]
    cuts += [content[start:] for start in range(1, len(content))]
    for damaged in [*cuts, content + b"\0", content + b" " * 8, content * 2]:
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            read(path)
    path.write_bytes(content)
    assert read(path).kind == "test"


def test_capital_digits_in_the_checksum_are_a_change(tmp_path: Path) -> None:
    content = _write_small(tmp_path / "a.model")
    digits = content[44:108]
    assert digits.islower()
    (tmp_path / "a.model").write_bytes(content.replace(digits, digits.upper()))
    with pytest.raises(ModelFileError, match="damaged or cut: its checksum does not fit"):
        read(tmp_path / "a.model")


def test_a_length_beyond_all_memory_takes_no_memory(tmp_path: Path) -> None:
    content = _write_small(tmp_path / "a.model")
    for length in (2**63 - 1, 2**64 - 1, 2**40):
        (tmp_path / "a.model").write_bytes(length.to_bytes(8, "little") + content[8:])
        with pytest.raises(ModelFileError):
            read(tmp_path / "a.model")
        (tmp_path / "a.model").write_bytes(_seal(content[8:], length=length))
        with pytest.raises(ModelFileError, match="malformed"):
            read(tmp_path / "a.model")


def _seal(content: bytes, *, length: int) -> bytes:
    """A file with this header length, the content behind it and the checksum that fits them."""
    blank = length.to_bytes(8, "little") + content[:36] + b"0" * 64 + content[100:]
    return blank[:44] + hashlib.sha256(blank).hexdigest().encode() + blank[108:]


def _sealed(
    entries: str = "",
    *,
    form: str = "retrograd",
    version: str = '"1"',
    rest: str = '"kind":"test","retrograd":"{}"',
    data: bytes = b"",
    spaces: int | None = None,
) -> bytes:
    """A file whose checksum is right, whatever its header says."""
    header = (
        '{"__metadata__":{"checksum":"sha256:' + "0" * 64 + f'","format":"{form}",'
        f'"format_version":{version},{rest}' + "}" + entries + "}"
    ).encode("utf-8", "surrogatepass")
    header += b" " * (-len(header) % 8 if spaces is None else spaces)
    return _seal(header + data, length=len(header))


def _entry(
    name: str = "a", dtype: str = '"F64"', shape: str = "[1]", offsets: str = "[0,8]"
) -> str:
    return f',"{name}":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}'


def test_the_files_that_the_next_tests_forge_are_right_but_for_what_they_forge(
    tmp_path: Path,
) -> None:
    write(tmp_path / "empty", "test", {}, {})
    assert _sealed() == (tmp_path / "empty").read_bytes()
    write(tmp_path / "one", "test", {}, {"a": np.zeros(1)})
    assert _sealed(_entry(), data=b"\0" * 8) == (tmp_path / "one").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        # the outer JSON
        _sealed(spaces=9),
        _sealed(",,"),
        _sealed("} {"),
        _sealed(',"a":"\ud800"'),
        _sealed(_entry() + _entry(), data=b"\0" * 8),
        _sealed(',"__metadata__":{}'),
        _sealed(',"a":' + "[" * 50_000),
        # the metadata
        _sealed(version="1"),
        _sealed(version="null"),
        _sealed(rest='"kind":"test"'),
        _sealed(rest='"retrograd":"{}"'),
        _sealed(rest='"kind":7,"retrograd":"{}"'),
        _sealed(rest='"kind":"test","retrograd":{}'),
        _sealed(rest='"kind":"test","more":"","retrograd":"{}"'),
        _sealed(rest='"retrograd":"{}","kind":"test"'),
        _sealed(form="something"),
        # the content
        *(
            _sealed(rest='"kind":"test","retrograd":' + json.dumps(text))
            for text in (
                "",
                "[]",
                "null",
                "{",
                '{"a":NaN}',
                '{"a":1e999}',
                '{"a":1,"a":1}',
                '{ "a":1}',
                '{"b":1,"a":1}',
                '{"a":1.50}',
                '{"a":"\\ud800"}',
                '{"a":' + "9" * 5000 + "}",
                '{"a":' + "[" * 5000 + "]" * 5000 + "}",
            )
        ),
        # the arrays
        _sealed(_entry()),
        _sealed(_entry(), data=b"\0" * 7),
        _sealed(_entry(), data=b"\0" * 16),
        _sealed(data=b"\0"),
        _sealed(_entry(dtype='"BF16"', offsets="[0,2]"), data=b"\0" * 2),
        _sealed(_entry(dtype="64"), data=b"\0" * 8),
        _sealed(_entry(shape="[1.0]"), data=b"\0" * 8),
        _sealed(_entry(shape="[true]"), data=b"\0" * 8),
        _sealed(_entry(shape="[-1]"), data=b"\0" * 8),
        _sealed(_entry(shape="1"), data=b"\0" * 8),
        _sealed(_entry(shape="[2]"), data=b"\0" * 8),
        _sealed(_entry(shape="[1152921504606846976,16]", offsets="[0,0]")),
        _sealed(_entry(shape=f"[{2**63},0]", offsets="[0,0]")),
        _sealed(_entry(shape=f"[{2**600},0]", offsets="[0,0]")),
        _sealed(_entry(shape=str([0] * 65).replace(" ", ""), offsets="[0,0]")),
        _sealed(_entry(offsets="[8,16]"), data=b"\0" * 16),
        _sealed(_entry(offsets="[0,8.0]"), data=b"\0" * 8),
        _sealed(_entry("b") + _entry("a", offsets="[8,16]"), data=b"\0" * 16),
        _sealed(_entry("a") + _entry("b"), data=b"\0" * 8),
        _sealed(',"a":[]'),
        _sealed(',"a":{}'),
        _sealed(',"a":null'),
        _seal(_sealed()[8:], length=0),
        _seal(_sealed()[8:], length=1),
        _seal(_sealed()[8:], length=100),
    ],
)
def test_a_malformed_file_with_a_right_checksum_is_a_model_file_error(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.model").write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path / "a.model")
    message = str(caught.value).removeprefix(f"{tmp_path / 'a.model'}: ")
    # Found by reading the header, neither by the checksum nor by the first bytes.
    assert message.startswith(("its ", "array "))
    assert len(message) < 250 and "\n" not in message


def test_a_bool_is_true_or_false_whatever_byte_stands_in_the_file(tmp_path: Path) -> None:
    entry = _entry(dtype='"BOOL"', shape="[3]", offsets="[0,3]")
    (tmp_path / "a.model").write_bytes(_sealed(entry, data=b"\x00\x01\x07"))
    assert read(tmp_path / "a.model").arrays["a"].tobytes() == b"\x00\x01\x01"


@pytest.mark.parametrize("rest", ['"kind":"test","retrograd":"{}"', '"something":"else"'])
def test_a_newer_format_says_upgrade(tmp_path: Path, rest: str) -> None:
    (tmp_path / "a.model").write_bytes(_sealed(version='"2"', rest=rest))
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path / "a.model")
    assert str(caught.value) == (
        f"{tmp_path / 'a.model'}: made by a newer retrograd: format 2, this one reads 1; "
        "upgrade retrograd"
    )


def test_a_newer_format_that_is_damaged_is_damaged(tmp_path: Path) -> None:
    content = _sealed(version='"2"')
    (tmp_path / "a.model").write_bytes(content[:-8] + b"       \t")
    with pytest.raises(ModelFileError, match="damaged or cut"):
        read(tmp_path / "a.model")


class _Trap:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_other_files_are_named_for_what_they_are_and_not_opened(tmp_path: Path) -> None:
    from safetensors.numpy import save

    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("data.pkl", "x" * 200)
    np.save(tmp_path / "array.npy", np.zeros(20))
    trap = pickle.dumps([_Trap(tmp_path / "sprung"), "x" * 200])
    files = {
        "zip": ((tmp_path / "zip").read_bytes(), "a zip archive"),
        "npy": ((tmp_path / "array.npy").read_bytes(), "an array of numpy.save"),
        "pickle": (trap, "a pickle"),
        "text": (b"sepal length,petal length\n" * 20, "a text file"),
        "short text": ("Maß\n".encode(), "a text file"),
        "json": (json.dumps({"kind": "test", "layers": list(range(99))}).encode(), "a text file"),
        "empty": (b"", "an empty file"),
        "theirs": (
            save({"W": np.zeros(9)}, {"format": "pt"}),
            "a safetensors file that retrograd did not save",
        ),
        "bytes": (bytes(range(256)), "cut, or damaged at its beginning"),
        "hdf": (b"\x89HDF\r\n\x1a\n" + bytes(200), "an HDF5 file"),
        "parquet": (b"PAR1" + bytes(200), "a Parquet table"),
        "gzip": (b"\x1f\x8b" + bytes(200), "a gzip file"),
    }
    for name, (content, what) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFileError) as caught:
            read(tmp_path / name)
        message = str(caught.value).removeprefix(f"{tmp_path / name}: ")
        assert message.startswith(f"not a model file but {what}"), name
        assert message.endswith("; give a file that retrograd saved")
    assert not (tmp_path / "sprung").exists()


def test_a_file_that_is_not_a_model_is_not_read_to_its_end(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(1 << 33)  # eight gigabytes, none of them on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="a zip archive"):
            read(tmp_path / "huge")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_missing_file_and_a_folder_are_file_errors_with_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FileError) as missing:
        read(tmp_path / "no.model")
    assert str(missing.value) == f"{tmp_path / 'no.model'}: there is no such file"
    with pytest.raises(FileError) as folder:
        read(tmp_path)
    assert str(folder.value) == f"{tmp_path}: is a folder; give the name of a model file"
    with pytest.raises(FileError, match="null"):
        read(f"{tmp_path}/a\0b")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is not a regular file"):
        read(tmp_path / "pipe")


def test_a_file_without_permission_is_a_file_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    _write_small(tmp_path / "a.model")
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FileError, match=r"a\.model: cannot be read: Permission denied$"):
        read(tmp_path / "a.model")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([None, {}]), "array 'W' has the dtype object; a file holds float64, float32"),
        (np.array(["x"]), "array 'W' has the dtype <U1"),
        (np.array(["x"], np.dtypes.StringDType()), "array 'W' has the dtype StringDType"),
        (np.array([1j]), "array 'W' has the dtype complex128"),
        (np.array(["2000-01-01"], "M8[D]"), "array 'W' has the dtype datetime64[D]"),
        (np.zeros(1, [("a", "f4")]), "array 'W' has the dtype [('a', '<f4')]"),
        ([1.0, 2.0], "array 'W' is of the type list; give an ndarray"),
        (np.float64(1.0), "array 'W' is of the type float64; give an ndarray"),
        (np.ma.masked_array([1.0], [True]), "array 'W' is of the type MaskedArray"),
    ],
)
def test_an_array_that_a_file_cannot_hold_is_named(
    tmp_path: Path, array: Any, message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        write(tmp_path / "a.model", "test", {}, {"b": np.zeros(2), "W": array})
    assert message in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\ud800", "__metadata__", 3, None])
def test_an_array_name_that_is_not_printable_text_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(OptionError, match="array name"):
        write(tmp_path / "a.model", "test", {}, {name: np.zeros(2)})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["", "a\nb", "\ud800", None])
def test_a_kind_that_is_not_printable_text_is_refused(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(OptionError, match="kind"):
        write(tmp_path / "a.model", kind, {}, {})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"rates": [0.1, float("nan")]}, r"header\['rates'\]\[1\] is nan"),
        ({"layer": {"size": np.int64(3)}}, r"header\['layer'\]\['size'\] is of the type int64"),
        ([1, 2], "header is of the type list; give a dict"),
    ],
)
def test_a_header_that_is_not_strict_json_is_refused_before_anything_is_written(
    tmp_path: Path, header: Any, message: str
) -> None:
    before = _write_small(tmp_path / "a.model")
    with pytest.raises(OptionError, match=message):
        write(tmp_path / "a.model", "test", header, {})
    assert (tmp_path / "a.model").read_bytes() == before


def test_a_header_longer_than_others_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_LONGEST_HEADER", 300)
    with pytest.raises(OptionError, match=r"the header takes 3.. bytes as JSON, 300 at most"):
        write(tmp_path / "a.model", "test", {"note": "x" * 200}, {})
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_older_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = _write_small(tmp_path / "a.model")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.model", "other", {}, {})
    assert os.listdir(tmp_path) == ["a.model"]
    assert (tmp_path / "a.model").read_bytes() == before


def test_reading_takes_twice_the_file_at_most_and_writing_next_to_nothing(tmp_path: Path) -> None:
    arrays = {name: np.ones(1_000_000) for name in "abcd"}
    size = 32_000_000
    tracemalloc.start()
    try:
        write(tmp_path / "a.model", "test", {}, arrays)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.reset_peak()
        found = read(tmp_path / "a.model")
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.arrays["d"][-1] == 1
    assert left < 1.01 * size
    assert peak < 2.01 * size


def test_importing_the_room_costs_only_numpy() -> None:
    script = (
        "import sys, retrograd.files.container as c; "
        "print('safetensors' in sys.modules, 'pickle' in vars(c))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
