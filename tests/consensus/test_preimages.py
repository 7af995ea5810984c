"""The chain of preimages: its ends, its links, that it is one for each key and epoch, and what it costs."""

import hmac
import random
from hashlib import sha256

import pytest

from consensus import preimages
from consensus.keys import SigningKey
from consensus.preimages import LENGTH, Preimages, verify_preimage

KEY = SigningKey(b"\1" * 32)


def preimage(chain: Preimages, number: int) -> bytes:
    """A preimage that the chain has."""
    found = chain.preimage(number)
    assert found is not None
    return found


def test_every_preimage_is_so_many_hashes_from_the_anchor() -> None:
    chain = Preimages(KEY, 0)
    value = preimage(chain, LENGTH)
    whole = [value]
    for _ in range(LENGTH):
        value = sha256(value).digest()
        whole.append(value)
    whole.reverse()
    assert whole[0] == chain.anchor == chain.preimage(0)
    for number in (*range(1100), *random.Random(1).sample(range(LENGTH), 200), LENGTH - 1, LENGTH):
        assert chain.preimage(number) == whole[number]
    assert chain.preimage(LENGTH + 1) is None


def test_the_chain_is_known_from_the_key_and_the_epoch() -> None:
    """A member must find the same values after a restart, so they must never change."""
    secret = hmac.digest(b"\1" * 32, b"ringrift/preimages/1" + bytes(7) + b"\1", "sha256")
    assert Preimages(KEY, 1).preimage(LENGTH) == sha256(secret).digest()
    assert Preimages(KEY, 0).anchor.hex() == "1cfddf4e4f87331e27a41ffa446ab94796f4c94b11268ec9d020dae492ffe039"
    assert Preimages(KEY, 1).anchor.hex() == "bc71ac4be2bb4a972e6bee96024198e7e1c0816f0c0f1bc249a6807f161dae4f"
    again = Preimages(SigningKey(b"\1" * 32), 0)
    assert again.preimage(77) == Preimages(KEY, 0).preimage(77)
    others = [Preimages(SigningKey(b"\2" * 32), 0), Preimages(KEY, 1), again]
    assert len({chain.anchor for chain in others}) == 3


def test_a_preimage_follows_another_at_one_distance_only() -> None:
    chain = Preimages(KEY, 0)
    fifth, seventh = preimage(chain, 5), preimage(chain, 7)
    assert verify_preimage(chain.anchor, fifth, 5)
    assert verify_preimage(fifth, seventh, 2)
    assert not verify_preimage(fifth, seventh, 1)
    assert not verify_preimage(fifth, seventh, 3)
    assert not verify_preimage(seventh, fifth, 2)
    assert not verify_preimage(chain.anchor, bytes(32), 5)


def test_in_order_a_preimage_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Preimages(KEY, 0)
    assert chain.anchor
    hashes = 0

    def counted(data: bytes) -> object:
        nonlocal hashes
        hashes += 1
        return sha256(data)

    monkeypatch.setattr(preimages, "sha256", counted)
    for number in range(1, 3001):
        chain.preimage(number)
    assert hashes <= 3000 + 512


def test_secrets_of_one_context_do_not_tell_the_key_or_each_other() -> None:
    assert KEY.derive(b"a") == SigningKey(b"\1" * 32).derive(b"a")
    assert len({KEY.derive(b"a"), KEY.derive(b"b"), SigningKey(b"\2" * 32).derive(b"a"), b"\1" * 32}) == 4
    with pytest.raises(OverflowError):
        Preimages(KEY, -1)
