"""The names of networks that a swarm may be told to train are those that trainers know."""

import itertools

import pytest

from consensus.architecture import parse_architecture
from consensus.settings import SettingsError, SteeringSettings, TrainingSettings
from training import network

ODD = ("", "c16", "b2", "c16b2x", "c16-b2", "C16b2", "c016b2", "c16b02", " c16b2", "c16b2\n", "c१६b2", "resnet", "none")


def test_the_ledger_and_the_trainer_know_the_same_names() -> None:
    sizes = itertools.product((0, 1, 3, 4, 16, 256, 257, 999, 1000), (0, 1, 2, 20, 21, 99, 100))
    for name in (*(f"c{channels}b{blocks}" for channels, blocks in sizes), *ODD):
        try:
            known: tuple[int, int] | None = network.parse_architecture(name)
        except ValueError:
            known = None
        assert parse_architecture(name) == known, name


@pytest.mark.parametrize("name", ["c16-b2", "c3b1", "c16b21", "resnet"])
def test_a_swarm_that_could_never_train_is_refused(name: str) -> None:
    """Once such a swarm started, played at random and called itself ready for ever."""
    with pytest.raises(SettingsError, match=r"training.architecture: must name a network .*, not"):
        TrainingSettings(architecture=name)
    with pytest.raises(SettingsError, match=r"steering.families: must name a network .*, such as c16b2, not"):
        SteeringSettings(families=f"c16b2.{name}")
