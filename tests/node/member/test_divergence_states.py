"""Every row of the table of `node.member.divergence` is reached by what a node can observe; every other is refused."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from consensus.epoch import EpochRecord
from consensus.event import Event
from consensus.ledger import Ledger
from consensus.replica import Replica, RoundEffects
from consensus.roster import Roster, RosterMember, make_roster
from node.config.identity import Identity
from node.member import divergence as module
from node.member.divergence import EARLY_S, TRANSITIONS, Divergence, Observation, State, next_state
from tests.node.statesync.chains import links, sealed_by

O, S = Observation, State  # noqa: E741

ALL = sorted((Identity(bytes([number]) * 32) for number in range(1, 6)), key=lambda one: one.id)
ME, A, B, C, D = (one.id for one in ALL)
FIRST, OWN, LATER = (link.record for link in links(ALL, 3))
OTHER, THIRD = (replace(OWN, ledger=bytes([number]) * 32) for number in (8, 9))


def roster(me: int, a: int, b: int, c: int, d: int) -> Roster:
    return make_roster(RosterMember(one.id, weight) for one, weight in zip(ALL, (me, a, b, c, d), strict=True))


EQUAL = roster(1, 1, 1, 1, 1)


class Node:
    """A divergence, with what it can observe; `passed` has the rows through which it went."""

    def __init__(self) -> None:
        self.divergence = Divergence(ME)
        self.passed: list[tuple[State, Observation]] = []
        self.now = 0.0

    # The record.

    def observe_peers(self, *records: EpochRecord | None, after: float = 0.0) -> None:
        self.now += after
        self.divergence.observe_peers(OWN, dict(zip((A, B, C, D), records, strict=False)), EQUAL, self.now)

    def decide(self) -> None:
        self.divergence.observe_round(decided(1, b"own"))

    def refute(self) -> None:
        self.divergence.observe_refutation(OWN, sealed_by(OTHER, ALL))

    def jump(self) -> None:
        left = SimpleNamespace(epoch_number=OWN.number, epoch_digest=OWN.digest, ledger=SimpleNamespace(round=0))
        ledger = SimpleNamespace(differences=lambda _: ["accepted claim", "epoch open"])
        self.divergence.observe_jump(LATER, cast(Ledger, ledger), cast(Replica, left))

    # The ledger. After round 1 B differs, after round 2 also D, and C has not spoken: the weights make the verdict.

    def hear(self) -> None:
        for number in (1, 2):
            self.divergence.observe_round(decided(number, b"own"))
        self.divergence.observe_events(EVENTS)

    def weigh(self, *weights: int) -> None:
        self.divergence.update(roster(*weights))

    def compute_again(self) -> None:
        """With the same result."""
        replica = SimpleNamespace(dag=SimpleNamespace(events=EVENTS), roster=EQUAL)
        self.divergence.observe_recomputation(cast(Replica, replica), [decided(1, b"own"), decided(2, b"own")])


def decided(number: int, digest: bytes) -> RoundEffects:
    return cast(RoundEffects, SimpleNamespace(round=SimpleNamespace(number=number), digest=digest))


def event(creator: bytes, number: int, digest: bytes) -> Event:
    return cast(Event, SimpleNamespace(creator=creator, ledger=(number, digest)))


EVENTS = [
    event(creator, number, digest)
    for creator, number, digest in (
        *((A, 1, b"own"), (B, 1, b"b"), (D, 1, b"own")),
        *((A, 2, b"own"), (B, 2, b"b"), (D, 2, b"d")),
    )
]

RECORD_STEPS: dict[Observation, Callable[[Node], Any]] = {
    O.ROUND_DECIDED: Node.decide,
    O.PEERS_AGREE: lambda node: node.observe_peers(OWN, OWN),
    O.PEERS_OUTVOTE: lambda node: node.observe_peers(OTHER, OTHER, OTHER),
    O.PEERS_SPLIT: lambda node: node.observe_peers(OWN, OTHER, OTHER, THIRD),
    O.PEERS_BEHIND: lambda node: node.observe_peers(None, FIRST, FIRST),
    O.PEERS_STILL_BEHIND: lambda node: node.observe_peers(FIRST, FIRST, FIRST, after=EARLY_S),
    O.REFUTATION: Node.refute,
    O.JUMPED: Node.jump,
}
RECORD_PATHS = {
    S.UNDISPUTED: [],
    S.AHEAD: [O.PEERS_BEHIND],
    S.EARLY: [O.PEERS_BEHIND, O.PEERS_STILL_BEHIND],
    S.OUTVOTED: [O.PEERS_OUTVOTE],
    S.RECORDS_SPLIT: [O.PEERS_SPLIT],
    S.REFUTED: [O.REFUTATION],
}
LEDGER_STEPS: dict[Observation, Callable[[Node], Any]] = {
    O.DIGESTS_OPEN: lambda node: node.weigh(1, 1, 1, 9, 1),
    O.DIGESTS_AGREE: lambda node: node.weigh(5, 5, 1, 1, 1),
    O.DIGESTS_OUTVOTE: lambda node: node.weigh(1, 1, 1, 1, 9),  # since round 2
    O.DIGESTS_STILL_OUTVOTE: lambda node: node.weigh(1, 1, 9, 1, 1),  # since round 1
    O.DIGESTS_SPLIT: lambda node: node.weigh(3, 2, 5, 0, 0),
    O.JUMPED: Node.jump,
}
LEDGER_PATHS = {
    S.UNCOMPARED: [O.DIGESTS_OPEN],
    S.AGREES: [O.DIGESTS_AGREE],
    S.DIFFERS: [O.DIGESTS_OUTVOTE],
    S.DIFFERS_STILL: [O.DIGESTS_STILL_OUTVOTE],
    S.DIGESTS_SPLIT: [O.DIGESTS_SPLIT],
}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()

    def recorded(state: State, observation: Observation) -> State:
        node.passed.append((state, observation))
        return next_state(state, observation)

    monkeypatch.setattr(module, "next_state", recorded)
    return node


def computed_again(node: Node) -> None:
    """The node has computed the epoch again once, when its ledger differed since round 1, and learned nothing."""
    node.hear()
    node.weigh(1, 1, 9, 1, 1)
    assert node.divergence.ledger_state is S.DIFFERS
    node.compute_again()
    node.passed.clear()


@pytest.mark.parametrize(("state", "observation"), [*product(State, Observation)])
def test_every_pair_is_in_the_table_and_reached_or_refused(node: Node, state: State, observation: Observation) -> None:
    if observation not in TRANSITIONS[state]:
        with pytest.raises(RuntimeError, match=rf"^{observation.name} cannot be observed in {state.name}$"):
            next_state(state, observation)
        return
    of_record = state in RECORD_PATHS
    if not of_record:
        computed_again(node)
    steps = RECORD_STEPS if of_record else LEDGER_STEPS
    for step in (RECORD_PATHS if of_record else LEDGER_PATHS)[state]:
        steps[step](node)
    steps[observation](node)
    assert (state, observation) in node.passed
    after = node.divergence.record_state if of_record else node.divergence.ledger_state
    assert after is TRANSITIONS[state][observation]


def test_the_two_machines_do_not_mix() -> None:
    """From a state of one machine only states of the same are reached, and all of them."""
    for machine in (RECORD_PATHS.keys(), LEDGER_PATHS.keys()):
        assert {after for state in machine for after in TRANSITIONS[state].values()} == machine
    assert RECORD_PATHS.keys() | LEDGER_PATHS.keys() == TRANSITIONS.keys() == set(State)


SILENT = {S.EARLY, S.OUTVOTED, S.RECORDS_SPLIT, S.REFUTED, S.DIFFERS, S.DIFFERS_STILL, S.DIGESTS_SPLIT}


@pytest.mark.parametrize("state", State)
def test_a_node_is_silent_in_the_states_of_which_the_module_says_so(node: Node, state: State) -> None:
    if state in RECORD_PATHS:
        for step in RECORD_PATHS[state]:
            RECORD_STEPS[step](node)
    else:
        computed_again(node)
        for step in LEDGER_PATHS[state]:
            LEDGER_STEPS[step](node)
    assert bool(node.divergence.dissent) == (state in SILENT)
    assert node.divergence.wants_recomputation() == (state is S.DIFFERS)


def test_a_ledger_is_not_computed_again_while_the_record_is_refuted(node: Node) -> None:
    node.hear()
    node.weigh(1, 1, 9, 1, 1)
    assert node.divergence.wants_recomputation()
    node.refute()
    assert not node.divergence.wants_recomputation()
    assert "another record than members of weight" in node.divergence.dissent


def test_the_reason_of_the_record_goes_before_that_of_the_ledger(node: Node) -> None:
    node.hear()
    node.weigh(1, 1, 9, 1, 1)
    assert "another ledger since round 1" in node.divergence.dissent
    node.divergence.observe_peers(OWN, dict.fromkeys((A, B, C), OTHER), roster(1, 1, 9, 1, 1), 0.0)
    assert "opened epoch 2 with another record" in node.divergence.dissent
    node.decide()
    node.weigh(1, 1, 9, 1, 1)
    assert "another ledger since round 1" in node.divergence.dissent


def test_being_behind_counts_from_when_it_began_without_a_pause(node: Node) -> None:
    seen = []
    for record, after in ((FIRST, 0), (FIRST, EARLY_S - 0.1), (OWN, 0), (FIRST, 0.2), (FIRST, EARLY_S)):
        node.observe_peers(record, FIRST, FIRST, after=after)
        seen.append(node.divergence.record_state)
    assert seen == [S.AHEAD, S.AHEAD, S.UNDISPUTED, S.AHEAD, S.EARLY]
    assert "most members have not closed the one before" in node.divergence.dissent


def test_the_log_says_when_silence_begins_and_ends_once_each(node: Node) -> None:
    with capture_logs() as logs:
        for _ in range(2):
            node.observe_peers(OTHER, OTHER, OTHER)
        for _ in range(2):
            node.observe_peers(OWN, OWN, OWN)
        for _ in range(2):
            node.refute()
        node.observe_peers(OWN, OWN, OWN)
        node.jump()
    assert [line["event"] for line in logs] == [
        "the ledgers differ",
        "the ledgers agree",
        "the record of an epoch is wrong",
        "the right record took its place",
    ]
