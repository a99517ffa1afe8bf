"""The first part of a frame's way, which needs to know nothing of what came before it.

    message -> parse -> decode -> cut

So it may run ahead of the network, on other threads, several frames at a time.
"""

from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from edge_daemon.core.picture_quality import PictureDigest, PictureRules, digest
from edge_daemon.core.pixels import GreyImage, decode
from edge_daemon.core.tiling import Tiling, cut, plan_tiling
from edge_daemon.core.wire import Codec, Frame, parse_placed
from edge_daemon.errors import FrameError, RejectReason
from edge_daemon.inference.batching import FrameStrips
from edge_daemon.outcomes import Message

Stage: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Times a stage by name; called from several threads."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A message that can't be looked at and doesn't say which rows it has.

    Attributes:
        message: what came in.
        error: why.
    """

    message: Message
    error: FrameError


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that can't be looked at; its rows are booked.

    Attributes:
        message: what came in.
        frame: what it says of itself.
        error: why.
    """

    message: Message
    frame: Frame
    error: FrameError


@dataclass(frozen=True, slots=True)
class Read:
    """A message whose header is good.

    Attributes:
        message: what came in.
        frame: header and payload.
    """

    message: Message
    frame: Frame

    @property
    def is_quick(self) -> bool:
        """Whether unpacking costs next to nothing, the pixels being used as they were sent."""
        return self.frame.header.codec is Codec.RAW


@dataclass(frozen=True, slots=True)
class Ready:
    """A frame that can be looked at.

    Attributes:
        message: what came in.
        frame: header and payload.
        image: its pixels in grey.
        tiling: where its strips lie in the image.
        strips: for the network.
        picture: what its quality is judged by; None: it isn't.
    """

    message: Message
    frame: Frame
    image: GreyImage
    tiling: Tiling
    strips: FrameStrips
    picture: PictureDigest | None = None


Prepared: TypeAlias = Unplaced | Refused | Ready


class Preparer:
    """Prepares messages; keeps nothing of them and may be used by several threads.

    Args:
        stride_px: of the network's output.
        cameras: whose frames are taken; None takes everybody's.
        stage: times a stage.
        pictures: by which rules the pictures' quality will be judged; None: it won't.
    """

    def __init__(
        self,
        *,
        stride_px: int,
        cameras: Container[str] | None,
        stage: Stage,
        pictures: PictureRules | None = None,
    ) -> None:
        self._pictures = pictures
        self._stride_px = stride_px
        self._cameras = cameras
        self._stage = stage

    def prepare(self, message: Message) -> Prepared:
        """Take a message as far as it goes by itself."""
        read = self.read(message)
        return self.unpack(read) if isinstance(read, Read) else read

    def read(self, message: Message) -> Unplaced | Refused | Read:
        """Read the header: quick, whatever the payload."""
        try:
            frame = parse_placed(message.parts)
        except FrameError as error:
            return Unplaced(message, message.left_out or error)
        if self._cameras is not None and frame.camera not in self._cameras:
            return Unplaced(message, _stranger(frame.camera))
        refusal = frame.fault or message.left_out
        return Read(message, frame) if refusal is None else Refused(message, frame, refusal)

    def unpack(self, read: Read) -> Refused | Ready:
        """Decode and cut what was read; compressed pictures take milliseconds."""
        try:
            with self._stage("decode"):
                image = decode(read.frame)
        except FrameError as error:
            return Refused(read.message, read.frame, error)
        with self._stage("cut"):
            tiling = plan_tiling(*image.shape, stride_px=self._stride_px)
            strips = tuple(cut(image, tiling))
        picture = None
        if self._pictures is not None:
            with self._stage("judge"):
                picture = digest(image, dark_level=self._pictures.dark_level)
        return Ready(read.message, read.frame, image, tiling, strips, picture)


def _stranger(camera: str) -> FrameError:
    return FrameError(
        RejectReason.UNKNOWN_CAMERA,
        f"camera {camera!r} is not in the configuration; add a [[camera]] for it",
    )
