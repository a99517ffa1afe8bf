"""The verbs and their options; what a verb does stands in the module that it calls."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED

app = typer.Typer(
    name="edge-daemon",
    help="Line-side inspection of steel strip: frames in, defects on the coil, alerts in SCADA.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file; default /etc/edge-daemon/config.toml if it exists."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts: JSON instead of a table.")]


@app.callback()
def edge_daemon() -> None:
    """Inspect steel strip beside the line: frames in, defects on the coil, alerts in SCADA."""


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the daemon; SIGHUP makes it read its configuration anew."""
    from edge_daemon.clock import SystemClock
    from edge_daemon.serving import serve

    log_to_stderr()
    raise typer.Exit(serve(config, SystemClock(), environ=os.environ))


@app.command()
def replay(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE", help="Folders of images, images, recordings (.mcap)."),
    ],
    config: ConfigOption = None,
    *,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of the network; default the shipped one.")
    ] = None,
    speed: Annotated[
        str, typer.Option(help="Factor of the recorded pace (2 is twice as fast), or max.")
    ] = "max",
    jsonl: Annotated[
        Path | None, typer.Option(help="One object per frame; - is standard output.")
    ] = None,
    submission: Annotated[
        Path | None, typer.Option(help="Kaggle's ImageId,ClassId,EncodedPixels.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for an HTML report that opens without a server.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            help="Broker to tell, mqtt://HOST:PORT, below [mqtt] root; default nobody. Beside a "
            "daemon set a root of its own: EDGE_DAEMON_MQTT_ROOT."
        ),
    ] = None,
    camera: Annotated[str, typer.Option(help="Camera id that images get.")] = "replay",
    continuous: Annotated[
        bool, typer.Option("--continuous", help="The images of a folder follow each other.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put recorded streams or images through the same code."""
    from edge_daemon.cli.replaying import parse_speed, replay_and_print
    from edge_daemon.config import load_config
    from edge_daemon.replay.session import ReplayRequest

    request = ReplayRequest(
        tuple(sources),
        bundle=bundle,
        speed=parse_speed(speed),
        jsonl=jsonl,
        submission=submission,
        report=report,
        mqtt=mqtt,
        camera=camera,
        continuous=continuous,
    )
    replay_and_print(request, load_config(config), as_json=as_json)


@app.command()
def camera(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE", help="Folders of images, images, recordings (.mcap)."),
    ],
    connect: Annotated[str, typer.Option(help="Where the daemon listens, tcp://HOST:PORT.")],
    *,
    camera: Annotated[
        str | None, typer.Option(help="Camera id; default a recording's own, else camera-1.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second; default the recorded pace.")
    ] = None,
    speed: Annotated[
        str, typer.Option(help="Factor of the recorded pace (2 is twice as fast), or max.")
    ] = "1",
    loop: Annotated[
        bool, typer.Option("--loop", help="Begin again at the end, as a restarted camera would.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a slow daemon instead of dropping frames.")
    ] = False,
) -> None:
    """Play images or a recording to a daemon, as a camera would."""
    from edge_daemon.camera import PlaySettings
    from edge_daemon.cli.recording import play_and_print
    from edge_daemon.cli.replaying import parse_speed

    settings = PlaySettings(camera, fps=fps, speed=parse_speed(speed), loop=loop, wait=wait)
    play_and_print(sources, connect, settings)


@app.command()
def record(
    bind: Annotated[str, typer.Option(help="Where cameras connect, tcp://ADDRESS:PORT.")],
    out: Annotated[Path, typer.Option(help="The recording (.mcap).")],
    *,
    frames: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="Stop after so long.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Keep exactly what cameras send, until SIGINT or SIGTERM."""
    from edge_daemon.cli.recording import record_and_print

    record_and_print(bind, out, max_frames=frames, max_seconds=seconds, overwrite=overwrite)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The recording (.mcap).")],
    *,
    coils: Annotated[int, typer.Option(min=1, max=10_000, help="Coils that pass.")] = 1,
    coil_length_m: Annotated[
        float, typer.Option(min=0.1, max=100_000.0, help="Metres per coil.")
    ] = 100.0,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal bytes.")] = 0,
    defects_per_m: Annotated[
        float, typer.Option(min=0.0, max=100.0, help="Mean, without roll marks.")
    ] = 0.3,
    roll_mark_pitch_mm: Annotated[
        float, typer.Option(min=0.0, max=1e6, help="Circumference of a damaged roll; 0 for none.")
    ] = 1885.0,
    mm_per_px: Annotated[float, typer.Option(min=0.01, max=10.0, help="Size of a pixel.")] = 0.5,
    speed_m_per_s: Annotated[
        float, typer.Option(min=0.01, max=100.0, help="Speed of the strip.")
    ] = 2.0,
    codec: Annotated[str, typer.Option(help="png, jpeg or raw.")] = "png",
    camera: Annotated[str, typer.Option(help="Camera id.")] = "top-1",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Draw a synthetic line with exact ground truth into a recording."""
    from edge_daemon.cli.recording import simulate_and_print, simulation_settings

    settings = simulation_settings(
        coils=coils,
        coil_length_m=coil_length_m,
        seed=seed,
        defects_per_m=defects_per_m,
        roll_mark_pitch_mm=roll_mark_pitch_mm,
        mm_per_px=mm_per_px,
        speed_m_per_s=speed_m_per_s,
        codec=codec,
        camera=camera,
    )
    simulate_and_print(out, settings, overwrite=overwrite)


@app.command()
def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Say what is wrong with configuration, bundle, devices or broker, and the remedy."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.text import Text

    from edge_daemon.check import check as run_checks

    console = Console(highlight=False)
    findings = []
    for finding in run_checks(config):
        findings.append(finding)
        if not as_json:
            mark = Text("ok   ", "green") if finding.ok else Text("FAULT", "bold red")
            console.print(
                mark, f"{finding.subject}: {finding.detail}", soft_wrap=True, markup=False
            )
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    if any(
        finding.subject in {"configuration", "bundle"} for finding in findings if not finding.ok
    ):
        raise typer.Exit(EXIT_CONFIGURATION)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command("compile")
def compile_plan(
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of the network; default the shipped one.")
    ] = None,
    *,
    builder: Annotated[
        Literal["auto", "onnx", "torch"],
        typer.Option(help="TensorRT's ONNX parser, or torch-tensorrt."),
    ] = "auto",
    flavour: Annotated[
        Literal["auto", "tensorrt", "tensorrt_rtx"], typer.Option(help="Whose engine.")
    ] = "auto",
    precision: Annotated[
        Literal["fp16", "int8"], typer.Option(help="int8 where the bundle offers it.")
    ] = "fp16",
    cache: Annotated[
        Path | None, typer.Option(help="Folder of plans; default the daemon's.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build anew though a good plan is there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the TensorRT plan for this machine's GPU."""
    from edge_daemon.cli.compiling import compile_and_print

    compile_and_print(
        bundle,
        builder=builder,
        flavour=flavour,
        precision=precision,
        cache=cache,
        force=force,
        as_json=as_json,
    )


@app.command()
def bench(
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of the network; default the shipped one.")
    ] = None,
    *,
    cameras: Annotated[
        list[int] | None,
        typer.Option(min=1, max=64, help="How many send at once; may be given several times."),
    ] = None,
    codec: Annotated[
        Literal["raw", "jpeg", "png"], typer.Option(help="How they pack frames.")
    ] = "raw",
    transport: Annotated[
        Literal["tcp", "ipc"], typer.Option(help="Between them and the daemon.")
    ] = "tcp",
    strips: Annotated[int, typer.Option(min=1, help="Different strips, for the stages.")] = 40,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of network alone and whole.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each half of a pair.")] = 4.0,
    mm_per_px: Annotated[float, typer.Option(min=0.001, help="For the line speed.")] = 0.5,
    compare: Annotated[
        Path | None, typer.Option(help="An older result of --json to set this one beside.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure each stage and the whole daemon, and the line speed that this box can follow."""
    from edge_daemon.bench.whole import WholeRequest
    from edge_daemon.cli.benching import bench_and_print
    from edge_daemon.core.wire import Codec
    from edge_daemon.engine import load_engine

    request = WholeRequest(
        cameras=1,
        codec=Codec(codec),
        seconds=seconds,
        pairs=pairs,
        transport=transport,
        bundle=bundle,
    )
    bench_and_print(
        load_engine(bundle, device="auto"),
        request,
        cameras=cameras or (1, 4, 16),
        strips=strips,
        mm_per_px=mm_per_px,
        compare=compare,
        as_json=as_json,
    )


@app.command()
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


def log_to_stderr() -> None:
    """Log as systemd's journal likes it: it stamps the time itself, a terminal doesn't."""
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=stamp + "%(levelname)s %(name)s: %(message)s"
    )
