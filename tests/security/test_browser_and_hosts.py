"""A browser page must not spend the user's keys: neither directly (CSRF) nor over a name of its own (DNS rebinding)."""

import dataclasses
from typing import Final

import pytest

from proxy.edge.listener.egress import EgressRules
from tests.support.answers import Answer
from tests.support.caller import run_on_uvloop
from tests.support.listening import RULES, listening
from tests.support.script import Script

pytestmark = [pytest.mark.security]

GUARDED: Final = dataclasses.replace(RULES, guard=(b"x-tidegate", b"yes"))
GUARDED_BY_ANY: Final = dataclasses.replace(RULES, guard=(b"x-tidegate", None))


def ask(
    *lines: str, start: str = "GET /up/x HTTP/1.1", host: str | None = "Host: localhost", rules: EgressRules = RULES,
    hosts: tuple[str, ...] = (), only: str | None = None,
) -> tuple[Answer, Script]:  # fmt: skip
    """Send a request; return the answer, and the provider that it may have reached."""
    provider = Script(200)

    async def scenario() -> Answer:
        async with listening(provider, rules=rules, hosts=hosts, only=only) as listener:
            fields = [host] if host is not None else []
            text = "\r\n".join((start, *fields, "Connection: close", *lines, "", ""))
            return await listener.ask(text.encode("latin-1"))

    return run_on_uvloop(scenario()), provider


@pytest.mark.parametrize(
    "line",
    ["Origin: http://evil.example", "Origin: null", "origin: http://localhost:4780", "ORIGIN:",
    "Origin: https://app.example",
     "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "sec-fetch-site: none"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_from_a_browser_page_is_refused(line: str, method: str) -> None:
    answer, provider = ask(line, start=f"{method} /up/x HTTP/1.1")
    assert (answer.status, answer.problem["reason"], provider.sends) == (403, "browser_refused", [])
    assert not any(name.lower().startswith(b"access-control") for name in answer.names)


def test_a_preflight_gets_no_leave() -> None:
    lines = ("Origin: http://evil.example", "Access-Control-Request-Method: POST")
    answer, provider = ask(*lines, start="OPTIONS /up/x HTTP/1.1")
    assert (answer.status, provider.sends) == (403, [])


def test_fetch_in_node_is_no_browser_page() -> None:
    answer, provider = ask("Sec-Fetch-Mode: cors", "User-Agent: node", "Accept-Language: *")
    assert (answer.status, len(provider.sends)) == (200, 1)
    assert (b"Sec-Fetch-Mode", b"cors") in provider.sends[0][1].headers


def test_browser_pages_are_served_where_that_is_written() -> None:
    rules = dataclasses.replace(RULES, allow_browsers=True)
    answer, provider = ask("Origin: http://app.example", rules=rules)
    assert (answer.status, len(provider.sends)) == (200, 1)
    assert (b"Origin", b"http://app.example") in provider.sends[0][1].headers


@pytest.mark.parametrize("only", [None, "up"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4780", "localhost.evil.example", "127.0.0.1.evil.example", "127-0-0-1.evil.example",
     "evil.localhost.", "localhost:4780@evil.example", "evillocalhost", "local.host", "metadata.google.internal", "",
     "up.localhost.evil.example", "tidegate", "*", "0x7f000001.evil.example"],
)  # fmt: skip
def test_a_name_that_someone_elses_dns_answers_for_is_not_served(host: str, only: str | None) -> None:
    answer, provider = ask(host=f"Host: {host}", only=only)
    if host == "evil.localhost.":  # never asked of a DNS server, and no provider; on a port of its own it names nothing
        assert answer.status == (404 if only is None else 200)
    else:
        assert (answer.status, answer.problem["reason"], provider.sends) == (421, "misdirected_host", [])


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:4780", "127.0.0.1", "127.0.0.1:4780", "[::1]:4780", "[::1]", "localhost.", "10.0.0.7"],
)
def test_this_machines_own_names_and_plain_addresses_are_served(host: str) -> None:
    answer, provider = ask(host=f"Host: {host}")
    assert (answer.status, len(provider.sends)) == (200, 1)


def test_a_configured_name_is_served_and_no_other() -> None:
    assert ask(host="Host: sidecar.internal:80", hosts=("sidecar.internal",))[0].status == 200
    assert ask(host="Host: other.internal", hosts=("sidecar.internal",))[0].status == 421


def test_a_caller_that_speaks_1_0_without_host_is_served() -> None:
    assert ask(start="GET /up/x HTTP/1.0", host=None)[0].status == 200


@pytest.mark.parametrize(
    "lines", [(), ("X-Tidegate: no",), ("X-Tidegate:",), ("X_Tidegate: yes",), ("X-Tidegate: YES",)]
)
def test_a_request_without_the_required_header_is_refused(lines: tuple[str, ...]) -> None:
    answer, provider = ask(*lines, rules=GUARDED)
    assert (answer.status, answer.problem["reason"], provider.sends) == (403, "guard_missing", [])
    assert "yes" not in str(answer.problem["detail"])


@pytest.mark.parametrize(("rules", "value"), [(GUARDED, "yes"), (GUARDED_BY_ANY, "yes"), (GUARDED_BY_ANY, "x y")])
def test_the_required_header_opens_and_stays_here(rules: EgressRules, value: str) -> None:
    answer, provider = ask(f"x-TIDEGATE: {value}", "X-A: 1", rules=rules)
    assert answer.status == 200
    assert provider.sends[0][1].headers == [(b"X-A", b"1")]


@pytest.mark.parametrize("name", ["tidegate-guard", "x-request-id", "authorization", "expect"])
def test_any_name_may_be_the_required_one(name: str) -> None:
    rules = dataclasses.replace(RULES, guard=(name.encode(), b"yes"))
    assert ask(rules=rules)[0].status == 403
    assert ask(f"{name}: yes", rules=rules)[0].status == 200


def test_the_guard_stands_before_anything_is_told_about_providers() -> None:
    answer, _ = ask(start="GET /nothing/x HTTP/1.1", rules=GUARDED)
    assert (answer.status, b"configured" in answer.body) == (403, False)
