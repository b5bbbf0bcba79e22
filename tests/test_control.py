"""What the admin pages see of the process; actions are in test_actions.py."""

from pathlib import Path

import pytest

from proxy.app import main
from proxy.core.errors import ConfigError
from tests.support.caller import run_on_uvloop
from tests.test_app import CONFIG, Running, running


async def guard(one: Running, folder: Path) -> None:
    """Configure a token that lies in `new`, and one that it replaces in `old`."""
    text = one.path.read_text()
    one.path.write_text(text.replace("hosts:", f"token: ['file:{folder}/new', 'file:{folder}/old'], hosts:"))
    await one.app._reload()


def test_both_tokens_are_admitted_while_one_replaces_the_other_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("tok_example_new\n")
    (tmp_path / "old").write_text("tok_example_old\n")

    async def scenario() -> None:
        async with running(tmp_path) as one:
            await guard(one, tmp_path)
            control = one.app.control
            said = [control.admits(token) for token in ("tok_example_new", "tok_example_old", "tok_example", "", None)]
            assert said == [True, True, False, False, False]
            assert control.redact(b"tok_example_new tok_example_old") == b"[secret] [secret]"
            (tmp_path / "new").write_text("tok_example_newer\n")
            await one.app._secrets.reread()
            assert (control.admits("tok_example_newer"), control.admits("tok_example_new")) == (True, False)

    run_on_uvloop(scenario())


def test_one_readable_token_is_enough_and_none_admits_nobody(tmp_path: Path) -> None:

    async def scenario() -> None:
        async with running(tmp_path) as one:
            await guard(one, tmp_path)
            assert (one.app.control.admits("x"), one.app.control.admits(None)) == (None, None)
            assert one.app.control.readiness() == []
            (tmp_path / "old").write_text("tok_example_old\n")
            await one.app._secrets.reread()
            assert (one.app.control.admits("tok_example_old"), one.app.control.admits("x")) == (True, False)

    run_on_uvloop(scenario())


def test_without_a_token_nobody_is_admitted(tmp_path: Path) -> None:
    assert Running(tmp_path).app.control.admits("anything") is None


def test_a_variable_of_the_token_that_is_not_set_refuses_the_start(tmp_path: Path) -> None:
    path = tmp_path / "tidegate.yaml"
    text = CONFIG.format(log=tmp_path / "log", mock="").replace(
        "hosts: [tide.internal]", "token: env:TIDEGATE_TEST_UNSET"
    )
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"admin\.token: env:TIDEGATE_TEST_UNSET: the variable is not set"):
        main(path)


def test_pages_have_the_stack_of_what_is_configured_and_of_nothing_else(tmp_path: Path) -> None:
    control = Running(tmp_path).app.control
    rows = control.stack("mock")
    assert rows is not None
    assert "breaker" in " ".join(label for label, _, _ in rows)
    assert control.stack("other") is None
    assert control.call("no-such-call") is None
