"""The picture of a reference run's ratings shows each rated model where its rating is."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scripts.rating_curve import Point, draw_curve, points_of

REFERENCE = Path(__file__).parents[2] / "docs" / "reference-run"
SVG = "{http://www.w3.org/2000/svg}"


def table(*ratings: tuple[str, float]) -> dict[str, Any]:
    return {"ratings": [{"player": player, "rating": rating, "error": 40.0} for player, rating in ratings]}


def test_models_are_in_the_order_of_their_promotions() -> None:
    found = table(("search-16:out/models/hex8-2-10", 1900.0), ("heuristic", 1500.0), ("search-16:m/hex8-2-9", 1950.0))
    assert points_of(found, "hex8-2") == [Point(9, 1950.0, 40.0), Point(10, 1900.0, 40.0)]
    assert points_of(found, "hex8-3") == []


def test_higher_ratings_are_higher_and_names_do_not_overlap() -> None:
    ratings = {
        "hex8-2": table(("m/hex8-2-1", 1400.0), ("m/hex8-2-2", 1800.0)),
        "hex8-3": table(("m/hex8-3-2", 1790.0)),
        "hex8-4": table(("heuristic", 1500.0)),
    }
    picture = ElementTree.fromstring(draw_curve(ratings))
    first, second, third = (float(circle.attrib["cy"]) for circle in picture.iter(f"{SVG}circle"))
    assert first > third > second
    names = {text.text: float(text.attrib["y"]) for text in picture.iter(f"{SVG}text")}
    assert abs(names["hex8-2"] - names["hex8-3"]) >= 16
    assert "hex8-4" not in names


def test_the_kept_picture_is_that_of_the_kept_ratings() -> None:
    assert (REFERENCE / "rating-curve.svg").read_text() == draw_curve(
        json.loads((REFERENCE / "ratings.json").read_text())
    )
