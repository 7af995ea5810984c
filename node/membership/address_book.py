"""Names and addresses of members, from the roster and from the swarm.toml that founded the swarm."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from consensus.keys import MemberId, id_text
from consensus.roster import ADDRESS_LIMIT, Roster, RosterMember
from node.config.address import parse_address
from node.config.swarm_file import SwarmConfig


class AddressBook:
    """Answers from the roster as it is at the moment of asking."""

    def __init__(
        self,
        config: SwarmConfig,
        roster: Callable[[], Roster],
        sponsors: Mapping[MemberId, str] | None = None,
        former: Callable[[], frozenset[MemberId]] = frozenset,
        names: Callable[[], Mapping[MemberId, str]] = dict,
    ) -> None:
        """Take addresses of `sponsors` ("host:port") as a person named them; they are newer than swarm.toml.

        `names` returns those that members agreed on.
        """
        self._roster, self._former, self._agreed = roster, former, names
        self._names = {listed.id: listed.name for listed in config.members}
        self._named = {name.lower(): member for member, name in self._names.items()}
        self._founding = {listed.id: str(listed.address) for listed in config.members}
        self._sponsors = dict(sponsors or {})
        self._earlier_keys: Callable[[], Mapping[MemberId, MemberId]] = dict

    @property
    def roster(self) -> Roster:
        """The members that decide now."""
        return self._roster()

    @property
    def former(self) -> frozenset[MemberId]:
        """Former members: they were in a roster once, and are not in the present one."""
        return self._former()

    @property
    def sponsors(self) -> tuple[MemberId, ...]:
        """The members whose addresses a person named, members or not."""
        return tuple(self._sponsors)

    @property
    def founders(self) -> tuple[MemberId, ...]:
        """The members of swarm.toml, in its order; some may be gone."""
        return tuple(self._names)

    def members(self) -> list[RosterMember]:
        """Return the roster's members: first the founders in the order of swarm.toml, then the others by id."""
        ranks = {member: rank for rank, member in enumerate(self._names)}
        return sorted(self.roster.members, key=lambda member: ranks.get(member.id, len(ranks)))

    def follow_keys(self, earlier_keys: Callable[[], Mapping[MemberId, MemberId]]) -> None:
        """Give members that changed their key the name of the earlier one, which `earlier_keys` returns by the new."""
        self._earlier_keys = earlier_keys

    def name(self, member: MemberId) -> str:
        """Return the name in swarm.toml, or as members agreed on, also after changes of the key; else a part of the id.

        A member that swarm.toml lists keeps the name that this file gives it: nobody else is shown with that.
        """
        if member in self._names:
            return self._names[member]
        agreed = self._agreed().get(member, "")
        if agreed and self._named.get(agreed.lower()) not in self.roster:
            return agreed
        founder, earlier = member, self._earlier_keys()
        for _ in earlier:
            founder = earlier.get(founder, founder)
        return self._names.get(founder) or id_text(member)[:8]

    def address(self, member: MemberId) -> str:
        """Return "host:port" where the member is reached as far as was agreed on, or named; "" if it is not known."""
        return next(iter(self.named(member)), "")

    def named(self, member: MemberId) -> list[str]:
        """Return where the member is reached: as agreed on, as a person named it, and as in swarm.toml.

        Each address is in its one spelling, which is the one that peers accept in messages.
        """
        agreed = self.roster.member(member).address if member in self.roster else ""
        texts = (agreed, self._sponsors.get(member, ""), self._founding.get(member, ""))
        return list(dict.fromkeys(address for address in map(_canonical_address, texts) if address))


@lru_cache(maxsize=1024)  # asked for with every request: three addresses of each of up to 256 members
def _canonical_address(text: str) -> str:
    """Return the one spelling of an address; "" if the text is not one."""
    try:
        address = str(parse_address(text))
    except ValueError:
        return ""
    return address if len(address) <= ADDRESS_LIMIT else ""
