"""Members and peers as this node sees them, in the shapes of `node.api`."""

from http import HTTPStatus

import trio

from consensus.keys import MemberId, id_text
from consensus.replica import Replica
from consensus.roster import RosterMember
from node.api.members import MemberInfo
from node.api.status import PeerInfo, PeerState, ReachInfo
from node.gossip.peer_table import PeerStatus
from node.membership.address_book import AddressBook
from node.membership.dial_back import Tried
from node.report import ledger as shown
from node.report import membership

_STATES: dict[str, PeerState] = {"ok": "ok", "backoff": "silent", "never": "never"}


def peer_state(peer: PeerStatus) -> PeerState:
    """Return how a member answers, in the words of `node.api.status`."""
    return "refused" if peer.refused_with == HTTPStatus.FORBIDDEN else _STATES[peer.state]


def peer_info(peer: PeerStatus, address_book: AddressBook) -> PeerInfo:
    """Return how a member answers this node."""
    return {
        "id": id_text(peer.id),
        "name": address_book.name(peer.id),
        "address": address_book.address(peer.id),
        "weight": address_book.roster.weight([peer.id]),
        "last_contact_s": peer.contacted_s,
        "lag_events": None if peer.contacted_s is None else peer.lag,
        "state": peer_state(peer),
    }


def reach_info(tried: Tried, address: str, address_book: AddressBook) -> ReachInfo:
    """Return what a member found that tried to reach this node at an address."""
    return {
        "by_name": address_book.name(tried.member),
        "address": address,
        "reason": tried.found[address],
        "ago_s": trio.current_time() - tried.at,
    }


def member_info(
    listed: RosterMember, peer: PeerStatus | None, replica: Replica, me: MemberId, address_book: AddressBook
) -> MemberInfo:
    """Return a member as the node of `me` sees it; `peer` is how it answers, None of a member that is not asked."""
    newest, ledger = replica.newest(listed.id), replica.ledger
    return {
        "id": id_text(listed.id),
        "name": address_book.name(listed.id),
        "address": address_book.address(listed.id),
        "weight": listed.weight,
        "standing": membership.standing(listed, address_book),
        **membership.announced(ledger.profiles().get(listed.id)),
        "events": 0 if newest is None else newest.seq + 1,
        "games": ledger.games_played(listed.id),
        "work": shown.claims_in_words(ledger, listed.id),
        "last_contact_s": None if peer is None else peer.contacted_s,
        "lag_events": None if peer is None or peer.contacted_s is None else peer.lag,
        "reached": None if peer is None else peer.reached,
        "asked_s": None if peer is None else peer.asked_us_s,
        "flaps": 0 if peer is None else peer.flaps,
        "error": "" if peer is None else peer.error,
        "state": "self" if listed.id == me else "never" if peer is None else peer_state(peer),
    }
