"""What a layer is given is complete, and stays as it was given."""

import dataclasses

import pytest

from proxy.core.events import DrainStarted, Event
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRef, SecretSlot
from tests.support.script import Script

SLOT = SecretSlot(SecretRef("env", "KEY"))


def runtime(events: list[Event] | None = None) -> Runtime:
    return Runtime(
        provider="stripe",
        profile=Profile(title="Stripe"),
        now=lambda: 5.0,
        wall=lambda: 1_800_000_000.0,
        random=lambda: 0.25,
        emit=(events if events is not None else []).append,
        secret=lambda ref: SLOT,
        account="eu",
        authority=b"api.stripe.com",
        base_path=b"",
        protect=lambda _: None,
        reread=_nothing,
        generations=tuple,
        endpoint=lambda url, profile: Script(200),
    )


async def _nothing() -> None:
    return None


def test_nothing_else_enters_a_layer() -> None:
    names = [field.name for field in dataclasses.fields(Runtime)]
    assert names == [
        "provider", "profile", "now", "wall", "random", "emit", "secret", "account", "authority", "base_path",
        "protect", "reread", "generations", "endpoint",
    ]  # fmt: skip


def test_a_runtime_without_one_of_its_parts_is_no_runtime() -> None:
    given = {field.name: getattr(runtime(), field.name) for field in dataclasses.fields(Runtime)}
    assert Runtime(**given).provider == "stripe"
    for name in given:
        with pytest.raises(TypeError, match=name):
            Runtime(**{key: value for key, value in given.items() if key != name})


def test_the_two_clocks_and_the_dice_are_told_apart() -> None:
    given = runtime()
    assert (given.now(), given.wall(), given.random()) == (5.0, 1_800_000_000.0, 0.25)


def test_an_event_goes_where_the_stack_was_told_to_send_it() -> None:
    events: list[Event] = []
    runtime(events).emit(DrainStarted(2, 10.0))
    assert events == [DrainStarted(2, 10.0)]


def test_a_reference_leads_to_its_slot() -> None:
    assert runtime().secret(SecretRef("env", "KEY")) is SLOT


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Runtime)])
def test_no_layer_can_change_what_the_others_see(name: str) -> None:
    given = runtime()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(given, name, None)
    assert getattr(given, name) is not None
