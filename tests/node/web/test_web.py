"""Routes, page and metrics over a made-up node."""

import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.api.log import LogEntry
from node.api.members import MemberInfo
from node.web.metrics import render_metrics
from node.web.page import render_page
from node.web.routes import Answer, Routes
from tests.node.fake_source import IDS, FakeSource, digest

READS = [
    "/", "/health", "/ready", "/status", "/members", "/work", "/steering", "/models", "/ratings", "/history",
    "/graph", "/dag", "/playing", "/records", "/games",
    "/proposals", "/certificates", "/faults",
    "/log", "/metrics",
]  # fmt: skip


def get(source: FakeSource, target: str, host: str = "127.0.0.1:8400") -> Answer:
    return Routes(source).answer("GET", target, host)


def body(answer: Answer) -> Any:
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


@pytest.mark.parametrize("path", READS)
def test_every_answer_is_good_and_carries_the_policy(source: FakeSource, path: str) -> None:
    answer = get(source, path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/status",
        "/members",
        "/work",
        "/steering",
        "/models",
        "/ratings",
        "/history",
        "/playing",
        "/records",
        "/proposals",
        "/certificates",
        "/faults",
    ],
)
def test_json_is_what_the_source_says(source: FakeSource, path: str) -> None:
    assert body(get(source, path)) == json.loads(json.dumps(getattr(source, path[1:])()))


def test_ready_says_why_not(source: FakeSource) -> None:
    assert body(get(source, "/ready")) == {"ready": True, "reason": "caught up with 4 of 4 of the weight"}
    source.values["ready"], source.values["ready_reason"] = False, "listening"
    answer = get(source, "/ready")
    assert answer.status == 503
    assert body(answer) == {"ready": False, "reason": "listening"}
    assert get(source, "/health").status == 200


def test_certificates_are_served_byte_for_byte(source: FakeSource) -> None:
    answer = get(source, "/certificates/" + digest("certificate 1"))
    assert answer.body == source.certificate(digest("certificate 1"))
    assert answer.headers["content-type"] == "application/json"


def test_proofs_of_wrong_results_are_served_byte_for_byte(source: FakeSource) -> None:
    answer = get(source, "/faults/" + digest("fault 1"))
    assert answer.body == source.fault(digest("fault 1"))
    assert answer.headers["content-type"] == "application/cbor"


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/faults/" + digest("fault 0"), 404, "no proof of a wrong result"),
        ("/matches/" + "0" * 64, 404, "no candidate that is kept"),
        ("/games/" + digest("candidate 1") + "/1", 404, "this node does not keep games"),
        ("/games/../0", 404, "this node does not keep games"),
        ("/candidates/" + "0" * 64, 404, "there is no /candidates/0"),
        ("/promotions/x", 404, "there is no /promotions/x"),
        ("/faults/../http.token", 404, "no proof of a wrong result"),
        ("/certificates/" + "0" * 64, 404, "no complete certificate"),
        ("/certificates/../secret", 404, "no complete certificate"),
        ("/certificates/%2e%2e%2fkey", 404, "no complete certificate"),
        ("/nothing", 404, "there is no /nothing"),
        ("/log?after=x", 400, "after must be the number"),
        ("/log?after=-1", 400, "after must be the number"),
        ("/log?after=", 400, "after must be the number"),
    ],
)
def test_refusals_are_json_with_one_reason(source: FakeSource, target: str, status: int, words: str) -> None:
    answer = get(source, target)
    assert answer.status == status
    assert words in body(answer)["error"]


def test_log_goes_on_after_the_last_entry(source: FakeSource) -> None:
    assert [entry["number"] for entry in body(get(source, "/log?after=9"))] == [10, 11]
    assert body(get(source, "/log?after=11")) == []


def test_a_failing_source_is_500_and_logged(source: FakeSource, capsys: pytest.CaptureFixture[str]) -> None:
    del source.values["counts"]  # type: ignore[misc]  # a mistake of the source
    answer = get(source, "/metrics")
    assert answer.status == 500
    assert "its log says why" in body(answer)["error"]
    assert "KeyError" in capsys.readouterr().out


