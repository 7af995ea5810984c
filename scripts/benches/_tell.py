"""Prints the figures of the benches whose results all have the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def tell(results: Sequence[Mapping[str, Any]], *, to_programs: bool) -> None:
    """One object for programs, or a table with a line for each figure and a column for each result."""
    if to_programs:
        print(json.dumps({"results": results}))
        return
    table = Table(show_header=False)
    for _ in range(1 + len(results)):
        table.add_column(justify="left" if not table.columns else "right")
    for name in results[0]:
        table.add_row(name.replace("_", " "), *(str(result[name]) for result in results))
    Console().print(table)
