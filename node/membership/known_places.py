"""Where members are, as a running node knows it: from swarm.toml, options, the roster, and the file that it keeps."""

import random
from pathlib import Path

from consensus.keys import MemberId
from node.config.identity import Identity
from node.config.swarm_file import RunOptions, SwarmConfig
from node.member.member import Member
from node.membership.address_book import AddressBook
from node.membership.address_file import FILE_NAME, keep_places, read_places
from node.membership.whereabouts import Whereabouts
from node.system.clock import SystemClock


class KnownPlaces:
    """The address book and the whereabouts of the node whose data are in `data`."""

    def __init__(
        self,
        config: SwarmConfig,
        identity: Identity,
        *,
        member: Member,
        data: Path,
        options: RunOptions,
        chance: random.Random,
    ) -> None:
        self._file = data / FILE_NAME
        self.address_book = AddressBook(
            config,
            lambda: member.replica.ledger.roster,
            {sponsor: str(address) for sponsor, address in options.peers},
            lambda: member.replica.ledger.former_members,
            lambda: member.replica.ledger.member_names(),
        )
        self.whereabouts = Whereabouts(
            key=identity.key,
            genesis=config.genesis.digest,
            address_book=self.address_book,
            own=lambda: _own_addresses(config, identity.id, options),
            time_ns=SystemClock().time_ns,
            chance=chance,
            remembered=read_places(self._file, config.genesis.digest),
        )
        self.whereabouts.update_own()

    async def keep(self) -> None:
        """Write the file whenever something changes, until cancelled."""
        await keep_places(self._file, self.whereabouts)


def _own_addresses(config: SwarmConfig, me: MemberId, options: RunOptions) -> list[str]:
    """Return where this node listens, and where swarm.toml says that it is: behind a port mapping they differ."""
    founder = config.find(me)
    addresses = [options.listen, *([] if founder is None else [founder.address])]
    return list(dict.fromkeys(str(address) for address in addresses if address.port))
