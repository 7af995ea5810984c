"""Models laid out for work: each file is checked before a job uses it, and comes from a blob if it is not right."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import trio

from consensus.ledger.records.entities import Model
from node.work.models import model_directory
from node.work.worker import WorkError

FILES = {"config.json": b"{}\n", "weights.safetensors": bytes(range(256)) * 5000}
MODEL = Model(bytes(32), {name: sha256(data).digest() for name, data in FILES.items()}, "c4b1", None)


class Shelf:
    """The part of a context that fetches files and makes folders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fetched: list[bytes] = []
        self.blobs: dict[bytes, Path] = {}
        for name, data in FILES.items():
            path = directory / f"blob of {name}"
            path.write_bytes(data)
            path.chmod(0o444)
            self.blobs[sha256(data).digest()] = path

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        await trio.lowlevel.checkpoint()
        self.fetched.append(digest)
        if digest not in self.blobs:
            raise WorkError("nobody has it")
        return self.blobs[digest]

    def folder(self, name: str) -> Path:
        (self.directory / name).mkdir(exist_ok=True)
        return self.directory / name


async def lay_out(shelf: Shelf) -> Path:
    directory = await model_directory(shelf, MODEL)  # type: ignore[arg-type]  # they only fetch
    assert directory is not None
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == FILES
    return directory


async def test_a_model_is_laid_out_once_and_shares_no_file_with_the_blobs(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    directory = await lay_out(shelf)
    assert await lay_out(shelf) == directory
    assert sorted(shelf.fetched) == sorted(MODEL.files.values())
    assert all(path.stat().st_nlink == 1 for path in directory.iterdir())


def _make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"damaged")
    path.unlink()
    os.link(other, path)
    other.unlink()


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        _make_pipe,
        _link,
        _make_folder,
        lambda path: path.with_name(f".{path.name}").mkdir() or path.unlink(),
        lambda path: path.unlink() or path.symlink_to(path),
    ],
    ids=["changed", "empty", "missing", "pipe", "link", "folder", "folder in its way", "circle"],
)
async def test_a_damaged_file_is_replaced_before_it_is_used(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    shelf = Shelf(tmp_path)
    spoil(await lay_out(shelf) / "weights.safetensors")
    await lay_out(shelf)
    assert shelf.fetched[2:] == [MODEL.files["weights.safetensors"]]
    shelf.blobs.clear()
    spoil(await lay_out(shelf) / "weights.safetensors")
    with pytest.raises(WorkError, match="nobody has it"):
        await lay_out(shelf)


async def test_what_the_disk_does_not_keep_is_not_used(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.blobs[MODEL.files["config.json"]].chmod(0o644)
    shelf.blobs[MODEL.files["config.json"]].write_bytes(b"[]\n")
    with pytest.raises(WorkError, match="does not keep what is written to it"):
        await lay_out(shelf)


async def test_a_file_in_the_place_of_a_model_gives_way_to_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    (shelf.folder("models") / MODEL.digest.hex()).touch()
    await lay_out(shelf)
