"""A bundle of authorities is read like a secret, because it is replaced like one; yet it is none."""

from pathlib import Path

from proxy.core.secret import SecretRef
from proxy.edge.secrets import Secrets
from tests.support.tls import authority_pem, identity


def test_a_whole_systems_bundle_is_read_and_the_redactor_learns_nothing_of_it(tmp_path: Path) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.write_text(f"# Autorit\u00e9 de certification racine\n{authority_pem()}" * 300)
    known: list[str] = []
    slot = Secrets(known.append).slot(SecretRef("file", str(bundle), document=True))
    assert (slot.problem, known) == ("", [])


def test_a_key_beside_its_certificate_is_learnt_line_by_line_and_the_certificate_is_not(tmp_path: Path) -> None:
    certificate, key = identity("svc-a")
    (tmp_path / "client.pem").write_text(certificate + key)
    known: list[str] = []
    Secrets(known.append).slot(SecretRef("file", str(tmp_path / "client.pem"), document=True))
    assert [line for line in key.splitlines()[1:-1] if len(line) >= 16 and line not in known] == []
    assert not any(line in known for line in certificate.splitlines())


def test_a_secret_of_one_line_stays_small(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x" * 65537)
    assert Secrets(lambda _: None).slot(SecretRef("file", str(tmp_path / "key"))).problem == "is larger than 64 KiB"
