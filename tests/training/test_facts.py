"""Facts of shards: counted plainly, the same from every machine, and whatever is not as announced is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import verified
from training.facts import Announcement, _logarithms, check_shard, facts_of
from training.jobs import run_job
from training.progress import ignore_progress
from training.shard import VALUE_UNIT, WEIGHT_UNIT, Shard, shard_root


def announced(shard: Shard, **changes: Any) -> Announcement:
    said = Announcement(
        model=MODEL,
        seed=SEED,
        root=shard_root(shard),
        games=len(shard.lengths),
        plies=len(shard.moves),
        opening_plies=QUICK.opening_plies,
        is_random=len(shard.searched) == 0,
        facts=asdict(facts_of(verified(shard))),
    )
    return replace(said, **changes)


def test_the_facts_are_what_counting_plainly_finds(searched_shard: Shard) -> None:
    shard, source = searched_shard, verified(searched_shard)
    facts = facts_of(source)
    games = [tuple(game.tolist()) for game in np.split(shard.moves, shard.offsets[1:-1])]
    assert facts.searched == len(shard.searched) > 0
    assert facts.decisive == sum(winner > 0 for winner in shard.winners.tolist())
    assert facts.forced == source.replayed.options.tolist().count(1)
    assert facts.openings == len({game[:12] for game in games})
    assert facts.duplicates == 0
    entropies, errors = [], []
    ends = np.cumsum(shard.choices)
    for number, ply in enumerate(shard.searched.tolist()):
        parts = shard.weights[ends[number] - shard.choices[number] : ends[number]] / WEIGHT_UNIT
        entropies.append(-sum(part * math.log2(part) for part in parts if part))
        winner = int(shard.winners[np.searchsorted(shard.offsets, ply, side="right") - 1])
        for seat in (1, 2):
            chance = (shard.values[2 * number + seat - 1] / VALUE_UNIT + 1) / 2
            errors.append((chance - (0.5 if winner == 0 else float(winner == seat))) ** 2)
    assert abs(facts.entropy - 1000 * np.mean(entropies)) < 2
    assert abs(facts.value_error - 1e6 * np.mean(errors)) < 2


def test_random_games_have_no_searches(random_shard: Shard) -> None:
    facts = facts_of(verified(random_shard))
    assert (facts.searched, facts.entropy, facts.value_error) == (0, 0, 0)
    assert facts.openings == 12


def test_the_same_game_twice_is_a_duplicate(random_shard: Shard) -> None:
    length = int(random_shard.lengths[0])
    twice = replace(
        random_shard,
        lengths=random_shard.lengths[[0, 0]],
        openings=random_shard.openings[[0, 0]],
        winners=random_shard.winners[[0, 0]],
        moves=np.tile(random_shard.moves[:length], 2),
    )
    facts = facts_of(verified(twice))
    assert (facts.duplicates, facts.openings) == (1, 1)
    assert check_shard(verified(twice), announced(twice)) == "game 1: not the opening of its seed"


def test_logarithms_are_those_of_the_mathematicians() -> None:
    exact = np.log2(np.maximum(1, np.arange(WEIGHT_UNIT + 1))) * 2**16
    assert np.abs(_logarithms() - exact).max() < 2


LIES: list[tuple[Callable[[Shard], Announcement], str]] = [
    (lambda s: announced(s, model=b"x" * 32), "games of another model than was announced"),
    (lambda s: announced(s, seed=b"x" * 32), "games with another seed than the claim's"),
    (lambda s: announced(s, games=8), "but 8 with"),
    (lambda s: announced(s, plies=1), "but 7 with 1 were announced"),
    (lambda s: announced(s, root=b"x" * 32), "the games' Merkle root is not the one announced"),
    (lambda s: announced(s, opening_plies=3), "not the opening of its seed"),
    (lambda s: announced(s, is_random=True), "game 0: not the opening of its seed"),
    (lambda s: announced(s, facts={}), "but None was announced"),
    *(
        (lambda s, n=name: announced(s, facts={**announced(s).facts, n: 9999}), f"{name} is ")
        for name in ("searched", "decisive", "forced", "openings", "duplicates", "entropy", "value_error")
    ),
]


@pytest.mark.parametrize(("said", "reason"), LIES)
def test_what_is_not_as_announced_is_found(
    searched_shard: Shard, said: Callable[[Shard], Announcement], reason: str
) -> None:
    source = verified(searched_shard)
    assert check_shard(source, announced(searched_shard)) == ""
    assert reason in check_shard(source, said(searched_shard))


def test_another_s_games_under_one_s_own_seed_are_found(searched_shard: Shard, random_shard: Shard) -> None:
    for shard in (searched_shard, random_shard):
        assert check_shard(verified(shard), announced(shard)) == ""
        stolen = replace(shard, seed=b"t" * 32)
        said = announced(stolen, seed=b"t" * 32)
        assert "not the opening of its seed" in check_shard(verified(stolen), said)


def test_jobs_compute_facts_and_check_them(tmp_path: Path) -> None:
    job: dict[str, Any] = {
        "job": "selfplay", "config": "hex8-2", "model": None, "model_digest": MODEL, "seed": SEED, "games": 3,
        "settings": {}, "out": str(tmp_path),
    }  # fmt: skip
    assert run_job(job, ignore_progress)["facts"] is None
    done = run_job({**job, "facts": True}, ignore_progress)
    said = {
        "model": MODEL, "seed": SEED, "root": done["root"], "games": 3, "plies": done["plies"], "opening_plies": 12,
        "is_random": True, "facts": done["facts"],
    }  # fmt: skip
    check = {"job": "check_shard", "config": "hex8-2", "shard": done["shard"], "announced": said}
    assert run_job(check, ignore_progress) == {"ok": True, "reason": ""}
    wrong = run_job({**check, "announced": {**said, "plies": 1}}, ignore_progress)
    assert not wrong["ok"]
    assert "but 3 with 1 were announced" in wrong["reason"]
    assert not run_job({**check, "config": "square8-2"}, ignore_progress)["ok"]
