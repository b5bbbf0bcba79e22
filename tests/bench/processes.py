"""Processes of the benchmark: started on one core, watched through /proc, ended by their ids."""

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement that could not be taken, or whose answers were wrong."""


def free_port() -> int:
    """Return a free loopback port below the range that outgoing connections take theirs from."""
    for port in random.sample(range(21_000, 30_000), 200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BenchError("no free port between 21000 and 30000")


class Child:
    """One process and its descendants."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.process = process
        self.output = output

    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return the end of what it wrote, for the message about its failure."""
        return self.output.read_text(errors="replace")[-500:].strip()

    def rss_bytes(self) -> int:
        """Return the resident memory of the whole tree."""
        return sum(_rss_bytes(pid) for pid in _tree(self.process.pid))

    def cpu_s(self) -> float:
        """Return the processor time that the whole tree has used, in user and kernel mode."""
        return sum(_cpu_s(pid) for pid in _tree(self.process.pid))

    def stop(self) -> None:
        """End the tree by its ids, the unwilling after three seconds."""
        tree = list(_tree(self.process.pid))
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Its group is its own, so whatever is left in it was started by it.
        for pid in tree[1:]:
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == self.process.pid:
                    os.kill(pid, 9)


@contextmanager
def running(
    command: Sequence[str], core: int, output: Path, extra_env: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run a command pinned to a core, its output in a file, until the block is left."""
    with output.open("wb") as sink:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **(extra_env or {})},
            # An interrupt from the terminal reaches the benchmark alone, which ends its children in order.
            start_new_session=True,
        )
    child = Child(process, output)
    try:
        yield child
    finally:
        child.stop()


def await_port(port: int, child: Child, timeout_s: float = 20.0) -> None:
    """Wait until something listens on the port.

    Raises: BenchError when the process ends or the time is over.
    """
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and child.alive():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.002)
    raise BenchError(f"nothing listens on port {port}: {child.last_words() or 'no output'}")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _rss_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _cpu_s(pid: int) -> float:
    try:
        # Nanoseconds per thread; utime and stime of /proc/PID/stat are the same sum in steps of 10 ms.
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    except OSError:
        return 0.0


def watched(command: list[str], child: Child, timeout_s: float) -> tuple[str, int]:
    """Run a load and watch a proxy's memory meanwhile; returns what the load printed and the peak in bytes."""
    peak = child.rss_bytes()
    until = time.monotonic() + timeout_s
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None and time.monotonic() < until:
                peak = max(peak, child.rss_bytes())
                time.sleep(0.02)
        finally:
            late = process.poll() is None
            process.kill()
        output, problems = process.communicate()
    if late:
        raise BenchError(f"{command[2]} took longer than {timeout_s:.0f} s")
    if process.returncode:
        raise BenchError(f"{command[2]} failed: {problems[-400:].strip()}")
    return output, peak
