"""The catalogue is shown as a table that fits a terminal."""

from pathlib import Path

from proxy.config import catalogue
from proxy.entries import read_entry
from proxy.layout import WIDTH
from proxy.listing import HEAD, scheme_of, table
from proxy.presets import Presets


def row(name: str, presets: Presets | None = None) -> list[str]:
    return next(line.split() for line in table(presets).splitlines() if line.startswith(f"{name} "))


def test_there_is_one_line_per_preset_beneath_the_head() -> None:
    head, *lines = table().splitlines()
    assert tuple(head.split()) == HEAD
    assert [line.split()[0] for line in lines[: lines.index("")]] == list(catalogue())


def test_the_table_is_no_wider_than_a_terminal() -> None:
    assert max(map(len, table().splitlines())) <= WIDTH


def test_a_line_tells_title_scheme_key_and_address() -> None:
    assert row("stripe") == ["stripe", "Stripe", "bearer", "made", "api.stripe.com"]
    assert row("sendgrid") == ["sendgrid", "SendGrid", "bearer", "-", "api.sendgrid.com"]


def test_of_several_credentials_in_one_call_each_is_named_once() -> None:
    presets = Presets()
    assert scheme_of(read_entry("twilio", presets)) == "basic+path"
    assert scheme_of(read_entry("edamam", presets)) == "query"
    assert scheme_of(read_entry("mock", presets)) == "none"


def test_presets_of_the_users_own_stand_among_the_others(tmp_path: Path) -> None:
    text = "base_url: https://{shop}.acme.example\nprofile: {title: Acme, idempotency: {header: x-key}}\n"
    (tmp_path / "acme.yaml").write_text(text)
    assert row("acme", Presets(tmp_path)) == ["acme", "Acme", "none", "yes", "{shop}.acme.example"]
