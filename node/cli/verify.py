"""`ringrift-node verify`: checks a certificate, or the proof of a wrong result, offline."""

import argparse
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from consensus.certificate.settings import SettingsInForce, StatedSettings
from consensus.certificate.verification import (
    CertificateError,
    UnreadableError,
    VerifiedCertificate,
    check_files,
    verify,
)
from consensus.fault_proof import SIZE_LIMIT as PROOF_LIMIT
from consensus.keys import id_text
from consensus.ledger.records.transactions import UNIFORM
from node.cli.lines import print_line, say_error
from node.cli.model_files import digest_files
from node.cli.progress import showing_progress
from node.cli.trust import add_trust_options, check_with_any, print_trust, read_file, read_trust, trust_facts
from node.config.toml import ConfigError
from node.text import formatting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    parser.add_argument("certificate", type=Path, metavar="FILE", help="the certificate or the proof to check")
    add_trust_options(parser)
    parser.add_argument("--model", type=Path, metavar="DIR", help="also check that the files in DIR are the model")
    parser.add_argument("--json", action="store_true", help="print what was proven as one JSON object")
    parser.epilog = "Exit status: 0 it holds, 1 it is refused, 2 the input cannot be read."


def main(options: argparse.Namespace) -> int:
    """Check one file; return 0 if it holds, 1 if it is refused. Raise ConfigError if it cannot be read."""
    trusted = read_trust(options)
    data = read_file(options.certificate, PROOF_LIMIT)
    if b"\xa0" <= data[:1] < b"\xc0":  # a CBOR map; JSON never begins like this
        from node.cli.verify_fault import check_proof

        return check_proof(options, data, trusted)
    try:
        with showing_progress("checking the signatures", quiet=options.json) as progress:
            verified = check_with_any(lambda genesis: verify(data, genesis), trusted)
            if options.model is not None:
                progress.tell("reading the files of the model")
                files = digest_files(options.model, verified.content.subjects)
                verified = replace(verified, files_checked=check_files(verified.content, files))
    except UnreadableError as error:
        raise ConfigError(str(error), options.certificate) from None
    except CertificateError as error:
        say_error("", ConfigError(f"REFUSED: {error}", options.certificate), as_json=options.json)
        return 1
    with suppress(BrokenPipeError):  # status 1 would say that it is refused
        if options.json:
            print(json.dumps({**_facts(verified), **trust_facts(options)}, indent=2))
        else:
            _print_facts(options, verified)
    return 0


def _facts(verified: VerifiedCertificate) -> dict[str, Any]:
    content, genesis = verified.content, verified.genesis
    return {
        "certificate": content.statement.hex(),
        "swarm": genesis.swarm,
        "genesis": genesis.digest.hex(),
        "configuration": content.configuration,
        "promotion": content.number,
        "model": content.model.hex(),
        "architecture": content.architecture,
        "replaces": content.incumbent.hex(),
        "previous": None if content.previous is None else content.previous.hex(),
        "round": content.round,
        "time": content.time,
        "score": content.score,
        "most": content.blocks * content.most,
        "blocks": content.blocks,
        "llr": content.llr,
        "decided_by": "limit" if content.at_limit else "test",
        "approved": content.approved,
        "measures": dict(content.measures),
        "settings": None if content.settings is None else _settings_facts(content.settings),
        "sealed": verified.sealed_weight,
        "sealed_by": [id_text(member) for member in verified.sealed_by],
        "weight": verified.roster.total_weight,
        "files_checked": verified.files_checked,
    }


def _settings_facts(stated: StatedSettings) -> dict[str, Any]:
    return {
        "added": stated.added,
        "match": {"version": stated.match.version, "changed": dict(stated.match.changed)},
        "promotion": {"version": stated.promotion.version, "changed": dict(stated.promotion.changed)},
    }


def _settings_rows(stated: StatedSettings) -> dict[str, str]:
    """Return which settings the match had, and which held at the promotion, if they are others."""
    rows = {"settings": _settings_text(stated.match)}
    if stated.promotion != stated.match:
        rows["then"] = _settings_text(stated.promotion)
    if stated.added is not None:
        rows["added"] = f"the configuration, with settings version {stated.added}"
    return rows


def _settings_text(held: SettingsInForce) -> str:
    changed = ", ".join(f"{name} {value}" for name, value in sorted(held.changed.items()))
    return f"version {held.version}: " + (f"{changed}; else as in the genesis" if changed else "as in the genesis")


def _print_facts(options: argparse.Namespace, verified: VerifiedCertificate) -> None:
    content, genesis = verified.content, verified.genesis
    most = content.blocks * content.most
    print_line(f"{options.certificate}: HOLDS")
    rows = {
        "swarm": f"{genesis.swarm}, genesis {genesis.digest.hex()}",
        "promoted": f"{content.configuration} no. {content.number}: {content.model.hex()} ({content.architecture})",
        "replaces": content.incumbent.hex() + (" (uniform, built in)" if content.incumbent == UNIFORM else ""),
        "when": f"{formatting.moment(content.time)} UTC, round {content.round:,}",
        "match": f"{content.score} of {most} points in {formatting.plural(content.blocks, 'block')}, "
        f"log-likelihood ratio {content.llr}" + (", accepted at the block limit" if content.at_limit else ""),
        "approved": f"weight {content.approved} of {verified.roster.total_weight} replayed the games and voted for it",
        "sealed": f"weight {verified.sealed_weight} of {verified.roster.total_weight}, "
        f"by {formatting.plural(len(verified.sealed_by), 'member')}",
    }
    if content.settings is not None:
        rows |= _settings_rows(content.settings)
    if content.measures:
        rows["measured"] = f"{formatting.measures(content.measures)} (as its trainer says)"
    if options.model is not None:
        rows["files"] = f"{formatting.plural(verified.files_checked, 'file')} in {options.model} match"
    for label, text in rows.items():
        print_line(f"  {label:<9} {text}")
    print_trust(options)
