"""The tips by forkers that members had when they closed an epoch, which others may need to close it, too."""

from collections.abc import Container, Iterable
from itertools import chain, zip_longest

from consensus.keys import MemberId
from consensus.sync import TIPS_PER_MEMBER, Tip


class ClosingTips:
    """What each member that has closed the epoch says that it had of forkers, up to `TIPS_PER_MEMBER` of each of them.

    A member that closes an epoch makes no event in it any more. So what it had attached last by a forker may be what
    decided the last round, and no event of another member may need it. That it says so counts as such an event.
    """

    def __init__(self) -> None:
        self._hashes: dict[MemberId, dict[MemberId, dict[bytes, None]]] = {}  # by who says so, and by forker
        self._all: set[bytes] = set()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._all

    def observe(self, member: MemberId, tips: Iterable[Tip], forkers: Container[MemberId]) -> None:
        """Take in the tips of a member that has closed the epoch. Those of members that are no forkers are not kept."""
        for tip in tips:
            if tip.creator == member or tip.creator not in forkers:
                continue
            hashes = self._hashes.setdefault(member, {}).setdefault(tip.creator, {})
            if len(hashes) < TIPS_PER_MEMBER:
                hashes[tip.hash] = None
                self._all.add(tip.hash)

    def in_turns(self) -> list[bytes]:
        """Return all hashes, alternating between the members that named them: inventions of one hide none of others."""
        named = [chain.from_iterable(by_forker.values()) for _, by_forker in sorted(self._hashes.items())]
        turns = chain.from_iterable(zip_longest(*named))
        return list(dict.fromkeys(digest for digest in turns if digest is not None))
