"""Elasticsearch's SDK."""

from typing import Any, Final

import pytest
from elasticsearch import ApiError, Elasticsearch, NotFoundError, UnsupportedProductError, helpers
from elasticsearch.serializer import JsonSerializer

from tests.sdk.ground import Ground, Grounds, only, says, sent_json

pytestmark = pytest.mark.sdk

PRODUCT: Final = "X-Elastic-Product: Elasticsearch"
FOUND: Final = {"took": 1, "hits": {"hits": [{"_id": "1", "_source": {"name": "Pier"}}]}}
SAVED: Final = {"_index": "piers", "_id": "1", "_version": 1, "result": "created"}


@pytest.fixture
def elastic(ground: Grounds) -> Ground:
    return ground("elasticsearch")


def client_of(ground: Ground) -> Any:
    client = ground.client(Elasticsearch=Elasticsearch, JsonSerializer=JsonSerializer)
    assert isinstance(client, Elasticsearch)
    return client


def test_an_index_is_searched(elastic: Ground) -> None:
    elastic.play(says(FOUND, 200, PRODUCT))
    with client_of(elastic) as client:
        answer = client.search(index="piers", query={"match": {"name": "Grüße"}})
    assert answer["hits"] == FOUND["hits"]
    assert elastic.lines == ["POST /piers/_search"]
    assert sent_json(elastic.requests[0]) == {"query": {"match": {"name": "Grüße"}}}
    assert only(elastic.requests[0].head, b"content-type").startswith(b"application/vnd.elasticsearch+json;")


def test_a_document_is_saved(elastic: Ground) -> None:
    elastic.play(says(SAVED, 201, PRODUCT))
    with client_of(elastic) as client:
        assert client.index(index="piers", id="1", document={"name": "Pier"})["result"] == "created"
    assert elastic.lines == ["PUT /piers/_doc/1"]


def test_documents_are_saved_in_bulk(elastic: Ground) -> None:
    item = {"index": {"_id": "1", "status": 201}}
    elastic.play(says({"errors": False, "items": [item] * 500}, 200, PRODUCT))
    documents = ({"_index": "piers", "_id": str(number), "name": "Pier"} for number in range(1000))
    with client_of(elastic) as client:
        assert helpers.bulk(client, documents)[0] == 1000
    assert elastic.lines == ["PUT /_bulk", "PUT /_bulk"]


def test_an_error_is_the_providers_own(elastic: Ground) -> None:
    elastic.play(says({"error": {"type": "index_not_found_exception"}, "status": 404}, 404, PRODUCT))
    with client_of(elastic) as client, pytest.raises(NotFoundError, match="index_not_found_exception"):
        client.get(index="piers", id="1")


def test_a_full_node_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    elastic = ground("elasticsearch-busy")
    refused = {"error": {"type": "es_rejected_execution_exception"}, "status": 429}
    elastic.play(says(refused, 429, PRODUCT, "Retry-After: 120"))
    with client_of(elastic) as client:
        with pytest.raises(ApiError, match="es_rejected_execution_exception") as caught:
            client.index(index="piers", document={"name": "Pier"})
        with pytest.raises(ApiError) as held:
            client.index(index="piers", document={"name": "Pier"})
    assert (caught.value.status_code, held.value.status_code) == (429, 503)
    assert held.value.body["reason"] == "provider_paused"
    assert len(elastic.requests) == 1


def test_a_server_of_another_make_is_refused_by_the_sdk_itself(elastic: Ground) -> None:
    elastic.play(says(FOUND))
    with client_of(elastic) as client, pytest.raises(UnsupportedProductError):
        client.search(index="piers")


def test_the_sidecar_changes_the_credential_alone(elastic: Ground) -> None:
    def search(way: Ground) -> None:
        with client_of(way) as client:
            client.search(index="piers", size=1)

    elastic.compare(search, says(FOUND, 200, PRODUCT))
