"""`ringrift-node why`: what the members do and would do next, and every number that this follows from."""

import argparse
from functools import partial

from rich.console import Console

from node.api.steering import NeedInfo, ShareInfo, SteeringInfo, WantInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, print_table
from node.config.toml import ConfigError
from node.text.formatting import age, count, hourly
from node.text.harmless import harmless

_WANT_COLUMNS = ("member", "?#per hour", "?#stays", "does", "would claim next", "reason")
_NEED_COLUMNS = (
    "configuration", "#new games", "#claimed", "#to train", "#enough", "?trains", "?to train first", "?#candidates",
    "?#simulations", "?paused",
)  # fmt: skip
_SHARE_COLUMNS = (
    "configuration", "#sum", "?#starvation", "#weight", "#share", "?#bounds", "#delivered", "#claimed", "#deficit",
)  # fmt: skip
_TRAINING_COLUMNS = ("configuration", "starts from")
_SIGNAL_COLUMNS = ("signal", "#value", "#weight", "#product", "from")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `why`."""
    add_node_options(parser)
    parser.add_argument("--member", metavar="NAME", help="only this member, by its name or the beginning of its id")
    parser.add_argument("--configuration", metavar="C", help="only this configuration, with all signals of its share")


def main(options: argparse.Namespace) -> int:
    """Show the reasons; return 0."""
    member, name = options.member, options.configuration
    show = partial(_show, with_members=name is None or member is not None, with_signals=name is not None)
    return read_and_show(options, "/steering", show, partial(_choose, member=member, name=name))


def _choose(steering: SteeringInfo, *, member: str | None, name: str | None) -> SteeringInfo:
    """Return what is said about one member and one configuration, where they are named."""
    needs = [entry for entry in steering["needs"] if name in (None, entry["configuration"])]
    if not needs:
        played = ", ".join(harmless(entry["configuration"]) for entry in steering["needs"])
        raise ConfigError(f"{name} is not played here; choose one of {played}")
    wants = steering["wants"] if member is None else [_find(steering["wants"], member)]
    shares = [entry for entry in steering["shares"] if name in (None, entry["configuration"])]
    return {**steering, "wants": wants, "needs": needs, "shares": shares}


def _show(console: Console, steering: SteeringInfo, *, with_members: bool, with_signals: bool) -> None:
    shares = steering["shares"]
    if with_members:
        print_table(console, "Members", _WANT_COLUMNS, [_want_row(entry) for entry in steering["wants"]], "none")
    print_table(console, "Games and training", _NEED_COLUMNS, [_need_row(entry) for entry in steering["needs"]], "none")
    starts = [(entry["configuration"], entry["starts_from"]) for entry in steering["needs"]]
    print_table(console, "The next trainings", _TRAINING_COLUMNS, starts, "none")
    if steering["rules"]:
        title = f"Shares of self-play, in evaluations of the last {count(steering['window_s'])} s"
        print_table(console, title, _SHARE_COLUMNS, [_share_row(entry) for entry in shares], "none")
        for entry in shares if with_signals else []:
            rows = [_signal_row(entry, place) for place in range(len(entry["signals"]))]
            print_table(console, f"Signals of {entry['configuration']}", _SIGNAL_COLUMNS, rows, "none")


def _find(wants: list[WantInfo], member: str) -> WantInfo:
    found = [entry for entry in wants if member == entry["name"] or entry["member"].startswith(member)]
    if len(found) != 1:
        known = ", ".join(harmless(entry["name"]) for entry in wants)
        raise ConfigError(f'{len(found) or "no"} members are called "{member}"; the members are {known}')
    return found[0]


def _want_row(entry: WantInfo) -> Cells:
    return (
        entry["name"],
        hourly(entry["cost_per_h"]) or "–",
        "–" if entry["life_s"] is None else age(entry["life_s"]),
        entry["doing"] or "–",
        f"{entry['kind']} {entry['configuration']}" if entry["kind"] else "nothing",
        entry["reason"],
    )


def _need_row(entry: NeedInfo) -> Cells:
    return (
        entry["configuration"],
        count(entry["new_games"]),
        count(entry["claimed_games"]),
        count(entry["training_games"]),
        count(entry["enough_games"]),
        ", ".join(entry["training"]) or "–",
        ", ".join(entry["first_trainers"]) or "–",
        count(entry["candidates"]),
        count(entry["simulations"]),
        ", ".join(entry["paused"]) or "–",
    )


def _share_row(entry: ShareInfo) -> Cells:
    return (
        entry["configuration"],
        count(entry["sum"]),
        f"x {count(entry['starvation'])}",
        count(entry["weight"]),
        _thousandths(entry["share"]),
        f"{_thousandths(entry['floor'])} to {_thousandths(entry['quota'])}",
        count(entry["delivered"]),
        count(entry["claimed"]),
        count(entry["deficit"]),
    )


def _signal_row(entry: ShareInfo, place: int) -> Cells:
    signal = entry["signals"][place]
    inputs = ", ".join(f"{name.replace('_', ' ')} {count(value)}" for name, value in signal["inputs"].items())
    return (signal["name"], count(signal["value"]), count(signal["weight"]), count(signal["product"]), inputs or "–")


def _thousandths(part: int) -> str:
    return f"{part / 10:g}%"
