"""The charts as their elements: where a bar ends, what lies on what, where a mark leads."""

import re
from xml.etree import ElementTree

from markupsafe import Markup

from node.api.models import ModelInfo
from node.api.ratings import RatingInfo
from node.web.charts import COLOURS, bar_of_test, rating_chart, share_chart
from node.web.svg import element
from tests.node.fake_source import FakeSource, digest


def parse(picture: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{picture}</div>")


def test_attributes_and_contents_are_escaped_and_harmless() -> None:
    text = element("text", {"title": '"><script>', "x": 1.25, "y": 3, "class": None}, "<b>\x1b", Markup("<i/>"))
    assert text == '<text title="&#34;&gt;&lt;script&gt;" x="1.2" y="3">&lt;b&gt;\\x1b<i/></text>'


def test_a_bar_begins_at_zero_and_ends_at_the_ratio_or_the_bound(source: FakeSource) -> None:
    candidate = source.work()["candidates"][0]
    for ratio, kind, begin, end in ((0.0, "open", 120, 122), (1.5, "open", 120, 180), (-9.0, "reject", 0, 120)):
        bar = parse(bar_of_test({**candidate, "llr": ratio, "rejects_at": -3.0, "accepts_at": 3.0}))
        (filled,) = bar.findall(f".//rect[@class='{kind}']")
        assert (float(filled.attrib["x"]), float(filled.attrib["x"]) + float(filled.attrib["width"])) == (begin, end)
    assert bar[0].attrib["aria-label"] == "log-likelihood ratio -9.00; rejected at -3.00, accepted at 3.00"


def models(source: FakeSource, count: int) -> list[ModelInfo]:
    first = next(entry for entry in source.models() if entry["candidate"])
    return [{**first, "model": digest(f"m{number}"), "candidate": digest(f"c{number}")} for number in range(count)]


def ratings(source: FakeSource, *rated: tuple[int, float]) -> list[RatingInfo]:
    first = source.ratings()[0]
    return [{**first, "model": digest(f"m{number}"), "rating": points} for number, points in rated]


def test_each_promotion_is_a_mark_that_leads_to_its_match(source: FakeSource) -> None:
    chart = parse(rating_chart("hex8-2", ratings(source, (0, 1450.0), (2, 1900.0)), models(source, 4), "../"))
    marks = chart.findall(".//a")
    assert [mark.attrib["href"] for mark in marks] == [f"../candidates/{digest(f'c{number}')}" for number in range(4)]
    assert marks[0].findtext("title", "").startswith("Promotion 1, model ")
    many = parse(rating_chart("hex8-2", [], models(source, 100), ""))
    assert many.findall(".//a")[-1].findtext("title", "").startswith("Promotion 100, model ")
    assert len(many.findall(".//a")) == 30
    assert [mark.find("circle[@class='unrated']") is None for mark in marks] == [True, False, True, False]
    assert len(chart.findall(".//a/line[@class='error']")) == 2
    assert len(chart.findall(".//line[@class='reference']")) == 1
    curve = chart.find(".//polyline[@class='curve']")
    band = chart.find(".//polygon[@class='band']")
    assert curve is not None
    assert band is not None
    (_, low), (_, high) = (map(float, place.split(",")) for place in curve.attrib["points"].split())
    assert low > high, "upwards is stronger"
    assert len(band.attrib["points"].split()) == 4
    assert "2 models rated, the newest, number 3, 1900 points" in chart[0].attrib["aria-label"]


def test_a_chart_without_ratings_still_has_the_promotions(source: FakeSource) -> None:
    chart = parse(rating_chart("hex8-2", [], models(source, 1), ""))
    assert len(chart.findall(".//a")) == 1
    assert chart[0].attrib["aria-label"].endswith("none is rated yet")


def test_shares_fill_the_whole_height_where_something_was_delivered(source: FakeSource) -> None:
    history = source.history()
    chart = parse(share_chart(history, "configuration", [("a", [1, 0, 3]), ("b", [1, 0, 1])]))
    first, second = (chart.find(f".//path[@class='c{level}']") for level in (0, 1))
    assert first is not None
    assert second is not None
    assert re.findall(r"V([\d.]+)", first.attrib["d"])[::2] == ["84.0", "48.0"], "a half, then three quarters"
    assert second.attrib["d"].count("M") == 2
    assert "a 67%, b 33%" in chart[0].attrib["aria-label"]
    many = [(f"member {number}", [1]) for number in range(40)]
    assert len(parse(share_chart(history, "member", many)).findall(".//li")) == COLOURS + 1
