import pytest
from pydantic import ValidationError

from proxy.core.errors import CredentialMissing
from proxy.core.secret import SecretRefs, SecretSlot
from proxy.credentials.given import Given, Text
from proxy.credentials.scheme import SchemeConfig
from tests.support.schemes import slots_of


class Config(SchemeConfig):
    name: Text
    more: dict[str, Text] = {}


def config(**settings: object) -> Config:
    return Config.model_validate({"scheme": "any", **settings})


@pytest.mark.parametrize(
    ("written", "text"), [("client-1", "client-1"), (12345, "12345"), ("env:NAME", "acme"), (["env:NAME"], "acme")]
)
def test_a_text_is_plain_or_lies_behind_a_reference(written: object, text: str) -> None:
    made = config(name=written)
    assert Given(made, slots_of({"env:NAME": "acme"})).read(made.name) == text


@pytest.mark.parametrize("written", ["", "a\nb", True, 1.5, None, {}, "env:", ["literal"]])
def test_anything_else_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        config(name=written)


def test_the_slots_are_those_of_all_references() -> None:
    made = config(name="env:NAME", more={"a": "plain", "b": "env:OTHER"})
    given = Given(made, slots_of({"env:NAME": "acme", "env:OTHER": "other"}))
    assert [str(slot.ref) for slot in given.slots] == ["env:NAME", "env:OTHER"]


def test_a_reference_is_named_for_people_and_its_absence_told() -> None:
    made = config(name="env:NAME")

    def empty(refs: SecretRefs) -> SecretSlot:
        return SecretSlot(refs[0])

    assert Given(made, empty).where(SecretRefs.parse("env:NAME")) == "env:NAME"
    with pytest.raises(CredentialMissing, match="env:NAME"):
        Given(made, empty).read(made.name)


@pytest.mark.parametrize("written", ["client-1", "env:NAME", ["env:NAME", "env:OTHER"]])
def test_a_text_is_written_back_as_it_stood(written: object) -> None:
    assert config(name=written).model_dump()["name"] == written
