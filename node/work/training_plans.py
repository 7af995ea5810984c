"""What a training is made of, as it is kept beside its checkpoint: whoever goes on with it takes the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from consensus.encoding import EncodingError, Value, decode, encode
from consensus.ledger.records.transactions import SHARDS_LIMIT

PLAN_MAX_BYTES = 512 * 1024

_DIGEST_BYTES = 32
_MAX_PARTNERS = 16
_MAX_NAME = 64


class PlanError(ValueError):
    """Bytes that are no plan; one line."""


@dataclass(frozen=True, kw_only=True)
class TrainingSubject:
    """What is trained, from where, and with which settings."""

    configuration: str
    family: str
    model: bytes  # it starts from
    state: bytes | None  # of the training of that model
    is_sibling: bool  # the model is a sibling's: it competes with new networks
    settings_version: int

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which members speak of it."""
        return hashlib.sha256(b"ringrift/training subject/1" + encode(self.as_value())).digest()

    def as_value(self) -> Value:
        """Return it as it is encoded."""
        return [self.configuration, self.family, self.model, self.state, self.is_sibling, self.settings_version]


@dataclass(frozen=True)
class PlannedPartner:
    """A configuration on whose games a share of the steps is made, and the digests of its shards."""

    configuration: str
    shards: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A subject with its seed and its games: digests of shards, and of the games of matches and series."""

    subject: TrainingSubject
    seed: bytes
    shards: tuple[bytes, ...]
    outcomes: tuple[bytes, ...]
    partners: tuple[PlannedPartner, ...]

    def encode(self) -> bytes:
        """Return CBOR: [subject, seed, shards, outcomes, [[configuration, shards], ...]]."""
        partners: list[Value] = [[partner.configuration, partner.shards] for partner in self.partners]
        return encode([self.subject.as_value(), self.seed, self.shards, self.outcomes, partners])


def decode_plan(data: bytes) -> TrainingPlan:
    """Decode what `TrainingPlan.encode` returns. Raise PlanError for anything else."""
    try:
        match decode(data, limit=PLAN_MAX_BYTES):
            case [list(subject), seed, shards, outcomes, list(partners)] if len(partners) <= _MAX_PARTNERS:
                return TrainingPlan(
                    subject=_subject(subject),
                    seed=_digest(seed),
                    shards=_digests(shards),
                    outcomes=_digests(outcomes),
                    partners=tuple(_partner(partner) for partner in partners),
                )
    except EncodingError as error:
        raise PlanError(str(error)) from None
    raise PlanError("not the plan of a training")


def _subject(value: list[Any]) -> TrainingSubject:
    match value:
        case [str(configuration), str(family), model, state, bool(is_sibling), version] if (
            max(len(configuration), len(family)) <= _MAX_NAME and type(version) is int and version >= 0
        ):
            return TrainingSubject(
                configuration=configuration,
                family=family,
                model=_digest(model),
                state=None if state is None else _digest(state),
                is_sibling=is_sibling,
                settings_version=version,
            )
    raise PlanError("does not say what is trained")


def _partner(value: Any) -> PlannedPartner:
    match value:
        case [str(configuration), shards] if len(configuration) <= _MAX_NAME:
            return PlannedPartner(configuration, _digests(shards))
    raise PlanError("not a partner of a training")


def _digest(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != _DIGEST_BYTES:
        raise PlanError("not a digest")
    return value


def _digests(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > SHARDS_LIMIT:
        raise PlanError("not a list of digests")
    return tuple(_digest(each) for each in value)
