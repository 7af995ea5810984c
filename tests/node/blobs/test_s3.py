"""Signatures are those that Amazon has published, and each way in which a bucket fails is one line with a remedy."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest
import trio

from node.blobs.s3 import Bucket, BucketError
from node.blobs.s3_signature import RequestToSign, authorization, headers_to_sign
from node.config.archive import ArchiveAccess, ArchiveKeys
from tests.node.blobs.s3_server import KEYS, PLACE, S3Server

# docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
WHEN = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"
GET = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
PUT = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


async def write(bucket: Bucket, name: str, data: bytes) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield data

    await bucket.write(name, content(), size=len(data), sha256=sha256(data).digest())


def test_published_signatures() -> None:
    headers = headers_to_sign(HOST, sha256().hexdigest(), KEYS, WHEN) | {"range": "bytes=0-9"}
    signed = authorization(RequestToSign(method="GET", path="/test.txt", headers=headers), "us-east-1", KEYS)
    assert signed.endswith(f"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature={GET}")
    headers = headers_to_sign(HOST, sha256(b"Welcome to Amazon S3.").hexdigest(), KEYS, WHEN)
    headers |= {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    signed = authorization(RequestToSign(method="PUT", path="/test%24file.text", headers=headers), "us-east-1", KEYS)
    assert signed.endswith(f"Signature={PUT}")


async def test_objects_are_written_and_read_in_ranges() -> None:
    server = S3Server()
    bucket = server.bucket()
    assert await bucket.size("a") is None
    await write(bucket, "a", b"0123456789")
    await write(bucket, "empty", b"")
    assert server.objects == {"first/a": b"0123456789", "first/empty": b""}
    assert await bucket.size("a") == 10
    assert await bucket.size("empty") == 0
    assert await bucket.read("a", 2, 3) == (b"234", 10)
    assert await bucket.read("a", 8, 5) == (b"89", 10)
    await bucket.aclose()


async def test_a_session_token_is_signed() -> None:
    server = S3Server()
    await write(server.bucket(keys=replace(KEYS, token="token/of/a/session==")), "a", b"x")
    assert server.objects == {"first/a": b"x"}


FAULTS: dict[str, tuple[tuple[int, str] | Exception, str, bool]] = {
    "no bucket": ((404, "NoSuchBucket"), "there is no such bucket; make it", False),
    "expired": ((400, "ExpiredToken"), "the keys have expired; check the keys", False),
    "denied": ((403, "AccessDenied"), "the keys may not do this; allow them s3:GetObject, s3:PutObject", False),
    "denied without a word": ((403, ""), "the keys may not do this", False),
    "redirect": ((301, "PermanentRedirect"), "the region is not that of the bucket", False),
    "too much": ((503, "SlowDown"), "the server asks for fewer requests", True),
    "broken": ((500, ""), "the server answers 500; this node tries again later", True),
    "odd": ((418, "Odd"), "the server answers 418 Odd;", False),
    "full": ((507, ""), "the server has no room; make some", True),
    "no range": ((200, ""), "the server does not send a part of an object", False),
    "no length": ((206, ""), "the server does not say how long the object is", True),
    "past the end": ((416, ""), "the server answers 416", False),
    "away": (httpx.ConnectError("x"), "https://s3.example.com cannot be reached (ConnectError); check", True),
    "hangs up": (httpx.RemoteProtocolError("x"), "broke off or spoke no HTTP (RemoteProtocolError)", True),
    "silent": (httpx.ReadTimeout("x"), "https://s3.example.com does not answer in time", True),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_one_line_without_keys(name: str) -> None:
    answer, wanted, is_passing = FAULTS[name]
    server = S3Server()
    server.faults = [answer]
    with pytest.raises(BucketError) as caught:
        await server.bucket().read("a", 10, 10)
    text = str(caught.value)
    assert text.startswith("archive s3://swarm/first/: ")
    assert wanted in text
    assert "\n" not in text
    assert KEYS.key_id not in text
    assert caught.value.is_passing == is_passing


@pytest.mark.parametrize(
    ("keys", "region", "age", "wanted"),
    [
        (replace(KEYS, key_id="AKIAOTHER"), PLACE.region, timedelta(), "does not know the access key"),
        (replace(KEYS, secret="another"), PLACE.region, timedelta(), "the secret does not belong to the access key"),
        (KEYS, "us-east-1", timedelta(), "name it with archive_region"),
        (KEYS, PLACE.region, timedelta(hours=1), "the clock of this machine is wrong; set it"),
    ],
)
async def test_what_a_person_gets_wrong(keys: ArchiveKeys, region: str, age: timedelta, wanted: str) -> None:
    access = ArchiveAccess(replace(PLACE, region=region), keys)
    bucket = Bucket(access, transport=S3Server(), now=lambda: datetime.now(UTC) - age)
    with pytest.raises(BucketError, match=wanted):
        await write(bucket, "a", b"x")


async def test_the_region_that_a_server_names_is_said() -> None:
    server = S3Server()
    server.faults = [(301, "PermanentRedirect")]
    server.headers = {"x-amz-bucket-region": "eu-west-3"}
    with pytest.raises(BucketError, match='archive_region = "eu-west-3"'):
        await server.bucket().size("a")


async def test_a_truncated_answer_is_an_error() -> None:
    server = S3Server()
    bucket = server.bucket()
    await write(bucket, "a", b"0123456789")
    server.sent = 3
    with pytest.raises(BucketError, match="sent 3 bytes of 10"):
        await bucket.read("a", 0, 10)


async def test_a_server_that_never_ends_an_answer_is_left(autojump_clock: object) -> None:
    server = S3Server()
    server.delay_s = 1e6
    began_at = trio.current_time()
    with pytest.raises(BucketError, match="does not answer in time"):
        await server.bucket().size("a")
    assert trio.current_time() - began_at <= 60
