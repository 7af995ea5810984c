"""The digest of the program that a node announces: over our own files, whatever lies beside them."""

from pathlib import Path

from node.system.version import digest_sources

FILES = {"node/__init__.py": "", "node/app.py": "run = 1", "engine/rules/moves.py": "x = 2", "training/py.typed": ""}


def install(root: Path, *, record: bool) -> Path:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if record:
        info = root / "ringrift_swarm-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ringrift-swarm\nVersion: 0.1.0\n")
        (info / "RECORD").write_text("".join(f"{name},sha256=x,1\n" for name in FILES))
    return root


def test_an_installed_program_and_a_checkout_have_the_same(tmp_path: Path) -> None:
    installed, checkout = install(tmp_path / "site", record=True), install(tmp_path / "checkout", record=False)
    assert digest_sources(installed) == digest_sources(checkout)
    (checkout / "node" / "app.py").write_text("run = 2")
    assert digest_sources(installed) != digest_sources(checkout)


def test_files_of_others_beside_an_installed_program_do_not_count(tmp_path: Path) -> None:
    root = install(tmp_path, record=True)
    before = digest_sources(root)
    (root / "node" / "of_another_project.py").write_text("y = 3")
    (root / "node" / "app.py").with_suffix(".pyc").write_text("")
    assert digest_sources(root) == before
    (root / "engine" / "rules" / "moves.py").write_text("x = 3")
    assert digest_sources(root) != before
    (root / "node" / "app.py").unlink()
    digest_sources(root)
