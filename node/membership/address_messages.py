"""The two messages about addresses: claims and hints that the other side may lack, and whose addresses are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.encoding import Decoded, EncodingError, Value, decode, encode
from consensus.keys import ID_BYTES, MemberId
from consensus.roster import ADDRESS_LIMIT, MEMBERS_LIMIT
from node.gossip.messages import MessageError
from node.membership.claims import MAX_CLAIMED, AddressClaim, ClaimError, parse_claim, parse_claimed

ADDRESS_PATH = "/gossip/addresses"

_CLAIM_BYTES = 128 + MAX_CLAIMED * (ADDRESS_LIMIT + 3)
_HINT_BYTES = 40 + ADDRESS_LIMIT + 3
MAX_ADDRESSES_BYTES = MEMBERS_LIMIT * (_CLAIM_BYTES + _HINT_BYTES + 40)
_VALUES = 8 + MEMBERS_LIMIT * (4 + MAX_CLAIMED + 1 + 3 + 1)


@dataclass(frozen=True)
class Hint:
    """Where the sender last reached a member, or would try to."""

    member: MemberId
    address: str


@dataclass(frozen=True)
class AddressNews:
    """What one side tells of members: their own claims, and what it knows besides."""

    claims: Sequence[AddressClaim] = ()
    hints: Sequence[Hint] = ()

    def __bool__(self) -> bool:
        return bool(self.claims or self.hints)

    def encode(self) -> bytes:
        """Return CBOR: {claims, hints}. It is the answer."""
        return encode(self._table())

    def encode_request(self, wanted: Sequence[MemberId]) -> bytes:
        """Return CBOR: {claims, hints, wanted}. `wanted` are the members whose addresses are asked for."""
        return encode({**self._table(), "wanted": list(wanted)})

    def _table(self) -> dict[str, Value]:
        return {
            "claims": [claim.array() for claim in self.claims],
            "hints": [[hint.member, hint.address] for hint in self.hints],
        }


def decode_address_request(data: bytes) -> tuple[AddressNews, list[MemberId]]:
    """Return what is told, and whose addresses are wanted. Raise MessageError."""
    fields = _fields(data, {"claims", "hints", "wanted"})
    return _news(fields), [_member(value) for value in _array(fields, "wanted")]


def decode_address_answer(data: bytes) -> AddressNews:
    """Return what is told. Raise MessageError."""
    return _news(_fields(data, {"claims", "hints"}))


def _fields(data: bytes, names: set[str]) -> dict[str, Decoded]:
    try:
        value = decode(data, limit=MAX_ADDRESSES_BYTES, items=_VALUES)
    except EncodingError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, dict) or value.keys() != names:
        raise MessageError(f"not a map of {', '.join(sorted(names))}")
    return value


def _news(fields: dict[str, Decoded]) -> AddressNews:
    try:
        claims = [parse_claim(value) for value in _array(fields, "claims")]
        return AddressNews(claims, [_hint(value) for value in _array(fields, "hints")])
    except ClaimError as error:
        raise MessageError(str(error)) from None


def _array(fields: dict[str, Decoded], name: str) -> list[Decoded]:
    value = fields[name]
    if not isinstance(value, list) or len(value) > MEMBERS_LIMIT:
        raise MessageError(f"{name} is not an array of at most {MEMBERS_LIMIT}")
    return value


def _hint(value: Decoded) -> Hint:
    if not isinstance(value, list) or len(value) != 2:
        raise MessageError("a hint is not an array of two")
    return Hint(_member(value[0]), parse_claimed(value[1]))


def _member(value: Decoded) -> MemberId:
    if not isinstance(value, bytes) or len(value) != ID_BYTES:
        raise MessageError("a member is not 32 bytes")
    return value
