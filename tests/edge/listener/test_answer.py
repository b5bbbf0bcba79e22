import orjson
import pytest

from proxy.core.call import field_value
from proxy.core.errors import CircuitOpen, ConnectFailed, DeadlineExceeded, RateLimited, TidegateError, UnknownProvider
from proxy.core.outcome import Outcome
from proxy.core.units import Rate
from proxy.edge.listener.answer import answer
from proxy.sansio.redact import Redactor


def concrete(root: type[TidegateError]) -> list[type[TidegateError]]:
    """Every error that can be raised: those that say which status they are."""
    below = [found for one in root.__subclasses__() for found in concrete(one)]
    return below + ([root] if hasattr(root, "status") else [])


def test_the_body_says_what_happened_in_the_words_of_rfc_9457() -> None:
    reply = answer(UnknownProvider("no provider of that name"), "-", "r-1", bytes)
    assert (reply.status, reply.reason) == (404, b"Not Found")
    assert field_value(reply.headers, b"content-type") == b"application/problem+json"
    assert field_value(reply.headers, b"proxy-status") == b"tidegate; error=http_request_error"
    assert orjson.loads(reply.body) == {
        "type": "urn:tidegate:problem:unknown_provider",
        "title": "Unknown provider",
        "status": 404,
        "detail": "no provider of that name",
        "provider": "-",
        "reason": "unknown_provider",
        "request_id": "r-1",
        "error": {"type": "api_error", "code": "unknown_provider", "message": "no provider of that name"},
    }


def test_the_verdict_is_that_of_the_error_itself() -> None:
    late = DeadlineExceeded("the provider had a fair time")
    assert answer(late, "stripe", "r-1", bytes).outcome is Outcome.IGNORED
    late.outcome = Outcome.FAILED
    assert answer(late, "stripe", "r-1", bytes).outcome is Outcome.FAILED
    assert answer(ConnectFailed("refused"), "stripe", "r-1", bytes).outcome is Outcome.FAILED


@pytest.mark.parametrize("kind", concrete(TidegateError), ids=lambda kind: kind.__name__)
def test_every_error_has_a_whole_answer(kind: type[TidegateError]) -> None:
    error = kind("why", retry_after_s=2.0)
    reply = answer(error, "stripe", "r-1", bytes)
    assert reply.reason != b""
    assert reply.stream is None
    assert field_value(reply.headers, b"content-length") == b"%d" % len(reply.body)
    assert orjson.loads(reply.body)["reason"] == error.reason


@pytest.mark.parametrize(("wait_s", "told"), [(0.0, b"1"), (0.2, b"1"), (1.0, b"1"), (1.01, b"2"), (59.5, b"60")])
def test_the_wait_is_told_in_whole_seconds_rounded_up(wait_s: float, told: bytes) -> None:
    reply = answer(CircuitOpen("open", retry_after_s=wait_s), "stripe", "r-1", bytes)
    assert field_value(reply.headers, b"retry-after") == told
    assert orjson.loads(reply.body)["retry_after"] == int(told)


def test_no_wait_is_told_where_none_helps() -> None:
    reply = answer(ConnectFailed("refused"), "stripe", "r-1", bytes)
    assert field_value(reply.headers, b"retry-after") is None
    assert "retry_after" not in orjson.loads(reply.body)


SECOND, HOUR, HALF = Rate(1000, 1.0), Rate(5, 3600.0), Rate(10, 0.5)


def limited(*limits: Rate, tightest: Rate | None) -> list[bytes | None]:
    """Return RateLimit-Policy and RateLimit of a refusal that ends in 0.3 s, with two calls left."""
    error = RateLimited("full", retry_after_s=0.3, limits=limits, tightest=tightest, remaining=2)
    headers = answer(error, "stripe", "r-1", bytes).headers
    assert field_value(headers, b"retry-after") == b"1"
    return [field_value(headers, name) for name in (b"ratelimit-policy", b"ratelimit")]


@pytest.mark.parametrize(("tightest", "name"), [(SECOND, b'"1000/1s"'), (HOUR, b'"5/1h"')])
def test_our_own_limits_are_told_and_what_is_left_in_the_tightest(tightest: Rate, name: bytes) -> None:
    policy = b'"1000/1s";q=1000;w=1, "5/1h";q=5;w=3600'
    assert limited(SECOND, HOUR, tightest=tightest) == [policy, name + b";r=2;t=1"]


@pytest.mark.parametrize("odd", [HALF, Rate(10, 1.5), Rate(10, 0.999)])
def test_a_window_that_is_no_whole_second_is_left_out_because_it_can_not_be_told_truly(odd: Rate) -> None:
    assert limited(odd, HOUR, tightest=HOUR) == [b'"5/1h";q=5;w=3600', b'"5/1h";r=2;t=1']
    assert limited(odd, HOUR, tightest=odd) == [b'"5/1h";q=5;w=3600', None]
    assert limited(odd, tightest=odd) == [None, None]


def test_a_limit_without_figures_tells_only_the_wait() -> None:
    assert limited(tightest=None) == [None, None]
    assert limited(HOUR, tightest=None) == [b'"5/1h";q=5;w=3600', None]


def test_no_known_secret_is_in_the_body_and_its_length_is_of_what_is_sent() -> None:
    redactor = Redactor()
    redactor.know('sk_test_"example"')
    reply = answer(UnknownProvider('about sk_test_"example"'), "-", "r-1", redactor.redact)
    assert orjson.loads(reply.body)["detail"] == "about [secret]"
    assert field_value(reply.headers, b"content-length") == b"%d" % len(reply.body)


def test_a_text_with_quotes_and_umlauts_stays_one_valid_body() -> None:
    reply = answer(UnknownProvider('a "quoted" näme\r\n'), "stripe", "r-1", bytes)
    assert orjson.loads(reply.body)["detail"] == 'a "quoted" näme\r\n'
