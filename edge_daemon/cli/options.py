"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    # Not typer's own check of it: that ends with 2, after which systemd tries again for ever.
    typer.Option(
        "--config",
        readable=False,
        help="TOML file; default /etc/edge-daemon/config.toml if it exists.",
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option("--unit", help="See what this unit of systemd's sees, e.g. edge-daemon."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts: JSON instead of a table.")]
BundleOption = Annotated[
    Path | None, typer.Option(help="Folder of the network; default the shipped one.")
]
SourcesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="SOURCE", help="Folders of images, images, recordings (.mcap)."),
]
