"""Every error tells whose fault it is, what the caller is told and whether waiting helps."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import pytest

from proxy.core import errors
from proxy.core.errors import (
    CircuitOpen,
    ConfigError,
    ConnectFailed,
    DeadlineExceeded,
    Misused,
    RateLimited,
    Refused,
    Source,
    TidegateError,
    UpstreamFailed,
)
from proxy.core.outcome import Outcome
from proxy.core.units import Rate
from proxy.edge.listener.answer import answer

README = Path(__file__).parents[2] / "README.md"
FAMILIES: list[type[TidegateError]] = [Refused, UpstreamFailed, Misused]
KINDS: list[type[TidegateError]] = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, TidegateError) and kind not in {TidegateError, *FAMILIES}
]
# RFC 9209, section 2.3, and the registry that it opened.
PROXY_STATUS = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
    "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
    "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
    "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error",
    "proxy_loop_detected",
}  # fmt: skip

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def below(family: type[TidegateError]) -> list[type[TidegateError]]:
    return [kind for kind in KINDS if issubclass(kind, family)]


def told_in_the_readme() -> dict[str, set[int]]:
    """The statuses of each row of the table of reasons, under all of the row's reasons."""
    rows: dict[str, set[int]] = {}
    for names, codes in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]+) \|", README.read_text("utf-8"), re.MULTILINE):
        rows[names] = {int(code) for code in codes.split(",")}
    return rows


@each_kind
def test_every_class_states_what_the_caller_is_told(kind: type[TidegateError]) -> None:
    stated = vars(kind)
    assert 400 <= stated["status"] < 600
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+|draining", stated["reason"])
    assert re.fullmatch(r"[A-Z][^.\n]*[^.\n]", stated["title"])


@each_kind
def test_every_class_says_whose_fault_it_is(kind: type[TidegateError]) -> None:
    assert kind.source in get_args(Source)
    assert kind.proxy_status in PROXY_STATUS


@each_kind
def test_every_class_belongs_to_exactly_one_family(kind: type[TidegateError]) -> None:
    assert [issubclass(kind, family) for family in FAMILIES].count(True) == 1


@each_kind
def test_every_status_has_its_phrase_in_the_answer(kind: type[TidegateError]) -> None:
    reply = answer(kind("why", retry_after_s=1.0), "stripe", "r-1", bytes)
    assert (reply.status, reply.reason) == (kind.status, HTTPStatus(kind.status).phrase.encode())


@pytest.mark.parametrize("family", [TidegateError, *FAMILIES])
def test_a_family_is_no_answer_by_itself(family: type[TidegateError]) -> None:
    assert {"status", "reason", "title"} & set(dir(family)) == set()


def test_the_readme_explains_every_reason_that_a_caller_may_read_and_no_other() -> None:
    told = [name for names in told_in_the_readme() for name in re.findall(r"\w+", names)]
    assert sorted(told) == sorted({kind.reason for kind in KINDS})


@pytest.mark.parametrize("names", told_in_the_readme())
def test_the_readme_tells_the_statuses_of_each_reason(names: str) -> None:
    told = told_in_the_readme()[names]
    assert told == {kind.status for kind in KINDS if kind.reason in re.findall(r"\w+", names)}


def test_one_reason_never_stands_for_two_statuses() -> None:
    assert len({(kind.reason, kind.status) for kind in KINDS}) == len({kind.reason for kind in KINDS})


@pytest.mark.parametrize("kind", below(Refused), ids=lambda kind: kind.__name__)
def test_our_own_refusal_is_no_evidence_and_not_worth_another_attempt(kind: type[TidegateError]) -> None:
    assert (kind.source, kind.retryable, kind.outcome) == ("sidecar", False, Outcome.IGNORED)
    assert kind.status == 429 or kind.status >= 500


@pytest.mark.parametrize("kind", below(UpstreamFailed), ids=lambda kind: kind.__name__)
def test_a_failure_upstream_is_evidence_and_may_be_tried_again(kind: type[TidegateError]) -> None:
    assert (kind.source, kind.retryable, kind.outcome) == ("network", True, Outcome.FAILED)
    assert kind.status in {502, 504}


@pytest.mark.parametrize("kind", below(Misused), ids=lambda kind: kind.__name__)
def test_the_callers_mistake_is_no_evidence_and_stays_one(kind: type[TidegateError]) -> None:
    assert (kind.source, kind.retryable, kind.outcome) == ("sidecar", False, Outcome.IGNORED)
    assert kind.proxy_status == "http_request_error"
    assert kind.status < 500 or kind.status == 505


def test_only_before_a_connection_stands_is_it_sure_that_nothing_was_sent() -> None:
    unsent = {kind.reason for kind in KINDS if issubclass(kind, UpstreamFailed) and not kind.sent}
    assert unsent == {"resolve_failed", "connect_failed", "connect_timeout", "tls_failed"}


def test_only_our_own_limit_is_a_429() -> None:
    assert [kind for kind in KINDS if kind.status == 429] == [RateLimited]


def test_an_error_is_told_in_its_own_words() -> None:
    error = ConnectFailed("192.0.2.1 refused the connection")
    assert (str(error), error.detail) == ("192.0.2.1 refused the connection", "192.0.2.1 refused the connection")
    assert error.retry_after_s is None


def test_a_wait_that_helps_is_kept_to_the_fraction() -> None:
    assert CircuitOpen("open", retry_after_s=0.25).retry_after_s == 0.25


def test_a_rate_limit_tells_its_figures_where_they_are_known() -> None:
    error = RateLimited("full", retry_after_s=0.5, limits=(Rate(100, 1.0),), tightest=Rate(100, 1.0), remaining=3)
    assert (error.detail, error.retry_after_s, error.limits, error.remaining) == ("full", 0.5, (Rate(100, 1.0),), 3)
    assert error.tightest == Rate(100, 1.0)
    bare = RateLimited("full", retry_after_s=0.5)
    assert (bare.limits, bare.tightest, bare.remaining) == ((), None, 0)


def test_a_deadline_marked_as_the_providers_fault_marks_no_other() -> None:
    error = DeadlineExceeded("over")
    error.outcome = Outcome.FAILED
    assert (error.outcome, DeadlineExceeded("over").outcome) == (Outcome.FAILED, Outcome.IGNORED)


def test_a_configuration_error_tells_one_problem_per_line() -> None:
    error = ConfigError(["a.yaml:1: x: is missing", "a.yaml:3: y: must be text"])
    assert str(error).splitlines() == error.problems == ["a.yaml:1: x: is missing", "a.yaml:3: y: must be text"]
    assert not isinstance(error, TidegateError)  # it is never the answer to a call
