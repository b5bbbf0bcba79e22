"""The command line. Everything that only one command needs is imported by that command, so that each starts fast."""

import argparse
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from proxy import __version__
from proxy.core.errors import ConfigError

WHERE: Final = (Path("tidegate.yaml"), Path("/etc/tidegate/tidegate.yaml"))
"""Where the configuration is looked for when none is named."""

DEFAULT_ADMIN: Final = "http://127.0.0.1:4781"
"""Where the admin listener is when no configuration says otherwise."""


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
    run.add_argument("--replace", metavar="PID", type=int, help="take over from this process, and let it drain")
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
    _add_monitoring(commands, config)
    _add_terminal(commands, config)
    schema = commands.add_parser("schema", help="print the JSON Schema of the configuration")
    schema.set_defaults(command=_schema)
    return parser


def _add_monitoring(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", config: argparse.ArgumentParser
) -> None:
    rules = commands.add_parser("rules", parents=[config], help="print recording and alerting rules for Prometheus")
    rules.add_argument("--runbooks", metavar="URL", help="where deploy/runbooks is published; default: that folder")
    rules.add_argument("--job", metavar="NAME", default="", help="count this scrape job alone, one service of several")
    rules.add_argument("--kubernetes", action="store_true", help="print a PrometheusRule for the Prometheus operator")
    rules.set_defaults(command=_rules)
    dashboard = commands.add_parser("dashboard", parents=[config], help="print a dashboard for Grafana")
    dashboard.add_argument("--runbooks", metavar="URL", help="where deploy/runbooks is published, to link to it")
    dashboard.set_defaults(command=_dashboard)
    audit = commands.add_parser("audit", help="check an audit log").add_subparsers(required=True, metavar="COMMAND")
    verify = audit.add_parser("verify", help="tell whether records were changed, removed or lost")
    verify.add_argument("files", metavar="FILE", nargs="+", type=Path, help="the parts, in any order")
    verify.add_argument("--key", metavar="REF", help="the key where audit.key is set, such as env:AUDIT_KEY")
    verify.set_defaults(command=_verify)


def _add_terminal(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", config: argparse.ArgumentParser
) -> None:
    admin = argparse.ArgumentParser(add_help=False, parents=[config])
    where = f"URL or unix:/path; default: admin.listen of the file, without one {DEFAULT_ADMIN}"
    admin.add_argument("--admin", metavar="ADDRESS", help=where)
    admin.add_argument("--token", metavar="REF", help="the admin token where it is asked for, such as env:ADMIN_TOKEN")
    top = commands.add_parser("top", parents=[admin], help="watch the providers of a running tidegate")
    top.add_argument("--once", action="store_true", help="print it once")
    top.set_defaults(command=_top)
    tail = commands.add_parser("tail", parents=[admin], help="watch the calls of a running tidegate")
    tail.add_argument("--provider", metavar="NAME", help="the calls of this provider alone")
    tail.add_argument("--failed", action="store_true", help="only what did not succeed")
    tail.add_argument("--json", action="store_true", help="the lines as they are")
    tail.set_defaults(command=_tail)


def _config(arguments: argparse.Namespace) -> Path:
    if arguments.config is not None:
        return Path(arguments.config)
    for path in WHERE:
        if path.exists():
            return path
    raise UserMistake(f"no configuration: write {WHERE[0]} (or {WHERE[1]}), or name a file with --config FILE")


def _run(arguments: argparse.Namespace) -> int:
    gc.disable()  # start-up makes no garbage to speak of, and the looks for it take a tenth of its time
    with _no_authorities():
        from proxy.app import main as run

    return run(_config(arguments), arguments.replace)


@contextmanager
def _no_authorities() -> Iterator[None]:
    """Keep aiohttp from reading the system's certificate authorities when it is imported.

    It does that for its client, which nothing here uses: 2 MiB, and a tenth of the start. Providers' connections read
    them for themselves (edge/upstream/tls.py).
    """
    name = "SSL_CERT_FILE"
    before = os.environ.get(name)
    os.environ[name] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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


def _rules(arguments: argparse.Namespace) -> int:
    from proxy.config import load
    from proxy.monitoring.rules import RUNBOOKS, render

    settings, runbooks = load(_config(arguments)), arguments.runbooks or RUNBOOKS
    print(render(settings, runbooks, kubernetes=arguments.kubernetes, job=arguments.job), end="")
    return 0


def _dashboard(arguments: argparse.Namespace) -> int:
    from proxy.config import load
    from proxy.monitoring.dashboard import render

    print(render(load(_config(arguments)), arguments.runbooks), end="")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from proxy.audits import verify

    return verify(arguments.files, arguments.key)


def _top(arguments: argparse.Namespace) -> int:
    from proxy.terminal.top import top

    _find_admin(arguments)
    return top(arguments)


def _tail(arguments: argparse.Namespace) -> int:
    from proxy.terminal.tail import tail

    _find_admin(arguments)
    return tail(arguments)


def _find_admin(arguments: argparse.Namespace) -> None:
    if arguments.admin is None and arguments.config is None and not any(path.exists() for path in WHERE):
        arguments.admin = DEFAULT_ADMIN
    elif arguments.admin is None:
        arguments.config = _config(arguments)


def _schema(_: argparse.Namespace) -> int:
    from proxy.schema import render

    print(render(), end="")
    return 0


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
