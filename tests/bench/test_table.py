"""The table for people."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from rich.console import Console

from polyradio.bench.report import Figure, Peer, Report, Result, Skipped
from polyradio.bench.table import WIDTH, bar, print_report


def printed(report: Report) -> str:
    out = StringIO()
    print_report(report, Console(file=out, width=WIDTH, highlight=False))
    return out.getvalue()


def test_a_bar_shows_the_share_of_the_limit() -> None:
    assert [bar(share, 4) for share in (0, 0.5, 1, 7, -1)] == ["····", "██··", "████", "████", "····"]
    assert bar(0.5 + 1 / 32, 4) == "██▏·"


def test_a_result_has_limit_peers_and_what_is_missing(make_report: Callable, make_result: Callable) -> None:
    result: Result = replace(
        make_result("ccmp/seal/1500"),
        limit=Figure("AES limit of vaes-512", 87.0, 88.0, 100 / 87),
        peers=(Peer("intel-ipsec-mb 1.3", 250.0, 251.0, 2.5), Peer("OpenSSL 3.0.1", 500.0, 501.0, 5.0)),
        skipped=(Skipped("other", "libother.so is not installed"),),
    )
    text = printed(make_report(result))
    assert "████████▊·  87 %" in text
    for word in ("2.50x", "5.00x", "ipsec-mb", "limit: AES limit of vaes-512", "other: libother.so is not installed"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_a_rate_above_is_better(make_report: Callable, make_result: Callable) -> None:
    result = replace(make_result("tap/ideal", better="higher"), limit=Figure("veth", 400.0, 400.0, 0.25))
    best = result.best
    assert f"{best / 400:.0%}".replace("%", " %") in printed(make_report(result))


def test_results_stand_under_their_suites(make_report: Callable, make_result: Callable) -> None:
    lines = printed(make_report(make_result("ccmp/a"), make_result("lookup/b"))).splitlines()
    assert [line.split()[0] for line in lines[3:] if line] == ["ccmp,", "a", "lookup,", "b"]
