"""The command line: its verbs, in the order in which one meets them.

A verb's options stand with it; what it does stands in the module that it calls, and is imported
only then, so that `--help` answers at once.
"""

import typer

from edge_daemon.cli import engines, service, streams

app = typer.Typer(
    name="edge-daemon",
    help="Line-side inspection of steel strip: frames in, defects on the coil, alerts in SCADA.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (
    service.run,
    streams.replay,
    streams.camera,
    streams.record,
    streams.recover,
    streams.simulate,
    service.check,
    engines.compile_plan,
    engines.bench,
    service.watch,
):
    app.command("compile" if verb is engines.compile_plan else None)(verb)
app.add_typer(service.keys, name="keys")


@app.callback()
def edge_daemon() -> None:
    """Inspect steel strip beside the line: frames in, defects on the coil, alerts in SCADA."""
