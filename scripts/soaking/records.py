"""The JSON-lines file of a soak: a record for each start of the soak, sample and event, with its time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from scripts.soaking.checks import Json
from scripts.soaking.samples import read_records

FILE_NAME = "soak.jsonl"


class Recorder:
    """Appends records to the file; time goes on where an earlier run of the same soak ended."""

    def __init__(self, path: Path, tell: Callable[[Json], None]) -> None:
        self._tell = tell
        self.earlier: list[Json] = []
        """Records of earlier runs."""
        if path.exists():
            self.earlier = read_records(path)
            path.write_text("".join(json.dumps(record) + "\n" for record in self.earlier))  # without a line cut off
        self.samples = [record for record in self.earlier if record["kind"] == "sample"]
        """All samples, also those of earlier runs."""
        self._file = path.open("a")
        self._offset_s = max((record["at_s"] for record in self.earlier), default=0.0)
        self._started = time.monotonic()

    @property
    def run_s(self) -> float:
        """Seconds since this run began."""
        return time.monotonic() - self._started

    @property
    def at_s(self) -> float:
        """Seconds that the soak has run, in all its runs."""
        return self._offset_s + self.run_s

    def write(self, kind: str, **values: object) -> Json:
        """Append a record, tell it, and return it."""
        record: Json = {"kind": kind, "at_s": round(self.at_s, 1), **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        if kind == "sample":
            self.samples.append(record)
        self._tell(record)
        return record

    def close(self) -> None:
        """Close the file."""
        self._file.close()
