"""Options that several verbs share."""

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
