"""Objectives in words, and what can't be meant by them."""

from pathlib import Path
from typing import Any

import pytest

from proxy.check import check
from proxy.config import Loaded, read
from proxy.promises import promise_rows, promised, promises_of_call
from proxy.sansio.slo import Slo

FAST = {"latency": {"percentile": 95.0, "under": "800ms"}}


def slo(**keys: Any) -> Slo:
    return Slo.model_validate(keys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.yaml"


def load(file: Path, text: str) -> Loaded:
    file.write_text(text)
    return read(file)


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    return [line.removeprefix(f"{file}:") for line in check(file, secrets=False)]


def with_paths(*paths: str) -> str:
    lines = "".join(f"        {path!r}: {{availability: 99%}}\n" for path in paths)
    return f"providers:\n  mock:\n    slo:\n      availability: 99%\n      paths:\n{lines}"


def test_a_promise_is_told_in_words() -> None:
    assert promised(slo(availability="99.95%")) == "99.95% succeed"
    assert promised(slo(**FAST)) == "95% of the successful ones begin within 800ms"
    assert promised(slo(availability="99%", **FAST)) == "99% succeed, 95% of the successful ones begin within 800ms"


def test_a_call_counts_for_all_calls_and_one_path() -> None:
    told = slo(availability="99%", paths={"POST /a": {"availability": "99.9%"}})
    assert promises_of_call(told, "POST", b"/a") == "99% succeed; of POST /a, 99.9% succeed"
    assert promises_of_call(told, "GET", b"/a") == "99% succeed"
    assert promises_of_call(None, "GET", b"/a") == ""


def test_rows_tell_the_objectives_and_who_wrote_them(file: Path) -> None:
    loaded = load(
        file,
        "slo: {availability: 99%}\n"
        "providers:\n"
        "  mock: {}\n"
        "  own: {preset: mock, slo: {availability: 99.9%, window: 7d, paths: {/a: {availability: 98%}}}}\n"
        "  none: {preset: mock, slo: off}\n",
    )
    assert list(promise_rows(loaded, "mock")) == [
        ("slo", "", ""),
        ("  all calls", "99% succeed", f"config {file}:1"),
        ("  window", "30d", "default"),
    ]
    assert list(promise_rows(loaded, "own")) == [
        ("slo", "", ""),
        ("  all calls", "99.9% succeed", f"config {file}:4"),
        ("  /a", "98% succeed", f"config {file}:4"),
        ("  window", "7d", f"config {file}:4"),
    ]
    assert list(promise_rows(loaded, "none")) == [("slo", "off", f"config {file}:5")]


def test_without_objectives_that_is_told(file: Path) -> None:
    assert list(promise_rows(load(file, "providers: {mock: {}}\n"), "mock")) == [("slo", "none", "default")]


@pytest.mark.parametrize(
    "text",
    [
        "slo: {availability: 99.9%, latency: {percentile: 95, under: 800ms}}\nproviders: {mock: {}}\n",
        "slo: {availability: 99.9%}\nproviders: {mock: {}, off: {preset: mock, slo: off}}\n",
        "providers: {mock: {deadline: off, slo: {latency: {percentile: 95, under: 1m}}}}\n",
    ],
)
def test_what_can_be_meant_is_fine(file: Path, text: str) -> None:
    assert problems(file, text) == []


@pytest.mark.parametrize(
    ("before", "path"), [("POST /a", "/a"), ("/a/{id}", "/a/*"), ("/a", "/b"), ("GET /*", "POST /*")]
)
def test_a_path_that_counts_for_some_calls_is_fine(file: Path, before: str, path: str) -> None:
    assert problems(file, with_paths(before, path)) == []


def test_objectives_that_nobody_has_can_not_be_meant(file: Path) -> None:
    (line,) = problems(file, "slo: {availability: 99%}\nproviders: {mock: {slo: off}}\n")
    assert line == "1: slo: holds for no provider, because each has an slo of its own; leave it out"


def test_ratios_for_percentages_are_told(file: Path) -> None:
    text = "providers:\n  mock:\n    slo:\n      availability: 0.999%\n      latency: {percentile: 0.95, under: 1s}\n"
    of_availability, of_latency = problems(file, text)
    assert of_availability == (
        "4: providers.mock.slo.availability: 0.999% promises that most calls fail; write one such as 99.9%"
    )
    assert of_latency.startswith("5: providers.mock.slo.latency.percentile: 0.95 is a percentage, which most calls may")


def test_a_latency_that_can_not_be_missed_is_told_once_where_it_was_written(file: Path) -> None:
    text = "slo: {latency: {percentile: 95, under: 30s}}\nproviders: {mock: {}, other: {preset: mock}}\n"
    assert problems(file, text) == [
        "1: slo.latency.under: 30s can't be missed, because calls to mock end within deadline.total (30s); write less"
    ]


@pytest.mark.parametrize(
    ("before", "path"),
    [("/v1/*", "/v1/charges"), ("/v1/*", "POST /v1/*"), ("POST /a/{id}", "POST /a/{name}"), ("/a/*", "/a/{id}/b")],
)
def test_a_path_that_never_counts_is_told(file: Path, before: str, path: str) -> None:
    (line,) = problems(file, with_paths(before, path))
    assert line.startswith("7: providers.mock.slo.paths.")
    assert line.endswith(f": {path} never counts, because {before} before it fits the same calls; put it first")


@pytest.mark.parametrize(
    ("path", "prefix", "right"),
    [("GET /mock/v1/{id}", "/mock", "GET /v1/{id}"), ("/api/v2/v1/*", "/api/v2", "/v1/*")],
)
def test_a_path_with_what_stands_before_it_in_an_address_is_told(
    file: Path, path: str, prefix: str, right: str
) -> None:
    text = with_paths(path).replace("    slo:", "    base_url: http://127.0.0.1:9/api/v2\n    slo:")
    (line,) = problems(file, text)
    assert line.endswith(f", because a path is what follows {prefix}; write {right}")


def test_paths_of_their_own_are_fine(file: Path) -> None:
    assert problems(file, with_paths("/v1/{id}", "/mocks/{id}", "GET /mock")) == []
