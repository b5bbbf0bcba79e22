"""Azure's SDK for blobs; its own signer judges every signature that arrives."""

from typing import Any, Final

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tests.sdk.ground import Ground, Grounds, only
from tests.support.wire import Script, reply

pytestmark = pytest.mark.sdk

NAME: Final = "a/Grüße &+%2F.txt"
WRITTEN: Final = (b'ETag: "0x1"', b"Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT", b"x-ms-request-id: r1")
LISTED: Final = b"""<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="tide"><Blobs><Blob>
<Name>a</Name><Properties><BlobType>BlockBlob</BlobType></Properties></Blob></Blobs><NextMarker/>
</EnumerationResults>"""
VARYING: Final = (b"x-ms-client-request-id",)


def client_of(ground: Ground) -> Any:
    return ground.client(BlobServiceClient=BlobServiceClient, AzureNamedKeyCredential=AzureNamedKeyCredential)


def error(status: int, code: str, *lines: bytes) -> Script:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return reply(status, body, b"Content-Type: application/xml", b"x-ms-error-code: " + code.encode(), *lines)


def test_a_blob_is_written(ground: Grounds) -> None:
    azure = ground("azure-blob")
    azure.play(reply(201, b"", *WRITTEN))
    with client_of(azure) as client:
        client.get_blob_client("tide", NAME).upload_blob(b"high tide", metadata={"b": "1", "a_c": "2"})
    assert azure.lines == ["PUT /tide/a/Gr%C3%BC%C3%9Fe%20%26%2B%252F.txt"]
    assert azure.requests[0].body == b"high tide"


def test_blobs_are_listed(ground: Grounds) -> None:
    azure = ground("azure-blob")
    azure.play(reply(200, LISTED, b"Content-Type: application/xml"))
    with client_of(azure) as client:
        names = [blob.name for blob in client.get_container_client("tide").list_blobs(name_starts_with="a b/")]
    assert names == ["a"]


def test_a_blob_is_read_as_a_stream(ground: Grounds) -> None:
    azure = ground("azure-blob")
    azure.play(reply(206, b"high tide", b"Content-Range: bytes 0-8/9", *WRITTEN))
    with client_of(azure) as client:
        assert b"".join(client.get_blob_client("tide", NAME).download_blob().chunks()) == b"high tide"
    assert only(azure.requests[0].head, b"x-ms-range") == b"bytes=0-33554431"


def test_a_large_blob_goes_up_in_blocks(ground: Grounds) -> None:
    azure = ground("azure-blob")
    azure.play(reply(201, b"", *WRITTEN))
    with client_of(azure) as client:
        blob = client.get_blob_client("tide", "large")
        blob._config.max_single_put_size = blob._config.max_block_size = 65536
        blob.upload_blob(bytes(150_000))
    assert [len(request.body) for request in azure.requests[:-1]] == [65536, 65536, 18928]
    assert azure.lines[-1] == "PUT /tide/large?comp=blocklist"


def test_azure_sees_the_request_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    def call(way: Ground) -> None:
        with client_of(way) as client:
            client.get_blob_client("tide", NAME).upload_blob(b"high tide", metadata={"a": "1"})

    ground("azure-blob").compare(call, reply(201, b"", *WRITTEN), varying=VARYING)


def test_an_error_is_the_providers_own(ground: Grounds) -> None:
    azure = ground("azure-blob")
    azure.play(error(404, "BlobNotFound"))
    with client_of(azure) as client, pytest.raises(ResourceNotFoundError) as caught:
        client.get_blob_client("tide", "x").download_blob()
    assert caught.value.error_code == "BlobNotFound"  # type: ignore[attr-defined] # set as it is raised


def test_a_busy_server_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    azure = ground("azure-blob-busy")
    azure.play(error(503, "ServerBusy", b"Retry-After: 120"))
    seen = []
    with client_of(azure) as client:
        for _ in range(2):
            with pytest.raises(HttpResponseError) as caught:
                client.get_blob_client("tide", "x").download_blob()
            seen.append(caught.value.error_code)  # type: ignore[attr-defined] # set as it is raised
    assert (seen, len(azure.requests)) == (["ServerBusy", "provider_paused"], 1)
