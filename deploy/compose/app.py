"""Stands for a service: calls two providers through tidegate, again and again, and tells what did not succeed.

TIDEGATE: tidegate's host and port. CALLS: after so many it ends; without, it never does.
"""  # noqa: INP001 - it is mounted alone into its container

import itertools
import os
import random
import time
import urllib.error
import urllib.request

TIDEGATE = os.environ.get("TIDEGATE", "127.0.0.1:4780")
CALLS = int(os.environ["CALLS"]) if "CALLS" in os.environ else None
# Path and weight.
MIX = {
    "mock/anything": 60,
    "mock/bytes/20000": 10,
    "mock/delay/0.2": 10,
    "mock/status/404": 3,
    "mock/fail-first/1": 5,
    "flaky/anything": 20,
    "flaky/status/503": 2,
    "flaky/drop": 1,
    "flaky/throttle/2": 1,
}


def call(path: str) -> str:
    """Make one call and return what became of it."""
    try:
        with urllib.request.urlopen(f"http://{TIDEGATE}/{path}", timeout=30) as answer:
            answer.read()
            return str(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} from the {error.headers['Tidegate-Source']}"
    except OSError as error:  # tidegate is not there yet, or not any more
        time.sleep(1)
        return str(error)


for _ in range(CALLS) if CALLS is not None else itertools.count():
    (path,) = random.choices(list(MIX), list(MIX.values()))  # noqa: S311 - no secret is chosen
    result = call(path)
    if result != "200":
        print(f"{path}: {result}")  # noqa: T201 - a container's log is its standard output
    time.sleep(random.expovariate(20))
