"""The part of `scripts/simulate` that runs agents on one ledger (`--ledger`): its options, its jobs, what it prints."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context

from consensus.settings import SettingsError, players
from node.simulation.agents.run import ALL, LedgerReport, ledger_settings, simulate_agents
from node.simulation.agents.steering import NEUTRAL, with_rules, without, without_neutral

LONGEST_HOURS = 24.0 * 366
NODES = range(40, 41)
MEANS = ("utilisation",)
SUMS = (
    "floor_violations",
    "regressions_induced",
    "regressions_rolled_back",
    "stalls_induced",
    "stalls_noticed",
    "claims_over_lease",
    "promotions",
    "violations",
)
MOSTS = ("ledger_bytes_max",)
ABLATED = (
    "utilisation",
    "floor_violations",
    "regressions_induced",
    "regressions_rolled_back",
    "stalls_induced",
    "stalls_noticed",
    "stall_alarms",
    "idle_hours",
    "promotions",
    "strength",
    "weakest",
)
"""The columns of a table of ablations, as means over the seeds."""


@dataclass(frozen=True, kw_only=True)
class LedgerJob:
    """One run, as it travels to a process."""

    seed: int
    nodes: int
    hours: float
    configurations: tuple[str, ...]
    rules: int
    without: tuple[str, ...]


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `--ledger`."""
    add = parser.add_argument_group("agents on one ledger, without sockets and DAG").add_argument
    add("--ledger", action="store_true", help="run these instead of whole nodes; --nodes is then 40 by default")
    add("--hours", type=_hours, default=48.0, help="virtual hours of a seed (%(default)g)")
    add("--configurations", type=_configurations, default=ALL, metavar="NAME,...", help="some, or all (the default)")
    add("--rules", type=int, choices=(0, 1), default=1, help="steering.rules of the swarm (%(default)s)")
    add(
        "--without",
        action="append",
        default=[],
        choices=sorted(NEUTRAL),
        metavar="NAME",
        help="a weight or threshold of the steering set to neutral; may be given several times",
    )
    add(
        "--ablate",
        nargs="?",
        const=tuple(sorted(NEUTRAL)),
        type=_parts,
        metavar="NAME,...",
        help="run all seeds with the rules as they are, then without each of these; all by default",
    )


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= LONGEST_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number of hours above 0, at most {LONGEST_HOURS:g}")
    return hours


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in NEUTRAL]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: must be some of {', '.join(sorted(NEUTRAL))}")
    return names


def _configurations(text: str) -> tuple[str, ...]:
    names = ALL if text == "all" else tuple(text.split(","))
    try:
        for name in names:
            players(name)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return tuple(sorted(set(names)))


def run_ledgers(arguments: argparse.Namespace) -> int:
    """Run all seeds and print what came of them; return 0 if nothing was violated, else 1."""
    variants = [tuple(arguments.without)]
    variants += [(*arguments.without, name) for name in arguments.ablate or () if name not in arguments.without]
    counts = list(arguments.nodes or NODES)
    tables: dict[tuple[str, ...], list[LedgerReport]] = {}
    for names in variants:
        jobs = [
            LedgerJob(
                seed=seed,
                nodes=counts[seed % len(counts)],
                hours=arguments.hours,
                configurations=arguments.configurations,
                rules=arguments.rules,
                without=names,
            )
            for seed in arguments.seeds
        ]
        tables[names] = []
        for report, wall_s in _reports(jobs, arguments.jobs):
            tables[names].append(report)
            if not arguments.ablate:
                _print_report(report, wall_s, as_json=arguments.json)
        if arguments.ablate:
            _print_ablation(names, tables[names], tables[variants[0]], as_json=arguments.json)
    reports = [report for table in tables.values() for report in table]
    if not arguments.ablate:
        _print_summary(reports, as_json=arguments.json)
    elif without_neutral() and not arguments.json:
        print(f"\nno neutral value is known of: {', '.join(without_neutral())}")
    return int(any(report.violations for report in reports))


def _reports(jobs: Sequence[LedgerJob], processes: int) -> Iterator[tuple[LedgerReport, float]]:
    """Yield the reports in the order of the jobs, each with the seconds that it took."""
    if min(processes, len(jobs)) == 1:
        yield from map(_run, jobs)
        return
    with get_context("spawn").Pool(min(processes, len(jobs))) as pool:
        yield from pool.imap(_run, jobs)


def _run(job: LedgerJob) -> tuple[LedgerReport, float]:
    started = time.process_time()
    settings = without(with_rules(ledger_settings(job.configurations), job.rules), job.without)
    report = simulate_agents(job.seed, job.nodes, job.hours, settings)
    return report, time.process_time() - started


def _print_report(report: LedgerReport, cpu_s: float, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report)), flush=True)
        return
    print(
        f"seed {report.seed}: {report.nodes} nodes, {report.hours:g} h, {report.promotions} promotions of "
        f"{report.candidates} candidates, strength {report.strength:g} (weakest {report.weakest:g}), "
        f"utilisation {report.utilisation:.1%}, {report.floor_violations} times below the floor, "
        f"{report.regressions_rolled_back} of {report.regressions_induced} regressions rolled back, "
        f"{report.stalls_noticed} of {report.stalls_induced} stalls noticed, {report.claims_over_lease} claims over "
        f"their lease, {report.ledger_bytes_max} bytes, {report.violations} violations, trace {report.trace[:12]}, "
        f"{cpu_s:.1f} s",
        flush=True,
    )


def summarise(reports: Sequence[LedgerReport]) -> dict[str, float]:
    """Return the figures over all seeds: a mean, sums, and the greatest ledger."""
    summary: dict[str, float] = {}
    for name in MEANS:
        summary[name] = round(statistics.fmean(getattr(report, name) for report in reports), 4)
    for name in SUMS:
        summary[name] = sum(getattr(report, name) for report in reports)
    for name in MOSTS:
        summary[name] = max(getattr(report, name) for report in reports)
    return summary


def _print_summary(reports: Sequence[LedgerReport], *, as_json: bool) -> None:
    summary = summarise(reports)
    print(json.dumps(summary) if as_json else ", ".join(f"{name} {value:g}" for name, value in summary.items()))


def _print_ablation(
    names: Sequence[str], reports: Sequence[LedgerReport], whole: Sequence[LedgerReport], *, as_json: bool
) -> None:
    """Print a row of the table: the means, and how far they are from those of the whole, seed by seed."""
    label = names[-1] if names else "nothing"
    means = {name: _mean(reports, name) for name in ABLATED}
    if as_json:
        print(json.dumps({"without": label, "seeds": len(reports), **means}), flush=True)
        return
    if reports is whole:
        print("| without | " + " | ".join(ABLATED) + " |\n|---|" + "---|" * len(ABLATED))
    cells = [f"{means[name]:g}" + ("" if reports is whole else _change(reports, whole, name)) for name in ABLATED]
    print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def _mean(reports: Sequence[LedgerReport], name: str) -> float:
    return round(statistics.fmean(getattr(report, name) for report in reports), 4)


def _change(reports: Sequence[LedgerReport], whole: Sequence[LedgerReport], name: str) -> str:
    """Return the mean change of a figure in brackets, with its standard error where there are several seeds."""
    changes = [getattr(report, name) - getattr(other, name) for report, other in zip(reports, whole, strict=True)]
    mean = statistics.fmean(changes)
    if len(changes) < 2:
        return f" ({mean:+.4g})"
    return f" ({mean:+.4g} ± {statistics.stdev(changes) / len(changes) ** 0.5:.2g})"
