"""Text of others does nothing to a terminal and hides nothing from a reader; all other text stays as it is."""

import sys
import unicodedata

import pytest

from node.text.harmless import harmless, harmless_lines, harmless_values


@pytest.mark.parametrize(
    "text", ["", "anvil", "naïve", "Ω ≥ 1", "名前", "שלום", "שָׁלוֹם", "ệ", "किताब", "5 × 3 – 2 …", "a\\b", "🙂"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),  # the same in one character of C1
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("safe\u202egpj.exe", "safe\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("ad\u200bmin", "ad\\u200bmin"),
        ("ad\u00admin", "ad\\xadmin"),
        ("\u3164", "\\u3164"),
        ("a\ufe0f", "a\\ufe0f"),
        ("\U000e0041", "\\U000e0041"),  # a tag character
        ("\udcff", "\\udcff"),
        ("a\u00a0b\u2028c", "a\\xa0b\\u2028c"),
        ("\U0001d159", "\\U0001d159"),  # a musical symbol that is drawn as nothing
        ("\u0336x", "\\u0336x"),  # would strike out what stands before the text
        ("o" + 6 * "\u0301" + "k", "o" + 4 * "\u0301" + 2 * "\\u0301" + "k"),
    ],
)
def test_what_acts_or_hides_is_an_escape(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown


def test_no_character_that_acts_or_hides_is_left() -> None:
    """Of all characters, those left are printable, and none of them has a default that is not to be drawn."""
    shown = harmless("".join(map(chr, range(sys.maxunicode + 1))))
    kinds = {unicodedata.category(letter) for letter in shown if letter != " "}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    assert not {unicodedata.bidirectional(letter) for letter in shown} & {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip


def test_lines_and_values() -> None:
    assert harmless_lines("a\x07\nb\r\n") == "a\\x07\nb\\r\n"
    value = {"na\x1bme": ["\u202e", 3, None, True, {"x": "y\n"}]}
    assert harmless_values(value) == {"na\\x1bme": ["\\u202e", 3, None, True, {"x": "y\\n"}]}
