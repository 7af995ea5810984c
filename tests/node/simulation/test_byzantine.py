"""The attacks: each is listed, by its name, where people look for it."""

import re
from pathlib import Path

from node.simulation import byzantine
from node.simulation.byzantine import ATTACKS

ROOT = Path(__file__).parents[3]


def test_the_package_lists_every_attack_in_one_line() -> None:
    listed = re.findall(r"^    ([a-z-]+) +\S", byzantine.__doc__ or "", flags=re.MULTILINE)
    assert sorted(listed) == sorted(ATTACKS)


def test_the_docs_name_every_attack() -> None:
    section = (ROOT / "docs" / "simulator.md").read_text().partition("## Attacks")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(rows))) == sorted(ATTACKS)
