"""`ringrift-node` without its guard against a second process with its key: for what follows if two of them sign."""

import runpy

from node.member.second_instance import SecondInstance


def ignore(*_: object) -> None:
    """Let a sign of another process pass."""


if __name__ == "__main__":
    for name in ("observe_lost", "observe_renewal", "observe_copied_disk", "observe_other"):
        setattr(SecondInstance, name, ignore)
    runpy.run_module("node.cli", run_name="__main__", alter_sys=True)
