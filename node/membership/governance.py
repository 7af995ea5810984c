"""Proposals and ballots of the person at this machine: checked, and submitted as those of this node."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from consensus.keys import MemberId, id_text, parse_id
from consensus.ledger import Ledger
from consensus.ledger.records.changes import KINDS, MEMBER_NAME, Change
from consensus.ledger.records.decisions import STEERING_KINDS, WORK_KINDS, SteeringChange, SteeringKind
from consensus.ledger.records.entities import WorkKind
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.transactions import Ballot, Propose, Transaction
from consensus.ledger.rules.decisions import is_known
from consensus.ledger.rules.membership import MAX_OPEN_PROPOSALS
from consensus.ledger.state.state import RefusedError
from consensus.settings import SECTIONS, SettingsError, is_fixed, parse_setting
from node.config.address import ANYWHERE, parse_address
from node.member.ledger_client import SubmitError, Submitter
from node.membership.address_book import AddressBook
from node.membership.proposals import Motion, Proposals

# A change of weight alone is never too large: those who stay are all.
_STEPS = {
    "join": "let it join with weight 0, and propose its weight when it is there",
    "leave": "propose weight 0 for it first, then that it leaves",
    "key": "propose weight 0 for it first, then its key, then its weight",
}
_TOO_LARGE = "too much at once: the members that stay must weigh more than 2/3 before and after; {steps}"
_LISTED = "ringrift-node proposals lists them"


class GovernanceError(Exception):
    """Says in one line why this is not submitted, with the remedy. `status` is the HTTP status of such a mistake."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Governance:
    """Proposals and ballots of one node. Members are named as people name them: by name, id, or its beginning."""

    def __init__(
        self,
        submitter: Submitter,
        address_book: AddressBook,
        proposals: Proposals,
        readiness: Callable[[], tuple[bool, str]],
    ) -> None:
        self._submitter = submitter
        self._address_book = address_book
        self._proposals = proposals
        self._readiness = readiness

    @property
    def ledger(self) -> Ledger:
        """The ledger as of the last decided round."""
        return self._submitter.ledger

    async def propose(self, wish: Mapping[str, Any]) -> Motion:
        """Propose a change. `wish`: change, member, reason, and weight, address or key as the change needs.

        Raise GovernanceError.
        """
        self._require_vote()
        change = self._change(wish)
        self._require_new(change)
        self._require_fit(change)
        proposal = Propose(self._submitter.next_id(), change, _text(wish, "reason"))
        await self._submit(proposal)
        return self._present(self._proposals.add_sent(proposal))

    async def vote(self, beginning: str, *, approve: bool) -> Motion:
        """Vote on the open proposal whose id begins with `beginning`. Raise GovernanceError."""
        self._require_vote()
        motion = self._find(beginning)
        if self._proposals.has_voted(motion.id):
            raise GovernanceError(
                409, f"this node has voted on {motion.id.hex()[:10]} already; the first ballot counts"
            )
        ballot = Ballot(self._submitter.next_id(), motion.id, approve)
        await self._submit(ballot)
        self._proposals.add_ballot(ballot)
        return self._present(motion)

    def _present(self, motion: Motion) -> Motion:
        return self._proposals.motion(motion.id) or motion

    def _require_vote(self) -> None:
        if self._submitter.me not in self._address_book.roster:
            raise GovernanceError(409, "this node is not a member and cannot vote; use a member's machine")
        ready, reason = self._readiness()
        if not ready:
            raise GovernanceError(
                503, f"this node is not ready: {reason}; try again when ringrift-node status says ready"
            )

    async def _submit(self, transaction: Transaction) -> None:
        try:
            parse_transaction(transaction.as_table())
            await self._submitter.submit(transaction)
        except MalformedError as error:
            raise GovernanceError(400, f"{error}; write it otherwise") from None
        except SubmitError as error:
            raise GovernanceError(503, str(error)) from None

    # What is wanted.

    def _change(self, wish: Mapping[str, Any]) -> Change | SteeringChange:
        kind = _text(wish, "change")
        match kind:
            case "join":
                newcomer = _member_id(wish, "member")
                return Change("join", newcomer, weight=_weight(wish), address=_address(wish), name=self._name(wish))
            case "leave":
                return Change("leave", self._member(wish))
            case "weight":
                return Change("weight", self._member(wish), weight=_weight(wish))
            case "key":
                member = self._member(wish)
                address = _address(wish) if "address" in wish else self._address_book.address(member)
                key = _member_id(wish, "key")
                name = self._name(wish) or self._name_of_founder(member)
                return Change("key", member, address=address or None, key=key, name=name)
            case "address":
                return Change("address", self._member(wish), address=_address(wish))
            case "set" | "add" | "pause" | "resume":
                return self._steering_change(kind, wish)
        raise GovernanceError(400, f'"{kind}" is not a change; changes are {", ".join((*KINDS, *STEERING_KINDS))}')

    def _name(self, wish: Mapping[str, Any]) -> str | None:
        """Return the name that a member is to get; None if none is wished for."""
        if "name" not in wish:
            return None
        name = _text(wish, "name")
        if not self.ledger.settings.membership.names:
            why = "the genesis of this swarm gives no names to who joins (membership.names is 0)"
            raise GovernanceError(409, f"{why}; only a new swarm can have them")
        if MEMBER_NAME.fullmatch(name) is None:
            raise GovernanceError(400, f'name "{name:.40}": write 1 to 32 letters, digits and ._-')
        return name

    def _name_of_founder(self, member: MemberId) -> str | None:
        """Return the name in swarm.toml of a member that gets a new key, which only this file says so far."""
        is_founder = member in self._address_book.founders and self.ledger.settings.membership.names
        name = self._address_book.name(member)
        return name if is_founder and MEMBER_NAME.fullmatch(name) else None

    def _steering_change(self, kind: SteeringKind, wish: Mapping[str, Any]) -> SteeringChange:
        if not self.ledger.settings.steering.rules:
            why = "the genesis of this swarm does not let its members change what it does (steering.rules is 0)"
            raise GovernanceError(409, f"{why}; only a new swarm can have it")
        setting = value = None
        if kind == "set":
            setting = _text(wish, "setting")
            if "value" in wish or "configuration" not in wish:
                value = self._plain_value(setting, _text(wish, "value"))
        change = SteeringChange(
            kind,
            setting=setting,
            value=value,
            configuration=_text(wish, "configuration") if kind == "add" or "configuration" in wish else None,
            work=_work(wish) if "work" in wish else None,
        )
        if not is_known(change):
            raise GovernanceError(
                400, f"this program does not know {setting or change.configuration}; {_known(setting)}"
            )
        return change

    @staticmethod
    def _plain_value(setting: str, value: str) -> str:
        """Return the value as the ledger wants it written; what is no value as it is, to be refused with the reason."""
        try:
            return str(parse_setting(setting, value))
        except SettingsError:
            return value

    def _require_free(self, address: str, member: MemberId) -> None:
        """Raise GovernanceError if another member is reached at this address."""
        for other in self._address_book.roster.ids:
            if other != member and self._is_reached_at(other, address):
                name = self._address_book.name(other)
                raise GovernanceError(409, f"address {address} is also the address of {name}; give each its own port")

    def _is_reached_at(self, member: MemberId, address: str) -> bool:
        known = self._address_book.address(member)
        return bool(known) and parse_address(known) == parse_address(address)

    def _member(self, wish: Mapping[str, Any]) -> MemberId:
        text, roster = _text(wish, "member"), self._address_book.roster
        named = [member for member in roster.ids if self._address_book.name(member) == text]
        found = named or [member for member in roster.ids if text and id_text(member).startswith(text.lower())]
        if len(found) != 1:
            what = f"{len(found)} members have" if found else "no member has"
            remedy = "ringrift-node members lists them; a name, an id or its beginning will do"
            raise GovernanceError(404, f'{what} the name "{text}", or an id that begins so; {remedy}')
        return found[0]

    def _find(self, beginning: str) -> Motion:
        motions = [motion for motion in self._proposals.motions() if motion.id.hex().startswith(beginning.lower())]
        found = [motion for motion in motions if motion.state in ("open", "sent")]
        if not found and len(motions) == 1:
            over = f"{motions[0].state}: {motions[0].outcome}".removesuffix(": ")
            raise GovernanceError(409, f"proposal {motions[0].id.hex()[:10]} is over: {over}; {_LISTED}")
        if not beginning or len(found) != 1:
            what = f"{len(found)} open proposals have" if found else "no open proposal has"
            raise GovernanceError(404, f'{what} an id that begins with "{beginning}"; {_LISTED}')
        return found[0]

    # What the ledger would refuse is refused here, where somebody reads why.

    def _require_new(self, change: Change | SteeringChange) -> None:
        if self.ledger.is_decided_by(self._submitter.me, change):
            return
        waiting = [motion for motion in self._proposals.motions() if motion.state in ("open", "sent")]
        for motion in waiting:
            if motion.change == change:
                name = motion.id.hex()[:10]
                raise GovernanceError(409, f"that is proposed already; vote with: ringrift-node vote {name} yes")
        if sum(motion.author == self._submitter.me for motion in waiting) >= MAX_OPEN_PROPOSALS:
            remedy = "wait until one is decided, or propose it at another member's machine"
            raise GovernanceError(
                409, f"{MAX_OPEN_PROPOSALS} proposals of this node are open, which is the most; {remedy}"
            )

    def _require_free_name(self, name: str, member: MemberId) -> None:
        """Raise GovernanceError if another member is known here by this name."""
        for other in self._address_book.roster.ids:
            if other != member and self._address_book.name(other).lower() == name.lower():
                raise GovernanceError(409, f"another member has the name {name}; choose one that nobody has")

    def _require_fit(self, change: Change | SteeringChange) -> None:
        if isinstance(change, SteeringChange):
            self._require_steering_fit(change)
            return
        if change.name is not None:
            self._require_free_name(change.name, change.member)
        if change.address is not None:
            self._require_free(change.address, change.member)
        try:
            self._submitter.ledger.roster_with(change)
        except RefusedError as refused:
            if refused.reason == "change is too large":
                raise GovernanceError(409, _TOO_LARGE.format(steps=_STEPS[change.kind])) from None
            raise GovernanceError(409, f"{refused.detail}; ringrift-node members shows who is in") from None

    def _require_steering_fit(self, change: SteeringChange) -> None:
        try:
            parse_transaction(Propose(0, change, "").as_table())
            self.ledger.require_fit(change)
        except MalformedError as error:
            raise GovernanceError(400, f"{error}; write it otherwise") from None
        except RefusedError as refused:
            raise GovernanceError(409, f"{refused.detail}; ringrift-node status shows what holds") from None


