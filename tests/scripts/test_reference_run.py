"""`scripts/reference-run` keeps what a swarm left, if its certificates hold."""

from pathlib import Path
from typing import Any

import pytest

from scripts.reference_run import blob, game_blobs, promotions_of, spread

CERTIFICATE = Path(__file__).parents[1] / "data" / "version-3" / "certificate.json"


@pytest.mark.parametrize(
    ("promotions", "count", "kept"),
    [(1, 5, [1]), (3, 5, [1, 2, 3]), (9, 3, [1, 5, 9]), (10, 5, [1, 3, 6, 8, 10]), (4, 1, [4])],
)
def test_the_last_model_is_kept_and_others_at_equal_distances(promotions: int, count: int, kept: list[int]) -> None:
    numbers: Any = list(range(1, promotions + 1))
    found: Any = spread(numbers, count)
    assert found == kept


def test_the_games_of_a_certificate_are_found_in_any_store(tmp_path: Path) -> None:
    digests = list(game_blobs(CERTIFICATE.read_bytes()))
    assert digests
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests)
    with pytest.raises(SystemExit, match=f"has the file {digests[0]}"):
        blob(tmp_path, digests[0])


def test_a_swarm_without_promotions_has_nothing_to_keep(tmp_path: Path) -> None:
    (tmp_path / "swarm.toml").write_bytes((Path(__file__).parents[2] / "swarm.toml").read_bytes())
    assert promotions_of(tmp_path) == []
