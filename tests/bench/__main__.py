"""`python -m tests.bench`: measure, print the table, write the JSON."""

import argparse
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.bench.figures import DIRECT, FIGURES, GROUPS, MIB, Bench, Effort
from tests.bench.ground import Ground
from tests.bench.machine import describe
from tests.bench.peers import PEERS
from tests.bench.processes import ROOT, BenchError
from tests.bench.report import as_json, build_row, table

_usual = Effort()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="tidegate beside its peers, in one run")
    parser.add_argument("--rounds", type=int, default=_usual.rounds, help="turns per figure (%(default)s)")
    parser.add_argument("--seconds", type=float, default=_usual.seconds, help="length of one load (%(default)s)")
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="one group of figures; may be repeated")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", help="where the results go")
    parser.add_argument("--soak", type=int, help="requests of the soak (1,000,000 if that takes < 90 s, else 300,000)")
    parser.add_argument("--body-mib", type=int, default=_usual.body_bytes // MIB, help="large body (%(default)s MiB)")
    parser.add_argument("--streams", type=int, default=_usual.streams, help="open SSE streams (%(default)s)")
    return parser.parse_args()


def say(text: str) -> None:
    """Tell the progress, apart from the table."""
    sys.stderr.write(text + "\n")


def leave(*_: object) -> NoReturn:
    # As an exception, so that every process started here is ended on the way out.
    sys.exit("ended by SIGTERM")


def measure(options: argparse.Namespace, directory: Path) -> tuple[Bench, dict[str, str]]:
    effort = Effort(
        rounds=options.rounds,
        seconds=options.seconds,
        soak=options.soak,
        body_bytes=options.body_mib * MIB,
        streams=options.streams,
    )
    ground = Ground(directory)
    with ground.open():
        machine = describe(ground)
        bench = Bench(ground, effort, say)
        for name in GROUPS:
            if not options.only or name in options.only:
                say(name)
                bench.take(name)
    return bench, machine


def publish(bench: Bench, machine: dict[str, str], took_s: float, path: Path) -> None:
    """Print the table and write the JSON."""
    figures = [figure for group in bench.taken for figure in FIGURES[group]]
    rows = [build_row(figure, bench.samples[figure.key]) for figure in figures]
    columns = [peer.name for peer in PEERS] + [DIRECT]
    lines = [f"{key}: {value}" for key, value in machine.items()]
    lines += ["", table(rows, columns, bench.ground.missing), ""]
    lines += [f"- {note}" for note in bench.notes]
    lines += [f"- FAILED {failure}" for failure in bench.failures]
    if bench.ground.shared_core:
        lines.append("- only one core: the load took its share of every figure")
    effort = bench.effort
    lines.append(f"- {effort.rounds} rounds of {effort.seconds:g} s, medians; ratios are medians of the rounds' ratios")
    sys.stdout.write("\n".join(lines) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "machine": machine,
        "took_s": round(took_s, 1),
        "rounds": effort.rounds,
        "seconds": effort.seconds,
        "figures": as_json(rows, bench.samples),
        "missing": bench.ground.missing,
        "notes": bench.notes,
        "failures": bench.failures,
    }
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def main() -> int:
    options = arguments()
    absent = [tool for tool in ("wrk", "h2load", "taskset") if shutil.which(tool) is None]
    if absent:
        say(f"not installed: {', '.join(absent)}; sh tests/bench/install.sh (as root) brings them")
        return 2
    # Thousands of streams need their descriptors; children inherit the limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, leave)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        try:
            bench, machine = measure(options, Path(directory))
        except BenchError as error:
            say(str(error))
            return 2
        except KeyboardInterrupt:
            say("interrupted")
            return 130
        publish(bench, machine, time.monotonic() - started, options.json)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
