"""A real S3 server in a process of its own, with one bucket, which knows one user and refuses all others."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import trio

from node.config.archive import ArchiveKeys
from node.demo.preparation import free_ports

BUCKET = "swarm"
IS_MISSING = any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "flask_cors"))
WHY_MISSING = "there is no S3 server; pip install 'moto[s3]' flask flask-cors"

_START_S = 60.0
_POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'  # of the user
)
_ACTIONS = (
    {"Action": "CreateUser", "UserName": "node"},
    {"Action": "PutUserPolicy", "UserName": "node", "PolicyName": "all", "PolicyDocument": _POLICY},
    {"Action": "CreateAccessKey", "UserName": "node"},
)
_AS_IAM = {"authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, Signature=b"}


@dataclass(frozen=True)
class MotoServer:
    """Where the server is, and the keys of its user."""

    endpoint: str
    keys: ArchiveKeys


@asynccontextmanager
async def moto_server() -> AsyncIterator[MotoServer]:
    """Start a server; end it on leaving. Requests that make the bucket and the user need no keys, later ones do."""
    port = free_ports(1)[0]
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(1 + len(_ACTIONS))}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment) as process:
        try:
            yield MotoServer(endpoint, await _set_up(endpoint))
        finally:
            process.terminate()


async def _set_up(endpoint: str) -> ArchiveKeys:
    """Make the bucket, once the server answers, and the user; return the keys of that."""
    async with httpx.AsyncClient(trust_env=False) as client:
        with trio.fail_after(_START_S):
            while True:
                try:
                    assert (await client.put(f"{endpoint}/{BUCKET}")).status_code == 200
                    break
                except httpx.TransportError:
                    await trio.sleep(0.1)
        text = ""
        for action in _ACTIONS:
            answer = await client.post(endpoint, data={**action, "Version": "2010-05-08"}, headers=_AS_IAM)
            assert answer.status_code == 200, answer.text
            text = answer.text
    found = [re.search(rf"<{name}>([^<]+)</{name}>", text) for name in ("AccessKeyId", "SecretAccessKey")]
    assert all(found), text
    return ArchiveKeys(*(match[1] for match in found if match is not None))
