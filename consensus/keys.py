"""Ed25519 identities: a member's id is its public key, written for people as base32."""

import base64
import hmac
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MemberId: TypeAlias = bytes

ID_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
_TEXT_LENGTH = 52


def id_text(member: MemberId) -> str:
    """Return the id as people see it: 52 lower-case characters of base32 (RFC 4648), without padding."""
    return base64.b32encode(member).decode("ascii").rstrip("=").lower()


def parse_id(text: str) -> MemberId:
    """Return the id that `id_text` writes as `text`. Raise ValueError with one line for any other text."""
    if len(text) != _TEXT_LENGTH:
        raise ValueError(f"a member id has {_TEXT_LENGTH} characters, not {len(text)}: {text[:60]!r}")
    try:
        member = base64.b32decode(text.upper() + "====")
    except ValueError:
        member = b""
    if len(member) != ID_BYTES or id_text(member) != text:
        raise ValueError(f"not a member id (lower-case base32, letters a-z and digits 2-7): {text!r}")
    return member


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
    """Return whether `signature` is `member`'s over `message`; False for malformed keys and signatures too."""
    try:
        _public_key(member).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def _public_key(member: MemberId) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(member)
