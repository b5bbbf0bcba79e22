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
    explain.add_argument("--account", metavar="NAME", help="the account that the request names")
    explain.set_defaults(command=_explain)
    providers = commands.add_parser(
        "providers",
        help="show the catalogue or one provider of it, or begin a new one",
        usage="tidegate providers [--catalogue DIR] [NAME]\n       tidegate providers new NAME [--into DIR]",
    )
    providers.add_argument("name", metavar="NAME", nargs="?", help="the provider to show")
    providers.add_argument("new", metavar="new NAME", nargs="?", help="write the beginning of a preset of your own")
    providers.add_argument("--catalogue", metavar="DIR", type=Path, help="presets of your own, as in the configuration")
    providers.add_argument("--into", metavar="DIR", type=Path, help="where to write it; default: catalogue")
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
        if arguments.account is not None:
            raise UserMistake("an account is shown with the rest; --account goes with METHOD and PATH")
        print(explain(loaded, name))
        return 0
    if path is None:
        raise UserMistake("give METHOD and PATH together, such as: tidegate explain stripe POST /v1/charges")
    try:
        print(explain_call(loaded, name, method, path, arguments.account))
    except ValueError as error:
        raise UserMistake(str(error)) from None
    return 0


def _providers(arguments: argparse.Namespace) -> int:
    from proxy.listing import table
    from proxy.pages import page
    from proxy.presets import Presets

    name, folder = arguments.name, arguments.catalogue
    if name == "new":
        return _new_provider(arguments)
    if arguments.new is not None or arguments.into is not None:
        raise UserMistake("write tidegate providers NAME to see one, tidegate providers new NAME to begin one")
    if folder is not None and not folder.is_dir():
        raise UserMistake(f"no folder {folder}; --catalogue names a folder of presets")
    presets = Presets(folder)
    if name is None:
        print(table(presets))
    elif name in presets.names:
        print(page(name, presets))
    else:
        raise UserMistake(f"no {name!r} in the catalogue; it has {_listed(presets.names)}")
    return 0


def _new_provider(arguments: argparse.Namespace) -> int:
    from proxy.skeleton import DEFAULT_FOLDER, write_skeleton

    if arguments.new is None:
        raise UserMistake("give the new provider a name: tidegate providers new NAME")
    if arguments.catalogue is not None:
        raise UserMistake("write --into DIR: that is where the new preset goes")
    try:
        print(write_skeleton(arguments.new, arguments.into or Path(DEFAULT_FOLDER)))
    except (ValueError, OSError) as error:
        raise UserMistake(str(error)) from None
    return 0


def _schema(_: argparse.Namespace) -> int:
    from proxy.schema import render

    print(render(), end="")
    return 0


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
