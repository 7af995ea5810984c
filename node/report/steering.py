"""What the swarm needs most, and why, in the shape of `GET /steering`; pure functions of the ledger."""

from collections.abc import Collection, Sequence

from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.priorities import Work, joint_partners, next_work
from consensus.ledger.records.decisions import WORK_KINDS
from consensus.ledger.records.entities import Configuration
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.siblings import Sibling
from consensus.ledger.steering import shares
from consensus.ledger.steering.amounts import claimed_games, enough_games, games_of_training
from consensus.ledger.steering.capability import cost_per_hour, first_trainers, life_left
from consensus.ledger.steering.estimates import scores_of
from consensus.ledger.steering.families import next_family
from consensus.ledger.steering.shares import ConfigurationShare
from node.api.steering import NeedInfo, ShareInfo, SignalInfo, SteeringInfo, WantInfo
from node.report.ledger import claims_in_words
from node.report.membership import NameOf

_THOUSANDTHS = 1000  # costs of the ledger
_RELATIONS = {"same": "itself", "shape": "other board of its shape", "board": "same board", "other": "other board"}


def steering(ledger: Ledger, members: Sequence[MemberId], name_of: NameOf) -> SteeringInfo:
    """Return the whole table for these members."""
    settings = ledger.settings.steering
    table = shares.table(ledger) if settings.rules else ()
    needs = [_need(ledger, entry, name_of) for entry in ledger.configurations()]
    return {
        "rules": settings.rules,
        "window_s": settings.window_s,
        "shares": [_share(entry) for entry in table],
        "needs": needs,
        "wants": [_want(ledger, member, name_of, needs, table) for member in members],
    }


def _share(entry: ConfigurationShare) -> ShareInfo:
    signals: list[SignalInfo] = [
        {
            "name": signal.name,
            "value": signal.value,
            "weight": signal.weight,
            "product": signal.value * signal.weight,
            "inputs": dict(signal.inputs),
        }
        for signal in entry.signals
    ]
    return {
        "configuration": entry.configuration,
        "signals": signals,
        "sum": shares.weight_of(entry.signals),
        "starvation": entry.starvation,
        "delivered_ever": entry.delivered_ever // _THOUSANDTHS,
        "median_ever": entry.median_ever // _THOUSANDTHS,
        "weight": entry.weight,
        "floor": entry.floor,
        "quota": entry.quota,
        "share": entry.share,
        "delivered": entry.delivered // _THOUSANDTHS,
        "claimed": entry.claimed // _THOUSANDTHS,
        "total": entry.total // _THOUSANDTHS,
        "deficit": entry.deficit // _THOUSANDTHS,
    }


def _need(ledger: Ledger, entry: Configuration, name_of: NameOf) -> NeedInfo:
    settings = ledger.settings_on(entry.name)
    claims = [claim for claim in ledger.claims() if claim.configuration == entry.name]
    claimed = sum(games for (_, name), games in claimed_games(ledger).items() if name == entry.name)
    first = first_trainers(ledger, entry.name) if settings.steering.rules else ()
    return {
        "configuration": entry.name,
        "games": entry.games,
        "new_games": entry.new_games,
        "claimed_games": claimed,
        "training_games": games_of_training(settings, entry),
        "enough_games": enough_games(settings, entry),
        "training": [name_of(claim.author) for claim in claims if claim.kind == "train"],
        "first_trainers": [name_of(member) for member in first],
        "candidates": sum(candidacy.configuration == entry.name for candidacy in ledger.candidates()),
        "simulations": settings.selfplay.simulations_after(entry.promotions),
        "starts_from": _start_of_training(ledger, entry) + _partners_of_training(ledger, entry),
        "paused": [kind for kind in WORK_KINDS if ledger.is_paused(kind, entry.name)],
    }


def _start_of_training(ledger: Ledger, entry: Configuration) -> str:
    """Return in words from which model the next training starts, and why from that."""
    family = next_family(ledger, entry)
    start, sibling = ledger.training_start(entry.name, family), ledger.best_sibling(entry.name, family)
    lineage = entry.lineages.get(family)
    if lineage is not None and start == lineage.model:
        return "its own newest weights"
    if start.digest == UNIFORM:
        return "new networks"
    if start == entry.model or sibling is None:
        return "its canonical model"
    return f"{sibling.configuration.name} or new networks: {_place_among_siblings(ledger, sibling)}"


def _partners_of_training(ledger: Ledger, entry: Configuration) -> str:
    family = next_family(ledger, entry)
    partners = joint_partners(ledger, entry.name, family, ledger.training_start(entry.name, family).digest)
    return f"; also on games of {' and '.join(partners)}" if partners else ""


def _place_among_siblings(ledger: Ledger, sibling: Sibling) -> str:
    model, name = sibling.configuration.model.digest, sibling.configuration.name
    rating = scores_of(ledger, name).against(model, "heuristic")
    strength = "not rated" if rating is None else f"{round(rating.value / 1000):+d} Elo to the heuristic"
    return f"{_RELATIONS[sibling.relation]}, promotions {sibling.configuration.promotions}, {strength}"


def _want(
    ledger: Ledger,
    member: MemberId,
    name_of: NameOf,
    needs: Sequence[NeedInfo],
    table: Sequence[ConfigurationShare],
) -> WantInfo:
    profile = ledger.profiles().get(member)
    roles = () if profile is None else profile.roles
    work = next_work(ledger, member, roles)
    return {
        "member": id_text(member),
        "name": name_of(member),
        "roles": list(roles),
        "cost_per_h": cost_per_hour(ledger, member),
        "life_s": life_left(ledger, member),
        "doing": claims_in_words(ledger, member),
        "kind": "" if work is None else work.kind,
        "configuration": "" if work is None else work.configuration,
        "reason": _why_nothing(ledger, member, roles, needs) if work is None else _why(work, needs, table),
    }


def _why(work: Work, needs: Sequence[NeedInfo], table: Sequence[ConfigurationShare]) -> str:
    """Return in words why this work comes first."""
    need = next(entry for entry in needs if entry["configuration"] == work.configuration)
    if work.kind == "match":
        return "a candidate's match has a free slot, and matches come first"
    if work.kind == "rate":
        return "a series that rates a model has a free slot"
    if work.kind == "train":
        return f"{need['new_games']:,} new games, {need['training_games']:,} are enough to train, and nobody does"
    share = next((entry for entry in table if entry.configuration == work.configuration), None)
    if share is None:
        coming = need["new_games"] + need["claimed_games"]
        return f"it has the fewest new and claimed games: {coming:,}, and {need['enough_games']:,} are enough"
    return (
        f"it is farthest behind its share of {share.share / 10:g}%: {share.deficit // _THOUSANDTHS:,} evaluations of "
        f"{share.total // _THOUSANDTHS:,}"
    )


def _why_nothing(ledger: Ledger, member: MemberId, roles: Collection[str], needs: Sequence[NeedInfo]) -> str:
    """Return in words why no work is wanted from a member."""
    if ledger.is_silenced(member):
        return "nothing that this key signs counts"
    if not roles:
        return "it has not told yet what it does"
    if all(set(roles) <= set(entry["paused"]) for entry in needs):
        return "all its work is paused"
    if "selfplay" not in roles:
        return f"nothing is wanted of {' and '.join(sorted(roles))}, and it does not play"
    return "there are enough new games everywhere, until the next training"
