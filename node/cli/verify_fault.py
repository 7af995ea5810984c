"""`ringrift-node verify` of the proof of a wrong result: checks signatures and weights, and replays the games."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from consensus.fault_proof import FaultProof, NotAProofError, ProofError, verify_proof
from consensus.keys import id_text
from node.cli.lines import print_line, say_error
from node.cli.progress import showing_progress
from node.cli.trust import check_with_any, print_trust, trust_facts
from node.config.toml import ConfigError
from node.proofs.fault_check import Wrong, replay
from node.text import formatting


def check_proof(options: argparse.Namespace, data: bytes, trusted: Sequence[bytes | None]) -> int:
    """Check one proof; return 0 if it holds, 1 if it is refused. Raise ConfigError if it cannot be read."""
    if options.model is not None:
        raise ConfigError("is for certificates, and this is the proof of a wrong result; leave it out", "--model")
    try:
        with showing_progress("checking the signatures", quiet=options.json) as progress:
            proof = check_with_any(lambda genesis: verify_proof(data, genesis), trusted)
            progress.tell("replaying the games")
            wrong = replay(proof)
    except NotAProofError as error:
        raise ConfigError(str(error), options.certificate) from None
    except ProofError as error:
        say_error("", ConfigError(f"REFUSED: {error}", options.certificate), as_json=options.json)
        return 1
    with suppress(BrokenPipeError):  # status 1 would say that it is refused
        if options.json:
            print(json.dumps({**_facts(proof, wrong), **trust_facts(options)}, indent=2))
        else:
            _print_facts(options, proof, wrong)
    return 0


def _facts(proof: FaultProof, wrong: Wrong) -> dict[str, Any]:
    report = proof.report
    return {
        "fault": report.digest.hex(),
        "swarm": proof.genesis.swarm,
        "genesis": proof.genesis.digest.hex(),
        "member": id_text(proof.accused),
        "configuration": report.configuration,
        "candidate": report.candidate.hex(),
        "slot": report.slot,
        "event": proof.event.hash.hex(),
        "games": report.result.blob.hex(),
        "seeds": {str(number): seed.hex() for number, seed in report.blocks},
        "reason": wrong.reason,
        "by_itself": wrong.by_itself,
        "found": proof.found_weight,
        "found_by": [id_text(member) for member in proof.found_by],
        "weight": proof.roster.total_weight,
    }


def _print_facts(options: argparse.Namespace, proof: FaultProof, wrong: Wrong) -> None:
    report = proof.report
    print_line(f"{options.certificate}: HOLDS: a wrong result")
    rows = {
        "swarm": f"{proof.genesis.swarm}, genesis {proof.genesis.digest.hex()}",
        "member": f"{id_text(proof.accused)} signed it",
        "result": f"slot {report.slot} of candidate {report.candidate.hex()}, {report.configuration}",
        "wrong": wrong.reason,
        "found": f"weight {proof.found_weight} of {proof.roster.total_weight} replayed the games and said so, "
        f"{formatting.plural(len(proof.found_by), 'member')}",
    }
    for label, text in rows.items():
        print_line(f"  {label:<9} {text}")
    if wrong.by_itself:
        print("  Its signature and the rules of the game show this; the games were replayed just now.")
    else:
        print("  The games were replayed just now and are sound, but they are not those of this match. That its seeds")
        print(f"  come from the beacon {report.beacon.hex()} is the word of the members above.")
    print_trust(options)
