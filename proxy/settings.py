"""The configuration file as models: every section, key and default of it, and the only place that lists them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from proxy.addresses import BaseUrlSpec, VarSpec
from proxy.core.call import Policy
from proxy.core.profile import Profile
from proxy.core.secret import SecretRef, SecretRefs
from proxy.core.units import Duration, Frozen, ListenSpec
from proxy.credentials import references
from proxy.edge.upstream.pool import PoolConfig
from proxy.edge.upstream.tls import TlsConfig
from proxy.sansio.slo import Slo
from proxy.sections import Admin, Audit, Egress, Log, SecretReading, Tracing
from proxy.stack import PER_CALL, PER_UPSTREAM

RESERVED: Final = frozenset({"tidegate"})
PROVIDER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def _provider_name(text: str) -> str:
    if not PROVIDER_NAME.fullmatch(text) or text in RESERVED:
        raise ValueError(
            "not a provider name: write small letters, digits and hyphens, beginning with no hyphen"
            " (it is a path and a host label); tidegate is reserved"
        )
    return text


def _account_name(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("not an account name: write letters, digits and . _ -, beginning with a letter or digit")
    return text


AccountName = Annotated[str, AfterValidator(_account_name)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]


class OrOff:
    """Lets a section be `off` instead of a mapping; YAML reads that word as false."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let False through, and leave everything else to the section's model."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, inner: False if value is False else inner(value), handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Offer the words by which editors and YAML 1.2 spell it."""
        return {"anyOf": [handler(schema), {"enum": [False, "off"], "description": "Leaves the policy out."}]}


class Leg(Frozen):
    """What one upstream needs besides one key per policy; `Account` and `Provider` add those."""

    base_url: BaseUrlSpec = Field(description="https://host/prefix; http:// for this machine only.")
    host: str | None = Field(None, description="One of the profile's hosts by name, in place of base_url.")
    vars: dict[str, VarSpec] = Field({}, description="What the braces in an address stand for, such as {shop}.")
    allow_private: bool = Field(False, description="Allow host names that resolve to private addresses.")
    allow_cleartext: bool = Field(False, description="Allow http:// to other machines.")
    pool: PoolConfig = Field(PoolConfig(), description="The connections to this provider.")
    tls: TlsConfig | None = Field(None, description="Client certificate, authorities and pins of this provider.")

    def section(self, name: str) -> Any:
        """Return the Config of the policy `name`, or False where it is off."""
        return getattr(self, name)


def _section(policy: type[Policy]) -> tuple[Any, Any]:
    config: Any = policy.Config  # a model, or a union of them
    if isinstance(config, type) and not any(field.is_required() for field in policy.Config.model_fields.values()):
        return Annotated[config, OrOff()], policy.Config()
    return Annotated[config, OrOff()], False  # nothing can be assumed: a credential needs at least a reference


if TYPE_CHECKING:
    Account = Leg  # mypy can't see the keys that the policies bring; `section` reads them
else:
    Account = create_model(
        "Account",
        __base__=Leg,
        __doc__="One account at a provider: the provider's entry with these keys over it, and state of its own.",
        **{policy.section: _section(policy) for policy in PER_UPSTREAM},
    )


class Upstream(Leg):
    """What a provider's entry holds besides one key per policy; `Provider` adds those."""

    preset: str | None = Field(None, description="Catalogue entry beneath this one, where the key names none.")
    listen: ListenSpec | None = Field(None, description="A port of its own, for SDKs that take no path.")
    trace: Literal["restart", "pass"] = Field("restart", description="What becomes of the caller's traceparent.")
    rewrite_urls: bool = Field(True, description="Lead absolute URLs in answers back through the sidecar.")
    slo: Annotated[Slo | Literal[False] | None, OrOff()] = Field(
        None, description="Objectives of this provider in place of the file's; `off` for none."
    )
    profile: Profile = Field(Profile(), description="What this provider is: facts, not wishes.")
    accounts: dict[AccountName, Account] = Field(
        {}, max_length=256, description="Further credentials by name, chosen with Tidegate-Account."
    )

    @property
    def needs_account(self) -> bool:
        """Whether a call has to name an account, because the provider's entry has no credential itself."""
        return bool(self.accounts) and self.section("credential") is False

    def legs(self) -> Iterator[tuple[tuple[str, ...], Leg]]:
        """Yield every leg with the path of its entry: the provider's own, where it has one, then the accounts."""
        if not self.needs_account:
            yield (), self
        for name, account in self.accounts.items():
            yield ("accounts", name), account


if TYPE_CHECKING:
    Provider = Upstream
else:
    Provider = create_model(
        "Provider",
        __base__=Upstream,
        __doc__="One provider: where it lies, and every policy on the way to it.",
        **{policy.section: _section(policy) for policy in PER_CALL + PER_UPSTREAM},
    )


class Settings(Frozen):
    """The whole file."""

    egress: Egress = Field(Egress(), description="The listener that the service calls.")
    admin: Admin = Field(Admin(), description="The listener with health, metrics and live state.")
    log: Log = Field(Log(), description="What the log looks like.")
    audit: Audit | None = Field(None, description="Keeps a record of every call and action that can't be changed.")
    tracing: Tracing | None = Field(None, description="Sends spans to a collector (the extra `otel`).")
    slo: Slo | None = Field(None, description="Objectives of every provider that has none of its own.")
    drain_timeout: Duration = Field(25.0, description="Time that calls in flight get to end at shutdown.")
    drain_delay: Duration = Field(0.0, description="Time between failing readiness and closing the listeners.")
    secrets: SecretReading = Field(SecretReading(), description="How secrets are read.")
    catalogue: str | None = Field(None, min_length=1, description="Folder of presets of your own, beside this file.")
    providers: dict[ProviderName, Provider] = Field({}, description="The APIs behind tidegate, by name.")

    def slo_of(self, provider: str) -> Slo | None:
        """Return the objectives of a provider: its own, else the file's; None for none."""
        own = self.providers[provider].slo
        return (self.slo if own is None else own) or None

    def secret_refs(self) -> Iterator[tuple[tuple[str | int, ...], SecretRef]]:
        """Yield every secret that is in use, with the path of its key; one that an account inherits comes once."""
        yield from self.own_refs()
        for name, provider in self.providers.items():
            found = [((*path, *key), ref) for path, leg in provider.legs() for key, ref in _refs_of(leg)]
            first = {ref: key for key, ref in reversed(found)}
            yield from ((("providers", name, *key), ref) for key, ref in found if first[ref] == key)

    def own_refs(self) -> Iterator[tuple[tuple[str | int, ...], SecretRef]]:
        """Yield the secrets of tidegate itself, which belong to no provider."""
        audit, tracing = self.audit, self.tracing
        found: list[tuple[tuple[str, ...], SecretRefs | None]] = [(("admin", "token"), self.admin.token)]
        found += [] if audit is None else [(("audit", "key"), audit.key)]
        found += [] if tracing is None else [(("tracing", "headers", key), ref) for key, ref in tracing.headers.items()]
        yield from ((where, ref) for where, refs in found for ref in refs or ())


def _refs_of(leg: Leg) -> Iterator[tuple[tuple[str | int, ...], SecretRef]]:
    credential = leg.section("credential")
    for key, refs in references(credential) if credential else ():
        yield from ((("credential", *key), ref) for ref in refs)
    if leg.tls is not None:
        yield from ((("tls", key), ref) for key, ref in leg.tls.references().items())
