import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "systemd" / "install.sh"
SHELLCHECK = shutil.which("shellcheck")
SYSTEMCTL = shutil.which("systemctl")
UNITS = ["edge-daemon.service", "edge-daemon@.service"]
FILES = {
    "etc/edge-daemon/config.toml",
    "etc/sysusers.d/edge-daemon.conf",
    "etc/tmpfiles.d/edge-daemon.conf",
    *(f"etc/systemd/system/{unit}" for unit in UNITS),
}


def install(destination: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"DESTDIR": str(destination)} | environ,
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    destination = tmp_path / "it's [staged]"
    destination.mkdir()
    done = install(destination, "--files-only")
    assert (done.returncode, done.stderr) == (0, "")
    return destination


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", ["install.sh", "template.sh"])
def test_shellcheck_finds_nothing_wrong(script: str) -> None:
    assert SHELLCHECK
    verdict = subprocess.run(
        [SHELLCHECK, SCRIPT.with_name(script)], capture_output=True, check=False
    )
    assert (verdict.returncode, verdict.stdout) == (0, b"")


def test_everything_goes_below_the_destination_and_is_readable_by_all(staged: Path) -> None:
    assert files(staged) == FILES
    assert {(staged / file).stat().st_mode & 0o777 for file in FILES} == {0o644}


def test_the_units_run_the_program_where_it_was_put(tmp_path: Path) -> None:
    assert install(tmp_path, "--files-only", PREFIX="/srv/inspection").returncode == 0
    for unit in UNITS:
        text = (tmp_path / "etc/systemd/system" / unit).read_text()
        assert "ExecStart=/srv/inspection/bin/edge-daemon run" in text
        assert "/opt/edge-daemon" not in text


def test_the_service_can_read_it_whatever_umask_the_installer_has(tmp_path: Path) -> None:
    done = subprocess.run(
        [SCRIPT, "--files-only"],
        check=False,
        env=os.environ | {"DESTDIR": str(tmp_path)},
        umask=0o077,
    )
    assert done.returncode == 0
    assert {(tmp_path / file).stat().st_mode & 0o777 for file in FILES} == {0o644}
    assert (tmp_path / "etc/edge-daemon").stat().st_mode & 0o777 == 0o755


def test_only_a_clear_yes_purges(staged: Path) -> None:
    uninstall = ["make", "--silent", f"--directory={REPOSITORY}", "uninstall", f"DESTDIR={staged}"]
    config = staged / "etc/edge-daemon/config.toml"
    for answer in ("no", "0", ""):
        subprocess.run([*uninstall, f"PURGE={answer}"], check=True)
        assert config.exists()
    subprocess.run([*uninstall, "PURGE=yes"], check=True)
    assert not config.exists()


def test_a_second_time_keeps_what_was_configured(staged: Path) -> None:
    config = staged / "etc/edge-daemon/config.toml"
    config.write_text("# mine\n")
    unit = staged / "etc/systemd/system/edge-daemon.service"
    unit.write_text("# of an older version\n")
    assert install(staged, "--files-only").returncode == 0
    assert config.read_text() == "# mine\n"
    assert "ExecStart=" in unit.read_text()


def test_uninstalling_leaves_configuration_state_and_what_is_of_others(staged: Path) -> None:
    kept = {"etc/edge-daemon/config.toml"}
    for other in (
        "etc/edge-daemon/mqtt-password",
        "etc/systemd/system/other.service",
        "etc/systemd/system/edge-daemon.service.d/override.conf",
        "opt/edge-daemon/not-ours",
        "var/lib/edge-daemon/outbox.sqlite3",
    ):
        (staged / other).parent.mkdir(parents=True, exist_ok=True)
        (staged / other).write_text("kept")
        kept.add(other)
    done = install(staged, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert files(staged) == kept
    assert "kept: " in done.stdout


def test_purging_takes_configuration_and_state_too_but_nothing_of_others(staged: Path) -> None:
    for file in (
        "etc/edge-daemon/mqtt-password",
        "var/lib/edge-daemon/outbox.sqlite3",
        "etc/other",
    ):
        (staged / file).parent.mkdir(parents=True, exist_ok=True)
        (staged / file).write_text("x")
    assert install(staged, "--uninstall", "--purge").returncode == 0
    assert files(staged) == {"etc/other"}


def test_a_folder_with_something_else_in_it_is_not_taken_for_the_program(tmp_path: Path) -> None:
    (tmp_path / "usr/local").mkdir(parents=True)
    (tmp_path / "usr/local/precious").write_text("x")
    done = install(tmp_path, PREFIX="/usr/local")
    assert done.returncode == 1
    assert "holds something else" in done.stderr
    assert files(tmp_path) == {"usr/local/precious"}


@pytest.mark.parametrize(
    ("options", "environ", "complaint"),
    [
        (["--purge"], {}, "--purge goes with --uninstall"),
        (["--unistall"], {}, "usage: "),
        (["--files-only"], {"PREFIX": "opt"}, "absolute paths"),
        (["--files-only"], {"DESTDIR": "stage"}, "absolute paths"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_touched(
    tmp_path: Path, options: list[str], environ: dict[str, str], complaint: str
) -> None:
    done = install(tmp_path, *options, **environ)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert files(tmp_path) == set()


@pytest.mark.skipif(SYSTEMCTL is None, reason="systemctl is not installed")
def test_what_was_installed_can_be_enabled_for_several_lines_and_disabled_at_once(
    staged: Path,
) -> None:
    assert SYSTEMCTL

    def systemctl(*arguments: str) -> None:
        command = [SYSTEMCTL, f"--root={staged}", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    links = staged / "etc/systemd/system/multi-user.target.wants"
    lines = ["edge-daemon@line-1.service", "edge-daemon@line-2.service"]
    systemctl("enable", "edge-daemon.service", *lines)
    assert sorted(path.name for path in links.iterdir()) == ["edge-daemon.service", *lines]
    systemctl("disable", "edge-daemon.service", "edge-daemon@.service")
    assert not links.exists() or list(links.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_staged_program_runs_where_it_is_unpacked_and_goes_away_whole(tmp_path: Path) -> None:
    """Needs a package index: make test-slow."""
    destination, prefix = tmp_path / "stage", tmp_path / "unpacked"
    done = install(destination, PREFIX=str(prefix), PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    made = destination / prefix.relative_to("/")
    scripts = [path.read_bytes() for path in (made / "bin").iterdir() if not path.is_symlink()]
    assert not [text for text in scripts if str(destination).encode() in text]
    compiled = next((made / "lib").rglob("edge_daemon/__pycache__/daemon.*.pyc"))
    assert str(destination).encode() not in compiled.read_bytes()
    made.rename(prefix)
    program = prefix / "bin" / "edge-daemon"
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert "inspection of steel strip" in shown.stdout
    prefix.rename(made)
    assert install(destination, "--uninstall", "--purge", PREFIX=str(prefix)).returncode == 0
    assert files(destination) == set()
