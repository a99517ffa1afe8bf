import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from edge_daemon.report.wording import metres, moment, name, reason_words, share, text


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_no_text_can_open_a_tag_or_end_an_attribute(value: str) -> None:
    assert not set(text(value)) & set("<>\"'\x00\x1b")


def test_a_name_that_turns_the_writing_direction_stays_in_its_place() -> None:
    assert name("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe").startswith("<bdi>")
    assert name("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe").endswith("</bdi>")


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 10**7), st.data())
def test_a_share_says_all_or_nothing_only_where_it_is_so(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    assert (share(part, whole) == "100 %") == (part == whole)
    assert (share(part, whole) == "0 %") == (part == 0)
    assert share(part, whole) not in ("100.0 %", "0.0 %")


def test_no_frames_at_all_are_not_full_coverage() -> None:
    assert share(0, 0) == "0 %"


def test_a_position_that_is_not_known_is_left_out() -> None:
    assert metres(None) == ""
    assert metres(12_345.6) == "12.346 m"


@pytest.mark.parametrize(
    "reason", sorted({*RejectReason, *NotInspectedReason} - {"camera_restart"})
)
def test_reasons_are_told_in_words(reason: str) -> None:
    assert " " in reason_words(reason) or reason == NotInspectedReason.REJECTED


def test_an_unknown_reason_stands_for_itself() -> None:
    assert reason_words("solar_flare") == "solar flare"


@pytest.mark.parametrize("t_ns", [None, 0, 10**9, 2**63 - 1, 10**30])
def test_a_time_that_means_nothing_is_left_out_or_at_least_no_crash(t_ns: int | None) -> None:
    assert moment(t_ns) == "" or t_ns == 2**63 - 1


def test_a_real_time_is_told_in_utc() -> None:
    assert moment(1_767_225_600_064_000_000) == "2026-01-01 00:00:00.064 UTC"
