"""The founding record: one canonical form, and one clear line for each mistake."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from consensus.encoding import Value, decode, encode
from consensus.genesis import Genesis, GenesisError, decode_genesis, make_genesis
from consensus.roster import RosterMember, make_roster
from consensus.settings import MatchSettings, SelfplaySettings, Settings, SettingsError, SteeringSettings, players


def member(number: int, weight: int = 1) -> RosterMember:
    return RosterMember(bytes([number]) * 32, weight)


FOUR = make_genesis("test", [member(3), member(1), member(2), member(4)], Settings())


def test_members_are_sorted_and_bytes_come_back() -> None:
    assert [entry.id[0] for entry in FOUR.members] == [1, 2, 3, 4]
    again = decode_genesis(FOUR.encode())
    assert again == FOUR
    assert again.digest == FOUR.digest == hashlib.sha256(FOUR.encode()).digest()


def test_every_setting_changes_the_digest() -> None:
    changed = make_genesis("test", FOUR.members, Settings(match=MatchSettings(p1=Fraction(2, 3))))
    assert changed.digest != FOUR.digest
    assert changed.roster.digest == FOUR.roster.digest
    assert decode_genesis(changed.raw).settings.match.p1 == Fraction(2, 3)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "a swarm has 1 to 256 members, not 0"),
        ([member(1), member(1)], "named twice"),
        ([member(1, 0)], "weight must be a whole number from 1, not 0"),
        ([member(1, -1)], "weight must be"),
        ([member(1, True)], "weight must be"),
        ([RosterMember(b"short", 1)], "32 bytes"),
        ([RosterMember(b"\1" + bytes(31), 1)], "the id is of small order or not canonical, so it is nobody's key"),
        ([RosterMember(b"\xee" + b"\xff" * 31, 1)], "the id is of small order or not canonical"),
        ([member(1, 2), member(2), member(3), member(4)], "a third or more of all 5"),
        ([member(1, 2), member(2, 2), member(3), member(4)], "a third or more of all 6"),
    ],
)
def test_refuses_members(members: list[RosterMember], message: str) -> None:
    with pytest.raises(GenesisError, match=message) as error:
        make_genesis("test", members, Settings())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weights", "indispensable"),
    [
        ([1], []),  # it decides by itself
        ([1, 0], []),
        ([1, 1], [0, 1]),
        ([2, 1], [0, 1]),
        ([3, 1], [0]),
        ([1, 1, 1], [0, 1, 2]),
        ([3, 3, 1], [0, 1]),
        ([1, 1, 1, 1], []),
        ([1, 1, 1, 0], [0, 1, 2]),  # one of four was convicted
        ([2**32, 2**32, 2**32 - 1, 1], [0, 1]),
    ],
)
def test_indispensable_is_whoever_has_a_third(weights: list[int], indispensable: list[int]) -> None:
    roster = make_roster(member(number, weight) for number, weight in enumerate(weights, 1))
    assert [entry.id[0] - 1 for entry in roster.indispensable] == indispensable
    for entry in roster.members:
        others = [other.id for other in roster.members if other != entry]
        assert (entry in roster.indispensable) == (roster.weight(others) > 0 and not roster.supermajority(others))


def test_weights_below_four_members_are_free() -> None:
    assert make_genesis("small", [member(1, 100), member(2), member(3)], Settings()).roster.total_weight == 102


@pytest.mark.parametrize("name", ["", "x" * 65, "two\nlines", "\x00", "\ud800"])
def test_refuses_names(name: str) -> None:
    with pytest.raises(GenesisError, match="swarm name"):
        make_genesis(name, [member(1)], Settings())


def test_refuses_unsorted_members() -> None:
    with pytest.raises(GenesisError, match="sorted"):
        Genesis("test", (member(2), member(1)), Settings())


def test_supermajority_is_strict() -> None:
    three = make_genesis("three", [member(1), member(2), member(3)], Settings())
    assert not three.roster.supermajority([three.members[0].id, three.members[1].id])
    assert three.roster.supermajority([entry.id for entry in three.members])


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"version": 5},
        {"swarm": 5},
        {"swarm": None},
        {"members": {}},
        {"members": [[b"x"]]},
        {"members": [[bytes([2]) * 32, True, None, ""]]},
        {"members": [[bytes([2]) * 32, 1, b"short", ""]]},
        {"members": [[bytes([2]) * 32, 1, None, 7]]},
        {"members": [["id", 1, None, ""]]},
        {"settings": []},
        {"settings": {}},
        {"settings": {"configurations": ["hex8-2"]}},
        {"settings": {"configurations": "hex8-2"}},
        {"settings": {"configurations": [["hex8-2"]]}},
        {"settings": {"configurations": ["hex8-2"], "match": {"p1": [1, 0]}}},
        {"more": 1},
    ],
)
def test_refuses_bytes_that_are_no_genesis(change: dict[str, Value]) -> None:
    table = decode(FOUR.raw, limit=1 << 16)
    assert isinstance(table, dict)
    with pytest.raises(GenesisError):
        decode_genesis(encode({**table, **change}))


def test_refuses_a_fraction_not_in_lowest_terms() -> None:
    table: Any = decode(FOUR.raw, limit=1 << 16)
    table["settings"]["match"]["p1"] = [26, 40]
    with pytest.raises(GenesisError, match="canonical"):
        decode_genesis(encode(table))


def test_every_flipped_bit_is_refused_or_another_swarm() -> None:
    for place in range(len(FOUR.raw) * 8):
        flipped = bytearray(FOUR.raw)
        flipped[place // 8] ^= 1 << place % 8
        with contextlib.suppress(GenesisError):
            assert decode_genesis(bytes(flipped)).digest != FOUR.digest


def test_settings_from_what_a_person_wrote() -> None:
    tables = {"match": {"p1": "0.7", "block_limit": 128}, "selfplay": {"opening_plies": 0}}
    settings = Settings.parse(["square8-3", "hex8-2"], tables)
    assert settings.configurations == ("hex8-2", "square8-3")
    assert settings.match.p1 == Fraction(7, 10)
    assert settings.selfplay == SelfplaySettings(opening_plies=0)


@pytest.mark.parametrize(
    ("configurations", "tables", "message"),
    [
        ([], {}, "name at least one"),
        (["hex9-2"], {}, "configuration 'hex9-2': must be board-players"),
        (["hex8-5"], {}, "must be board-players"),
        (["hex8-2\n"], {}, "must be board-players"),
        ("hex8-2", {}, "must be a list"),
        (["hex8-2"], [], "settings: must be tables"),
        (["hex8-2"], {"macth": {}}, "settings.macth: unknown table; known are selfplay"),
        (["hex8-2"], {"match": 3}, "settings.match: must be a table"),
        (["hex8-2"], {"match": {"p2": 1}}, "settings.match.p2: unknown setting; known are simulations"),
        (["hex8-2"], {"match": {"p1": "1/2"}}, "settings.match.p1: must be above p0 = 1/2, not 1/2"),
        (["hex8-2"], {"match": {"p0": "0.49"}}, "settings.match.p0: must be 1/2 or more, not 49/100"),
        (["hex8-2"], {"match": {"p0": "0.6", "p1": "0.6"}}, "settings.match.p1: must be above p0 = 3/5, not 3/5"),
        (
            ["hex8-2"],
            {"match": {"limit_share": "0.49"}},
            "limit_share: must be p0 = 1/2 or more, not 49/100",
        ),
        (["hex8-2"], {"match": {"limit_share": "1.01"}}, "limit_share: must be above 0 and at most 1, not 101/100"),
        (["hex8-2"], {"match": {"p1": "x"}}, "settings.match.p1: must be between 0 and 1, not 'x'"),
        (["hex8-2"], {"match": {"alpha": Fraction(1)}}, "settings.match.alpha: must be between"),
        (["hex8-2"], {"match": {"alpha": Fraction(1, 2**60)}}, "too many digits"),
        (["hex8-2"], {"match": {"block_limit": 60}}, "multiple of 2 x slot_blocks = 32, not 60"),
        (["hex8-2"], {"match": {"block_limit": 8192}}, "4096 or less"),
        (["hex8-2"], {"selfplay": {"games": 0}}, "settings.selfplay.games: must be a whole number"),
        (["hex8-2"], {"selfplay": {"games": True}}, "settings.selfplay.games"),
        (["hex8-2"], {"selfplay": {"late_promotions": -1}}, "late_promotions: must be a whole number of 0 or more"),
        (["hex8-2"], {"selfplay": {"late_simulations": 0}}, "late_simulations: must be a whole number of 1 or more"),
        (["hex8-2"], {"training": {"rejections": -1}}, "rejections: must be a whole number of 0 or more"),
        (["hex8-2"], {"training": {"first_networks": 0}}, "first_networks: must be a whole number of 1 or more"),
        (["hex8-2"], {"selfplay": {"games": 65_537}}, "settings.selfplay.games: must be 65536 or less"),
        (["hex8-2"], {"timing": {"lease_s": 2 * 10**10}}, "settings.timing.lease_s: must be 1000000000 or less"),
        (["hex8-2"], {"epoch": {"events": 1 << 17}}, "settings.epoch.events: must be 131069 or less, not 131072"),
        (["hex8-2"], {"training": {"architecture": "a b"}}, "settings.training.architecture: must be"),
    ],
)
def test_refuses_settings(configurations: object, tables: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        Settings.parse(configurations, tables)
    assert "\n" not in str(error.value)


def test_a_setting_that_version_3_lacked_is_left_out_where_it_changes_nothing() -> None:
    same = MatchSettings(p0=Fraction(1, 2), limit_share=Fraction(1))
    assert not {"p0", "limit_share"} & same.table().keys()
    assert MatchSettings.parse_table(same.table()) == same
    other = MatchSettings(p0=Fraction(11, 20), limit_share=Fraction(2, 3))
    assert MatchSettings.parse_table(other.table()) == other
    assert (same.is_earlier, other.is_earlier) == (True, False)
    written: Any = FOUR.settings.table()
    written["match"]["p0"] = [1, 2]
    with pytest.raises(GenesisError, match="canonical"):
        decode_genesis(encode({**table_of(FOUR), "settings": written}))


def table_of(genesis: Genesis) -> dict[str, Any]:
    table = decode(genesis.raw, limit=1 << 16)
    assert isinstance(table, dict)
    return table


def test_the_version_before_is_read_but_has_no_new_setting() -> None:
    earlier = Settings.parse_earlier(["hex8-2"], {})
    old = Genesis("test", FOUR.members, earlier, 3)
    assert table_of(old)["version"] == 3
    assert decode_genesis(old.raw) == old
    assert old.digest != Genesis("test", FOUR.members, earlier).digest
    with pytest.raises(GenesisError, match="version 3 does not have these settings"):
        Genesis("test", FOUR.members, Settings(), 3)
    with pytest.raises(GenesisError, match="version 3 does not have these settings"):
        decode_genesis(encode({**table_of(FOUR), "version": 3}))


def test_players() -> None:
    assert players("square19-4") == 4


def test_equal_settings_have_one_hash_and_others_another() -> None:
    one, same = Settings(), Settings.parse_table(Settings().table())
    other = replace(one, training=replace(one.training, steps=1))
    assert one == same
    assert hash(one) == hash(same) == hash(replace(one))
    assert hash(one) != hash(other)
    assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
    assert b"_hash" not in pickle.dumps(one)


STEERED = Settings(steering=SteeringSettings(rules=1))


def test_operators_are_in_the_digest_only_if_there_are_any() -> None:
    plain = make_genesis("test", FOUR.members, STEERED)
    assert make_genesis("test", FOUR.members, STEERED, ()).raw == plain.raw
    assert "operators" not in decode(plain.raw, limit=1 << 16)  # type: ignore[operator]
    ids = [member(7).id, FOUR.members[0].id]  # one is to join later
    operated = make_genesis("test", FOUR.members, STEERED, ids)
    assert operated.operators == tuple(sorted(ids))
    assert operated.digest != plain.digest
    assert decode_genesis(operated.raw) == operated


@pytest.mark.parametrize(
    ("settings", "operators", "message"),
    [
        (Settings(), (bytes([1]) * 32,), "only a swarm with steering.rules = 1 has any"),
        (STEERED, (bytes([2]) * 32, bytes([1]) * 32), "sorted and distinct"),
        (STEERED, (bytes([1]) * 32, bytes([1]) * 32), "sorted and distinct"),
        (STEERED, (b"short",), "must be ids of members"),
    ],
)
def test_refuses_operators(settings: Settings, operators: tuple[bytes, ...], message: str) -> None:
    with pytest.raises(GenesisError, match=message):
        Genesis("test", FOUR.members, settings, operators=operators)


@pytest.mark.parametrize("operators", [[], [1], "one", None])
def test_refuses_encoded_operators(operators: Value) -> None:
    table: Any = decode(make_genesis("test", FOUR.members, STEERED).raw, limit=1 << 16)
    with pytest.raises(GenesisError, match=r"canonical form|list of ids"):
        decode_genesis(encode({**table, "operators": operators}))
