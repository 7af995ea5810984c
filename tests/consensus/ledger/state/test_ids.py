"""Transaction ids with gaps: each counts once, all are part of the digest, and they are kept small."""

from consensus.ledger.state.state import IDS_KEPT, UsedIds


def test_ids_above_the_floor_are_packed_in_ascending_order() -> None:
    used = UsedIds()
    for number in (0, 1, 9, 2**63 - 1, 5):
        assert used.use(number)
    assert used.floor == 2
    assert used.packed() == bytes.fromhex("000000000000000500000000000000097fffffffffffffff")
    assert not used.use(9)


def test_two_sets_of_ids_never_pack_alike_and_no_more_than_the_newest_are_kept() -> None:
    packs = set()
    used = UsedIds()
    for number in range(1, 6 * IDS_KEPT, 2):
        used.use(number)
        packs.add((used.floor, used.packed()))
        assert len(used.packed()) <= 8 * IDS_KEPT
    assert len(packs) == 3 * IDS_KEPT


def test_so_many_gaps_are_kept_and_one_more_gives_up_the_oldest() -> None:
    used = UsedIds()
    for number in range(1, 2 * IDS_KEPT + 1, 2):
        assert used.use(number)
    assert (used.floor, len(used.above)) == (0, IDS_KEPT)
    assert used.use(2 * IDS_KEPT + 1)
    assert used.floor == 2
    assert not used.use(0)
