"""Floor 2, the credential schemes: one file each. To add one: its file, and its name twice below."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import Field

from proxy.core.profile import Profile
from proxy.credentials.basic import Basic
from proxy.credentials.bearer import Bearer
from proxy.credentials.header import HeaderField
from proxy.credentials.query import QueryKey
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf

SCHEMES: Final[dict[str, Callable[[Any, SlotOf, Profile], Scheme]]] = {
    "basic": Basic,
    "bearer": Bearer,
    "header": HeaderField,
    "query": QueryKey,
}

CredentialConfig = Annotated[
    Basic.Config | Bearer.Config | HeaderField.Config | QueryKey.Config,
    Field(discriminator="scheme"),
]
"""The section `credential`: the settings of one scheme, told apart by `scheme`."""

__all__ = [
    "SCHEMES", "Basic", "Bearer", "CredentialConfig", "HeaderField", "QueryKey", "Scheme", "SchemeConfig", "SlotOf",
]  # fmt: skip
