"""Presets of the catalogue as a user gets them by name, and what they make of an answer or a call."""

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter

from proxy.config import Provider, load
from proxy.core.call import Call, Headers
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.credentials import SCHEMES, CredentialConfig
from proxy.sansio.classify import Classifier
from proxy.sansio.hints import Hints
from proxy.sansio.idempotency import IdempotencyKeys
from tests.support.schemes import slots_of
from tests.support.script import WALL, make_runtime
from tests.support.virtual import run

NEEDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "algolia": {"vars": {"app": "APP1"}},
    "aws-lambda": {"vars": {"region": "eu-west-1"}},
    "aws-s3": {"vars": {"region": "eu-west-1"}},
    "aws-ses": {"vars": {"region": "eu-west-1"}},
    "aws-sns": {"vars": {"region": "eu-west-1"}},
    "aws-sqs": {"vars": {"region": "eu-west-1"}},
    "azure-arm": {"vars": {"tenant": "contoso"}},
    "azure-blob": {"vars": {"account": "tide"}},
    "elasticsearch": {"vars": {"deployment": "abc123", "region": "eu-west-1", "cloud": "aws"}},
    "google": {"vars": {"service": "drive"}},
    "sdi": {"vars": {"service": "servizi"}},
    "shopify": {"vars": {"shop": "acme"}},
    "shopify-storefront": {"vars": {"shop": "acme"}},
    "snowflake": {"vars": {"account": "myorg-myaccount"}},
    "upstash-redis": {"vars": {"database": "tide"}},
}
"""What has to be written beside the name, where the provider's host depends on the user."""


@cache
def provider(name: str) -> Provider:
    """Return the preset as its name alone (and what `NEEDS` holds) configures it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tidegate.yaml"
        file.write_text(yaml.safe_dump({"providers": {name: dict(NEEDS.get(name, {}))}}), encoding="utf-8")
        return load(file).providers[name]


def profile(name: str) -> Profile:
    """Return what the preset says about the provider."""
    return provider(name).profile


def section(name: str, key: str) -> Any:
    """Return the settings of a policy, False where it is off."""
    return provider(name).section(key)


def verdict(name: str, status: int, body: str = "", headers: Headers | None = None) -> Outcome:
    """Return what an answer says about the provider."""
    return Classifier(profile(name))(status, headers or [], body.encode())


def wait_s(name: str, headers: Mapping[str, str]) -> float | None:
    """Return how long the provider wants us to wait, at the instant `WALL`."""
    return Hints(profile(name)).wait_s([(key.encode(), value.encode()) for key, value in headers.items()], WALL)


def may_repeat(name: str, call: Call) -> bool:
    """Say whether the profile lets a POST or PATCH be sent twice."""
    keys = IdempotencyKeys(profile(name))
    return keys.is_keyed(call) or keys.reads_only(call)


def sent(name: str, call: Call, secrets: Mapping[str, str]) -> Call:
    """Return what goes out for the call, with these secrets by variable name."""
    config = TypeAdapter(CredentialConfig).validate_python(section(name, "credential"))
    slot_of = slots_of({f"env:{variable}": value for variable, value in secrets.items()})

    async def attempt() -> Call:
        scheme = SCHEMES[config.scheme](config, slot_of, make_runtime(profile=profile(name)))
        if scheme.waits:
            await scheme.prepare(call)
        copy = call.outgoing()
        scheme.inject(copy, scheme.strip(copy), call)
        return copy

    return run(attempt())


def hidden(name: str, text: str) -> bool:
    """Say whether the profile's shapes of secrets cover the end of a text, wherever it stands."""
    line = f'{{"a":"{text}"}}'.encode()
    for shape in profile(name).secret_patterns:
        if any(part.encode() in line for part in shape.contains):
            line = shape.compiled().sub(b"", line)
    return text[-8:].encode() not in line
