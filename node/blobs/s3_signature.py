"""AWS Signature Version 4, as far as requests for single objects need it: no query, no odd characters in a path.

Of the libraries that could do this, `obstore` tells errors only as text, with the server's answer inside; it sends a
blob from memory or in several parts, and runs in threads that cannot be cancelled. `minio` brings three libraries of
ciphers for what is not needed here, `boto3` 17 MB, and `httpx-aws-auth` does not sign the digest of the content, which
S3 wants signed. The signature is checked against the examples that Amazon has published.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from node.config.archive import ArchiveKeys

_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "s3"


@dataclass(frozen=True, kw_only=True)
class RequestToSign:
    """One request. `headers` have names in lower case, with `host`, `x-amz-date` and `x-amz-content-sha256`."""

    method: str
    path: str
    headers: Mapping[str, str]


def headers_to_sign(host: str, content_sha256: str, keys: ArchiveKeys, now: datetime) -> dict[str, str]:
    """Return the headers that every request has. `now` is in UTC; `content_sha256` has 64 hexadecimal digits."""
    headers = {"host": host, "x-amz-content-sha256": content_sha256, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
    return {**headers, "x-amz-security-token": keys.token} if keys.token else headers


def authorization(request: RequestToSign, region: str, keys: ArchiveKeys) -> str:
    """Return the value of the header `Authorization`."""
    time = request.headers["x-amz-date"]
    scope = f"{time[:8]}/{region}/{_SERVICE}/aws4_request"
    names = ";".join(sorted(request.headers))
    lines = "".join(f"{name}:{request.headers[name].strip()}\n" for name in sorted(request.headers))
    content = request.headers["x-amz-content-sha256"]
    canonical = f"{request.method}\n{request.path}\n\n{lines}\n{names}\n{content}"
    to_sign = f"{_ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = _keyed(key, part)
    return f"{_ALGORITHM} Credential={keys.key_id}/{scope},SignedHeaders={names},Signature={_keyed(key, to_sign).hex()}"


def _keyed(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
