"""What peers are told of the events that are here: all but those that the member keeps back (`Member.hidden`)."""

from collections.abc import Mapping, Sequence

from consensus.epoch_events import EpochEvents
from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import Tip, seqs_of, with_echo
from node.member.member import Member
from node.member.unseen_events import without_hidden


def shown_tips(member: Member, held: Replica | EpochEvents | None = None) -> list[Tip]:
    """Return what is here, of the open epoch or of that in `held`, as others are to see it."""
    tips, hidden = (held or member.replica).tips(), member.hidden()
    return without_hidden(tips, hidden) if hidden else tips


def shown_seqs(member: Member) -> Mapping[MemberId, int]:
    """Return the highest seq of each member in `shown_tips`, to compare with what peers have."""
    if not member.hidden():
        return member.replica.seqs()
    return seqs_of(shown_tips(member), member.replica.on_demand())


def tips_for(
    member: Member, peer: MemberId, theirs: Sequence[Tip], held: Replica | EpochEvents | None = None
) -> list[Tip]:
    """Return `shown_tips` as a peer is told them that has said `theirs`; see `with_echo`."""
    on_demand = [other for other in (held or member.replica).on_demand() if other != peer]
    tips = shown_tips(member, held)
    return with_echo(tips, theirs, on_demand) if on_demand else tips
