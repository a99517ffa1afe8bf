"""Identifiers that sort by time."""

import uuid

RANDOM_BYTES = 8

_NS_PER_MS = 1_000_000
_MS_MASK = (1 << 48) - 1
_RAND_B_MASK = (1 << 62) - 1


def uuid7(unix_ns: int, random_bytes: bytes) -> uuid.UUID:
    """Make a UUIDv7 whose 12 bits behind the milliseconds carry the fraction of the millisecond.

    So ids made 250 ns apart or more sort in the order in which they were made (RFC 9562, 5.7
    and method 3 of 6.2).

    Args:
        unix_ns: ns since 1970 UTC, not negative.
        random_bytes: 8 bytes; 62 of the 64 bits are used.

    Raises:
        ValueError: a negative time, or another number of bytes.
    """
    if unix_ns < 0:
        raise ValueError(f"a UUIDv7 can't tell a time before 1970: {unix_ns} ns")
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"expected {RANDOM_BYTES} random bytes, got {len(random_bytes)}")
    unix_ms, ns = divmod(unix_ns, _NS_PER_MS)
    fraction = ns * 4096 // _NS_PER_MS
    rand_b = int.from_bytes(random_bytes, "big") & _RAND_B_MASK
    value = (unix_ms & _MS_MASK) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | rand_b
    return uuid.UUID(int=value)
