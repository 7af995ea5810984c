"""Checks of the swarm's file and of the key: is this a member, with the anchor that the genesis has?"""

from collections.abc import Iterator

from consensus.preimages import Preimages
from node.config.identity import Identity
from node.config.swarm_file import SwarmConfig
from node.preflight.finding import Finding, ok, warning
from node.text.formatting import fragility, plural, short


def check_swarm(config: SwarmConfig) -> Iterator[Finding]:
    """Yield what is to be said of the swarm. Its settings were checked when the file was read."""
    genesis = config.genesis
    played = ", ".join(genesis.settings.configurations)
    members = plural(len(config.members), "member")
    yield ok("swarm", f"{genesis.swarm}: {members}, genesis {short(genesis.digest.hex())}, plays {played}")
    indispensable = {member.id for member in genesis.roster.indispensable}
    if weak := fragility([member.name for member in config.members if member.id in indispensable]):
        yield warning("swarm", f"one member can stop it: {weak}")


def check_key(config: SwarmConfig, identity: Identity) -> Iterator[Finding]:
    """Yield what is to be said of the key."""
    member = config.find(identity.id)
    if member is None:
        remedy = "use the key of a member, or be voted in and start with --peer ID@HOST:PORT --listen HOST:PORT"
        yield warning("key", f"{identity.text} is not a member in {config.path}; {remedy}")
        return
    yield ok("key", f"{member.name}, weight {member.weight} of {config.genesis.roster.total_weight}")
    if member.anchor is None:
        yield warning("key", f"{config.path}:{member.line}: without an anchor this member adds nothing to seeds")
    elif member.anchor != Preimages(identity.key, 0).anchor:
        remedy = "before the first start of the swarm, write what `ringrift-node id KEYFILE` prints"
        where = f"{config.path}:{member.line}"
        yield warning("key", f"{where}: the anchor is not this key's, so it adds nothing to seeds; {remedy}")
