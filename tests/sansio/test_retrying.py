"""When a failed attempt is followed by another one."""

import pytest

from proxy.core.call import Body, Call, WholeBody
from proxy.core.errors import (
    ConnectFailed,
    ConnectionDropped,
    ResponseTimeout,
    TlsFailed,
    UpstreamFailed,
    UpstreamProtocolError,
)
from proxy.core.outcome import Outcome
from proxy.core.profile import Idempotency, Operation, Profile
from proxy.sansio.backoff import Backoff
from proxy.sansio.budget import RetryBudget
from proxy.sansio.retrying import Again, Failure, Retrying, Stop
from tests.support.script import make_call, make_reply

NOW = 1000.0
BAD_GATEWAY = Failure(Outcome.FAILED, "502")
THROTTLED = Failure(Outcome.THROTTLED, "throttled")
NOT_SENT = Failure(Outcome.FAILED, "connect", sent=False)


class SpentBody(WholeBody):
    def can_replay(self) -> bool:
        return False


def make_rules(profile: Profile | None = None, budget: RetryBudget | None = None) -> Retrying:
    return Retrying(profile or Profile(), Backoff(0.05, 1.0, 20.0), budget, attempts=3, max_wait_s=60.0)


def decide(call: Call, failure: Failure, attempt: int = 1, random: float = 0.5) -> Again | Stop:
    return make_rules().decide(call, failure, attempt, NOW, random)


def keyed(method: str, value: str = "key-1") -> Call:
    return make_call(method, headers={"Idempotency-Key": value})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_idempotent_method_is_sent_again(method: str) -> None:
    assert decide(make_call(method), BAD_GATEWAY) == Again(0.025, "502", cost=0.0)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("failure", [BAD_GATEWAY, THROTTLED, Failure(Outcome.FAILED, "503", should_retry=True)])
def test_a_post_without_a_key_is_never_sent_again_once_a_byte_went_out(method: str, failure: Failure) -> None:
    assert decide(make_call(method), failure) == Stop("unsafe")


def test_a_post_that_never_left_is_sent_again() -> None:
    assert decide(make_call("POST"), NOT_SENT) == Again(0.025, "connect", cost=0.0)


def test_a_post_with_the_providers_key_is_sent_again() -> None:
    assert isinstance(decide(keyed("POST"), BAD_GATEWAY), Again)


def test_an_empty_key_is_no_key() -> None:
    assert decide(keyed("POST", ""), BAD_GATEWAY) == Stop("unsafe")


