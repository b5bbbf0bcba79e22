"""Search and recipes: Algolia, Elasticsearch, Spoonacular, Edamam."""

import pytest

from proxy.core.outcome import Outcome
from tests.support.presets import may_repeat, profile, provider, section, sent, verdict, wait_s
from tests.support.schemes import call_of, on_wire


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("spoonacular", 402, Outcome.EXHAUSTED),
        ("spoonacular", 429, Outcome.THROTTLED),
        ("spoonacular", 401, Outcome.UNAUTHORISED),
        ("algolia", 402, Outcome.REFUSED),
        ("algolia", 429, Outcome.THROTTLED),
        ("elasticsearch", 429, Outcome.THROTTLED),
        ("elasticsearch", 409, Outcome.REFUSED),
        ("elasticsearch", 503, Outcome.FAILED),
        ("edamam", 401, Outcome.UNAUTHORISED),
    ],
)
def test_an_answer_is_judged_by_its_status(name: str, status: int, outcome: Outcome) -> None:
    assert verdict(name, status) is outcome


def test_points_of_spoonacular_come_back_at_midnight_and_calls_are_limited_by_plan() -> None:
    assert profile("spoonacular").renewal == "utc_day"
    assert [str(one.limit) for one in profile("spoonacular").published] == ["20/1s", "10/1s", "5/1s", "1/1s"]


@pytest.mark.parametrize(("name", "pause_s"), [("algolia", 1.0), ("elasticsearch", 2.0)])
def test_a_429_without_a_time_pauses_as_long_as_the_vendors_client_waits(name: str, pause_s: float) -> None:
    assert section(name, "rate_limit").unhinted_pause == pause_s


def test_algolia_tells_the_wait_in_seconds() -> None:
    assert wait_s("algolia", {"retry-after": "7"}) == 7.0


@pytest.mark.parametrize(
    ("name", "target", "may"),
    [
        ("algolia", b"/1/indexes/*/queries", True),
        ("algolia", b"/1/indexes/products/query?x=1", True),
        ("algolia", b"/1/indexes/products/browse", True),
        ("algolia", b"/1/indexes/products", False),
        ("algolia", b"/1/indexes/products/batch", False),
        ("elasticsearch", b"/_search", True),
        ("elasticsearch", b"/products,orders/_search?size=1", True),
        ("elasticsearch", b"/_msearch", True),
        ("elasticsearch", b"/products/_count", True),
        ("elasticsearch", b"/products/_doc", False),
        ("elasticsearch", b"/_bulk", False),
        ("elasticsearch", b"/products/_delete_by_query", False),
        ("spoonacular", b"/recipes/analyze", False),
    ],
)
def test_a_post_that_only_reads_may_be_repeated(name: str, target: bytes, may: bool) -> None:
    assert may_repeat(name, call_of(target, method="POST")) is may


def test_both_of_algolias_headers_are_replaced_wherever_the_caller_wrote_them() -> None:
    headers = [(b"X-Algolia-Application-Id", b"placeholder"), (b"X-Algolia-API-Key", b"placeholder")]
    call = call_of(b"/1/indexes/a/query?x-algolia-api-key=placeholder&x=1", headers)
    out = sent("algolia", call, {"ALGOLIA_APP_ID": "APP1", "ALGOLIA_API_KEY": "sk_test_example"})
    assert out.headers == [(b"x-algolia-application-id", b"APP1"), (b"x-algolia-api-key", b"sk_test_example")]
    assert out.target == b"/1/indexes/a/query?x=1"


def test_algolia_lies_at_the_applications_own_host() -> None:
    assert str(provider("algolia").base_url) == "https://app1.algolia.net"
    assert profile("algolia").hosts["dsn"] == "https://{app}-dsn.algolia.net"


def test_a_deployment_of_elastic_lies_at_its_own_host_and_gets_an_api_key() -> None:
    assert str(provider("elasticsearch").base_url) == "https://abc123.eu-west-1.aws.elastic.cloud"
    call = call_of(headers=[(b"Authorization", b"ApiKey placeholder")])
    out = sent("elasticsearch", call, {"ELASTICSEARCH_API_KEY": "sk_test_example"})
    assert out.headers == [(b"Authorization", b"ApiKey sk_test_example")]


def test_the_header_that_clients_insist_on_is_named() -> None:
    assert profile("elasticsearch").pass_headers == ("x-elastic-product",)


@pytest.mark.parametrize("place", [b"/recipes/random?apiKey=placeholder", b"/recipes/random"])
def test_spoonaculars_key_goes_into_the_header_and_out_of_the_url(place: bytes) -> None:
    call = call_of(place, [(b"X-API-Key", b"placeholder")])
    out = sent("spoonacular", call, {"SPOONACULAR_API_KEY": "sk_test_example"})
    assert out.target == b"/recipes/random"
    assert out.headers == [(b"x-api-key", b"sk_test_example")]


def test_both_of_edamams_query_keys_are_replaced() -> None:
    call = call_of(b"/api/recipes/v2?type=public&app_key=placeholder&q=a%20b&app_id=placeholder")
    out = sent("edamam", call, {"EDAMAM_APP_ID": "abcd1234", "EDAMAM_APP_KEY": "sk_test_example"})
    assert out.target == b"/api/recipes/v2?type=public&q=a%20b&app_id=abcd1234&app_key=sk_test_example"
    assert b"placeholder" not in on_wire(out)


def test_edamams_links_to_further_pages_lead_back_here() -> None:
    assert "_links.next.href" in profile("edamam").urls.fields
    assert set(profile("edamam").sensitive_query) == {"app_id", "app_key"}
