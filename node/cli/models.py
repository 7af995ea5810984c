"""`ringrift-node models`: the canonical models and their history."""

import argparse

from rich.console import Console

from node.api.models import ModelInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, model_text, print_table, state_text
from node.text.formatting import count, hundredths, moment, percent, short, value_by_quarter

_COLUMNS = (
    "configuration", "model", "state", "since (UTC)", "?certificate", "?by", "?value by quarter", "?#Brier",
    "?#policy against 16", "?#64 against 16", "?parent", "?#since round",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `models`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the models; return 0."""
    return read_and_show(options, "/models", _show)


def _show(console: Console, models: list[ModelInfo]) -> None:
    print_table(console, "Models", _COLUMNS, [_model_row(model) for model in models], "none")


def _model_row(model: ModelInfo) -> Cells:
    measures = model["measures"]
    return (
        model["configuration"],
        model_text(model["model"], is_uniform=model["candidate"] is None),
        state_text("canonical" if model["canonical"] else "earlier"),
        moment(model["time"]) if model["time"] else "the start",
        short(model["certificate"]),
        model["name"] or "–",
        value_by_quarter(measures),
        hundredths(measures.get("brier")),
        percent(measures.get("policy_vs_search_16")),
        percent(measures.get("search_64_vs_16")),
        short(model["parent"]),
        count(model["since_round"]),
    )
