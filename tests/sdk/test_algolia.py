"""Algolia's SDK."""

from typing import Any, Final

import pytest
from algoliasearch.http.exceptions import AlgoliaUnreachableHostException, RequestException
from algoliasearch.http.hosts import Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig

from tests.sdk.ground import Ground, Grounds, says, sent_json

pytestmark = pytest.mark.sdk

FOUND: Final = {
    "hits": [{"objectID": "1", "name": "Pier"}], "hitsPerPage": 20, "nbHits": 1, "nbPages": 1, "page": 0,
    "params": "", "processingTimeMS": 1, "query": "Pier", "exhaustive": {},
}  # fmt: skip
SAVED: Final = {"taskID": 7, "objectID": "1", "createdAt": "2026-01-01T00:00:00Z"}


@pytest.fixture
def algolia(ground: Grounds) -> Ground:
    return ground("algolia")


def client_of(ground: Ground) -> Any:
    client = ground.client(
        SearchConfig=SearchConfig, SearchClientSync=SearchClientSync, HostsCollection=HostsCollection, Host=Host
    )
    assert isinstance(client, SearchClientSync)
    return client


def test_an_object_is_read(algolia: Ground) -> None:
    algolia.play(says({"objectID": "1", "name": "Pier"}))
    with client_of(algolia) as client:
        assert client.get_object("piers", "1") == {"objectID": "1", "name": "Pier"}
    assert algolia.lines == ["GET /1/indexes/piers/1"]


def test_an_index_is_searched(algolia: Ground) -> None:
    algolia.play(says(FOUND))
    with client_of(algolia) as client:
        answer = client.search_single_index("piers", {"query": "Pier"})
    assert [hit.object_id for hit in answer.hits] == ["1"]
    assert algolia.lines == ["POST /1/indexes/piers/query"]
    assert sent_json(algolia.requests[0]) == {"query": "Pier"}


def test_an_object_is_saved(algolia: Ground) -> None:
    algolia.play(says(SAVED, 201))
    with client_of(algolia) as client:
        assert client.save_object("piers", {"name": "Grüße"}).task_id == 7
    assert algolia.lines == ["POST /1/indexes/piers"]
    assert sent_json(algolia.requests[0]) == {"name": "Grüße"}


def test_a_packed_batch_stays_packed(algolia: Ground) -> None:
    algolia.play(says({"taskID": 7, "objectIDs": []}))
    requests = [{"action": "addObject", "body": {"name": "Pier", "number": number}} for number in range(50)]
    with client_of(algolia) as client:
        client._config.compression_type = "gzip"
        client.batch("piers", {"requests": requests})
    assert (b"content-encoding", b"gzip") in algolia.requests[0].fields


def test_an_error_is_the_providers_own(algolia: Ground) -> None:
    algolia.play(says({"message": "Index piers does not exist", "status": 404}, 404))
    with client_of(algolia) as client, pytest.raises(RequestException, match="Index piers does not exist") as caught:
        client.get_settings("piers")
    assert caught.value.status_code == 404


def test_the_sdk_goes_on_after_a_failure(algolia: Ground) -> None:
    algolia.play(says({"message": "out of order"}, 500), says(SAVED, 201))
    with client_of(algolia) as client:
        with pytest.raises(AlgoliaUnreachableHostException):
            client.save_object("piers", {"name": "Pier"})
        assert client.save_object("piers", {"name": "Pier"}).task_id == 7


def test_a_throttled_search_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    algolia = ground("algolia-busy")
    algolia.play(says({"message": "Too many requests", "status": 429}, 429, "Retry-After: 120"))
    with client_of(algolia) as client:
        with pytest.raises(RequestException, match="Too many requests") as caught:
            client.get_object("piers", "1")
        with pytest.raises(AlgoliaUnreachableHostException):  # the SDK takes a 503 for a host that is down
            client.get_object("piers", "1")
    assert caught.value.status_code == 429
    assert len(algolia.requests) == 1


def test_the_sidecar_changes_the_credential_alone(algolia: Ground) -> None:
    def search(way: Ground) -> None:
        with client_of(way) as client:
            client.search_single_index("piers", {"query": "Grüße"})

    algolia.compare(search, says(FOUND), varying=(b"request-id",))
