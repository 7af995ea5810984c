"""Before a node starts, its archive is written and read once, and what does not work is one line."""

from dataclasses import replace

import httpx
import pytest

from node.preflight.archive import check_archive
from node.preflight.finding import Finding, Level
from tests.node.blobs.s3_server import KEYS, PLACE, S3Server


async def test_an_archive_that_works() -> None:
    server = S3Server()
    text = "s3://swarm/first/ at https://s3.example.com: written and read"
    assert await check_archive(server.bucket()) == [Finding("archive", Level.OK, text)]
    assert list(server.objects) == ["first/check"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bad key", "the server does not know the access key; check the keys of the archive"),
        ("bad secret", "the secret does not belong to the access key; check the keys of the archive"),
        ("unknown bucket", "there is no such bucket; make it, or name another one with archive in [node]"),
        ("no endpoint", "cannot be reached (ConnectError); check archive_endpoint and the network"),
        ("may not be read", "the keys may not do this; allow them s3:GetObject"),
        ("forgets", "what was written is not what was read; look at what else writes there"),
    ],
)
async def test_one_that_does_not_is_one_line(name: str, wanted: str) -> None:
    server = S3Server()
    place, keys = PLACE, KEYS
    match name:
        case "bad key":
            keys = replace(KEYS, key_id="AKIAOTHER")
        case "bad secret":
            keys = replace(KEYS, secret="another")
        case "unknown bucket":
            place = replace(PLACE, bucket="other")
        case "no endpoint":
            server.faults = [httpx.ConnectError("x")]
        case "may not be read":
            server.faults = [(200, ""), (403, "AccessDenied")]
        case "forgets":
            server.forgets = True
    (found,) = await check_archive(server.bucket(place, keys))
    assert found.level == Level.FAULT
    assert wanted in found.text
    assert str(place) in found.text
    assert keys.key_id not in found.text
