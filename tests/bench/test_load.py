"""What the loads print, and what is refused in it."""

import pytest

from tests.bench.load import parse_h2load, parse_wrk
from tests.bench.pace import instants
from tests.bench.processes import BenchError

WRK = """Running 1s test @ http://127.0.0.1:21000/json
  1 threads and 48 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   677.86us  120.18us   5.03ms   91.22%
    Req/Sec    71.02k     2.17k   73.46k    90.91%
  77737 requests in 1.10s, 84.97MB read
Requests/sec:  70659.46
Transfer/sec:     77.23MB
"""

H2LOAD = """starting benchmark...
Application protocol: http/1.1

finished in 246.92ms, 20249.15 req/s, 23.35MB/s
requests: 5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 5000 2xx, 0 3xx, 0 4xx, 0 5xx
"""


def test_the_rate_is_read_from_what_wrk_prints() -> None:
    assert parse_wrk(WRK) == 70659.46


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_a_load_with_failures_is_no_measurement(line: str) -> None:
    with pytest.raises(BenchError, match=line.strip()):
        parse_wrk(WRK.replace("Requests/sec", f"{line}\nRequests/sec"))


@pytest.mark.parametrize("output", ["", "Requests/sec:      0.00\n"])
def test_a_load_without_a_rate_is_no_measurement(output: str) -> None:
    with pytest.raises(BenchError, match="measured nothing"):
        parse_wrk(output)


def test_the_rate_is_read_from_what_h2load_prints() -> None:
    assert parse_h2load(H2LOAD, 5000) == 20249.15


@pytest.mark.parametrize("codes", ["4999 2xx, 0 3xx, 0 4xx, 1 5xx", "4999 2xx, 0 3xx, 0 4xx, 0 5xx"])
def test_a_soak_wants_every_answer_to_be_good(codes: str) -> None:
    with pytest.raises(BenchError, match="wanted 5000"):
        parse_h2load(H2LOAD.replace("5000 2xx, 0 3xx, 0 4xx, 0 5xx", codes), 5000)


def test_a_soak_that_prints_nothing_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="measured nothing"):
        parse_h2load("", 1)


def test_a_paced_load_is_exact_in_number_and_the_same_in_every_run() -> None:
    due = instants(1000, 2.0)
    assert len(due) == 2000
    assert due == sorted(due) == instants(1000, 2.0)
    assert 0 <= due[0] <= due[-1] <= 2.0
