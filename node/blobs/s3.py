"""A bucket behind an S3 API: whole objects are written, and ranges of them read."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import trio

from node.blobs.s3_signature import RequestToSign, authorization, headers_to_sign
from node.config.archive import ArchiveAccess

_TIMEOUTS = httpx.Timeout(20.0, connect=10.0)  # seconds without any progress
_READ_S = 60.0  # for one range
_SLOWEST_BYTES_PER_S = 64 * 1024  # at which an object is written
_MAX_ERROR_BYTES = 65_536
_NOTHING = hashlib.sha256().hexdigest()

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_REGION = re.compile(r"[a-z0-9-]{1,63}")
_RANGE = re.compile(r"bytes \d{1,15}-\d{1,15}/(\d{1,15})")

_AGAIN = "this node tries again later"
_OTHER_SERVER = "name an endpoint with an S3 API with archive_endpoint in [node]"
_KEYS = "check the keys of the archive"
_FAULTS = {  # by the code that the server gives: what is wrong, and the remedy
    "NoSuchBucket": "there is no such bucket; make it, or name another one with archive in [node]",
    "InvalidAccessKeyId": f"the server does not know the access key; {_KEYS}",
    "SignatureDoesNotMatch": f"the secret does not belong to the access key; {_KEYS}",
    "ExpiredToken": f"the keys have expired; {_KEYS}",
    "InvalidToken": f"the session token is not valid; {_KEYS}",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "AuthorizationHeaderMalformed": "the region is not that of the bucket; name it with archive_region in [node]",
    "SlowDown": "the server asks for fewer requests; this node tries again later",
}
_STATUS_FAULTS: dict[int, str] = {
    HTTPStatus.MOVED_PERMANENTLY: _FAULTS["AuthorizationHeaderMalformed"],
    HTTPStatus.TEMPORARY_REDIRECT: _FAULTS["AuthorizationHeaderMalformed"],
    HTTPStatus.UNAUTHORIZED: f"the server wants other keys; {_KEYS}",
    HTTPStatus.FORBIDDEN: "the keys may not do this; allow them s3:GetObject, s3:PutObject and s3:ListBucket there",
    HTTPStatus.NOT_FOUND: _FAULTS["NoSuchBucket"],
    HTTPStatus.INSUFFICIENT_STORAGE: "the server has no room; make some",
}


class BucketError(Exception):
    """Why an object cannot be read or written, in one line with the remedy. It has neither keys nor the server's text.

    `status` is that of the answer, if there was one, and `code` what S3 calls the error; both may be unknown.
    """

    def __init__(self, place: object, fault: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(f"archive {place}: {fault}")
        self.status, self.code = status, code

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status is None or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Bucket:
    """Objects by name, below the prefix of an archive. `transport` is another way to the server than the network."""

    def __init__(
        self,
        access: ArchiveAccess,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.place = access.place
        self._keys, self._now = access.keys, now
        self._client = httpx.AsyncClient(timeout=_TIMEOUTS, transport=transport)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def size(self, name: str) -> int | None:
        """Return the length of an object in bytes, None if there is none. Raise BucketError."""
        found = await self.read(name, 0, 1)
        return None if found is None else found[1]

    async def read(self, name: str, offset: int, length: int) -> tuple[bytes, int] | None:
        """Return up to `length` > 0 bytes from `offset` on, and the length of the object; None if there is none.

        Raise BucketError, also if the server sends fewer bytes than there are.
        """
        wanted = {"range": f"bytes={offset}-{offset + length - 1}"}
        with self._explained(), trio.fail_after(_READ_S):
            request = self._request("GET", name, _NOTHING)
            request.headers.update({**wanted, "accept-encoding": "identity"})
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and not offset:
                    return b"", 0
                if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                    error = await self._error(response)
                    if error.code == "NoSuchKey" or (error.status == HTTPStatus.NOT_FOUND and not error.code):
                        return None
                    raise error
                size = self._length(response)
                expected = max(0, min(length, size - offset))
                data = await _read_at_most(response, expected)
            finally:
                await response.aclose()
        if len(data) != expected:
            raise BucketError(self.place, f"the server sent {len(data)} bytes of {expected}; {_AGAIN}")
        return data, size

    async def write(self, name: str, content: AsyncIterator[bytes], *, size: int, sha256: bytes) -> None:
        """Write a whole object, whose length and SHA-256 are known, so that the server checks both.

        Raise BucketError, and what `content` raises.
        """
        with self._explained(), trio.fail_after(_READ_S + size / _SLOWEST_BYTES_PER_S):
            request = self._request("PUT", name, sha256.hex(), content=content, size=size)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != HTTPStatus.OK:
                    raise await self._error(response)
            finally:
                await response.aclose()

    def _request(
        self, method: str, name: str, sha256: str, *, content: AsyncIterator[bytes] | None = None, size: int = 0
    ) -> httpx.Request:
        place = self.place
        url = httpx.URL(f"{place.endpoint}/{place.bucket}/{place.prefix}{name}")
        headers = headers_to_sign(url.netloc.decode(), sha256, self._keys, self._now())
        signed = authorization(RequestToSign(method=method, path=url.path, headers=headers), place.region, self._keys)
        headers["authorization"] = signed
        if content is not None:
            headers["content-length"] = str(size)
        return self._client.build_request(method, url, headers=headers, content=content)

    def _length(self, response: httpx.Response) -> int:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None:
            raise BucketError(self.place, f"the server does not say how long the object is; {_OTHER_SERVER}")
        return int(found[1])

    async def _error(self, response: httpx.Response) -> BucketError:
        status = response.status_code
        found = _CODE.search(await _read_at_most(response, _MAX_ERROR_BYTES))
        code = "" if found is None else found[1].decode()
        region = response.headers.get("x-amz-bucket-region", "")
        if status == HTTPStatus.OK:
            fault = f"the server does not send a part of an object when asked for it; {_OTHER_SERVER}"
        elif _REGION.fullmatch(region) and region != self.place.region:
            fault = f'the bucket is in another region; say archive_region = "{region}" in [node]'
        else:
            unknown = f"the server answers {status} {code}".rstrip() + f"; {_AGAIN}"
            fault = _FAULTS.get(code) or _STATUS_FAULTS.get(status, unknown)
        return BucketError(self.place, fault, status=status, code=code)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise BucketError for what goes wrong on the way."""
        endpoint, check = self.place.endpoint, "check archive_endpoint and the network"
        try:
            yield
        except (trio.TooSlowError, httpx.TimeoutException):
            raise BucketError(self.place, f"{endpoint} does not answer in time; {check}") from None
        except httpx.ConnectError as error:
            reason = _reason(error)
            raise BucketError(self.place, f"{endpoint} cannot be reached ({reason}); {check}") from None
        except httpx.HTTPError as error:
            reason = _reason(error)
            raise BucketError(self.place, f"{endpoint} broke off or spoke no HTTP ({reason}); {check}") from None


async def _read_at_most(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the content as it was sent, for as long as the caller allows, and return the beginning of it."""
    data = bytearray()
    async for part in response.aiter_raw():
        data += part[: max_bytes - len(data)]
    return bytes(data)


def _reason(error: Exception) -> str:
    """Return the system's word for an error, without anything that a server said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
