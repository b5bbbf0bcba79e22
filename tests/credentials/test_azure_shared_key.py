"""Our signature equals that of Microsoft's own SDK."""

import base64
import hashlib
import hmac
import string
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.core.call import Call, Headers
from proxy.core.errors import CredentialMissing
from proxy.credentials.azure_shared_key import AzureSharedKey
from tests.support.schemes import call_of, injected, on_wire, slots_of
from tests.support.script import make_runtime

KEY = base64.b64encode(b"made up for tests").decode()
SETTINGS = {"scheme": "azure_shared_key", "account": "exampleaccount", "key": "env:KEY"}
DATE = b"Mon, 29 Jan 2018 13:00:00 GMT"
ORIGIN = "https://exampleaccount.blob.core.windows.net"


def scheme(key: str = KEY, base_path: bytes = b"") -> AzureSharedKey:
    runtime = replace(make_runtime(), wall=lambda: 1517230800.0, base_path=base_path)
    return AzureSharedKey(AzureSharedKey.Config.model_validate(SETTINGS), slots_of({"env:KEY": key}), runtime)


def by_sdk(sent: Call, base_path: str = "") -> bytes:
    """Return what Microsoft's SDK puts into Authorization for the same request."""
    fields = {name.decode(): value.decode() for name, value in sent.headers if name != b"Authorization"}
    request = HttpRequest(sent.method, ORIGIN + base_path + sent.target.decode(), headers=fields)
    context = SimpleNamespace(transport=None)
    pipeline = SimpleNamespace(http_request=request, context=context)
    policy: Any = SharedKeyCredentialPolicy  # the SDK has types, but not here
    policy("exampleaccount", KEY).on_request(pipeline)
    return str(request.headers["Authorization"]).encode()


def authorization(sent: Call) -> bytes:
    return dict(sent.headers)[b"Authorization"]


def signed(*lines: str) -> bytes:
    text = "\n".join(lines).encode()
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text, hashlib.sha256).digest())
    return b"SharedKey exampleaccount:" + signature


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", b"/", {"x-ms-version": "2026-10-06"}),
        ("GET", b"/box?restype=container&comp=list&prefix=a%2Fb%20c", {"x-ms-version": "2026-10-06"}),
        (
            "PUT",
            b"/box/a%20b.txt",
            {"Content-Length": "5", "Content-Type": "text/plain", "x-ms-blob-type": "BlockBlob"},
        ),
        (
            "PUT",
            b"/box/empty",
            {"Content-Length": "0", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "If-None-Match": "*"},
        ),
        ("GET", b"/box/x", {"x-ms-range": "bytes=0-9", "If-Modified-Since": "Mon, 29 Jan 2018 12:00:00 GMT"}),
        ("GET", b"/box/x", {"x-ms-meta-a-b": "1", "x-ms-metaab": "2", "x-ms-meta-ab": "3", "x-ms-meta-a": "4"}),
    ],
)
def test_the_signature_is_the_sdks(method: str, target: bytes, headers: dict[str, str]) -> None:
    fields: Headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent = injected(scheme(), call_of(target, fields, method))
    assert sent.headers == [*fields, (b"Authorization", by_sdk(sent)), (b"x-ms-date", DATE)]


names = st.text(string.ascii_lowercase + string.digits + "-_.!~", min_size=1, max_size=8)


@given(st.dictionaries(names.map("x-ms-".__add__), st.text(string.ascii_letters + ",;=", min_size=1), max_size=8))
def test_the_services_fields_are_sorted_as_the_sdk_sorts_them(fields: dict[str, str]) -> None:
    sent = injected(scheme(), call_of(b"/", [(name.encode(), value.encode()) for name, value in fields.items()]))
    assert authorization(sent) == by_sdk(sent)


def test_the_path_of_the_provider_is_signed_too() -> None:
    sent = injected(scheme(base_path=b"/exampleaccount"), call_of(b"/box"))
    assert authorization(sent) == by_sdk(sent, "/exampleaccount")
    assert sent.target == b"/box"


def test_a_range_and_pairs_of_one_name_are_signed_as_documented() -> None:
    headers = [(b"Range", b"bytes=0-9"), (b"Date", b"Mon, 01 Jan 2018 00:00:00 GMT"), (b"X-MS-Version", b"2026-10-06")]
    sent = injected(scheme(), call_of(b"/box?include=snapshots&Comp=list&include=metadata", headers))
    assert authorization(sent) == signed(
        "GET", *[""] * 10, "bytes=0-9",
        f"x-ms-date:{DATE.decode()}", "x-ms-version:2026-10-06",
        "/exampleaccount/box", "comp:list", "include:metadata,snapshots",
    )  # fmt: skip


def test_the_signature_and_date_of_the_caller_are_replaced() -> None:
    headers = [
        (b"x-ms-date", b"PLACEHOLDER"),
        (b"Authorization", b"SharedKey exampleaccount:PLACEHOLDER"),
        (b"x-ms-version", b"2026-10-06"),
    ]
    sent = injected(scheme(), call_of(b"/box", headers))
    assert [name for name, _ in sent.headers] == [b"Authorization", b"x-ms-date", b"x-ms-version"]
    assert authorization(sent) == by_sdk(sent)
    assert b"PLACEHOLDER" not in on_wire(sent)


def test_a_key_that_is_not_base64_is_told_without_being_shown() -> None:
    with pytest.raises(CredentialMissing, match="env:KEY is not base64") as caught:
        injected(scheme("not*base64*example"), call_of())
    assert "not*base64*example" not in caught.value.detail


@pytest.mark.parametrize("account", ["", "Example", "a/b", "ab"])
def test_an_account_that_cannot_be_one_is_refused(account: str) -> None:
    with pytest.raises(ValidationError):
        AzureSharedKey.Config.model_validate(SETTINGS | {"account": account})
