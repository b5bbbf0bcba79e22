"""The command line. Everything that only one command needs is imported by that command, so that each starts fast."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from proxy import __version__
from proxy.core.errors import ConfigError

WHERE: Final = (Path("tidegate.yaml"), Path("/etc/tidegate/tidegate.yaml"))
"""Where the configuration is looked for when none is named."""


class UserMistake(Exception):
    """Something that the user can put right; its text says how."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    argv: the arguments, the process's own if None. Returns: the exit status; 0 for success, 2 for a mistake
    of the user's, which is told without a traceback.
    """
    _fill_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        arguments = _parser().parse_args(argv)
        status: int = arguments.command(arguments)
        if sys.stdout is not None:  # it is None when the parent closed it
            sys.stdout.flush()
    except ConfigError as error:
        return _complain(error.problems)
    except UserMistake as mistake:
        return _complain([f"tidegate: {mistake}"])
    except BrokenPipeError:
        # The reader has seen enough (`tidegate providers | head`); Python must not complain at its own exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _fill_standard_descriptors() -> None:
    # Where a parent closed one, the next socket would take its number, and receive what is meant for the log.
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(fd)


def _complain(lines: list[str]) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tidegate", description="An egress sidecar for third-party APIs.")
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", metavar="FILE", type=Path, help=f"default: {WHERE[0]}, then {WHERE[1]}")

    run = commands.add_parser("run", parents=[config], help="start the sidecar")
    run.set_defaults(command=_run)
    check = commands.add_parser("check", parents=[config], help="validate the configuration, offline")
    check.add_argument("--without-secrets", action="store_true", help="do not read the secrets")
    check.set_defaults(command=_check)
    explain = commands.add_parser("explain", parents=[config], help="show a provider's stack, or a request's way")
    explain.add_argument("provider", metavar="PROVIDER")
    explain.add_argument("method", metavar="METHOD", nargs="?")
    explain.add_argument("path", metavar="PATH", nargs="?")
    explain.set_defaults(command=_explain)
    providers = commands.add_parser("providers", help="show the catalogue, or one provider of it")
    providers.add_argument("name", metavar="NAME", nargs="?")
    providers.set_defaults(command=_providers)
    schema = commands.add_parser("schema", help="print the JSON Schema of the configuration")
    schema.set_defaults(command=_schema)
    return parser


def _config(arguments: argparse.Namespace) -> Path:
    if arguments.config is not None:
        return Path(arguments.config)
    for path in WHERE:
        if path.exists():
            return path
    raise UserMistake(f"no configuration: write {WHERE[0]} (or {WHERE[1]}), or name a file with --config FILE")


def _run(arguments: argparse.Namespace) -> int:
    from proxy.app import main as run

    return run(_config(arguments))


def _check(arguments: argparse.Namespace) -> int:
    from proxy.check import check

    path = _config(arguments)
    problems = check(path, secrets=not arguments.without_secrets)
    if problems:
        print("\n".join(problems))  # they are what was asked for, so they go to standard output
        return 2
    from proxy.config import load

    count = len(load(path).providers)
    print(f"{path}: fine, {count} provider{'' if count == 1 else 's'}")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from proxy.config import read
    from proxy.explain import explain, explain_call

    loaded = read(_config(arguments))
    name, method, path = arguments.provider, arguments.method, arguments.path
    if name not in loaded.settings.providers:
        raise UserMistake(f"no provider {name!r} in {loaded.file}; it has {_listed(loaded.settings.providers)}")
    if method is None:
        print(explain(loaded, name))
        return 0
    if path is None:
        raise UserMistake("give METHOD and PATH together, such as: tidegate explain stripe POST /v1/charges")
    try:
        print(explain_call(loaded, name, method, path))
    except ValueError as error:
        raise UserMistake(str(error)) from None
    return 0


def _providers(arguments: argparse.Namespace) -> int:
    from proxy.config import catalogue
    from proxy.listing import page, table

    if arguments.name is None:
        print(table())
    elif arguments.name in catalogue():
        print(page(arguments.name))
    else:
        raise UserMistake(f"no {arguments.name!r} in the catalogue; it has {_listed(catalogue())}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from proxy.schema import render

    print(render(), end="")
    return 0


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
