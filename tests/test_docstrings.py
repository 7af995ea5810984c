"""Docstrings of functions and methods are imperative; properties, classes and modules say what they are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("consensus", "engine", "training", "node")

_DETERMINERS = """
a an the this that these those all any each every some no none nothing both either neither another other such own
one two three its their our it we they
"""
_QUESTIONS = "who whose whom what which when where why how whether whatever whoever"
_PREPOSITIONS = """
of in on at by for from to with without as if until till after before between among about above below over under into
onto through during since while against beside near like than up down per only also not once
"""
_NOUNS_AND_ADJECTIVES = """
weight raw number text first last digest length major epoch ripe canonical whole highest lowest evidence direction
attribute height random entry header reported standard self-play newest latest true false
"""
_NO_VERBS = frozenset(" ".join((_DETERMINERS, _QUESTIONS, _PREPOSITIONS, _NOUNS_AND_ADJECTIVES)).split())


def test_docstrings_of_functions_are_imperative() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {sentence}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node, sentence in _sentences(path)
        if not _is_imperative(sentence)
    ]
    assert not found, f"{len(found)} docstrings are not imperative:\n" + "\n".join(found[:50])


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Return the weight of all members.", True),
        ("See `Store.read`.", True),
        ("Re-draw the picture.", True),
        ("Pass on what came in.", True),
        ("The weight of all members.", False),
        ("Whether it has forked.", False),
        ("Of the members those that have a weight.", False),
        ("Takes an event in.", False),
        ("Rows of the events.", False),
        ("int32[games]: the winners.", False),
        ("SHA-256 of the state.", False),
        ("`wanted` are rows.", False),
        ("Weight of the members.", False),
    ],
)
def test_imperative_sentences_are_told_from_others(sentence: str, expected: bool) -> None:
    assert _is_imperative(sentence) is expected


def _sentences(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Yield the functions and methods of a file with the first line of what they say; properties left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text, decorators = ast.get_docstring(node), {_last_name(each) for each in node.decorator_list}
        if text and not decorators & {"property", "cached_property", "Once", "setter"}:
            yield node, text.split("\n", 1)[0]


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_imperative(sentence: str) -> bool:
    """Return whether the first word may be a verb in the imperative."""
    word = sentence.split(None, 1)[0].rstrip(",:")
    if not re.fullmatch(r"[A-Z][a-z]+(-[a-z]+)?", word) or word.lower() in _NO_VERBS:
        return False
    return not word.endswith("s") or word.endswith("ss")
