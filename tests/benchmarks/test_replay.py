"""A replay beside the bare loop, briefly."""

from pathlib import Path

from benchmarks.replay import compare_replay


def test_each_codec_is_replayed_and_set_beside_the_bare_loop(tmp_path: Path) -> None:
    report = compare_replay(tmp_path, frames=3, rounds=1)
    assert [one.ours for one in report.comparisons] == [
        "replay, raw, clean",
        "replay, raw",
        "replay, jpeg",
        "replay, png",
    ]
    assert all(one.ratio > 0 for one in report.comparisons)
    for name in ("raw, clean", "raw", "jpeg", "png"):
        assert len((tmp_path / f"{name}.jsonl").read_text().splitlines()) == 3
