"""One provider per credential scheme, each with a secret that would be known anywhere, and the requests to them."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.caller import request
from tests.support.sidecar import free_port
from tests.support.tls import identity
from tests.support.wire import Wire, reply


def canary() -> str:
    return f"{plain_canary()}/+ä"


def plain_canary() -> str:
    """Return one for places where few characters are allowed."""
    return f"CANARY-{secrets.token_hex(12)}"


def _private_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


ENVIRONMENT: Final = {
    **{name: canary() for name in ("bearer", "basic", "header", "query", "body", "path", "hmac", "oauth2")},
    **{name: plain_canary() for name in ("all_header", "all_query", "sigv4_key", "sigv4_secret", "sigv4_session")},
    "azure": base64.b64encode(plain_canary().encode()).decode(),
    # Of the process itself. The first is so long that whoever shows its beginning shows half of it.
    "admin": plain_canary() * 3,
    "audit": canary(),
    "collector": plain_canary(),
}
"""The secrets that lie in variables, by the end of the variable's name in small letters."""

CERTIFICATE, CLIENT_KEY = identity("client")
FILES: Final = {"file": canary(), "broken": canary(), "jwt": _private_key(), "client_key": CLIENT_KEY}
ACCESS_TOKEN: Final = canary()[:-1]  # printable ASCII only
SECRETS: Final = {**ENVIRONMENT, **FILES, "access_token": ACCESS_TOKEN}

CALLERS_OWN: Final = canary()
PLACEHOLDER: Final = "PLACEHOLDER" + secrets.token_hex(8)
"""What stands for the credential in the caller's requests, in every place that one of the schemes owns."""


def _header(name: str, secret: str) -> dict[str, str]:
    return {"scheme": "header", "name": name, "value": f"env:CANARY_{secret.upper()}"}


SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "bearer": {"scheme": "bearer", "token": "env:CANARY_BEARER"},
    "basic": {"scheme": "basic", "username": "AC-example", "password": "env:CANARY_BASIC"},
    "header": _header("X-Api-Key", "header"),
    "query": {"scheme": "query", "name": "key", "value": "env:CANARY_QUERY"},
    "body": {"scheme": "body", "fields": ["api_key", "[].api_key"], "value": "env:CANARY_BODY"},
    "path": {"scheme": "path", "template": "/hooks/{secret}", "value": "env:CANARY_PATH"},
    "all": {
        "scheme": "all",
        "of": {
            "header": _header("X-Api-Key", "all_header"),
            "query": {"scheme": "query", "name": "key", "value": "env:CANARY_ALL_QUERY"},
        },
    },
    "hmac": {
        "scheme": "hmac", "secrets": {"shared": "env:CANARY_HMAC"}, "key": "shared", "hash": "sha256",
        "message": "{method}{target}{body}", "headers": {"X-Signature": "{signature}"},
    },
    "sigv4": {
        "scheme": "sigv4", "access_key": "env:CANARY_SIGV4_KEY", "secret_key": "env:CANARY_SIGV4_SECRET",
        "session_token": "env:CANARY_SIGV4_SESSION", "region": "eu-west-1", "service": "sqs",
    },
    "azure_shared_key": {"scheme": "azure_shared_key", "account": "exampleaccount", "key": "env:CANARY_AZURE"},
    "jwt": {"scheme": "jwt", "algorithm": "ES256", "issuer": "example-team"},
    "oauth2": {
        "scheme": "oauth2", "grant": "client_credentials", "client_id": "example-client",
        "client_secret": "env:CANARY_OAUTH2", "client_auth": "body",
    },
}  # fmt: skip

ON_THE_WIRE: Final[dict[str, tuple[str | bytes, ...]]] = {
    **{name: (ENVIRONMENT[name],) for name in ("bearer", "basic", "header", "query", "body", "path")},
    "all": (ENVIRONMENT["all_header"], ENVIRONMENT["all_query"]),
    "hmac": (b"X-Signature: ",),
    "sigv4": (ENVIRONMENT["sigv4_key"], ENVIRONMENT["sigv4_session"], b"/eu-west-1/sqs/aws4_request"),
    "azure_shared_key": (b"SharedKey exampleaccount:",),
    "jwt": (b"Authorization: Bearer eyJ",),
    "oauth2": (ACCESS_TOKEN,),
}
"""What the provider gets to see when a scheme does its work: the secret, or what is made of it."""

