"""Inputs that broke something once, by target, with what they broke."""

from collections.abc import Mapping

FOUND: Mapping[str, tuple[bytes, ...]] = {
    "config": (
        b"a = " + b"[" * 5000,  # RecursionError out of tomllib
        b"[ingest]\nqueue_frames = " + b"9" * 5000,  # ValueError of int, not of tomllib
    ),
    "image": (
        # A chunk that claims a gigabyte, which OpenCV reserves.
        bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000018000000100800000000294fe0493f000170494441541819"
        ),
    ),
    "png": (
        # A width beyond any header and no height: the target itself.
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452510000000000000008000000000080 5a246e00000018494441"
            "5478da63601805a360148c8251300a46c12840050008200001 4ed1dbf70000000049454e44ae426082"
        ),
    ),
}
