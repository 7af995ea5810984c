"""Fields that were added to records when swarms were in use leave what those swarms digested as it was."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import pytest

from consensus.ledger.records.entity import Entity, ShapeError, parse_value, replace, to_value


@dataclass(frozen=True)
class Before(Entity):
    """A record as it was at first."""

    name: str
    count: int = 0


@dataclass(frozen=True)
class Now(Entity):
    """The same record with two more fields."""

    LATER: ClassVar[int] = 2
    name: str
    count: int = 0
    quality: int = 500
    budget: int = 0


@pytest.mark.parametrize("count", [0, 7])
def test_what_does_not_use_the_later_fields_is_as_before(count: int) -> None:
    now, before = Now("a", count), Before("a", count)
    assert to_value(now) == to_value(before) == ["a", count]  # fields that were there from the start are never left out
    assert now.fingerprint == before.fingerprint
    assert parse_value(Now, ["a", count], "record") == now


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (Now("a", 1, 600), ["a", 1, 600]),
        (Now("a", 1, 500, 3), ["a", 1, 500, 3]),
        (Now("a", 1, 600, 3), ["a", 1, 600, 3]),
    ],
)
def test_a_record_has_one_form(record: Now, value: list[object]) -> None:
    assert to_value(record) == value
    assert parse_value(Now, value, "record") == record  # type: ignore[arg-type]  # what CBOR gives


@pytest.mark.parametrize("value", [["a", 1, 500], ["a", 1, 600, 0], ["a", 1, 500, 0], ["a"], ["a", 1, 600, 3, 0]])
def test_any_other_form_is_refused(value: list[object]) -> None:
    with pytest.raises(ShapeError):
        parse_value(Now, value, "record")  # type: ignore[arg-type]


def test_a_changed_record_is_what_dataclasses_would_make_of_it_and_keeps_nothing_that_was_computed() -> None:
    old = Now("a", 1)
    seen = old.fingerprint, old.encoded
    new = replace(old, budget=3, name="b")
    assert new == dataclasses.replace(old, budget=3, name="b") == Now("b", 1, budget=3)
    assert new.fingerprint == Now("b", 1, budget=3).fingerprint != seen[0]
    assert (old, old.fingerprint, old.encoded) == (Now("a", 1), *seen)
    with pytest.raises(TypeError, match="Now has no field weight"):
        replace(old, weight=1)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        new.name = "c"  # type: ignore[misc]
