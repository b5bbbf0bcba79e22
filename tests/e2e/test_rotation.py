from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.caller import run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.traffic import Traffic
from tests.support.wire import Wire

pytestmark = pytest.mark.e2e


def rewrite(folder: Path, text: str) -> None:
    (folder / "token").write_text(text)


def swap(folder: Path, text: str) -> None:
    """Change the file as the kubelet does: by one rename of the link that all files are reached through."""
    dated = folder / f"..{text}"
    dated.mkdir()
    (dated / "token").write_text(text)
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")
    (folder / "..data_tmp").symlink_to(dated.name)
    (folder / "..data_tmp").rename(folder / "..data")


@asynccontextmanager
async def serving(tmp_path: Path, file: Path) -> AsyncIterator[tuple[Sidecar, Wire]]:
    """Start a sidecar with the one provider `acme`, whose secret lies in the file."""
    async with Wire() as wire:
        secret = {"scheme": "bearer", "token": f"file:{file}"}
        with Sidecar(tmp_path, {"acme": {"base_url": wire.url, "credential": secret}}) as sidecar:
            yield sidecar, wire


@pytest.mark.parametrize("put", [rewrite, swap])
def test_a_secret_rotates_under_load_and_no_call_fails(tmp_path: Path, put: Callable[[Path, str], None]) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    put(volume, "sk_test_first")

    async def scenario() -> None:
        async with serving(tmp_path, volume / "token") as (sidecar, wire):
            async with Traffic(sidecar.port, "/acme/") as traffic:
                for text in ("sk_test_second", "sk_test_third"):
                    await traffic.more(20)
                    put(volume, text)
                    await wire.until(lambda: sent(wire)[-1] == f"Bearer {text}")  # noqa: B023 - used at once
            assert (list(traffic.statuses), traffic.failures) == ([200], [])
            seen = list(dict.fromkeys(sent(wire)))
            assert seen == [f"Bearer sk_test_{which}" for which in ("first", "second", "third")]
            assert reloads(sidecar, "loaded") == 2
            assert "sk_test_" not in sidecar.stdout.read_text()

    run_on_uvloop(scenario())


def test_a_bad_new_secret_is_told_and_the_good_one_stays_in_use(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("sk_test_good\n")

    async def scenario() -> None:
        async with serving(tmp_path, file) as (sidecar, wire):
            async with Traffic(sidecar.port, "/acme/", callers=1) as traffic:
                for wrong in ("sk_test\r\nX-Evil: 1", "", None):
                    told = reloads(sidecar, "failed")
                    file.unlink() if wrong is None else file.write_text(wrong)
                    await wire.until(lambda: reloads(sidecar, "failed") > told)  # noqa: B023 - used at once
                    await traffic.more(5)
                assert sidecar.admin("/readyz")[0] == 200
            assert (list(traffic.statuses), set(sent(wire))) == ([200], {"Bearer sk_test_good"})

    run_on_uvloop(scenario())


def reloads(sidecar: Sidecar, result: str) -> int:
    mark = f'tidegate_credential_reloads_total{{provider="acme",result="{result}"}} '
    lines = sidecar.admin("/metrics")[1].decode().splitlines()
    return sum(int(float(line.removeprefix(mark))) for line in lines if line.startswith(mark))


def sent(wire: Wire) -> list[str]:
    """Return the Authorization values in the order in which the provider saw them."""
    return [value.decode() for one in wire.requests for name, value in one.fields if name == b"Authorization"]
