"""Floor 2, the credential schemes: one file each. To add one: its file, and its name twice below."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from pydantic import Field

from proxy.core.runtime import Runtime
from proxy.credentials.all import AllOf
from proxy.credentials.azure_shared_key import AzureSharedKey
from proxy.credentials.basic import Basic
from proxy.credentials.bearer import Bearer
from proxy.credentials.body import BodyFields
from proxy.credentials.grant_config import OAuth2Config
from proxy.credentials.header import HeaderField
from proxy.credentials.hmac import Hmac
from proxy.credentials.jwt import Jwt
from proxy.credentials.oauth2 import OAuth2
from proxy.credentials.path import PathSegments
from proxy.credentials.query import QueryKey
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf, references
from proxy.credentials.sigv4 import SigV4

_PARTS: Final[dict[str, Callable[[Any, SlotOf, Runtime], Scheme]]] = {
    "azure_shared_key": AzureSharedKey,
    "basic": Basic,
    "bearer": Bearer,
    "body": BodyFields,
    "header": HeaderField,
    "hmac": Hmac,
    "jwt": Jwt,
    "oauth2": OAuth2,
    "path": PathSegments,
    "query": QueryKey,
    "sigv4": SigV4,
}

SCHEMES: Final = _PARTS | {"all": partial(AllOf, _PARTS)}

_OneConfig = (
    AzureSharedKey.Config
    | Basic.Config
    | Bearer.Config
    | BodyFields.Config
    | HeaderField.Config
    | Hmac.Config
    | Jwt.Config
    | OAuth2Config
    | PathSegments.Config
    | QueryKey.Config
    | SigV4.Config
)


class AllConfig(AllOf.Config[Annotated[_OneConfig, Field(discriminator="scheme")]]):
    """of: several credentials by name; one that signs goes last."""


CredentialConfig = Annotated[_OneConfig | AllConfig, Field(discriminator="scheme")]
"""The section `credential`: the settings of one scheme, told apart by `scheme`."""

__all__ = [
    "SCHEMES", "AllOf", "AzureSharedKey", "Basic", "Bearer", "BodyFields", "CredentialConfig", "HeaderField", "Hmac",
    "Jwt", "OAuth2", "PathSegments", "QueryKey", "Scheme", "SchemeConfig", "SigV4", "SlotOf", "references",
]  # fmt: skip
