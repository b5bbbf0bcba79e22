"""What tidegate's own features cost: each against tidegate without it, in turns and under the same load."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench import load
from tests.bench.ground import Proxy
from tests.bench.peers import CONF, OBSERVED, Observed, Tidegate
from tests.bench.processes import BenchError, running
from tests.bench.report import OURS, Bar, Figure

if TYPE_CHECKING:
    from tests.bench.figures import Bench

BEARER: Final = "bearer"
"""tidegate itself with the simplest credential."""

PLAIN: Final = "plain"
"""tidegate itself with logs and metrics alone."""


def _against(other: str, key: str, title: str, first: float, goal: float) -> Figure:
    return Figure(key, f"throughput, {title}", "req/s", other, Bar(">=", first, "ratio"), Bar(">=", goal, "ratio"))


FIGURES: Final[dict[str, tuple[Figure, ...]]] = {
    "credentials": (
        # Against the same load with a bearer token: what is left over is the arithmetic of the scheme.
        _against(BEARER, "sigv4", "AWS Signature v4", 0.5, 0.7),
        _against(BEARER, "field", "key in a 1 KB body", 0.5, 0.7),
    ),
    "observing": (
        _against(PLAIN, "watched", "objectives on and the console open", 0.93, 0.97),
        _against(PLAIN, "audited", "audit log on", 0.7, 0.85),
        _against(PLAIN, "sampled", "one call in a hundred traced", 0.9, 0.95),
        _against(PLAIN, "traced", "every call traced", 0.3, 0.5),
    ),
}


def credentials(bench: "Bench") -> None:
    """What the costlier schemes leave of the throughput, in turn with a bearer token under the same load."""
    loads = (("sigv4", "/signed/json", None), ("field", "/field/json", CONF / "post.lua"))
    with bench.ground.running(Tidegate()) as proxy:
        bench.warm_up([proxy])
        for _, (key, path, script) in product(range(bench.effort.rounds), loads):
            for name, url in ((BEARER, proxy.json_url), (OURS, proxy.place.url(path))):
                _once(bench, key, name, url, script)


def observing(bench: "Bench") -> None:
    """What objectives, an open console, audit and traces leave of it, in turn with a process that has none of them."""
    with ExitStack() as stack:
        plain = stack.enter_context(bench.ground.running(Tidegate()))
        others = {key: stack.enter_context(bench.ground.running(Observed(key))) for key in OBSERVED}
        stack.enter_context(_console(bench, others["watched"]))
        bench.warm_up([plain, *others.values()])
        for _, (key, proxy) in product(range(bench.effort.rounds), others.items()):
            for name, one in ((PLAIN, plain), (OURS, proxy)):
                _once(bench, key, name, one.json_url)


def _once(bench: "Bench", key: str, name: str, url: str, script: Path | None = None) -> None:
    rate = None
    with bench.noting(f"{key}, {name}"):
        rate = load.throughput(url, bench.effort.seconds / 2, script)
        bench.say(f"  {key}, {name}: {rate:,.0f} req/s")
    bench.add(key, name, rate)


@contextmanager
def _console(bench: "Bench", proxy: Proxy) -> Iterator[None]:
    """Read the live state as an open console does."""
    ground = bench.ground
    command = load.module("watch", f"http://127.0.0.1:{proxy.place.admin_port}/api/stream")
    with running(command, ground.load_core, ground.directory / "console.output") as child:
        yield
        if not child.alive():
            raise BenchError(f"the console's stream ended: {child.last_words()}")


GROUPS: Final[dict[str, Callable[["Bench"], None]]] = {"credentials": credentials, "observing": observing}
