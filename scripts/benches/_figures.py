"""Printing the figures of benchmarks whose results all have the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show_figures(results: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print one JSON object, or a table with a row for each figure and a column for each result."""
    if as_json:
        print(json.dumps({"results": results}))
        return
    table = Table(show_header=False)
    for _ in range(1 + len(results)):
        table.add_column(justify="left" if not table.columns else "right")
    for name in results[0]:
        table.add_row(name.replace("_", " "), *(str(result[name]) for result in results))
    Console().print(table)