def _work(wish: Mapping[str, Any]) -> WorkKind:
    for kind in WORK_KINDS:
        if wish.get("work") == kind:
            return kind
    raise GovernanceError(
        400, f"work {wish.get('work')!r:.20} is not a kind of work; kinds are {', '.join(WORK_KINDS)}"
    )


def _known(setting: str | None) -> str:
    """Return which settings of a section are known, or which sections, or how configurations are named."""
    if setting is None:
        return "configurations are board-players, such as hex8-2"
    section = SECTIONS.get(setting.partition(".")[0])
    if section is None:
        return (
            f"settings are section.name, in the sections {', '.join(name for name in SECTIONS if not is_fixed(name))}"
        )
    return f"known there are {', '.join(item.name for item in fields(section))}"  # type: ignore[arg-type]


def _text(wish: Mapping[str, Any], name: str) -> str:
    value = wish.get(name)
    if not isinstance(value, str) or not value.strip():
        raise GovernanceError(400, f"{name} is missing; say it as text")
    return value.strip()


def _weight(wish: Mapping[str, Any]) -> int:
    weight = wish.get("weight")
    if type(weight) is not int or weight < 0:
        raise GovernanceError(400, f"weight {weight!r:.20} must be a whole number, 0 or more; only ratios matter")
    return weight


def _address(wish: Mapping[str, Any]) -> str:
    try:
        address = parse_address(_text(wish, "address"))
    except ValueError as error:
        raise GovernanceError(400, f"address: {error}") from None
    if address.host in ANYWHERE:
        raise GovernanceError(400, f"address {address} cannot be reached by peers; write the address that they use")
    return str(address)


def _member_id(wish: Mapping[str, Any], name: str) -> MemberId:
    try:
        return parse_id(_text(wish, name))
    except ValueError as error:
        raise GovernanceError(400, f"{name}: {error}; copy the id that ringrift-node id KEYFILE prints") from None
