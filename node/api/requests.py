"""The shapes of what a person can make a node do with `POST`.

Such a request needs the header `x-ringrift-token` with the token in the node's data folder (see
`node.api.endpoint`) and the content type application/json; requests from web pages are refused. Those below `/play`
(`node.api.play`) may also bring the token in the page `/play`, and come from that page.
"""

from typing import Literal, NotRequired, TypedDict

from node.api.proposals import AnyChange


class ProposeRequest(TypedDict):
    """The body of `POST /propose`: this node proposes a change. The answer is a `ProposalInfo`."""

    change: AnyChange
    """What is to change: the roster ("join", "leave", "weight", "key", "address") or what the swarm does ("set", "add",
    "pause", "resume")."""
    reason: str
    """Why, in one line for those who vote."""
    member: NotRequired[str]
    """Whom a change of the roster is about: for "join" the newcomer's whole id, else a name, an id or its beginning."""
    weight: NotRequired[int]
    """Weight the member gets; needed for "join" and "weight"."""
    address: NotRequired[str]
    """Where the member is reached, as host:port; needed for "join" and "address", possible for "key"."""
    key: NotRequired[str]
    """Id of the new key; needed for "key"."""
    name: NotRequired[str]
    """Name of whoever joins, or goes on with the new key; possible for "join" and "key" where the genesis has
    `membership.names`. Without one, a founder's new key has the name in swarm.toml, and others keep theirs."""
    setting: NotRequired[str]
    """Which setting, such as "selfplay.games"; needed for "set"."""
    value: NotRequired[str]
    """Its new value as text, such as "64" or "3/5". Without one, a configuration loses the value of its own."""
    configuration: NotRequired[str]
    """Which configuration; needed for "add", else it limits the change to one of those that are played."""
    work: NotRequired[Literal["selfplay", "train", "match", "rate"]]
    """Which kind of work pauses or goes on; without it all does."""


class NominateRequest(TypedDict):
    """The body of `POST /nominate`: this node nominates an earlier model again. The answer is a `NominationInfo`."""

    model: str
    """Digest of a model that was canonical, or the beginning of it."""
    configuration: NotRequired[str]
    """Which configuration, where the model was canonical in several."""


class ImportRequest(TypedDict):
    """The body of `POST /import`: this node nominates a model from elsewhere. The answer is a `NominationInfo`."""

    folder: str
    """Where the node finds its files, as an absolute path of its machine."""
    files: dict[str, str]
    """The files that are the model by name, and the SHA-256 of each in hex; what else is in the folder is not read."""
    architecture: str
    """What its config.json says."""
    configuration: NotRequired[str]
    """For which configuration; needed where several are played."""


class VoteRequest(TypedDict):
    """The body of `POST /vote`: this node votes on an open proposal. The answer is a `ProposalInfo`."""

    proposal: str
    """Id of the proposal, or the beginning of it."""
    approve: bool
    """Whether to vote for it."""


class DrainRequest(TypedDict):
    """The body of `POST /drain`: this node ends. There is nothing to say. The answer is a `DrainInfo`."""
