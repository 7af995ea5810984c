"""The house rules that no linter knows."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("consensus", "engine", "training", "node")


def test_every_module_says_what_it_owns() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert modules
    silent = [path for path in modules if not path.read_text().lstrip().startswith(('"""', 'r"""'))]
    assert not silent, f"modules without a docstring at their head: {silent}"
