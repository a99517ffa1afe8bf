import uuid

import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.ids import uuid7

MOMENTS = st.integers(0, 2**48 * 1_000_000 - 1)
RANDOM = st.binary(min_size=8, max_size=8)


def test_the_example_of_rfc_9562_comes_out() -> None:
    # Appendix A.6: the fraction 0xCC3 / 4096 ms begins 797,608 ns into the millisecond.
    unix_ns = 0x017F22E279B0 * 1_000_000 + 797_608
    made = uuid7(unix_ns, 0x18C4DC0C0C07398F.to_bytes(8, "big"))
    assert made == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(MOMENTS, RANDOM)
@settings(deadline=None, derandomize=True)
def test_version_and_variant_hold_for_every_time(unix_ns: int, random_bytes: bytes) -> None:
    made = uuid7(unix_ns, random_bytes)
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


@given(MOMENTS, RANDOM, RANDOM)
@settings(deadline=None, derandomize=True)
def test_ids_made_250_ns_apart_sort_by_time(unix_ns: int, first: bytes, second: bytes) -> None:
    later_ns = min(unix_ns + 250, 2**48 * 1_000_000 - 1)
    assert uuid7(unix_ns, first).int >> 64 <= uuid7(later_ns, second).int >> 64
    if later_ns == unix_ns + 250:
        assert uuid7(unix_ns, first) < uuid7(later_ns, second)


@pytest.mark.parametrize(("unix_ns", "random_bytes"), [(-1, bytes(8)), (0, bytes(7))])
def test_impossible_input_is_refused(unix_ns: int, random_bytes: bytes) -> None:
    with pytest.raises(ValueError, match=r"before 1970|expected 8"):
        uuid7(unix_ns, random_bytes)
