"""Where fuzzing begins: small inputs of every target, right ones and wrong ones, made by code."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2

from edge_daemon.engine import shipped_bundle
from edge_daemon.recordings.parts import pack_parts
from edge_daemon.recordings.writing import RecordingWriter
from tests.bad_input.cases import header, picture
from tests.bad_input.corpus import corpus
from tests.bad_input.pictures import cmyk_jpeg, interlaced_png, jpeg, png, png_of_mode, rotated_jpeg

_MOST_BYTES = 4096
_EXAMPLE = Path(__file__).parents[2] / "systemd" / "config.toml"


def header_seeds() -> Iterator[bytes]:
    """The second parts of the corpus."""
    yield header("s", 0, first_line=1, encoder_mm=-1.5, coil="C1", crc32=7)
    yield from (parts[1] for parts in _messages() if len(parts) == 3)


def message_seeds() -> Iterator[bytes]:
    """The corpus's messages of one to four parts."""
    yield from (b"\xff".join(parts) for parts in _messages() if len(parts) < 5)


def jpeg_seeds() -> Iterator[bytes]:
    """JPEGs of every kind, the corpus's wrong ones too."""
    pixels = picture(1, 16, 24)
    for flags in ((), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)):
        yield jpeg(pixels, *flags)
    yield from (cmyk_jpeg(pixels), rotated_jpeg(pixels))
    yield from _payloads("jpeg")


def png_seeds() -> Iterator[bytes]:
    """PNGs of every kind, the corpus's wrong ones too."""
    pixels = picture(1, 16, 24)
    yield from (png(pixels), interlaced_png(pixels))
    yield from (png_of_mode(pixels, mode) for mode in ("1", "P", "LA", "RGB", "RGBA", "I;16"))
    yield from _payloads("png")


def image_seeds() -> Iterator[bytes]:
    """What else OpenCV reads."""
    for ending in (".bmp", ".tiff", ".webp", ".pgm", ".pam", ".png", ".jpg"):
        yield cv2.imencode(ending, picture(1, 16, 24))[1].tobytes()


def recording_seeds() -> Iterator[bytes]:
    """A recording, and one that was never finished."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.mcap"
        with RecordingWriter(path) as writer:
            for seq in range(3):
                writer.write([b"cam", header("s", seq), b"pixels"], seq)
            writer.write([], 3)
            writer.write_metadata("line", {"speed": "2"})
            writer.write_truth({"coil": "C1"})
        whole = path.read_bytes()
    yield from (whole, whole[: len(whole) // 2], whole[:8], b"")


def parts_seeds() -> Iterator[bytes]:
    """Recorded messages."""
    for parts in ([], [b""], [b"cam", b"{}", b"pixels"], [b"x"] * 9):
        yield pack_parts(parts)


def bundle_seeds() -> Iterator[bytes]:
    """The manifests that are shipped."""
    for folder in sorted(shipped_bundle().parent.iterdir()):
        if (folder / "bundle.json").is_file():
            yield (folder / "bundle.json").read_bytes()


def config_seeds() -> Iterator[bytes]:
    """The example that is installed, with its comments and with its keys in force."""
    example = _EXAMPLE.read_text()
    yield example.encode()
    yield "\n".join(line.removeprefix("# ") for line in example.splitlines()).encode()
    yield b'[[camera]]\nid = "a"\nmm_per_px_along = 1\nmm_per_px_across = inf'
    yield b"a = " + b"[" * 3000
    yield b"[ingest]\nmax_age_s = " + b"9" * 3000


SEEDS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "header": header_seeds,
    "message": message_seeds,
    "jpeg": jpeg_seeds,
    "png": png_seeds,
    "image": image_seeds,
    "recording": recording_seeds,
    "parts": parts_seeds,
    "bundle": bundle_seeds,
    "config": config_seeds,
}


def _messages() -> Iterator[list[bytes]]:
    for cases in corpus().values():
        for case in cases:
            for parts in case.messages:
                if sum(map(len, parts)) < _MOST_BYTES:
                    yield list(parts)


def _payloads(codec: str) -> Iterator[bytes]:
    for case in corpus()["codecs"]:
        for parts in case.messages:
            if f'"codec": "{codec}"'.encode() in parts[1] and len(parts[2]) < 2 * _MOST_BYTES:
                yield parts[2]