class _Page(HTMLParser):
    """Collects what the tests ask about, and insists that no element carries code or style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not name.startswith("on"), f"<{tag} {name}>"
            assert name != "style", f"<{tag} style>"
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_page_shows_the_same(source: FakeSource) -> None:
    page = _Page(render_page(source))
    text = " ".join(" ".join(page.words).split())
    for shown in (
        "anvil", "workshop", "ready", "1,187", "decided 0.4 s ago", "9,498", "8,123", "551,204 plies",
        "Scarce here: 64% of 8.0 GiB of memory are used, tier 1 of 4: new jobs play at most 64 games at once.",
        "412 of 500", "in slot 1 on NVIDIA <H200>; its process holds 381 MiB, tier 2: the next claim begins with a new",
        "of 3 candidates", "silent", "5 min ago",
        "the test says it is not stronger",
        "uniform, built in", "2026-11-20 13:48:09", "4 of 4 of the weight", "2 × claim not live",
        "cedar leaves", "1 for, 0 against 3 needed anvil: yes", "not enough ballots in time", "weight 4, epoch 2",
        "no vote", "127.0.0.1:7403", "14 own transactions waiting", "policy 1.934, winner 0.512",
        "S, 0.35/h, stays 2 h 0 min", "S self-play, T training, M matches",
        "signed two events in one place in epoch 1, has no say, 2 wrong results, 3 preimages withheld",
        "no event in the order for 5 min", "2 wrong, 1 right 3 needed", "game 3, move 17 is <not> legal",
        "its seeds do not match", "2026-11-20 13:53:09",
        "value knows the winner: 0.12 0.31 0.48 0.77 by quarter; Brier 0.19; the policy alone scores 45% against 16 "
        "simulations; 64 simulations score 61% against 16; 512 held-out games", "64 simulations score 58% against 16",
    ):  # fmt: skip
        assert shown in text, shown
    assert f"promotions/{digest('certificate 1')}" in page.links
    assert f"candidates/{digest('candidate 0')}" in page.links
    assert all(get(source, urljoin("/", link)).status == 200 for link in page.links)
    assert not any(link.startswith("/") or "//" in link for link in page.links), "a proxy may serve it under a path"


def test_page_of_a_candidate_says_why_and_leads_to_the_games(source: FakeSource) -> None:
    name = digest("candidate 0")
    page = _Page(get(source, f"/candidates/{name}").body.decode())
    text = " ".join(" ".join(page.words).split())
    for shown in (
        "Rejected", "Why: the test says it is not stronger.",
        "Log-likelihood ratio -3.01 after 17 blocks of 200 at most", "rejected at -3.00, accepted at 3.00",
        "45 of 68; equal play has 34", "not kept by this node", name,
    ):  # fmt: skip
        assert shown in text, shown
    assert f"../games/{name}/0" in page.links
    assert f"../games/{name}/1" not in page.links
    assert get(source, f"/games/{name}/0").body == b"games"
    assert body(get(source, f"/matches/{name}")) == source.match(name)


def test_page_of_a_certificate_says_how_to_check_it(source: FakeSource) -> None:
    name = digest("certificate 1")
    page = _Page(get(source, f"/promotions/{name}").body.decode())
    text = " ".join(" ".join(page.words).split())
    command = f"ringrift-node verify {name[:16]}.certificate.json --genesis-digest {digest('genesis')}"
    for shown in (command, "Sealed by 4 of 4 of the weight", digest("model 1")):
        assert shown in text, shown
    assert {f"../certificates/{name}", f"../candidates/{digest('candidate 1')}"} <= set(page.links)
    base = f"/promotions/{name}"
    assert all(get(source, urljoin(base, link)).status == 200 for link in page.links)


def test_page_says_why_the_node_is_silent(source: FakeSource) -> None:
    assert "makes no events" not in render_page(source)
    source.values["consensus"]["ailment"] = "900 events behind"
    assert "This node makes no events for now: 900 events behind." in render_page(source)


def test_page_says_what_is_missing_for_a_quorum(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "2 of 4 weight, 3 needed; silent: cedar, dune"
    source.values["swarm"]["quorum"] = missing
    assert f"Nothing can be decided: {missing}." in render_page(source)
    source.values["ready"], source.values["ready_reason"] = False, f"not level: {missing}"
    assert render_page(source).count(missing) == 2, "in the notice, and as the badge's title"
    sealing = [{**source.certificates()[0], "complete": False, "sealed": 2, "missing": ["cedar", "<dune>"]}]
    monkeypatch.setattr(source, "certificates", lambda: sealing)
    for path in ("/", f"/promotions/{digest('certificate 1')}"):
        assert "3 needed; missing: cedar, &lt;dune&gt;" in render_page(source, path)
    assert "still to vote: birch, cedar, &lt;dune&gt;" in render_page(source)


def test_page_tells_both_directions_of_reachability(source: FakeSource) -> None:
    text = " ".join(" ".join(_Page(render_page(source)).words).split())
    for shown in ("reaches us", "flaps", "0.7 s ago", "210 MB of memory", "71.0 GB of disk", "version 0.1.0"):
        assert shown in text, shown


def test_page_of_a_swarm_in_which_all_behave(source: FakeSource) -> None:
    source.values["conduct"] = source.values["conduct"][:2]
    assert "Conduct of members" not in render_page(source)


def test_page_tells_the_news_in_sentences_newest_first(source: FakeSource) -> None:
    text = " ".join(" ".join(_Page(render_page(source)).words).split())
    told = (
        "is complete with 3 seals", "is canonical for hex8-2, promotion 1", "replayed the games and approves (3 of",
        "12 blocks counted", "played 500 games, 33120 plies; 7623 in all", "claims self-play, 500 games of hex8-2",
    )  # fmt: skip
    places = [text.index(words) for words in told]
    assert places == sorted(places)
    assert digest("seed")[:8] not in text  # the beacon is bookkeeping


def test_page_tells_the_newest_of_many(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = source.log(0)[8]
    many: list[LogEntry] = [
        {**promotion, "fields": {**promotion["fields"], "number": number}} for number in range(1, 100)
    ]
    monkeypatch.setattr(source, "latest", lambda count: many[-count:])
    text = render_page(source)
    assert text.count("is canonical for") == 12
    assert "promotion 99<" in text
    assert "promotion 87<" not in text


def test_page_escapes_what_peers_wrote(source: FakeSource) -> None:
    source.values["counts"]["rejected"] = {"<script>alert(1)</script>": 3}
    source.values["peers"][0]["state"] = '"><img src=x>'  # type: ignore[typeddict-item]  # what a later version may say
    text = render_page(source)
    assert "<dune>" not in text
    assert "&lt;dune&gt;" in text
    assert "<script>alert" not in text
    assert "<img" not in text


def test_page_of_a_node_that_has_just_started(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    source.values.update({"ready": False, "ready_reason": "listening to the others", "slots": [], "peers": []})
    source.values["consensus"].update({"round": 0, "round_age_s": None, "forkers": [IDS[3]]})
    source.values["counts"]["rejected"] = {}
    source.values["conduct"] = []
    monkeypatch.setattr(source, "work", lambda: {"claims": [], "candidates": [], "cases": [], "faults": []})
    monkeypatch.setattr(source, "certificates", list)
    monkeypatch.setattr(source, "latest", lambda count: [])
    text = " ".join(" ".join(_Page(render_page(source)).words).split())
    for shown in (
        "not ready", "Not ready: listening to the others.", "none decided yet", "nothing right now",
        "Nobody has claimed any work.", "No candidate yet", "None yet", "1 member signed two events",
    ):  # fmt: skip
        assert shown in text, shown


def families(source: FakeSource) -> dict[str, Any]:
    text = render_metrics(source.status()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(family: Any, **labels: str) -> float:
    (found,) = [sample.value for sample in family.samples if labels.items() <= sample.labels.items()]
    return float(found)


def test_metrics_parse_and_are_described(source: FakeSource) -> None:
    found = families(source)
    assert len(found) >= 25
    for name, family in found.items():
        assert name.startswith("ringrift_")
        assert family.documentation.strip(), name
        assert family.type in ("gauge", "counter", "histogram"), (name, family.type)
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), name
        if "seconds" in name:
            assert family.type in ("gauge", "histogram")


def test_metrics_have_the_status_s_figures(source: FakeSource) -> None:
    found = families(source)
    assert value(found["ringrift_round"]) == 1187
    assert value(found["ringrift_round_age_seconds"]) == 0.41
    assert value(found["ringrift_ready"]) == 1
    assert value(found["ringrift_games"]) == 8123
    assert found["ringrift_games"].type == "counter"
    assert value(found["ringrift_peer_up"], peer="<dune>") == 0
    assert value(found["ringrift_peer_lag_events"], id=IDS[3]) == 1904
    assert value(found["ringrift_work_done"], kind="selfplay") == 412
    assert value(found["ringrift_slot_busy"], slot="1", device="NVIDIA <H200>") == 1
    assert value(found["ringrift_slot_busy"], slot="2", device="cpu") == 0
    assert value(found["ringrift_slot_done"], slot="1") == 412
    assert value(found["ringrift_slot_memory_bytes"], slot="1") == 400_000_000
    assert (value(found["ringrift_memory_tier"]), value(found["ringrift_disk_tier"])) == (1, 0)
    assert [sample.labels["slot"] for sample in found["ringrift_slot_wished"].samples] == ["1"]
    assert value(found["ringrift_configuration_promotions"], configuration="hex8-2") == 1
    assert value(found["ringrift_rejected_transactions"], reason='say "no"\\') == 1
    assert value(found["ringrift_member_unheard_seconds"], member="<dune>") == 318
    assert value(found["ringrift_member_withheld_preimages"], id=IDS[2]) == 3
    assert value(found["ringrift_member_wrong_results"], id=IDS[2]) == 2
    assert value(found["ringrift_member_equivocated"], id=IDS[2]) == 1
    assert value(found["ringrift_member_equivocated"], id=IDS[1]) == 0
    assert value(found["ringrift_wrong_results"]) == 2
    assert value(found["ringrift_open_cases"]) == 1
    assert value(found["ringrift_dissent"]) == value(found["ringrift_ailment"]) == 0
    assert value(found["ringrift_node_info"], name="anvil", roles="selfplay,train,match") == 1


def test_durations_are_added_up_as_prometheus_wants_them(source: FakeSource) -> None:
    found = families(source)
    rounds = {sample.labels.get("le", sample.name): sample.value for sample in found["ringrift_round_seconds"].samples}
    assert rounds == {
        "0.1": 0,
        "1.0": 1100,
        "10.0": 1180,
        "+Inf": 1186,
        "ringrift_round_seconds_count": 1186,
        "ringrift_round_seconds_sum": 730.5,
    }
    exchanges = found["ringrift_exchange_seconds"]
    assert value(exchanges, path="/gossip/sync", le="0.1") == 9800
    assert value(found["ringrift_exchange_failures"], path="/gossip/sync") == 4


def test_ratings_are_of_models_that_have_one(source: FakeSource) -> None:
    found = families(source)
    (rated,) = found["ringrift_canonical_rating"].samples
    assert (rated.labels, rated.value) == ({"configuration": "hex8-2"}, 1623.4)
    assert value(found["ringrift_canonical_rating_error"], configuration="hex8-2") == 21.5


def test_metrics_leave_out_what_is_not_known(source: FakeSource) -> None:
    source.values["work"] = None
    source.values["consensus"]["round_age_s"] = None
    source.values["peers"][0]["last_contact_s"] = None
    found = families(source)
    assert "ringrift_round_age_seconds" not in found
    assert found["ringrift_work_done"].samples == []
    contacts = found["ringrift_peer_last_contact_seconds"].samples
    assert {sample.labels["peer"] for sample in contacts} == {"cedar", "<dune>"}


def test_page_shows_offers_only_where_a_member_makes_one(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    bare: list[MemberInfo] = [{**member, "roles": [], "cost_per_h": 0, "life_s": None} for member in source.members()]
    assert "<th>offers" in render_page(source)
    monkeypatch.setattr(source, "members", lambda: bare)
    assert "<th>offers" not in render_page(source)


def test_text_of_others_is_harmless_wherever_it_is_shown(source: FakeSource) -> None:
    """On the page and in metrics as an escape; in JSON as the same text, in ASCII."""
    nasty = "\x1b[2J\u202egpj\u200b"
    source.values["swarm"]["name"] = source.values["peers"][0]["name"] = nasty
    for path in ("/", "/metrics"):
        shown = get(source, path).body.decode()
        assert not {"\x1b", "\u202e", "\u200b"} & set(shown)
        assert "2J" in shown
    assert "\\x1b[2J\\u202egpj\\u200b" in get(source, "/").body.decode()
    names = {
        sample.labels.get("peer")
        for family in text_string_to_metric_families(get(source, "/metrics").body.decode())
        for sample in family.samples
    }
    assert "\\x1b[2J\\u202egpj\\u200b" in names
    answer = get(source, "/status")
    assert answer.body.isascii()
    assert body(answer)["swarm"]["name"] == nasty
    assert b"\\\\x1b" in get(source, "/\x1b").body, "an error that repeats what was asked"
