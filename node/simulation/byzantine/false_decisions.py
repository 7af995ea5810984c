"""False decisions: proposals and votes about what the swarm does that nobody should be harmed by."""

from collections.abc import Sequence

from consensus.event import Event
from consensus.ledger.records import transactions as ledger
from consensus.ledger.records.decisions import WORK_KINDS, SteeringChange
from consensus.ledger.rules.membership import MAX_OPEN_PROPOSALS
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember

_CHANGES = (
    SteeringChange("set", setting="selfplay.moonlight", value="7"),  # as a newer program may have it
    SteeringChange("set", setting="novelty.games", value="always"),
    SteeringChange("add", configuration="hexagonal-9"),
    SteeringChange("add", configuration="toroidal-2"),
    SteeringChange("set", setting="steering.rules", value="0"),  # fixed
    SteeringChange("set", setting="timing.lease_s", value="1"),
    SteeringChange("set", setting="epoch.ahead", value="0"),
    SteeringChange("set", setting="training.games", value="9007199254740991"),  # harmful, and it may be set
    SteeringChange("set", setting="selfplay.ceiling", value="9007199254740991"),
    SteeringChange("set", setting="match.alpha", value="1/9007199254740991"),
    SteeringChange("set", setting="steering.stall_s", value="1"),
    SteeringChange("set", setting="steering.floor", value="1001"),  # values that cannot be
    SteeringChange("set", setting="match.p1", value="0.60"),
    SteeringChange("set", setting="match.block_limit", value="3"),
    SteeringChange("set", setting="steering.quota", value="10", configuration="hex8-2"),
    SteeringChange("set", setting="match.p1", configuration="hex8-2"),
    SteeringChange("add", configuration="hex8-2"),
    SteeringChange("pause"),
    *(SteeringChange("pause", work=work, configuration="square8-2") for work in WORK_KINDS),
    SteeringChange("resume", work="train"),
)
_MALFORMED: tuple[dict[str, object], ...] = (
    {"kind": "set", "setting": "selfplay.games", "value": None, "configuration": None, "work": None},
    {"kind": "set", "setting": "selfplay", "value": "1", "configuration": None, "work": None},
    {"kind": "pause", "setting": None, "value": None, "configuration": None, "work": "sleep"},
    {"kind": "resume", "setting": "match.p1", "value": "3/5", "configuration": None, "work": None},
)


class FalseDecisions(Attack):
    """Proposes what is unknown, fixed, harmful, impossible or malformed, and votes against all others' proposals."""

    kind = "false-decisions"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        view, number = member.replica.ledger, self.random.randrange(1 << 40)
        transactions: list[ledger.Transaction] = [
            ledger.Ballot(number + place, proposal.id, approve)
            for place, proposal in enumerate(view.proposals())
            for approve in (proposal.author == member.id, True)
        ]
        changes = self.random.sample(_CHANGES, k=MAX_OPEN_PROPOSALS + 1)
        transactions += [ledger.Propose(number + 100 + place, change, "lied") for place, change in enumerate(changes)]
        tables = [transaction.as_table() for transaction in transactions]
        malformed = {**tables[-1], "id": number + 200, "change": self.random.choice(_MALFORMED)}
        return [member.next_event(plan, [*tables, malformed])]
