"""What follows from a ledger is computed once between two rounds, and anew after each."""

from consensus.ledger.views import Views
from consensus.settings import EpochSettings
from tests.consensus.ledger.swarm import Swarm, settings


def test_a_pure_function_is_computed_once_and_again_after_a_round_or_a_close() -> None:
    swarm = Swarm(settings=settings(epoch=EpochSettings(events=2)))
    seen: list[int] = []

    def ordered(ledger: Views) -> int:
        seen.append(ledger.ordered)
        return ledger.ordered

    assert [swarm.ledger.remember(ordered) for _ in range(3)] == [0, 0, 0]
    swarm.open(0, 1, 2)
    assert [swarm.ledger.remember(ordered) for _ in range(3)] == [3, 3, 3]
    swarm.close()
    assert swarm.ledger.remember(ordered) == 3
    assert seen == [0, 3, 3]


def test_what_follows_from_a_few_records_is_computed_again_only_for_other_records() -> None:
    swarm = Swarm()
    seen: list[int] = []

    def games(ledger: Views, name: str) -> int:
        seen.append(ledger.configuration(name).games)
        return seen[-1]

    def recalled() -> int:
        return swarm.ledger.recall(games, "hex8-2", (swarm.ledger.configuration("hex8-2"),))

    assert [recalled(), recalled()] == [0, 0]
    swarm.order()
    assert recalled() == 0
    swarm.play(1)
    assert [recalled(), recalled()] == [32, 32]
    assert seen == [0, 32]
