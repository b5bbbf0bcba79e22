"""The machine that the figures were taken on."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.bench.ground import Ground, version_of


def describe(ground: Ground) -> dict[str, str]:
    """Say what ran where, in which version."""
    return {
        "cpu": _cpu_model(),
        "cores": f"{os.cpu_count()}, proxies on core {ground.proxy_core}, load and upstream on core {ground.load_core}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()} ({Path(sys.base_prefix) / 'bin'})",
        "wrk": _first_line(["wrk", "-v"]),
        "h2load": _first_line(["h2load", "--version"]),
        **{peer.name: version_of(peer) for peer in ground.peers},
    }


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _first_line(command: list[str]) -> str:
    with suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().partition("\n")[0]
    return "not installed"
