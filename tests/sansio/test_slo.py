from typing import Any

import pytest
from pydantic import ValidationError

from proxy.sansio.slo import FirstPath, Latency, Slo, format_percent, parse_percent


def slo(**keys: Any) -> Slo:
    return Slo.model_validate(keys)


@pytest.mark.parametrize(
    ("text", "ratio"), [("99.9%", 0.999), ("99%", 0.99), ("99.9999 %", 0.999999), ("0.5%", 0.005), ("99.95%", 0.9995)]
)
def test_percentages_are_ratios(text: str, ratio: float) -> None:
    assert parse_percent(text) == ratio
    assert format_percent(ratio) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["100%", "0%", "99.9", "99,9%", "-1%", "", "99.99999999%", 99.9, 0.999, None, True])
def test_what_is_no_percentage_below_100_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"write one such as 99\.9%"):
        parse_percent(text)


def test_a_ratio_is_no_percentage_and_is_not_taken_for_one() -> None:
    with pytest.raises(ValidationError, match=r"write one such as 99\.9%"):
        slo(availability=0.999)


def test_a_window_is_a_month_unless_said_otherwise() -> None:
    assert slo(availability="99.9%").window == 30 * 86400
    assert slo(availability="99.9%", window="7d").window == 7 * 86400


@pytest.mark.parametrize("window", ["30m", "91d"])
def test_a_window_is_from_an_hour_to_ninety_days(window: str) -> None:
    with pytest.raises(ValidationError):
        slo(availability="99.9%", window=window)


@pytest.mark.parametrize("keys", [{}, {"window": "7d"}, {"availability": "99%", "paths": {"/v1": {}}}])
def test_whoever_promises_nothing_is_told_so(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="promises nothing"):
        slo(**keys)


@pytest.mark.parametrize("path", ["/v1/charges", "POST /v1/charges/{id}", "/v1/*"])
def test_paths_are_templates_with_a_method_where_that_matters(path: str) -> None:
    assert list(slo(availability="99%", paths={path: {"availability": "99%"}}).paths) == [path]


@pytest.mark.parametrize("path", ["v1", "BREW /v1", "post /v1", "POST  /v1", "", "/v1/{id", "/v1?expand=1", "/v1#top"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        slo(availability="99%", paths={path: {"availability": "99%"}})


def test_more_paths_than_series_can_bear_are_refused() -> None:
    paths = {f"/v{number}": {"availability": "99%"} for number in range(33)}
    with pytest.raises(ValidationError, match="at most 32"):
        slo(availability="99%", paths=paths)


@pytest.mark.parametrize("keys", [{"percentile": 100, "under": "1s"}, {"percentile": 95, "under": "0s"}])
def test_a_latency_promises_a_share_of_calls_within_some_time(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Latency.model_validate(keys)


def test_a_latency_is_a_ratio_and_a_bound_of_a_bucket() -> None:
    latency = Latency.model_validate({"percentile": 99.9, "under": "9ms"})
    assert (latency.objective, latency.under_s) == (0.999, 0.009)


def test_every_latency_that_is_spoken_of_is_a_bound() -> None:
    fast, slow = ({"latency": {"percentile": 95, "under": under}} for under in ("300ms", "2s"))
    told = slo(**slow, paths={"/a": fast, "/b": slow, "/c": {"availability": "99%"}})
    assert told.bounds_s == (0.3, 2.0)
    assert slo(availability="99%").bounds_s == ()


@pytest.mark.parametrize(
    ("method", "path", "first"),
    [
        ("POST", b"/v1/charges", "POST /v1/charges"),
        ("GET", b"/v1/charges", "/v1/*"),
        ("GET", b"/v1/charges/ch_1", "/v1/charges/{secret}"),
        ("GET", b"/v2", None),
    ],
)
def test_the_first_path_that_fits_is_found(method: str, path: bytes, first: str | None) -> None:
    assert FirstPath(method, ["POST /v1/charges", "/v1/charges/{secret}", "/v1/*"]).of(path) == first


def test_no_path_fits_where_there_is_none() -> None:
    assert FirstPath("GET", []).of(b"/v1") is None
    assert FirstPath("GET", ["POST /v1"]).of(b"/v1") is None
