"""The verbs around the service: run, check, watch, keys."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge_daemon.cli.options import ConfigOption, JsonOption, UnitOption
from edge_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED
from edge_daemon.logs import log_to_stderr


def run(config: ConfigOption = None) -> None:
    """Run the daemon; SIGHUP makes it read its configuration anew."""
    import signal

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload

    from edge_daemon.clock import SystemClock
    from edge_daemon.serving import serve

    log_to_stderr()
    raise typer.Exit(serve(config, SystemClock(), environ=os.environ))


def check(
    config: ConfigOption = None, unit: UnitOption = None, *, as_json: JsonOption = False
) -> None:
    """Say what is wrong with configuration, bundle, devices or broker, and the remedy."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.text import Text

    from edge_daemon.check import check as run_checks
    from edge_daemon.unit import examine

    service = None if unit is None else examine(unit)
    console = Console(highlight=False)
    findings = []
    for finding in run_checks(config, service):
        findings.append(finding)
        if not as_json:
            mark = Text("ok   ", "green") if finding.ok else Text("FAULT", "bold red")
            console.print(
                mark, f"{finding.subject}: {finding.detail}", soft_wrap=True, markup=False
            )
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    faults = {finding.subject for finding in findings if not finding.ok}
    if faults & {"configuration", "bundle", "keys"}:
        raise typer.Exit(EXIT_CONFIGURATION)
    if faults:
        raise typer.Exit(EXIT_FAILED)


def watch(
    mqtt: Annotated[
        str | None, typer.Option(help="Broker, mqtt://HOST:PORT; default the configured one.")
    ] = None,
    config: ConfigOption = None,
    root: Annotated[
        str | None, typer.Option(help="First levels of the topics; default the configured ones.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Follow the topics, readable."""
    import contextlib

    from edge_daemon.config import load_config
    from edge_daemon.delivery.broker import Broker
    from edge_daemon.watch import watch as follow

    section = load_config(config).mqtt
    asked = {"url": mqtt or section.url or "mqtt://127.0.0.1:1883", "root": root or section.root}
    broker = Broker.from_config(section.model_copy(update=asked))
    if broker is not None:
        with contextlib.suppress(KeyboardInterrupt):
            follow(broker, out=sys.stdout, as_json=as_json)


keys = typer.Typer(help="Who may send frames: make keys, list them.", no_args_is_help=True)


@keys.command("make")
def make_keys(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CAMERA]...", help="Ids of cameras.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for the secret key files.")],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="New keys for these cameras; without any, the daemon's."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the daemon's key and one for each camera; what is there stays."""
    from edge_daemon.cli.keys import make_and_print

    make_and_print(out, names or [], overwrite=overwrite, as_json=as_json)


@keys.command("list")
def list_keys(
    config: ConfigOption = None, unit: UnitOption = None, *, as_json: JsonOption = False
) -> None:
    """Show the daemon's public key and its cameras'."""
    from edge_daemon.cli.keys import list_and_print
    from edge_daemon.config import load_config
    from edge_daemon.unit import examine

    loaded = load_config(config) if unit is None else examine(unit).load(config)
    list_and_print(loaded, as_json=as_json)