def test_a_key_counts_only_where_the_provider_heeds_it() -> None:
    rules = make_rules(Profile(idempotency=Idempotency(header="X-Once", methods=("POST",))))

    once = {"x-once": "key-1"}
    assert isinstance(rules.decide(make_call("POST", headers=once), BAD_GATEWAY, 1, NOW, 0.5), Again)
    assert rules.decide(make_call("PATCH", headers=once), BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")
    assert rules.decide(keyed("POST"), BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")


def test_a_provider_without_idempotency_keys_gets_no_post_twice() -> None:
    rules = make_rules(Profile(idempotency=Idempotency(header=None)))

    assert rules.decide(keyed("POST"), BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")


def test_a_key_in_query_or_body_counts_as_one_in_a_header() -> None:
    in_query = make_rules(Profile(idempotency=Idempotency(header=None, query="requestId")))
    in_body = make_rules(Profile(idempotency=Idempotency(header=None, field="key")))
    asked = make_call("POST", b"/v1?requestId=1")
    told = make_call("POST", body=WholeBody(b'{"key": "1"}'))

    assert isinstance(in_query.decide(asked, BAD_GATEWAY, 1, NOW, 0.5), Again)
    assert in_query.decide(told, BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")
    assert isinstance(in_body.decide(told, BAD_GATEWAY, 1, NOW, 0.5), Again)
    assert in_body.decide(asked, BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")


def test_a_post_that_only_reads_is_sent_again() -> None:
    rules = make_rules(Profile(repeatable=(Operation(path="/{index}/_search"),)))

    assert isinstance(rules.decide(make_call("POST", b"/things/_search"), BAD_GATEWAY, 1, NOW, 0.5), Again)
    assert rules.decide(make_call("POST", b"/things/_doc"), BAD_GATEWAY, 1, NOW, 0.5) == Stop("unsafe")


@pytest.mark.parametrize("failure", [BAD_GATEWAY, NOT_SENT])
def test_a_body_that_is_gone_can_not_be_sent_again(failure: Failure) -> None:
    body: Body = SpentBody(b"gone")
    body.whole = None

    assert decide(make_call("PUT", body=body), failure) == Stop("unsafe")


def test_a_body_too_large_to_repeat_is_sent_again_when_none_of_it_went_out() -> None:
    body: Body = SpentBody(b"large")

    assert isinstance(decide(make_call("POST", body=body), NOT_SENT), Again)
    assert decide(make_call("PUT", body=body), BAD_GATEWAY) == Stop("unsafe")


@pytest.mark.parametrize(
    "outcome", [Outcome.OK, Outcome.REFUSED, Outcome.UNAUTHORISED, Outcome.EXHAUSTED, Outcome.IGNORED]
)
def test_only_failures_and_throttled_calls_are_worth_another_attempt(outcome: Outcome) -> None:
    assert decide(make_call(), Failure(outcome, "418", should_retry=True)) == Stop("verdict")


def test_a_conflict_is_tried_again_only_when_the_provider_says_so() -> None:
    assert isinstance(decide(keyed("POST"), Failure(Outcome.REFUSED, "409", should_retry=True)), Again)
    assert decide(keyed("POST"), Failure(Outcome.REFUSED, "409")) == Stop("verdict")
    assert decide(make_call("POST"), Failure(Outcome.REFUSED, "409", should_retry=True)) == Stop("unsafe")


def test_a_refused_credential_is_followed_at_once_by_another_one_where_the_call_may_be_sent_twice() -> None:
    reply = make_reply(401)
    reply.outcome, reply.renewed = Outcome.UNAUTHORISED, True
    failure = make_rules().failure(reply, wall=0.0)
    assert failure == Failure(Outcome.UNAUTHORISED, "unauthorised", renewed=True)
    assert decide(make_call(), failure) == Again(0.0, "unauthorised", cost=0.0)
    assert decide(keyed("POST"), failure) == Again(0.0, "unauthorised", cost=0.0)
    assert decide(make_call("POST"), failure) == Stop("unsafe")
    assert decide(make_call(), failure, attempt=3) == Stop("attempts")


def test_the_provider_may_forbid_a_retry() -> None:
    assert decide(make_call(), Failure(Outcome.FAILED, "500", should_retry=False)) == Stop("forbidden")


def test_the_caller_may_forbid_a_retry() -> None:
    call = make_call()
    call.retry = False

    assert decide(call, NOT_SENT) == Stop("forbidden")


def test_the_last_attempt_is_the_last() -> None:
    assert isinstance(decide(make_call(), BAD_GATEWAY, attempt=2), Again)
    assert decide(make_call(), BAD_GATEWAY, attempt=3) == Stop("attempts")


def test_a_throttled_call_waits_longer_than_a_failed_one() -> None:
    assert decide(make_call(), THROTTLED, attempt=2) == Again(1.0, "throttled", cost=0.0)
    assert decide(make_call(), BAD_GATEWAY, attempt=2) == Again(0.05, "502", cost=0.0)


@pytest.mark.parametrize(
    ("hint_s", "random", "wait_s"), [(10.0, 0.0, 10.0), (10.0, 0.5, 10.5), (60.0, 0.9, 60.0), (58.0, 0.9, 60.0)]
)
def test_a_hint_is_a_floor_with_a_little_jitter_that_never_makes_it_too_long(
    hint_s: float, random: float, wait_s: float
) -> None:
    step = decide(make_call(), Failure(Outcome.THROTTLED, "throttled", hint_s=hint_s), random=random)

    assert isinstance(step, Again)
    assert step.wait_s == pytest.approx(wait_s)


def test_a_short_hint_does_not_shorten_the_backoff() -> None:
    assert decide(make_call(), Failure(Outcome.THROTTLED, "throttled", hint_s=0.0)) == Again(0.5, "throttled", cost=0.0)


def test_a_hint_longer_than_the_longest_wait_is_left_to_the_caller() -> None:
    assert decide(make_call(), Failure(Outcome.FAILED, "503", hint_s=60.1)) == Stop("wait_too_long")


def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    call = make_call()
    call.deadline_at = NOW + 0.5

    assert decide(call, THROTTLED, random=0.5) == Stop("wait_too_long")
    assert decide(call, THROTTLED, random=0.4) == Again(0.4, "throttled", cost=0.0)


def test_an_attempt_is_paid_for_and_an_empty_budget_allows_none() -> None:
    budget = RetryBudget(capacity=20, per_second=0)
    rules = make_rules(budget=budget)

    assert rules.decide(make_call(), BAD_GATEWAY, 1, NOW, 0.5) == Again(0.025, "502", cost=14.0)
    assert rules.decide(make_call(), THROTTLED, 1, NOW, 0.5) == Again(0.5, "throttled", cost=5.0)
    assert rules.decide(make_call(), THROTTLED, 1, NOW, 0.5) == Stop("budget")
    assert budget.tokens(NOW) == 1


def test_a_stop_costs_nothing() -> None:
    budget = RetryBudget(capacity=20, per_second=0)

    make_rules(budget=budget).decide(make_call(), Failure(Outcome.FAILED, "503", hint_s=300.0), 1, NOW, 0.5)

    assert budget.tokens(NOW) == 20


def test_a_failure_is_read_from_a_reply() -> None:
    rules = make_rules(Profile(should_retry="x-should-retry"))
    reply = make_reply(503, {"Retry-After": "7", "X-Should-Retry": "true"})

    assert rules.failure(reply, wall=0.0) == Failure(Outcome.FAILED, "503", hint_s=7.0, should_retry=True)
    assert rules.failure(make_reply(429), wall=0.0) == THROTTLED


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 5.0), ({"Retry-After": "3"}, 5.0), ({"Retry-After": "7"}, 7.0)])
def test_the_wait_is_the_longer_of_the_hint_and_our_own_pause(headers: dict[str, str], wait_s: float) -> None:
    reply = make_reply(429, headers)
    reply.pause_s = 5.0

    assert make_rules().failure(reply, wall=0.0).hint_s == wait_s


def test_a_request_that_the_provider_gave_up_waiting_for_is_not_tried_again() -> None:
    failure = make_rules().failure(make_reply(408), wall=0.0)

    assert decide(make_call(), failure) == Stop("verdict")


@pytest.mark.parametrize(
    ("error", "cause", "sent"),
    [
        (ConnectFailed, "connect", False),
        (TlsFailed, "connect", False),
        (ConnectionDropped, "dropped", True),
        (UpstreamProtocolError, "dropped", True),
        (ResponseTimeout, "timeout", True),
    ],
)
def test_a_failure_is_read_from_an_error(error: type[UpstreamFailed], cause: str, sent: bool) -> None:
    assert make_rules().failure(error("scripted"), wall=0.0) == Failure(Outcome.FAILED, cause, sent=sent)
