"""Exception groups are taken apart at any depth."""

from node.system.exception_groups import leaves


def test_leaves_come_in_their_order() -> None:
    first, second, third = ValueError("1"), KeyboardInterrupt(), KeyError("3")
    group = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [first, second]), third])
    assert list(leaves(group)) == [first, second, third]
