"""What changed between two texts, line by line: runs of the old lines, and new lines."""

from collections.abc import Iterable, Sequence

Change = str | list[int]
"""A new line, or a run of old lines: the number of its first one, from 0, and how many there are."""


def find_changes(old: Sequence[str], new: Iterable[str]) -> list[Change]:
    """Return what makes `new` of `old`, in order. Lines that only moved are not told again."""
    places = {line: place for place, line in enumerate(old)}
    changes: list[Change] = []
    run: list[int] | None = None  # the last change, if it is a run
    for line in new:
        if run is not None and (after := sum(run)) < len(old) and old[after] == line:
            run[1] += 1
        elif line in places:
            run = [places[line], 1]
            changes.append(run)
        else:
            run = None
            changes.append(line)
    return changes


def apply_changes(old: Sequence[str], changes: Iterable[Change]) -> list[str]:
    """Return the new lines, as the page's script does."""
    new: list[str] = []
    for change in changes:
        if isinstance(change, str):
            new.append(change)
        else:
            new += old[change[0] : sum(change)]
    return new
