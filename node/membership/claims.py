"""Address claims: where a member says that it is reached, signed by it, so that others can pass it on.

Claims decide nothing. TLS pins keys, so a false one costs a connection that fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.encoding import Decoded, Value, encode
from consensus.keys import ID_BYTES, SIGNATURE_BYTES, MemberId, SigningKey, verify
from consensus.roster import ADDRESS_LIMIT
from node.config.address import parse_address

MAX_CLAIMED = 2  # addresses in a claim: where the node listens, and what swarm.toml says of it
MAX_NUMBER = 2**62

_DOMAIN = b"ringrift/address/1\0"


class ClaimError(ValueError):
    """A value that is not an address claim, or that its member did not sign; one line that says why."""


@dataclass(frozen=True)
class AddressClaim:
    """A member's word about its own addresses. Of several claims of one member that with the highest number counts.

    A host of `ANYWHERE` means: wherever the member's connections come from, with this port.
    """

    member: MemberId
    number: int
    addresses: tuple[str, ...]  # "host:port"
    signature: bytes

    def array(self) -> Value:
        """Return the claim as a CBOR array."""
        return [self.member, self.number, list(self.addresses), self.signature]

    def is_signed(self, genesis: bytes) -> bool:
        """Return whether its member signed it, for the swarm of this genesis."""
        return verify(self.member, _signed_bytes(genesis, self.number, self.addresses), self.signature)


def make_claim(key: SigningKey, genesis: bytes, number: int, addresses: Sequence[str]) -> AddressClaim:
    """Sign a claim for the swarm whose genesis has this digest."""
    signature = key.sign(_signed_bytes(genesis, number, addresses))
    return AddressClaim(key.id, number, tuple(addresses), signature)


def parse_claim(value: Decoded) -> AddressClaim:
    """Read what `AddressClaim.array` wrote; the signature is not checked. Raise ClaimError."""
    if not isinstance(value, list) or len(value) != 4:
        raise ClaimError("a claim is not an array of four")
    member, number, addresses, signature = value
    if not isinstance(member, bytes) or len(member) != ID_BYTES:
        raise ClaimError("a claim names no member")
    if type(number) is not int or not 0 <= number < MAX_NUMBER:
        raise ClaimError("the number of a claim is not a whole number from 0, below 2^62")
    if not isinstance(addresses, list) or len(addresses) > MAX_CLAIMED:
        raise ClaimError(f"a claim is not about an array of at most {MAX_CLAIMED} addresses")
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise ClaimError("the signature of a claim has not the length of a signature")
    return AddressClaim(member, number, tuple(map(parse_claimed, addresses)), signature)


def parse_claimed(value: Decoded) -> str:
    """Return the text of an address, which is as `Address` writes it. Raise ClaimError."""
    if not isinstance(value, str) or len(value.encode("utf-8", "surrogatepass")) > ADDRESS_LIMIT:
        raise ClaimError(f"an address is not a text of at most {ADDRESS_LIMIT} bytes")
    try:
        if str(parse_address(value)) == value:
            return value
    except ValueError as error:
        raise ClaimError(str(error)) from None
    raise ClaimError(f'"{value}" is not how this address is written')


def _signed_bytes(genesis: bytes, number: int, addresses: Sequence[str]) -> bytes:
    return _DOMAIN + encode([genesis, number, list(addresses)])
