import json
import subprocess
import sys


def test_bench_measures_every_stage_and_the_line_speed() -> None:
    command = [sys.executable, "-m", "edge_daemon", "bench", "--strips", "2", "--rounds", "1"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert set(result["stage_ms"]) == {"decode", "cut", "segment", "find", "book"}
    assert all(milliseconds > 0 for milliseconds in result["stage_ms"].values())
    speed = result["pipeline_strips_per_s"]
    assert result["ratio"] > 0
    assert result["line_m_per_s"] == speed * 256 * result["mm_per_px"] / 1000
