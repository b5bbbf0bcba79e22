"""What is seen of files while somebody else writes them."""

import contextlib
import threading
from pathlib import Path

import pytest

from proxy.core.secret import SecretRef, SecretSlot
from proxy.credentials import Basic
from proxy.edge import secrets as module
from proxy.edge.secrets import Secrets, look, read_file
from tests.support.script import make_runtime


class Volume:
    """A directory that is filled as the kubelet fills it: links to `..data`, which links to a dated directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0

    def write(self, **files: str) -> None:
        """Swap in a new set of files at once, and remove the old one."""
        self._count += 1
        dated = self.path / f"..{self._count}"
        dated.mkdir(parents=True)
        for name, text in files.items():
            (dated / name).write_text(text)
            with contextlib.suppress(FileExistsError):
                (self.path / name).symlink_to(f"..data/{name}")
        (self.path / "..data_tmp").symlink_to(dated.name)
        (self.path / "..data_tmp").rename(self.path / "..data")
        old = self.path / f"..{self._count - 1}"
        if old.exists():
            for file in old.iterdir():
                file.unlink()
            old.rmdir()


def file_ref(path: Path) -> SecretRef:
    return SecretRef("file", str(path))


def value(slot: SecretSlot) -> str | None:
    return slot.secret.reveal() if slot.secret is not None else None


def ignore(_: str) -> None:
    return None


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("sk_test_example\n")
    return path


def test_a_swapped_volume_is_seen(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    volume.write(token="sk_test_first")
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(tmp_path / "token"))
    for text in ("sk_test_again", "sk_test_third"):
        volume.write(token=text)
        secrets.refresh()
        assert value(slot) == text


def test_a_swap_between_two_reads_never_mixes_old_and_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(tmp_path)
    volume.write(user="user-1", password="password-1")
    secrets = Secrets(ignore)
    user, password = secrets.slot(file_ref(tmp_path / "user")), secrets.slot(file_ref(tmp_path / "password"))
    volume.write(user="user-2", password="password-2")
    read, swaps = module._read_bytes, iter(["3"])

    def read_then_swap(path: str, most_kib: int) -> bytes:
        raw = read(path, most_kib)
        for number in swaps:
            volume.write(user=f"user-{number}", password=f"password-{number}")
        return raw

    monkeypatch.setattr(module, "_read_bytes", read_then_swap)
    secrets.refresh()
    assert (value(user), value(password)) == ("user-3", "password-3")


def test_files_that_never_come_to_rest_are_left_for_the_next_look(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets(ignore)
    slot = secrets.slot(file_ref(key))
    read = module._read_bytes

    def read_while_written(path: str, most_kib: int) -> bytes:
        with key.open("a") as file:
            file.write("x")
        return read(path, most_kib)

    key.write_text("sk_test_torn")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_read_bytes", read_while_written)
        assert secrets.refresh() == []
        assert read_file(file_ref(key)).problem == "the file changes while it is read"
    assert value(slot) == "sk_test_example"
    key.write_text("sk_test_whole")
    secrets.refresh()
    assert value(slot) == "sk_test_whole"


def test_a_pair_is_never_torn_while_a_volume_is_swapped_all_the_time(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    volume.write(user="1", password="1")
    known = {file_ref(tmp_path / name): None for name in ("user", "password")}
    done = threading.Event()

    def swap() -> None:
        for number in range(2, 200):
            volume.write(user=str(number), password=str(number))
        done.set()

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    while not done.is_set():
        pair = {found.secret.reveal() if found.secret else found.problem for found in look(known)}
        seen.add(len(pair))
    thread.join()
    assert seen <= {0, 1}  # nothing at all, or two equal halves


def test_both_halves_of_a_credential_change_together(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    volume.write(user="user-1", password="password-1")
    secrets = Secrets(ignore)
    settings = {"username": f"file:{tmp_path}/user", "password": f"file:{tmp_path}/password"}
    scheme = Basic(
        Basic.Config.model_validate({"scheme": "basic", **settings}), lambda refs: secrets.slot(refs[0]), make_runtime()
    )
    first = scheme.derived()
    volume.write(user="user-2", password="password-2")
    secrets.refresh()
    assert (first, scheme.derived()) == (b"Basic dXNlci0xOnBhc3N3b3JkLTE=", b"Basic dXNlci0yOnBhc3N3b3JkLTI=")
