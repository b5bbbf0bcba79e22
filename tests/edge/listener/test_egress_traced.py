"""The caller's trace at the listener: what the call knows of it, and what the provider is told."""

import dataclasses

import pytest

from proxy.core.call import Call, field_value
from tests.support.caller import run_on_uvloop
from tests.support.listening import RULES, listening
from tests.support.script import Script

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def served(*lines: str, share: float | None, restart: bool) -> Call:
    """Serve one request and return the call that the provider saw."""
    provider = Script(200)
    request = "\r\n".join(("GET /up/x HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", "")).encode()

    async def scenario() -> None:
        rules = dataclasses.replace(RULES, trace_share=share)
        async with listening(provider, rules=rules, trace=restart) as listener:
            await listener.ask(request)

    run_on_uvloop(scenario())
    return provider.sends[0][1]


@pytest.mark.parametrize("share", [None, 0.0])
def test_a_call_in_no_trace_has_none_unless_it_begins_one(share: float | None) -> None:
    assert served(share=share, restart=True).trace is None
    begun = served(share=1.0, restart=True)
    assert begun.trace is not None
    assert field_value(begun.headers, b"traceparent") is None


@pytest.mark.parametrize("share", [None, 1.0])
def test_a_call_in_a_trace_knows_it_and_the_provider_does_not(share: float | None) -> None:
    call = served(f"traceparent: {SENT}", share=share, restart=True)
    assert call.trace is not None
    assert (call.trace.trace_id, call.trace.parent_id) == (SENT[3:35], SENT[36:52])
    told = field_value(call.headers, b"traceparent")
    assert told is not None
    assert call.trace.trace_id.encode() not in told


def test_a_provider_that_may_know_sees_the_caller_s_own_span_or_ours_where_there_is_one() -> None:
    untouched = served(f"traceparent: {SENT}", share=None, restart=False)
    assert field_value(untouched.headers, b"traceparent") == SENT.encode()
    ours = served(f"traceparent: {SENT}", share=0.0, restart=False)
    assert ours.trace is not None
    assert field_value(ours.headers, b"traceparent") == f"{SENT[:36]}{ours.trace.span_id}-01".encode()
