"""Real nodes and a real S3 server: what every machine lost with its disk comes back from the archive."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import trio

from consensus.settings import SteeringSettings, TimingSettings
from node.config.archive import ArchiveKeys
from node.demo.processes import run_to_end
from tests.integration.processes import QUICK, Processes, processes
from tests.node.blobs.moto_server import BUCKET, IS_MISSING, WHY_MISSING, MotoServer, moto_server
from tests.node.blobs.s3_server import KEYS

ARCHIVIST, OTHERS = 0, (1, 2, 3)
SETTINGS = replace(
    QUICK,
    timing=TimingSettings(lease_s=60),
    selfplay=replace(QUICK.selfplay, ceiling=QUICK.training.games),  # then nobody plays more, as nobody trains
    steering=SteeringSettings(rules=1, custodians=2, custody_s=30),
)
WRONG = "the secret does not belong to the access key; check the keys of the archive"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(IS_MISSING, reason=WHY_MISSING)]


async def test_what_everybody_lost_is_read_back_and_held_again(tmp_path: Path) -> None:
    """All blobs of the swarm are gone, and one member lost its whole disk; the ledger of the others outlives it."""
    async with moto_server() as server, processes(tmp_path, 4, SETTINGS, "--roles", "selfplay") as swarm:
        keep_archive(swarm, server, ArchiveKeys(server.keys.key_id, KEYS.secret))
        await require_that_a_wrong_key_is_told(swarm)

        await swarm.kill(ARCHIVIST)
        write_keys(tmp_path, server.keys)
        await swarm.start(ARCHIVIST)
        await swarm.until(ARCHIVIST, "/status", is_archived, 200)
        shards = {entry["fields"]["shard"] for entry in await swarm.log(ARCHIVIST) if entry["kind"] == "safe"}
        assert len(shards) >= 4
        said = await run_to_end(("doctor", "--data", str(swarm.commands[ARCHIVIST].data)))
        assert "blobs there, 0 waiting" in " ".join(said[1].split())

        for number in range(4):
            await swarm.kill(number)
        for number in (ARCHIVIST, *OTHERS):
            shutil.rmtree(swarm.commands[number].data / "blobs")
        shutil.rmtree(swarm.commands[OTHERS[-1]].data)
        assert not any(copies(swarm, shard) for shard in shards)

        await swarm.start(0, 1, 2, 3)
        with trio.fail_after(240):
            while not all(len(copies(swarm, shard)) >= 2 for shard in shards):
                await trio.sleep(1)
        await swarm.same_digest(ARCHIVIST, OTHERS[-1])
        restored = (await swarm.ask(ARCHIVIST, "/status"))["archive"]["restored_bytes"]
        assert restored == sum(path.stat().st_size for path in (copies(swarm, shard)[0] for shard in shards))


def keep_archive(swarm: Processes, server: MotoServer, keys: ArchiveKeys) -> None:
    """Give the archivist a file of its own that names the archive, and no work."""
    command = swarm.commands[ARCHIVIST]
    config = swarm.directory / "archivist.toml"
    text = Path(command.arguments[0]).read_text()
    config.write_text(
        f'{text}\narchive = "s3://{BUCKET}/first"\narchive_endpoint = "{server.endpoint}"\narchive_keys = "keys"\n'
    )
    write_keys(swarm.directory, keys)
    commands = [*swarm.commands]
    commands[ARCHIVIST] = replace(command, arguments=(str(config), *command.arguments[1:], "--roles", "none"))
    swarm.commands = commands


def write_keys(directory: Path, keys: ArchiveKeys) -> None:
    path = directory / "keys"
    path.touch(mode=0o600)
    path.write_text(f"[default]\naws_access_key_id = {keys.key_id}\naws_secret_access_key = {keys.secret}\n")


async def require_that_a_wrong_key_is_told(swarm: Processes) -> None:
    """`check` says it before the start, and `doctor` and /status while the node runs; the swarm works all the same."""
    command = swarm.commands[ARCHIVIST]
    words = (command.arguments[0], "--key", str(command.key), "--data", str(command.data))
    status, said = await run_to_end(("check", *words))
    assert status == 1, said
    assert WRONG in " ".join(said.split())
    await swarm.start(0, 1, 2, 3)
    told = await swarm.until(ARCHIVIST, "/status", lambda status: bool(status["archive"]["error"]), 120)
    assert WRONG in told["archive"]["error"]
    status, said = await run_to_end(("doctor", "--data", str(command.data)))
    assert WRONG in " ".join(said.split())


def is_archived(status: dict[str, dict[str, int]]) -> bool:
    """Whether nothing is played or waits any more, and all that counts is in the archive."""
    archive, counts = status["archive"], status["counts"]
    return counts["games"] >= QUICK.training.games and archive["archived"] >= counts["shards"] > 0


def copies(swarm: Processes, digest: str) -> Sequence[Path]:
    """The unharmed copies of a shard on the nodes' disks."""
    paths = [command.data / "blobs" / digest[:2] / digest for command in swarm.commands]
    return [path for path in paths if path.exists() and sha256(path.read_bytes()).hexdigest() == digest]
