import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage, decode
from edge_daemon.core.wire import Codec, parse
from edge_daemon.errors import FrameError, RejectReason, SourceError
from edge_daemon.recordings.images import ImageStream, list_images, printable_name, read_image


@pytest.fixture
def grey() -> GreyImage:
    return np.random.default_rng(1).integers(0, 256, (48, 64), dtype=np.uint8)


def packed(image: GreyImage, ending: str) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


@pytest.mark.parametrize(("ending", "codec"), [(".png", Codec.PNG), (".jpg", Codec.JPEG)])
def test_jpeg_and_png_travel_as_they_are(
    tmp_path: Path, grey: GreyImage, ending: str, codec: Codec
) -> None:
    path = tmp_path / "whatever.tif"
    path.write_bytes(packed(grey, ending))
    image = read_image(path)
    assert (image.width, image.height, image.codec) == (64, 48, codec)
    assert image.payload == path.read_bytes()


@pytest.mark.parametrize("ending", [".bmp", ".tif", ".pgm"])
def test_other_formats_become_raw_mono8(tmp_path: Path, grey: GreyImage, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(packed(grey, ending))
    image = read_image(path)
    assert image.codec is Codec.RAW
    assert image.payload == grey.tobytes()


def test_a_sent_image_decodes_to_its_grey_pixels(tmp_path: Path, grey: GreyImage) -> None:
    colour = np.dstack([grey, grey, grey])
    for name, content in (("a.png", grey), ("b.png", colour), ("c.bmp", colour)):
        path = tmp_path / name
        path.write_bytes(packed(np.asarray(content, np.uint8), path.suffix))
        stream = ImageStream("top-1", "s", checksum=True)
        assert np.array_equal(decode(parse(stream.send(read_image(path), 7))), grey)


def test_a_stream_numbers_frames_and_rows_without_a_gap(tmp_path: Path, grey: GreyImage) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(packed(grey, ".png"))
    image = read_image(path)
    stream = ImageStream("top-1", "s")
    headers = [parse(stream.send(image, n)).header for n in range(2)]
    stream.miss()
    headers.append(parse(stream.send(image, 9)).header)
    assert [h.seq for h in headers] == [0, 1, 3]
    assert [h.first_line for h in headers] == [0, 48, 144]
    assert [h.t_ns for h in headers] == [0, 1, 9]


def unreadable_files(folder: Path, grey: GreyImage) -> dict[str, Path]:
    png, jpeg = packed(grey, ".png"), packed(grey, ".jpg")
    huge = bytearray(png)
    huge[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    contents = {
        "empty.png": b"",
        "cut.png": png[:-20],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "signature.png": png[:8],
        "start.jpg": b"\xff\xd8\xff",
        "text.png": b"not an image",
        "zeros.bmp": bytes(100),
        "bomb.png": bytes(huge),
        "flat.bmp": b"BM" + bytes(60),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "dangling.png").symlink_to(folder / "nowhere")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    wide = np.zeros((1, 20_000), np.uint8)
    (folder / "wide.png").write_bytes(packed(wide, ".png"))
    (folder / "wide.bmp").write_bytes(packed(wide, ".bmp"))
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(2**30)
    return {path.name: path for path in folder.iterdir()}


def test_whatever_is_no_whole_image_is_unreadable(tmp_path: Path, grey: GreyImage) -> None:
    for name, path in unreadable_files(tmp_path, grey).items():
        with pytest.raises(FrameError) as caught:
            read_image(path)
        assert caught.value.reason is RejectReason.UNREADABLE, name
        assert caught.value.detail, name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(tmp_path: Path, grey: GreyImage) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(packed(grey, ".png"))
    path.chmod(0)
    with pytest.raises(FrameError, match="ermission"):
        read_image(path)


def test_a_folder_is_listed_in_name_order_and_only_images_count(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "10.png", "9.png", "notes.txt", ".hidden.png", "x.csv", "png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.tiff").symlink_to("nowhere")
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["10.png", "9.png", "a.png", "b.JPG", "dangling.tiff"]


def test_an_empty_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match=r"\.mcap"):
        list_images(tmp_path)


def test_a_name_that_is_not_text_can_be_printed() -> None:
    assert printable_name(Path(os.fsdecode(b"a\xff.png"))) == "a\\xff.png"
    assert printable_name(Path("Bänder.png")) == "Bänder.png"
