"""Run the benchmark of one part of the program: `main(argv) -> int` of scripts/benches/PART.py."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_BENCHES = Path(__file__).parent / "benches"


def main(argv: list[str]) -> int:
    known = {path.stem: path for path in sorted(_BENCHES.glob("[a-z]*.py"))}
    if not argv or argv[0] not in known:
        wanted = repr(argv[0]) if argv else "nothing"
        print(f"bench: name what to measure ({', '.join(known)}), not {wanted}", file=sys.stderr)
        return 2
    # by path, since the files have the names of the packages that they measure
    return int(runpy.run_path(str(known[argv[0]]))["main"](argv[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
