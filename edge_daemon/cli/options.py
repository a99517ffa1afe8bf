"""Options that several verbs share, and how they log."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file; default /etc/edge-daemon/config.toml if it exists."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts: JSON instead of a table.")]
BundleOption = Annotated[
    Path | None, typer.Option(help="Folder of the network; default the shipped one.")
]
SourcesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="SOURCE", help="Folders of images, images, recordings (.mcap)."),
]


def log_to_stderr() -> None:
    """Log as systemd's journal likes it: it stamps the time itself, a terminal doesn't."""
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=stamp + "%(levelname)s %(name)s: %(message)s"
    )