NEVER_SENT: Final = ("hmac", "sigv4_secret", "azure", "jwt", "broken", "client_key", "admin", "audit", "collector")
"""The secrets that only sign, or are no provider's business."""

MORE: Final = ("file", "echoed-token", "mutual")
"""Providers besides those of `SCHEMES`: a secret in a file, a token endpoint that says what it was told, and a client
certificate for a provider whose TLS fails.
"""


def token_endpoint() -> Wire:
    granted = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600}
    return Wire(reply(200, json.dumps(granted).encode(), b"Content-Type: application/json"))


def configuration(folder: Path, wire: Wire, tokens: Wire) -> dict[str, Any]:
    """Write the files of secrets, and return the providers."""
    for name, text in FILES.items():
        (folder / name).write_text(text + ("\r\nX: 1\n" if name == "broken" else "\n"), encoding="utf-8")
    plain = {
        "base_url": wire.url, "timeout": {"attempt": "100ms"}, "breaker": False,
        "retry": {"attempts": 2, "base": "1ms", "cap": "2ms"}, "profile": {"request_id": "request-id"},
    }  # fmt: skip
    schemes: dict[str, dict[str, Any]] = {
        **SCHEMES,
        "jwt": SCHEMES["jwt"] | {"private_key": f"file:{folder / 'jwt'}"},
        "oauth2": SCHEMES["oauth2"] | {"token_url": f"{tokens.url}/token"},
        "echoed-token": SCHEMES["oauth2"] | {"token_url": f"{wire.url}/token"},
        **{name: {"scheme": "bearer", "token": f"file:{folder / name}"} for name in ("file", "broken")},
        "dead": SCHEMES["bearer"],
    }
    # Nothing is held back: each secret shall meet every answer, those that refuse it too.
    names = {name: name.replace("_", "-") for name in schemes}
    providers = {names[name]: {**plain, "credential": {**one, "mode": "report"}} for name, one in schemes.items()}
    providers["dead"] |= {"base_url": f"http://127.0.0.1:{free_port()}"}
    (folder / "certificate").write_text(CERTIFICATE)
    own = {"client_certificate": f"file:{folder / 'certificate'}", "client_key": f"file:{folder / 'client_key'}"}
    providers["mutual"] = {**plain, "base_url": f"https://localhost:{wire.port}", "tls": own}
    return providers


def requests(provider: str) -> list[bytes]:
    """Requests to a provider, with a secret of the caller's own wherever one may stand, and its placeholders."""
    own = CALLERS_OWN.encode().decode("latin-1")
    dummy = f"AWS4-HMAC-SHA256 Credential={PLACEHOLDER}/20270115/eu-west-1/sqs/aws4_request, Signature={PLACEHOLDER}"
    lines = [f"X-Api-Key: {PLACEHOLDER}", f"Cookie: session={own}", "X-Request-Id: r-1", f"X-Other: {own}"]
    lines += [f"Authorization: {dummy}" if provider == "sigv4" else f"Authorization: Bearer {PLACEHOLDER}"]
    own_places = {"hmac": "X-Signature", "sigv4": "X-Amz-Security-Token"}
    if provider in own_places:
        lines.append(f"{own_places[provider]}: {PLACEHOLDER}")
    path = f"/{provider}/hooks/{PLACEHOLDER if provider == 'path' else 'x'}/{quote(CALLERS_OWN, safe='')}"
    target = f"{path}?q=1" + (f"&key={PLACEHOLDER}" if provider in {"query", "all"} else f"&key={quote(CALLERS_OWN)}")
    field = PLACEHOLDER if provider == "body" else CALLERS_OWN
    body = json.dumps([{"api_key": field, "text": CALLERS_OWN}], ensure_ascii=False).encode()
    return [
        request("GET", target, *lines),
        request("POST", target, *lines, "Content-Type: application/json", body=body),
    ]
