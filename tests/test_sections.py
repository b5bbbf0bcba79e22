"""The sections of the whole process: what they refuse."""

import pytest
from pydantic import ValidationError

from proxy.sections import Admin, Audit, Tracing


@pytest.mark.parametrize("name", ["authorization", "Cookie", "x-api-key", "Proxy-Authorization", "no header", ""])
def test_a_header_with_a_credential_names_no_caller(name: str) -> None:
    with pytest.raises(ValidationError, match="not a header that can name the caller"):
        Audit.model_validate({"file": "/var/log/audit", "caller": name})


def test_a_callers_header_is_kept_in_small_letters() -> None:
    assert Audit.model_validate({"file": "/var/log/audit", "caller": "X-Caller"}).caller == "x-caller"


@pytest.mark.parametrize("key", ["max_size", "keep"])
def test_an_audit_log_keeps_something(key: str) -> None:
    with pytest.raises(ValidationError):
        Audit.model_validate({"file": "/var/log/audit", key: "0KiB" if key == "max_size" else 0})


@pytest.mark.parametrize("text", ["collector:4318", "ftp://collector", "http://user@collector", "http://a/b?c", ""])
def test_what_is_no_collectors_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Tracing.model_validate({"endpoint": text})


def test_what_asks_for_a_token_has_one() -> None:
    with pytest.raises(ValidationError, match="write one such as env:TIDEGATE_ADMIN_TOKEN"):
        Admin.model_validate({"protect": "all"})
    assert Admin.model_validate({"protect": "all", "token": "env:ADMIN"}).protect == "all"
