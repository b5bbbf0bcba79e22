"""The page on adding a provider is followed as it stands: its files are written, its commands run, what it shows comes.

Only what this machine decides is replaced: Acme's address by a provider on loopback, and the port by a free one.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import program
from tests.support.rules import ROOT
from tests.support.sidecar import free_port
from tests.support.wire import Request, Wire, in_thread, reply

PAGE = ROOT / "docs" / "adding-a-provider.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CREATED = reply(201, b'{"id": "o1"}').replace(b"Scripted", b"Created")

pytestmark = pytest.mark.e2e


class Reader:
    """Someone who does what the page says, in a folder of their own.

    said: what the last commands printed.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.said = ""
        self._folder = folder
        self._port = port
        self._exports = ""
        self._sidecar: subprocess.Popen[bytes] | None = None

    def follow(self, kind: str, text: str) -> None:
        """Do what one block says."""
        if kind == "yaml":
            self._write(text)
        elif kind == "sh":
            self._run(text)
        else:
            missing = [line for line in text.splitlines() if line not in self.said]
            assert not missing, f"the page shows {missing}, what came is:\n{self.said}"

    def leave(self) -> None:
        """Stop the sidecar."""
        if self._sidecar is not None:
            self._sidecar.kill()
            self._sidecar.wait()

    def _write(self, text: str) -> None:
        name = text.partition("\n")[0].removeprefix("# ")
        listeners = f"egress: {{listen: 127.0.0.1:{self._port}}}\nadmin: {{listen: 127.0.0.1:0}}\n"
        (self._folder / name).write_text(text + (listeners if name == "tidegate.yaml" else ""), encoding="utf-8")

    def _run(self, text: str) -> None:
        if text == "tidegate run\n":
            self._start()
            return
        done = subprocess.run(
            ["sh", "-ec", self._exports + text],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        self.said = done.stdout
        assert (done.returncode, done.stderr) == (0, ""), done
        self._exports += "".join(line for line in text.splitlines(keepends=True) if line.startswith("export "))

    def _start(self) -> None:
        log = self._folder / "log"
        with log.open("wb") as out:
            self._sidecar = subprocess.Popen(
                ["sh", "-ec", f"{self._exports}exec tidegate run"],
                cwd=self._folder,
                env=self._environment,
                stdout=out,
                stderr=out,
            )
        ends_at = time.monotonic() + 20
        while b"ready on" not in log.read_bytes():
            assert self._sidecar.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < ends_at, log.read_text("utf-8")
            time.sleep(0.01)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def values(request: Request, name: bytes) -> list[bytes]:
    return [value for key, value in request.fields if key.lower() == name]


@pytest.fixture
def acme() -> Iterator[Wire]:
    with in_thread(Wire(reply(503, b"later"), CREATED)) as wire:
        yield wire


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[Reader, int]]:
    port = free_port()
    reader = Reader(tmp_path, port)
    yield reader, port
    reader.leave()


def test_the_page_holds_from_the_first_command_to_the_last_answer(acme: Wire, reader: tuple[Reader, int]) -> None:
    program("curl")
    person, port = reader
    page = PAGE.read_text(encoding="utf-8")
    page = page.replace("https://api.acme.example", acme.url).replace("127.0.0.1:4780", f"127.0.0.1:{port}")
    blocks = BLOCK.findall(page)
    assert len(blocks) >= 10
    for kind, text in blocks:
        person.follow(kind, text)
    first, second = acme.requests
    assert first.body == second.body == b'{"item": 1}'
    assert values(first, b"authorization") == values(second, b"authorization") == [b"Bearer made-up-token"]
    assert len(values(first, b"acme-key")) == 1
    assert values(first, b"acme-key") == values(second, b"acme-key")
