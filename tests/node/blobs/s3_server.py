"""A small S3 server in memory, which checks signatures in its own way, and can be slow, broken or forgetful."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import trio

from node.blobs.s3 import Bucket
from node.config.archive import ArchiveAccess, ArchiveKeys, ArchivePlace

PLACE = ArchivePlace(bucket="swarm", prefix="first/", endpoint="https://s3.example.com", region="eu-central-1")
KEYS = ArchiveKeys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/s3/aws4_request,"
    r"SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})"
)


class S3Server(httpx.AsyncBaseTransport):
    """One bucket. `faults` are answered first, each once: a status with a code, or an exception to raise."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[tuple[int, str] | Exception] = []
        self.headers: dict[str, str] = {}  # of answers to `faults`
        self.delay_s = 0.0
        self.sent: int | None = None  # bytes of each object that are sent at most
        self.forgets = False  # what is written

    def bucket(self, place: ArchivePlace = PLACE, keys: ArchiveKeys = KEYS) -> Bucket:
        return Bucket(ArchiveAccess(place, keys), transport=self)

    def written(self) -> list[str]:
        return [path for method, path in self.requests if method == "PUT"]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        name = request.url.path.removeprefix(f"/{PLACE.bucket}/")
        self.requests.append((request.method, name))
        await trio.sleep(self.delay_s)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            answer = _error(*fault)
            answer.headers.update(self.headers)
            return answer
        if error := _objection(request, body):
            return error
        if request.method == "PUT":
            if not self.forgets:
                self.objects[name] = body
            return httpx.Response(200)
        return self._get(name, request.headers["range"])

    def _get(self, name: str, wanted: str) -> httpx.Response:
        if name not in self.objects:
            return _error(404, "NoSuchKey")
        data = self.objects[name]
        first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
        if first >= len(data):
            return _error(416, "InvalidRange")
        part = data[first : last + 1]
        headers = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}
        return httpx.Response(206, headers=headers, stream=_Stream(part[: self.sent]))


class _Stream(httpx.AsyncByteStream):
    """Content that is sent as it is, whatever its length should be."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


def _error(status: int, code: str) -> httpx.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>for {KEYS.key_id}</Message></Error>"
    return httpx.Response(status, stream=_Stream(text.encode() if code else b""))


def _objection(request: httpx.Request, body: bytes) -> httpx.Response | None:
    """Return the answer to a request that is not signed as it must be, or is for another bucket."""
    found = _CREDENTIAL.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return _error(403, "AccessDenied")
    key_id, day, region, names, signature = found.groups()
    if key_id != KEYS.key_id:
        return _error(403, "InvalidAccessKeyId")
    if region != PLACE.region:
        return _error(400, "AuthorizationHeaderMalformed")
    time = request.headers["x-amz-date"]
    then = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs((datetime.now(UTC) - then).total_seconds()) > 900 or not time.startswith(day):
        return _error(403, "RequestTimeTooSkewed")
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in names.split(";")]
    listed = [f"{name}:{request.headers[name]}" for name in names.split(";")]
    content = request.headers["x-amz-content-sha256"]
    canonical = "\n".join([request.method, request.url.path, "", *listed, "", names, content])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    secret = b"AWS4" + KEYS.secret.encode()
    for part in (day, region, "s3", "aws4_request", f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    if unsigned or secret.hex() != signature or "host" not in names.split(";"):
        return _error(403, "SignatureDoesNotMatch")
    if hashlib.sha256(body).hexdigest() != content or len(body) != int(request.headers.get("content-length", 0)):
        return _error(400, "XAmzContentSHA256Mismatch")
    if not request.url.path.startswith(f"/{PLACE.bucket}/"):
        return _error(404, "NoSuchBucket")
    return None
