"""Ids as text, and signatures."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consensus.keys import SigningKey, id_text, is_strict_point, parse_id, verify


@given(st.binary(min_size=32, max_size=32))
def test_an_id_reads_back_from_its_text(member: bytes) -> None:
    assume(is_strict_point(member))
    text = id_text(member)
    assert len(text) == 52
    assert text == text.lower()
    assert parse_id(text) == member


@pytest.mark.parametrize(
    "text",
    ["", "a" * 51, "a" * 53, "A" * 52, "a" * 51 + "1", "a" * 51 + "b", "ä" * 52, "a" * 51 + "=", "\n" * 52],
)
def test_other_text_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="member id") as caught:
        parse_id(text)
    assert "\n" not in str(caught.value)


def test_a_signature_holds_for_its_key_and_message_only() -> None:
    key, other = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
    signature = key.sign(b"message")
    assert verify(key.id, b"message", signature)
    assert not verify(key.id, b"massage", signature)
    assert not verify(other.id, b"message", signature)
    assert not verify(key.id, b"message", signature[:-1])
    assert not verify(b"short", b"message", signature)
    assert not verify(key.id, b"message", bytes(64))


def test_the_key_follows_rfc_8032_and_does_not_show_its_seed() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = SigningKey(seed)
    assert key.id.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    assert repr(key) == f"SigningKey({id_text(key.id)})"


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        SigningKey(b"\1" * 31)
