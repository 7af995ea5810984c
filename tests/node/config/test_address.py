"""Addresses: one host in two spellings is one, and what is not an address is refused."""

import pytest

from node.config.address import ANYWHERE, Address, canonical_host, is_loopback, parse_address


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Birch.Example:7400", "birch.example"),
        ("birch.example.:7400", "birch.example"),
        ("LOCALHOST:7400", "localhost"),
        ("127.0.0.1.:7400", "127.0.0.1"),
        ("127.1:7400", "127.0.0.1"),
        ("0x7f.0.0.1:7400", "127.0.0.1"),
        ("2130706433:7400", "127.0.0.1"),
        ("[::1]:7400", "::1"),
        ("[0:0:0:0:0:0:0:1]:07400", "::1"),
        ("[2001:DB8::A]:7400", "2001:db8::a"),
        ("[::ffff:10.0.0.7]:7400", "10.0.0.7"),
        ("[::ffff:a00:7]:7400", "10.0.0.7"),
        ("1a.example:7400", "1a.example"),
        ("7.fe:7400", "7.fe"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    address = parse_address(text)
    assert address == Address(host, 7400)
    assert parse_address(str(address)) == address
    assert canonical_host(address.host) == address.host


@pytest.mark.parametrize(
    "text",
    [
        "", "host", "host:", ":7400", "[::1]", "[::1]7400", "[:::]:7400", "[127.0.0.1]:7400", "[fe80::1%eth0]:7400",
        "::1:7400", "a..b:7400", "a.b..:7400", "-a.b:7400", "a b:7400", "[::1:7400", "user@host:7400", ".:7400",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse_address(text)


def test_loopback_and_anywhere_in_every_spelling() -> None:
    for text in ("localhost", "LocalHost.", "127.0.0.1", "127.9.9.9", "127.1", "[::1]", "[::ffff:127.0.0.1]"):
        assert parse_address(f"{text}:1").is_local, text
    for text in ("127.evil.example", "localhost.example", "10.0.0.1", "[::2]", "[::ffff:10.0.0.1]", "0.0.0.0"):
        assert not parse_address(f"{text}:1").is_local, text
    for host in ("127.0.0.1%2eevil.example", "127.0.0.1%lo", "localhost%25.evil.example"):
        assert not is_loopback(host), host  # only addresses of IPv6 have zones
    assert is_loopback("::1%lo")
    for text in ("0.0.0.0", "0", "[::]", "[0:0::0]", "[::ffff:0.0.0.0]"):
        assert parse_address(f"{text}:1").host in ANYWHERE, text
    assert parse_address("[::1]:1").host not in ANYWHERE
