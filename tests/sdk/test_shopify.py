"""Shopify's SDK for the Admin API, REST and GraphQL."""

from collections.abc import Callable
from typing import Final
from urllib.error import HTTPError

import orjson
import pytest
import shopify
from pyactiveresource.connection import ClientError, ResourceNotFound, ServerError

from tests.sdk.ground import Ground, Grounds, says, sent_json
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

PRODUCT: Final = {"product": {"id": 1, "title": "Oar"}}
QUERY: Final = "{ shop { name } }"
THROTTLED: Final = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {"cost": {"throttleStatus": {"currentlyAvailable": 0, "restoreRate": 100.0}}},
}


@pytest.fixture
def shop(ground: Grounds) -> Ground:
    return pointed(ground("shopify"))


def pointed(ground: Ground) -> Ground:
    """The SDK has one site for the whole thread."""
    ground.client(shopify=shopify)
    return ground


def refused(call: Callable[[], object]) -> int:
    """Return the status of an answer that the SDK raises, and close it, which the SDK forgets."""
    with pytest.raises(ServerError) as caught:
        call()
    answer = caught.value.__context__
    assert isinstance(answer, HTTPError)
    answer.close()
    return answer.code


def test_a_product_is_read(shop: Ground) -> None:
    shop.play(says(PRODUCT))
    assert shopify.Product.find(1).title == "Oar"
    assert shop.lines == ["GET /admin/api/2026-07/products/1.json"]


def test_a_product_is_made(shop: Ground) -> None:
    shop.play(says(PRODUCT, 201))
    made = shopify.Product({"title": "Grüße"})
    assert made.save()
    assert shop.lines == ["POST /admin/api/2026-07/products.json"]
    assert sent_json(shop.requests[0]) == {"product": {"title": "Grüße"}}


def test_a_graph_is_asked(shop: Ground) -> None:
    shop.play(says({"data": {"shop": {"name": "Acme"}}}))
    assert orjson.loads(shopify.GraphQL().execute(QUERY)) == {"data": {"shop": {"name": "Acme"}}}
    assert shop.lines == ["POST /admin/api/2026-07/graphql.json"]


def test_pages_lead_back_through_the_sidecar(shop: Ground, wire: Wire) -> None:
    page = f'Link: <{wire.url}/admin/api/2026-07/products.json?page_info=two>; rel="next"'
    shop.play(says({"products": [{"id": 1}]}, 200, page), says({"products": [{"id": 2}]}))
    first = shopify.Product.find(limit=1)
    assert [one.id for one in first.next_page()] == [2]
    assert shop.lines == [
        "GET /admin/api/2026-07/products.json?limit=1", "GET /admin/api/2026-07/products.json?page_info=two",
    ]  # fmt: skip


def test_an_error_is_the_providers_own(shop: Ground) -> None:
    shop.play(says({"errors": "Not Found"}, 404))
    with pytest.raises(ResourceNotFound) as caught:
        shopify.Product.find(9)
    assert orjson.loads(caught.value.response.body) == {"errors": "Not Found"}


def test_a_throttled_call_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    shop = pointed(ground("shopify-busy"))
    shop.play(says({"errors": "Exceeded 2 calls per second"}, 429, "Retry-After: 120.0"))
    with pytest.raises(ClientError) as caught:
        shopify.Product.create({"title": "Oar"})
    assert (caught.value.code, refused(lambda: shopify.Product.create({"title": "Oar"}))) == (429, 503)
    assert len(shop.requests) == 1


def test_a_graph_that_is_throttled_with_200_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    shop = pointed(ground("shopify-other"))
    shop.play(says(THROTTLED, 200, "Retry-After: 120"))
    assert orjson.loads(shopify.GraphQL().execute(QUERY)) == THROTTLED
    assert refused(lambda: shopify.Product.find(1)) == 503
    assert len(shop.requests) == 1


def test_the_sidecar_changes_the_credential_alone(shop: Ground) -> None:
    def read(way: Ground) -> None:
        pointed(way)
        shopify.Product.find(1)

    shop.compare(read, says(PRODUCT))
