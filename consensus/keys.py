"""Ed25519 identities: a member's id is its public key, written for people as base32.

What counts as a signature is decided here alone, so that it cannot differ between two versions of a library:
`is_strict_point` says why, and every id passes it where it comes in (`parse_id`, `consensus.roster`, TLS, `verify`).
"""

import base64
import hmac
from functools import cache, lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MemberId: TypeAlias = bytes

NOT_STRICT = "of small order or not canonical, so it is nobody's key"

ID_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
_TEXT_LENGTH = 52

_PRIME = 2**255 - 19  # of the field
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point: a prime
_SIGN_BIT = 1 << 255  # of the x coordinate, above the 255 bits of y
_ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022  # of two points of order 8
_SMALL_ORDER_Y = (0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y)  # of orders 4, 1, 2, 8 and 8
_REFUSED_POINTS = frozenset(
    (y | sign).to_bytes(ID_BYTES, "little")
    for y in (*_SMALL_ORDER_Y, *range(_PRIME, 1 << 255))
    for sign in (0, _SIGN_BIT)
)

# By the owner of the seed of 32 zeros over no bytes; its R has a part of order 8.
_COFACTORED_KEY = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
_COFACTORED_SIGNATURE = (
    "8337becebce0d5fdb23a7a2b8f1caa74d7cb063eb703b6e009e0365b6d816ab5"
    "a721b0bc6d53a9d8a771f80e6a3637b58d9bf8f7b1762317f4c3fbae4185860e"
)


@lru_cache(maxsize=1024)  # the same members are named again and again
def id_text(member: MemberId) -> str:
    """Return the id as people see it: 52 lower-case characters of base32 (RFC 4648), without padding."""
    return base64.b32encode(member).decode("ascii").rstrip("=").lower()


def parse_id(text: str) -> MemberId:
    """Return the id that `id_text` writes as `text`.

    Raise ValueError with one line for any other text, and for an id that is not strict (`is_strict_point`).
    """
    if len(text) != _TEXT_LENGTH:
        raise ValueError(f"a member id has {_TEXT_LENGTH} characters, not {len(text)}: {text[:60]!r}")
    try:
        member = base64.b32decode(text.upper() + "====")
    except ValueError:
        member = b""
    if len(member) != ID_BYTES or id_text(member) != text:
        raise ValueError(f"not a member id (lower-case base32, letters a-z and digits 2-7): {text!r}")
    if not is_strict_point(member):
        raise ValueError(f"not a member id ({NOT_STRICT}): {text!r}")
    return member


def is_strict_point(encoded: bytes) -> bool:
    """Return whether 32 bytes may be a member's id, or the point R that begins a signature.

    Refused is what makes a signature mean less than "the owner of this key signed this message", or what libraries
    disagree about:

    - The eight points whose order divides 8, in every encoding. With such a key A, [h]A takes at most 8 values whatever
      the message. So one fixed signature fits every message (every eighth, at least), and anybody can make it.
      A signature with such an R shows its maker's key.
    - Encodings that are not canonical: y of 2^255 - 19 or more, which some libraries reduce and others refuse; and the
      sign bit of an x that is 0. One point would be two ids.

    These are 48 encodings, so the check is exact and costs a lookup. Nobody who keeps to RFC 8032 makes one of them: a
    key is [s]B with s a multiple of 8 that is not one of the prime order, and R is [r]B.

    With a strict A and R, and S below the order (`verify`), libraries differ about one thing only: whether a part of
    small order in A or R counts. It does in the equation [S]B = R + [h]A, which compares bytes; it does not if both
    sides are multiplied by 8. `verify` insists on the first form (`_require_exact_equation`). So what it accepts
    is the same with every library, also for the keys with such a part: their owners alone can sign with them, and
    finding them would cost a multiplication by the order for each id that somebody proposes.

    Whether the bytes are a point at all is not checked: without one no signature verifies.
    """
    return len(encoded) == ID_BYTES and encoded not in _REFUSED_POINTS


class SigningKey:
    """The secret half of an identity, made from a 32-byte seed that the caller has drawn and keeps."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a signing key is made from {SEED_BYTES} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.id: MemberId = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of `message`; it is the same every time."""
        return self._key.sign(message)

    def derive(self, context: bytes) -> bytes:
        """Return 32 secret bytes for one purpose.

        They reveal neither the key nor the bytes derived for another context.
        """
        return hmac.digest(self._key.private_bytes_raw(), context, "sha256")

    def __repr__(self) -> str:
        return f"SigningKey({id_text(self.id)})"


def verify(member: MemberId, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is `member`'s over `message`; False for malformed keys and signatures too.

    Key and signature must be strict; see `is_strict_point`. Raise RuntimeError if the library cannot be used.
    """
    if not (is_strict_point(member) and _is_strict_signature(signature)):
        return False
    _require_exact_equation()
    return _verify_with_library(member, message, signature)


def _is_strict_signature(signature: bytes) -> bool:
    """Return whether this is a strict R, and an S below the order (RFC 8032, section 5.1.7)."""
    is_whole = len(signature) == SIGNATURE_BYTES
    return is_whole and is_strict_point(signature[:32]) and int.from_bytes(signature[32:], "little") < _ORDER


@cache
def _require_exact_equation() -> None:
    """Raise RuntimeError if the library accepts a signature that only holds once both sides are multiplied by 8."""
    key, signature = bytes.fromhex(_COFACTORED_KEY), bytes.fromhex(_COFACTORED_SIGNATURE)
    if _verify_with_library(key, b"", signature):
        raise RuntimeError(
            "the cryptography package verifies Ed25519 with the cofactor; install that of constraints.txt"
        )


def _verify_with_library(member: MemberId, message: bytes, signature: bytes) -> bool:
    try:
        _public_key(member).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def _public_key(member: MemberId) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(member)
