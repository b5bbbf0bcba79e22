"""Loads and what they say: wrk for throughput, h2load for an exact count of requests, pace for a fixed rate."""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.pace import CALLER
from tests.bench.processes import ROOT, BenchError

CONNECTIONS = 48
_AS_CALLER = ("-H", f"Authorization: {CALLER}", "-H", "User-Agent: bench", "-H", "Accept: */*")


def run(command: Sequence[str], timeout_s: float) -> str:
    """Run a load to its end beside the upstream, on the core that the benchmark itself is pinned to.

    Raises: BenchError when it fails or takes too long.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} took longer than {timeout_s:.0f} s") from None
    if done.returncode:
        raise BenchError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout)[-400:].strip()}")
    return done.stdout


def module(name: str, *arguments: str) -> list[str]:
    """Return the command line of a program of this package."""
    return [sys.executable, "-m", f"tests.bench.{name}", *arguments]


def parse_wrk(output: str) -> float:
    """Read requests per second from what wrk printed.

    Raises: BenchError when any request failed: an error is answered quicker than a call.
    """
    failures = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output)
    if failures:
        raise BenchError(f"wrk saw {failures[0]}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", output, re.MULTILINE)
    if rate is None or float(rate[1]) == 0:
        raise BenchError(f"wrk measured nothing: {output[-300:].strip()}")
    return float(rate[1])


def parse_h2load(output: str, count: int) -> float:
    """Read requests per second from what h2load printed.

    Raises: BenchError unless exactly `count` requests were answered 2xx.
    """
    codes = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$", output, re.MULTILINE)
    rate = re.search(r"^finished in [^,]+, ([\d.]+) req/s", output, re.MULTILINE)
    if codes is None or rate is None:
        raise BenchError(f"h2load measured nothing: {output[-300:].strip()}")
    if int(codes[1]) != count:
        raise BenchError(f"h2load wanted {count} good answers and saw: {codes[0]}")
    return float(rate[1])


def throughput(url: str, seconds: float, script: Path | None = None) -> float:
    """Measure requests per second with all connections busy.

    script: for wrk, where the requests are others than GETs.
    """
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *_AS_CALLER]
    command += [] if script is None else ["-s", str(script)]
    return parse_wrk(run([*command, url], seconds + 30))


def soak(url: str, count: int) -> float:
    """Send exactly so many requests; returns requests per second."""
    command = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-n{count}", *_AS_CALLER, url]
    return parse_h2load(run(command, 60 + count / 2000), count)


@dataclass(frozen=True)
class Paced:
    """What a paced load saw; microseconds."""

    requests: int
    p50_us: float
    p99_us: float


def paced(url: str, rate: int, seconds: float) -> Paced:
    """Send at a fixed rate.

    Raises: BenchError when the rate was missed by more than two per cent.
    """
    answer = json.loads(run(module("pace", url, str(rate), str(seconds)), seconds + 30))
    if abs(answer["rate"] / rate - 1) > 0.02:
        raise BenchError(f"wanted {rate} req/s and achieved {answer['rate']:.0f}")
    latencies = answer["latencies_us"]
    centiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return Paced(len(latencies), centiles[49], centiles[98])
