"""What members say to each other of checkpoints of interrupted trainings: who offers one, and who looks for one."""

from dataclasses import dataclass
from typing import Final, TypeGuard

from consensus.encoding import Decoded, EncodingError, decode, encode
from node.blobs.messages import BlobMessageError

OFFER_PATH: Final = "/checkpoints/offer"
FIND_PATH: Final = "/checkpoints/find"
MAX_CHECKPOINT_BYTES: Final = 64 * 1024 * 1024  # workers read no larger ones
MAX_PLAN_BYTES: Final = 64 * 1024
MAX_OFFER_BYTES: Final = MAX_PLAN_BYTES + 256
MAX_FIND_BYTES: Final = 64

_DIGEST_BYTES = 32
_MAX_STEPS = 2**53


@dataclass(frozen=True, kw_only=True)
class CheckpointOffer:
    """A checkpoint that can be had: of what training, with which plan, and the blob that it is."""

    subject: bytes  # digest of what is trained, from where, and with which settings
    plan: bytes  # what the training takes (`node.work.training_plans`)
    digest: bytes
    size: int
    steps: int  # about as many are in it

    def encode(self) -> bytes:
        """Return CBOR: {subject, plan, digest, size, steps}."""
        return encode(vars(self))


def decode_offer(data: bytes) -> CheckpointOffer:
    """Decode an offer, or the answer to who looks for one. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_OFFER_BYTES, items=16):
            case {
                "subject": bytes(subject),
                "plan": bytes(plan),
                "digest": bytes(digest),
                "size": size,
                "steps": steps,
                **others,
            } if (
                not others
                and len(subject) == len(digest) == _DIGEST_BYTES
                and len(plan) <= MAX_PLAN_BYTES
                and _is_within(size, MAX_CHECKPOINT_BYTES)
                and _is_within(steps, _MAX_STEPS)
            ):
                return CheckpointOffer(subject=subject, plan=plan, digest=digest, size=size, steps=steps)
    except EncodingError:
        pass
    raise BlobMessageError("does not offer a checkpoint")


def encode_find(subject: bytes) -> bytes:
    """Return CBOR: {subject}."""
    return encode({"subject": subject})


def decode_find(data: bytes) -> bytes:
    """Return the subject of which somebody looks for a checkpoint. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_FIND_BYTES):
            case {"subject": bytes(subject), **others} if not others and len(subject) == _DIGEST_BYTES:
                return subject
    except EncodingError:
        pass
    raise BlobMessageError("does not look for a checkpoint")


def _is_within(value: Decoded, limit: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= limit
