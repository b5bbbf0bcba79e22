"""An event is a fact: it can't be changed, equal facts are equal, and the union knows every kind."""

import dataclasses
from typing import Any, get_args

import pytest

from proxy.core import events
from proxy.core.call import NO_BODY, Call
from proxy.core.events import (
    Acted,
    BreakerChanged,
    CallEnded,
    ConfigRead,
    CredentialHeld,
    DrainStarted,
    Event,
    PauseStarted,
    RequestRefused,
    RetryDenied,
    RetryScheduled,
    SecretRead,
    TokenFetched,
    WouldRefuse,
)
from proxy.core.record import Record

CALL = Call("stripe", "GET", b"/", [], NO_BODY, Record(1.0))
SAMPLES: list[Event] = [
    CallEnded("stripe", CALL, None, "sidecar", "caller_gone", 2.0),
    RetryScheduled("stripe", "503", 2, 0.05),
    RetryDenied("stripe", "budget"),
    BreakerChanged("stripe", "closed", "open", "5 failures in a row", 5.0),
    PauseStarted("stripe", 2.0, hinted=True),
    WouldRefuse("stripe", "breaker", "circuit_open"),
    SecretRead("stripe", "env:STRIPE_SECRET_KEY", "loaded"),
    CredentialHeld("stripe", "eu", "new", 1, 15.0),
    TokenFetched("paypal", "", "failed", 0.0, "invalid_client"),
    ConfigRead("loaded"),
    Acted("stripe", "breaker.open", "done", "127.0.0.1"),
    RequestRefused("bad_request", 400),
    DrainStarted(3, 25.0),
]


def kinds() -> list[type[Any]]:
    """Every class that the module itself defines."""
    return [found for found in vars(events).values() if isinstance(found, type) and found.__module__ == events.__name__]


def name_of(event: Event) -> str:
    return type(event).__name__


def test_the_union_lists_every_event_once() -> None:
    assert sorted(kind.__name__ for kind in get_args(Event)) == sorted(kind.__name__ for kind in kinds())


def test_every_event_has_a_sample_here() -> None:
    assert [type(event) for event in SAMPLES] == list(get_args(Event))


@pytest.mark.parametrize("event", SAMPLES, ids=name_of)
def test_what_has_happened_cannot_be_changed(event: Event) -> None:
    for field in dataclasses.fields(event):
        before = getattr(event, field.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(event, field.name, "changed")
        assert getattr(event, field.name) is before


@pytest.mark.parametrize("event", SAMPLES, ids=name_of)
def test_an_event_carries_its_fields_and_no_dictionary(event: Event) -> None:
    assert not hasattr(event, "__dict__")


@pytest.mark.parametrize("event", SAMPLES, ids=name_of)
def test_equal_facts_are_equal(event: Event) -> None:
    values = [getattr(event, field.name) for field in dataclasses.fields(event)]
    again: type[Any] = type(event)
    assert again(*values) == event
    assert again("other", *values[1:]) != event


def test_all_but_what_concerns_the_whole_process_name_their_provider_first() -> None:
    nameless = [kind for kind in get_args(Event) if dataclasses.fields(kind)[0].name != "provider"]
    assert nameless == [ConfigRead, RequestRefused, DrainStarted]


def test_success_needs_no_words() -> None:
    assert CallEnded("stripe", CALL, None, "provider", "", 2.0).error == ""
    assert SecretRead("stripe", "env:KEY", "loaded").problem == ""
    assert ConfigRead("loaded").problems == ()
