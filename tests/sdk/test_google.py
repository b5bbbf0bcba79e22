"""Google's two kinds of SDK: the client of one API (BigQuery), and the one that is built from descriptions (Drive)."""

from io import BytesIO
from typing import Any, Final

import orjson
import pytest
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from googleapiclient.discovery import build, build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from tests.sdk.ground import Ground, Grounds, says, sent_json
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

LIMITED: Final = {"error": {"code": 403, "message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}}
DATASET: Final = {"datasetReference": {"projectId": "project", "datasetId": "tide"}, "location": "EU"}
ANSWER: Final = {
    "jobComplete": True, "jobReference": {"projectId": "project", "jobId": "j1", "location": "EU"}, "totalRows": "1",
    "schema": {"fields": [{"name": "high", "type": "INTEGER"}]}, "rows": [{"f": [{"v": "7"}]}],
}  # fmt: skip
JOB: Final = {
    "jobReference": {"projectId": "project", "jobId": "j2", "location": "EU"}, "status": {"state": "DONE"},
    "configuration": {"load": {"destinationTable": {"projectId": "project", "datasetId": "tide", "tableId": "t"}}},
}  # fmt: skip
ROWS: Final = b'{"high": 7}\n' * 1000


def bigquery_of(ground: Ground) -> bigquery.Client:
    client: bigquery.Client = ground.client(bigquery=bigquery, AnonymousCredentials=AnonymousCredentials)
    return client


def drive_of(ground: Ground) -> Any:
    return ground.client(build=build, AnonymousCredentials=AnonymousCredentials)


def test_a_dataset_is_read_with_a_token_that_the_sdk_never_sees(ground: Grounds) -> None:
    warehouse = ground("bigquery")
    warehouse.play(says(DATASET))
    with bigquery_of(warehouse) as client:
        assert client.get_dataset("tide").location == "EU"
    assert warehouse.lines == ["GET /bigquery/v2/projects/project/datasets/tide?prettyPrint=false"]


def test_a_query_is_asked_and_answered(ground: Grounds) -> None:
    warehouse = ground("bigquery")
    warehouse.play(says(ANSWER))
    with bigquery_of(warehouse) as client:
        assert [row.high for row in client.query_and_wait("SELECT 7 AS high -- Flut 🌊")] == [7]
    assert warehouse.lines == ["POST /bigquery/v2/projects/project/queries?prettyPrint=false"]


def test_rows_are_uploaded_to_the_address_that_the_answer_names(ground: Grounds, wire: Wire) -> None:
    warehouse = ground("bigquery")
    session = f"{wire.url}/upload/bigquery/v2/projects/project/jobs?uploadType=resumable&upload_id=u1"
    warehouse.play(says({}, 200, f"Location: {session}"), says(JOB))
    with bigquery_of(warehouse) as client:
        client.load_table_from_file(BytesIO(ROWS), "tide.t")
    assert warehouse.lines == [
        "POST /upload/bigquery/v2/projects/project/jobs?uploadType=resumable",
        "PUT /upload/bigquery/v2/projects/project/jobs?uploadType=resumable&upload_id=u1",
    ]
    assert warehouse.requests[1].body == ROWS


def test_bigquery_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        with bigquery_of(way) as client:
            client.create_dataset("tide")

    ground("bigquery").compare(call, says(DATASET), varying=(b"x-goog-api-client",))


def test_an_error_of_bigquery_is_the_providers_own(ground: Grounds) -> None:
    warehouse = ground("bigquery")
    warehouse.play(
        says({"error": {"code": 404, "message": "Not found: Dataset", "errors": [{"reason": "notFound"}]}}, 404)
    )
    with bigquery_of(warehouse) as client, pytest.raises(NotFound, match="Not found: Dataset"):
        client.get_dataset("tide")


def test_a_limit_of_bigquery_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    warehouse = ground("bigquery-busy")
    warehouse.play(says(LIMITED, 403, "Retry-After: 120"))
    no_retry: Any = None
    with bigquery_of(warehouse) as client:
        with pytest.raises(Forbidden, match="slow down"):
            client.get_dataset("tide", retry=no_retry)
        with pytest.raises(GoogleAPICallError) as held:
            client.get_dataset("tide", retry=no_retry)
    assert (held.value.code, len(warehouse.requests)) == (503, 1)


def test_pages_of_files_are_listed(ground: Grounds) -> None:
    drive = ground("google")
    drive.play(says({"files": [{"id": "a"}], "nextPageToken": "2"}), says({"files": [{"id": "b"}]}))
    with drive_of(drive) as client:
        first = client.files().list(pageSize=1)
        found = first.execute()
        more = client.files().list_next(first, found).execute()
    assert [file["id"] for file in found["files"] + more["files"]] == ["a", "b"]
    assert drive.lines == [
        "GET /drive/v3/files?pageSize=1&alt=json", "GET /drive/v3/files?pageSize=1&alt=json&pageToken=2",
    ]  # fmt: skip


def test_a_folder_is_made(ground: Grounds) -> None:
    drive = ground("google")
    drive.play(says({"id": "f1"}))
    with drive_of(drive) as client:
        assert client.files().create(body={"name": "Fähre"}).execute() == {"id": "f1"}
    assert sent_json(drive.requests[0]) == {"name": "Fähre"}


def test_drive_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        with drive_of(way) as client:
            client.files().create(body={"name": "Fähre"}).execute()

    ground("google").compare(call, says({"id": "f1"}))


def test_an_error_of_drive_is_the_providers_own(ground: Grounds) -> None:
    drive = ground("google")
    drive.play(says({"error": {"code": 404, "message": "File not found: x."}}, 404))
    with drive_of(drive) as client, pytest.raises(HttpError, match=r"File not found: x\."):
        client.files().get(fileId="x").execute()


def test_a_limit_of_drive_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    drive = ground("google-busy")
    drive.play(says(LIMITED, 403, "Retry-After: 120"))
    seen = []
    with drive_of(drive) as client:
        for _ in range(2):
            with pytest.raises(HttpError) as caught:
                client.files().list().execute()
            seen.append(caught.value.status_code)
    assert (seen, len(drive.requests)) == ([403, 503], 1)


def test_a_file_is_uploaded_where_the_description_of_the_api_names_the_sidecar(ground: Grounds, wire: Wire) -> None:
    drive = ground("google")
    session = f"{wire.url}/upload/drive/v3/files?uploadType=resumable&upload_id=u1"
    drive.play(says({}, 200, f"Location: {session}"), says({"id": "f1"}))
    anybody: Any = AnonymousCredentials
    description = {**orjson.loads(get_static_doc("drive", "v3")), "rootUrl": f"{drive.base}/"}
    with build_from_document(description, credentials=anybody()) as client:
        media = MediaIoBaseUpload(BytesIO(ROWS), "text/plain", resumable=True)
        assert client.files().create(body={"name": "x"}, media_body=media).execute() == {"id": "f1"}
    assert drive.lines[1] == "PUT /upload/drive/v3/files?uploadType=resumable&upload_id=u1"
    assert drive.requests[1].body == ROWS
