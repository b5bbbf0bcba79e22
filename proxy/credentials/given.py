"""Settings that are written plainly or lie behind a reference: ids, names and addresses that are no secrets."""

from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from proxy.core.secret import SecretRefs
from proxy.credentials.scheme import SchemeConfig, SlotOf, references, reveal


def parse_text(value: object) -> SecretRefs | str:
    """Read a plain text, a whole number (an id is often one), or references.

    Raises: ValueError, which does not repeat the text.
    """
    if isinstance(value, SecretRefs | list | tuple) or (
        isinstance(value, str) and value.startswith(("env:", "file:", "exec:"))
    ):
        return SecretRefs.parse(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value and value.isprintable():
        return value
    raise ValueError("write it as plain text, or as a reference env:NAME, file:/absolute/path or exec:/command")


Text = Annotated[
    SecretRefs | str,
    PlainValidator(parse_text),
    PlainSerializer(lambda text: text if isinstance(text, str) else text.written()),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "examples": ["client-1", "env:CLIENT_ID"]},
                {"type": "integer"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            ]
        }
    ),
]
"""A text that may stand in the configuration, or behind references."""


class Given:
    """The settings of a scheme with what lies behind their references.

    slots: of all references in the settings.
    """

    def __init__(self, config: SchemeConfig, slot_of: SlotOf) -> None:
        self._slots = {refs: slot_of(refs) for _, refs in references(config)}
        self.slots = tuple(self._slots.values())

    def read(self, value: SecretRefs | str) -> str:
        """Return a setting's text. Raises: CredentialMissing."""
        return value if isinstance(value, str) else reveal(self._slots[value])

    def where(self, refs: SecretRefs) -> str:
        """Name the reference in use, for people."""
        return str(self._slots[refs].ref)
