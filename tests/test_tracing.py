"""Tracing follows the configuration, and only sampled calls are told."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config import Settings, load
from proxy.core.call import TraceContext
from proxy.core.events import CallEnded, ConfigRead
from proxy.core.secret import SecretSlot
from proxy.tracing import Tracing, uninstalled
from tests.support.ended import make_ended
from tests.support.otlp import exports, spans, told
from tests.support.wire import Wire, in_thread

SAMPLED = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", sampled=True)


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    made = Tracing(lambda data: data)
    yield made
    made.configure(Settings(), {}, SecretSlot)


def settings(folder: Path, section: str = "") -> Settings:
    file = folder / "t.yaml"
    providers = "providers: {acme: {base_url: 'https://api.acme.example', accounts: {eu: {base_url: 'https://eu.acme.example'}}}}\n"
    file.write_text(providers + section)
    return load(file)


def ended(trace: TraceContext | None, account: str | None = None) -> CallEnded:
    event = make_ended(provider="acme", attempts=0)
    event.call.trace, event.call.account = trace, account
    return event


def until(condition: object) -> None:
    ends_at = time.monotonic() + 20.0
    while not condition():  # type: ignore[operator]  # a lambda
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def test_without_the_section_nobody_hears_of_events(tracing: Tracing, tmp_path: Path) -> None:
    assert tracing.configure(settings(tmp_path), {}, SecretSlot) == ()
    tracing.close()


def test_only_sampled_calls_become_spans(tracing: Tracing, tmp_path: Path) -> None:
    with in_thread(Wire()) as wire:
        [observe] = tracing.configure(settings(tmp_path, f"tracing: {{endpoint: '{wire.url}'}}"), {}, SecretSlot)
        observe(ConfigRead("loaded"))
        for event in (ended(None), ended(SAMPLED._replace(sampled=False)), ended(SAMPLED, "eu"), ended(SAMPLED)):
            observe(event)
        until(lambda: tracing.exported == 2)
        addresses = [told(span.attributes)["server.address"] for span in spans(wire)]
        assert (addresses, tracing.dropped) == (["eu.acme.example", "api.acme.example"], 0)


def test_a_reload_changes_address_and_name_and_the_old_collector_gets_what_was_meant_for_it(
    tracing: Tracing, tmp_path: Path
) -> None:
    with in_thread(Wire()) as one, in_thread(Wire()) as two:
        for url, service in ((one.url, "a"), (two.url, "b"), (two.url, "c")):
            section = f"tracing: {{endpoint: '{url}', service: {service}}}"
            [observe] = tracing.configure(settings(tmp_path, section), {}, SecretSlot)
            observe(ended(SAMPLED))
        until(lambda: tracing.exported == 3)
        names = [[told(batch.resource.attributes)["service.name"] for batch in exports(wire)] for wire in (one, two)]
        assert (names[0], sorted(names[1])) == (["a"], ["b", "c"])
        assert tracing.configure(settings(tmp_path), {}, SecretSlot) == ()


def test_where_the_packages_are_missing_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(tmp_path, "tracing: {endpoint: 'http://127.0.0.1:4318'}")
    assert uninstalled(wanted) == []
    monkeypatch.delitem(sys.modules, "proxy.edge.observe.collector", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    [(where, text)] = uninstalled(wanted)
    assert (where, "pip install 'tidegate[otel]'" in text) == (("tracing",), True)
    assert uninstalled(settings(tmp_path)) == []
