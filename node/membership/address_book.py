"""What members are called and where they are: the roster, and the swarm.toml that founded the swarm."""

from collections.abc import Callable, Mapping

from consensus.keys import MemberId, id_text
from consensus.roster import Roster, RosterMember
from node.config.address import parse_address
from node.config.swarm_file import SwarmConfig


class AddressBook:
    """Looks at the roster as it is at the moment of asking."""

    def __init__(
        self,
        config: SwarmConfig,
        roster: Callable[[], Roster],
        guides: Mapping[MemberId, str] | None = None,
        former: Callable[[], frozenset[MemberId]] = frozenset,
    ) -> None:
        """`guides` are where a person said that members are ("host:port"): better than swarm.toml, which is older."""
        self._roster, self._former = roster, former
        self._names = {listed.id: listed.name for listed in config.members}
        self._founding = {listed.id: str(listed.address) for listed in config.members}
        self._guides = dict(guides or {})

    @property
    def roster(self) -> Roster:
        """Who decides now."""
        return self._roster()

    @property
    def former(self) -> frozenset[MemberId]:
        """Who was a member once, and is none now."""
        return self._former()

    @property
    def founders(self) -> tuple[MemberId, ...]:
        """The members of swarm.toml, in its order; some may be gone."""
        return tuple(self._names)

    def members(self) -> list[RosterMember]:
        """Those of the roster: first who founded the swarm, as swarm.toml lists them, then the others by id."""
        ranks = {member: rank for rank, member in enumerate(self._names)}
        return sorted(self.roster.members, key=lambda member: ranks.get(member.id, len(ranks)))

    def name(self, member: MemberId) -> str:
        """The name in swarm.toml; the beginning of the id for who is not in it."""
        return self._names.get(member) or id_text(member)[:8]

    def address(self, member: MemberId) -> str:
        """host:port where the member is reached; empty if nothing says."""
        agreed = self.roster.member(member).address if member in self.roster else ""
        for address in (agreed, self._guides.get(member, ""), self._founding.get(member, "")):
            if _is_address(address):
                return address
        return ""

    def addresses(self) -> dict[MemberId, str]:
        """Of all members of the roster, and of the guides, that can be reached."""
        everybody = {member: self.address(member) for member in (*self.roster.ids, *self._guides)}
        return {member: address for member, address in everybody.items() if address}


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
