"""The verbs around streams of frames: replay, camera, record, recover, simulate."""

from pathlib import Path
from typing import Annotated

import typer

from edge_daemon.cli.options import BundleOption, ConfigOption, JsonOption, SourcesArgument


def replay(
    sources: SourcesArgument,
    config: ConfigOption = None,
    *,
    bundle: BundleOption = None,
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


def camera(
    sources: SourcesArgument,
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
    secret_key: Annotated[
        Path | None,
        typer.Option(help="The camera's secret key file, for a daemon that asks for keys."),
    ] = None,
    server_key: Annotated[
        str | None, typer.Option(help="The daemon's public key, in single quotes.")
    ] = None,
) -> None:
    """Play images or a recording to a daemon, as a camera would."""
    from edge_daemon.camera import PlaySettings
    from edge_daemon.cli.recording import play_and_print
    from edge_daemon.cli.replaying import parse_speed
    from edge_daemon.ingest.keys import load_login

    if (secret_key is None) != (server_key is None):
        raise typer.BadParameter("--secret-key and --server-key belong together")
    login = None
    if secret_key is not None and server_key is not None:
        login = load_login(secret_key, server_key)
    settings = PlaySettings(
        camera, fps=fps, speed=parse_speed(speed), loop=loop, wait=wait, login=login
    )
    play_and_print(sources, connect, settings)


def record(
    bind: Annotated[str, typer.Option(help="Where cameras connect, tcp://ADDRESS:PORT.")],
    out: Annotated[Path, typer.Option(help="The recording (.mcap).")],
    *,
    frames: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="Stop after so long.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="A daemon's configuration: its keys and its cameras' are asked for."),
    ] = None,
) -> None:
    """Keep exactly what cameras send, until SIGINT or SIGTERM."""
    from edge_daemon.addresses import is_local
    from edge_daemon.cli.recording import record_and_print
    from edge_daemon.config import load_config
    from edge_daemon.errors import ConfigurationError
    from edge_daemon.ingest.keys import load_keyring

    keyring, refuses_strangers = None, True
    if config is not None:
        loaded = load_config(config)
        keyring = load_keyring(loaded.ingest, loaded.camera)
        refuses_strangers = loaded.ingest.plain_tcp == "refuse"
    if keyring is None and refuses_strangers and not is_local(bind):
        raise ConfigurationError(
            f"--bind {bind} can be reached by other computers, where anyone could send frames; name"
            " a daemon's configuration with --config: the keys of its cameras are asked for, or its"
            ' plain_tcp = "anyone-may-connect" allows it'
        )
    record_and_print(
        bind,
        out,
        max_frames=frames,
        max_seconds=seconds,
        overwrite=overwrite,
        keyring=keyring,
    )


def recover(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A broken recording (.mcap, .mcap.part).")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="The new one; default NAME.recovered.mcap beside it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a broken recording whole: what can still be read, in a new file."""
    from edge_daemon.cli.recovering import recover_and_print

    recover_and_print(file, out, overwrite=overwrite, as_json=as_json)


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
