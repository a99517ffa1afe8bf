"""The verbs around the network on this machine: compile, bench."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from edge_daemon.cli.options import BundleOption, JsonOption


def compile_plan(
    bundle: BundleOption = None,
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


def bench(
    bundle: BundleOption = None,
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
