"""`Places` that are given, for tests of connections."""

from collections.abc import Mapping, Sequence

from consensus.keys import MemberId
from node.transport import Candidate


class GivenPlaces:
    """Each member is at one address, of a mapping that may change."""

    def __init__(self, addresses: Mapping[MemberId, str]) -> None:
        self._addresses = addresses

    def candidates(self, peer: MemberId) -> Sequence[Candidate]:
        return [Candidate(self._addresses[peer])] if peer in self._addresses else []

    def may_try(self, candidate: Candidate) -> bool:
        return True

    def is_fit(self, host: str) -> bool:
        return True

    def observe_reached(self, peer: MemberId, address: str) -> None:
        pass
