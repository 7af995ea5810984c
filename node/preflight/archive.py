"""Checks of the archive: can it be written, and does it give back what was written?"""

from collections.abc import AsyncIterator
from hashlib import sha256

from node.blobs.s3 import Bucket, BucketError
from node.preflight.finding import Finding, fault, ok

_NAME = "check"
_CONTENT = b"Written by ringrift-node check, to see whether this archive can be written and read.\n"


async def check_archive(bucket: Bucket) -> list[Finding]:
    """Return whether a small object can be written and read back; it stays there. Close the bucket."""
    place = f"{bucket.place} at {bucket.place.endpoint}"

    async def content() -> AsyncIterator[bytes]:
        yield _CONTENT

    try:
        await bucket.write(_NAME, content(), size=len(_CONTENT), sha256=sha256(_CONTENT).digest())
        found = await bucket.read(_NAME, 0, len(_CONTENT) + 1)
    except BucketError as error:
        return [fault("archive", str(error).removeprefix("archive "))]
    finally:
        await bucket.aclose()
    if found != (_CONTENT, len(_CONTENT)):
        remedy = "look at what else writes there, or name another place with archive in [node]"
        return [fault("archive", f"{place}: what was written is not what was read; {remedy}")]
    return [ok("archive", f"{place}: written and read")]
