"""Files of named arrays: what is written is read back, and nothing else is taken for such a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as any_array

from training import arrays as module
from training.arrays import DataError, read_arrays, read_kind, read_limited, write_arrays, write_named

KIND = "test/1"
DTYPES: dict[str, type] = {"lengths": np.int32, "moves": np.int64, "weights": np.uint16, "seats": np.int8}
HEADER = {"config": "hex8-2", "seed": "00" * 32, "nested": [1, {"b": None, "a": True}]}
ARRAYS: dict[str, np.ndarray] = {
    "lengths": np.array([3, 1], np.int32),
    "moves": np.array([2**62, -1, 0, 7], np.int64),
    "weights": np.array([65_535], np.uint16),
    "seats": np.array([], np.int8),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_arrays(tmp_path, KIND, HEADER, ARRAYS).path


def raw_file(tensors: dict[str, Any], data: bytes, metadata: object = json.dumps({"kind": KIND})) -> bytes:
    """A file in safetensors form, put together by hand."""
    head = json.dumps({"__metadata__": {"ringrift": metadata}, **tensors}).encode()
    return len(head).to_bytes(8, "little") + head + data


quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(arrays=st.fixed_dictionaries({name: any_array(dtype, st.integers(0, 20)) for name, dtype in DTYPES.items()}))
def test_arrays_come_back_as_they_were(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    stored = write_arrays(tmp_path, KIND, HEADER, arrays)
    header, found = read_arrays(stored.path, KIND, DTYPES)
    assert header == {"kind": KIND, **HEADER}
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].tolist() == array.tolist()
    assert read_kind(stored.path) == KIND


def test_a_file_is_named_by_the_digest_of_its_bytes(written: Path) -> None:
    stored = write_arrays(written.parent / "new" / "folder", KIND, HEADER, ARRAYS)
    assert stored.digest == hashlib.sha256(stored.path.read_bytes()).digest()
    assert stored.path.name == written.name == f"{stored.digest.hex()}.safetensors"
    assert [path.name for path in stored.path.parent.iterdir()] == [stored.path.name]


def test_equal_input_gives_equal_bytes_and_other_input_others(tmp_path: Path) -> None:
    first = write_arrays(tmp_path, KIND, HEADER, ARRAYS).digest
    backwards = dict(reversed(ARRAYS.items())), dict(reversed(HEADER.items()))
    assert write_arrays(tmp_path, KIND, backwards[1], backwards[0]).digest == first
    changed = ARRAYS | {"moves": ARRAYS["moves"][::-1]}
    others = [
        write_arrays(tmp_path, "test/2", HEADER, ARRAYS),
        write_arrays(tmp_path, KIND, HEADER | {"config": "hex8-3"}, ARRAYS),
        write_arrays(tmp_path, KIND, HEADER, changed),
    ]
    assert len({first, *(stored.digest for stored in others)}) == 4


def test_views_are_stored_by_their_values(tmp_path: Path) -> None:
    numbers = np.arange(24, dtype=np.int64)
    for view in (numbers[::-2], numbers.reshape(4, 6)[:, 1], numbers[5:9]):
        stored = write_arrays(tmp_path, KIND, {}, {"moves": view})
        _, found = read_arrays(stored.path, KIND, {"moves": np.int64})
        assert found["moves"].tolist() == view.tolist()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"moves": None}, r"holds the arrays \['lengths', 'seats', 'weights'\], expected \['lengths', 'moves', "),
        ({"more": np.zeros(1, np.int8)}, r"holds the arrays \['lengths', 'more', "),
        ({"moves": np.zeros(3, np.int32)}, r"array 'moves' is int32\[3\], expected int64\[n\]"),
        ({"moves": np.zeros(3, np.uint64)}, r"array 'moves' is uint64\[3\], expected int64\[n\]"),
        ({"moves": np.zeros((3, 1), np.int64)}, r"array 'moves' is int64\[3, 1\], expected int64\[n\]"),
    ],
)
def test_other_arrays_are_refused(changes: dict[str, np.ndarray | None], reason: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in (ARRAYS | changes).items() if array is not None}
    stored = write_arrays(tmp_path, KIND, HEADER, arrays)
    with pytest.raises(DataError, match=f"^{stored.path.name}: {reason}"):
        read_arrays(stored.path, KIND, DTYPES)


def test_a_number_is_no_array(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(raw_file({"moves": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}, bytes(8)))
    with pytest.raises(DataError, match=r"^file: array 'moves' is int64\[\], expected int64\[n\]$"):
        read_arrays(path, KIND, {"moves": np.int64})


def test_another_kind_is_refused_and_told(written: Path) -> None:
    for kind in ("test/2", "test", ""):
        with pytest.raises(DataError, match=f"^{written.name}: its header does not name the kind '{kind}'$"):
            read_arrays(written, kind, DTYPES)
    assert read_kind(written) == KIND


def test_a_file_that_lacks_bytes_or_has_more_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    cuts = (whole[:end] for end in (*range(0, len(whole), 9), len(whole) - 1))
    for data in (*cuts, whole + b"\0", whole + whole):
        written.write_bytes(data)
        with pytest.raises(DataError, match="not a readable safetensors file") as caught:
            read_arrays(written, KIND, DTYPES)
        assert "\n" not in str(caught.value)


def test_whatever_bit_flips_the_file_is_refused_or_holds_such_arrays(written: Path) -> None:
    """A flip among the numbers is for the digest to notice; elsewhere none brings forth other arrays."""
    whole = written.read_bytes()
    numbers = sum(array.nbytes for array in ARRAYS.values())
    accepted = set()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        written.write_bytes(data)
        try:
            header, found = read_arrays(written, KIND, DTYPES)
        except DataError:
            continue
        accepted.add(place)
        assert header["kind"] == KIND
        assert {name: (array.dtype, array.size) for name, array in found.items()} == {
            name: (array.dtype, array.size) for name, array in ARRAYS.items()
        }
    assert accepted >= set(range(len(whole) - numbers, len(whole)))
    assert not accepted & set(range(8)), "the length of the head"


@pytest.mark.parametrize(
    "dtype",
    [
        *("BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "U64", "F16", "BF16", "F32", "F64", "C64"),
        *("F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "X99"),
    ],
)
def test_arrays_of_any_other_type_are_refused(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (1, 2, 4, 8):
        path.write_bytes(raw_file({"moves": {"dtype": dtype, "shape": [8 // size], "data_offsets": [0, 8]}}, bytes(8)))
        with pytest.raises(DataError):
            read_arrays(path, KIND, {"moves": np.int64})


@pytest.mark.parametrize(
    "metadata",
    ["", "null", "[]", "{}", "3", '"kind"', '{"kind": null}', '{"kind": 1}', "[" * 9999, "9" * 9999, 7, None, ["{}"]],
)
def test_a_header_that_is_not_ours_is_refused(metadata: object, tmp_path: Path) -> None:
    path = tmp_path / "file"
    tensors = {"moves": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}
    path.write_bytes(raw_file(tensors, bytes(8), metadata))
    with pytest.raises(DataError, match=r"^file: "):
        read_arrays(path, KIND, {"moves": np.int64})
    with pytest.raises(DataError, match=r"^file: not a file of arrays written by this program$"):
        read_kind(path)


@quick
@given(data=st.binary(max_size=200))
def test_other_bytes_are_refused_by_every_reader(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"^file: "):
        read_arrays(path, KIND, DTYPES)
    with pytest.raises(DataError, match=r"^file: "):
        read_kind(path)
    assert read_limited(path) == data


def test_files_are_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_MAX_BYTES", 10)
    path = tmp_path / "file"
    for size in (0, 9, 10):
        path.write_bytes(bytes(size))
        assert read_limited(path) == bytes(size)
    path.write_bytes(bytes(11))
    with pytest.raises(DataError, match=r"^file: above the limit of 10 bytes$"):
        read_limited(path)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for read in (read_limited, read_kind):
        with pytest.raises(DataError, match=r"^nothing: cannot be read \(No such file or directory\)$"):
            read(tmp_path / "nothing")
        with pytest.raises(DataError, match=r"^folder: cannot be read \(Is a directory\)$"):
            read(tmp_path / "folder")


def test_a_file_is_there_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.arrays.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_named(tmp_path, b"data", ".bin")
    name = f"{hashlib.sha256(b'data').hexdigest()}.bin"
    assert not (tmp_path / name).exists()
    for _ in range(2):  # over what was left behind, and over itself
        stored = write_named(tmp_path, b"data", ".bin")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"data")]
    assert stored.path == tmp_path / name
