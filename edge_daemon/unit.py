"""What systemd makes of the daemon by its unit, so that `check` sees what the service sees.

`systemctl show` tells the unit as it is in force. It doesn't print LoadCredential= (systemd 252:
"[unprintable]"), so that is read from the files of the unit, which `systemctl cat` gives.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from edge_daemon.config import load_config
from edge_daemon.errors import UnitError
from edge_daemon.settings import Config, Section

INSTALLED: Final = Path("/etc/systemd/system/edge-daemon.service")
_CREDENTIALS: Final = Path("/run/credentials")
_PLACES: Final = {
    "StateDirectory": Path("/var/lib"),
    "CacheDirectory": Path("/var/cache"),
    "LogsDirectory": Path("/var/log"),
    "RuntimeDirectory": Path("/run"),
}
_PROPERTIES: Final = (
    *("Id", "LoadState", "NeedDaemonReload", "User", "Environment", "EnvironmentFiles"),
    *("ExecStart", "WorkingDirectory", "ProtectSystem", "ReadWritePaths", *_PLACES),
)
_SYSTEMCTL_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemd would start it.

    Attributes:
        name: with its ending.
        user: whom it runs as.
        config_file: what `--config` of its command names.
        environ: what it is started with beside the variables of the system.
        credentials: the file that each credential is a copy of; encrypted ones aren't here.
        made: folders that systemd makes and gives to the user.
        writable: where it may write; None: wherever its user may.
        working_directory: what relative paths are relative to.
    """

    name: str
    user: str
    config_file: Path | None
    environ: Mapping[str, str]
    credentials: Mapping[str, Path]
    made: tuple[Path, ...]
    writable: tuple[Path, ...] | None
    working_directory: Path

    @classmethod
    def of(cls, shown: Mapping[str, str], files: str) -> Self:
        """Read what systemd says.

        Args:
            shown: `systemctl show`, value by property.
            files: `systemctl cat`.
        """
        folders = {
            kind: tuple(base / name for name in shown.get(kind, "").split())
            for kind, base in _PLACES.items()
        }
        made = tuple(folder for each in folders.values() for folder in each)
        environ = dict(word.partition("=")[::2] for word in shlex.split(shown["Environment"]))
        for kind, each in folders.items():
            if each:
                variable = f"{kind.removesuffix('Directory')}_DIRECTORY".upper()
                environ[variable] = ":".join(map(str, each))
        with suppress(KeyError):  # `acting` complains
            environ.setdefault("HOME", pwd.getpwnam(shown.get("User") or "root").pw_dir)
        more = (Path(word.lstrip("-+")) for word in shlex.split(shown.get("ReadWritePaths", "")))
        config = re.search(r"argv\[\]=.*? --config[ =](\S+)", shown.get("ExecStart", ""))
        return cls(
            shown["Id"],
            shown.get("User") or "root",
            config_file=Path(config[1]) if config else None,
            environ=environ,
            credentials=credentials_in(files, shown["Id"]),
            made=made,
            writable=(*made, *more) if shown.get("ProtectSystem") == "strict" else None,
            working_directory=Path(shown.get("WorkingDirectory", "").lstrip("!-") or "/"),
        )

    def load(self, path: Path | None) -> Config:
        """Read the configuration as the service would; credentials are replaced by their sources.

        Args:
            path: the file; None takes the one that the unit's command names.

        Raises:
            ConfigurationError: as for `load_config`; also where the service's user can't read it.
            UnitError: the service's user isn't there.
        """
        with self.acting():
            config = load_config(path or self.config_file, self.environ)
        sections = {}
        for name, section in config:
            if isinstance(section, Section):
                paths = {key: value for key, value in section if isinstance(value, Path)}
                sources = {key: self._source(path) for key, path in paths.items()}
                sections[name] = section.model_copy(update=sources)
        return config.model_copy(update=sections)

    def may_write_below(self, folder: Path) -> bool:
        """Whether the unit lets the daemon write there, if its user may."""
        allowed = self.writable
        return allowed is None or any(folder.is_relative_to(each) for each in allowed)

    def will_be_given(self, folder: Path) -> bool:
        """Whether systemd makes it, or gives it to the user, at the next start."""
        try:
            return any(
                folder.is_relative_to(each) and not (each.exists() and each.owner() == self.user)
                for each in self.made
            )
        except KeyError:  # an owner without a name is none of ours
            return True

    def makes_folder_of(self, endpoint: str) -> bool:
        """Whether an ipc endpoint's folder isn't there only because the service isn't up."""
        folder = Path(endpoint.removeprefix("ipc://")).parent
        return endpoint.startswith("ipc://") and folder in self.made and not folder.exists()

    def acting(self) -> AbstractContextManager[None]:
        """Within it, files and ports are open to this process as they are to the service's user.

        Raises:
            UnitError: there is no such user.
        """
        return nullcontext() if self.user == "root" else _acting_as(self.user)

    def _source(self, path: Path) -> Path:
        if path.parent != _CREDENTIALS / self.name:
            return path
        return self.credentials.get(path.name, path)


def examine(name: str) -> Unit:
    """Ask systemd about a unit.

    Args:
        name: `edge-daemon`, `edge-daemon@line-1`.

    Raises:
        UnitError: there is no systemd, no such unit, or we aren't root.
    """
    if shutil.which("systemctl") is None:
        raise UnitError("--unit: there is no systemctl here; leave it out where nothing is a unit")
    if os.geteuid() != 0:
        raise UnitError("--unit: run this as root, who alone may read the service's secrets")
    shown = read_properties(_systemctl("show", f"--property={','.join(_PROPERTIES)}", "--", name))
    unit, state = shown.get("Id", name), shown.get("LoadState", "unknown")
    if state != "loaded":
        raise UnitError(
            f"--unit {name}: systemd has no {unit} that it could start ({state}); "
            "`systemctl list-unit-files 'edge-daemon*'` shows those there are"
        )
    if shown.get("NeedDaemonReload") == "yes":
        raise UnitError(f"{unit}: its files have changed; `systemctl daemon-reload` first")
    found = Unit.of(shown, _systemctl("cat", "--", name))
    return _with_files(found, shown.get("EnvironmentFiles", ""))


def read_properties(text: str) -> dict[str, str]:
    """Value by property, of `systemctl show`; a property of several lines keeps them all."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def credentials_in(files: str, name: str) -> dict[str, Path]:
    """Source by name of credential, of the unit's files in order; an empty line begins anew."""
    prefix, _, instance = name.removesuffix(".service").partition("@")
    specifiers = {"i": instance, "I": instance, "n": name, "N": name.removesuffix(".service")}
    specifiers |= {"p": prefix, "E": "/etc", "S": "/var/lib", "%": "%"}
    found: dict[str, Path] = {}
    for match in re.finditer(r"^\s*LoadCredential\s*=[ \t]*(.*?)\s*$", files, re.MULTILINE):
        if not match[1]:
            found = {}
            continue
        text = re.sub(r"%(.)", lambda each: specifiers.get(each[1], each[0]), match[1])
        credential, _, source = text.partition(":")
        if source.startswith("/"):
            found[credential] = Path(source)
    return found


def _with_files(unit: Unit, listed: str) -> Unit:
    """The unit with what its EnvironmentFile= says."""
    environ = dict(unit.environ)
    for line in listed.splitlines():
        path, _, ignore = line.rpartition(" (ignore_errors=")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            if ignore.startswith("yes"):
                continue
            raise UnitError(f"{unit.name}: EnvironmentFile={path}: {error}") from error
        for name, value in re.findall(r"^\s*(\w+)=(.*?)\s*$", text, re.MULTILINE):
            environ[name] = value.strip("\"'")
    return replace(unit, environ=environ)


def _systemctl(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - a unit's name comes after "--"
        ["systemctl", "--no-pager", *arguments],  # noqa: S607 - wherever the system has it
        capture_output=True,
        text=True,
        check=False,
        timeout=_SYSTEMCTL_S,
    )
    if done.returncode != 0:
        said = done.stderr.strip().partition("\n")[0]
        raise UnitError(f"--unit: systemctl {arguments[0]}: {said}")
    return done.stdout


@contextmanager
def _acting_as(user: str) -> Iterator[None]:
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise UnitError(
            f"the unit's user {user} isn't there; `systemd-sysusers` makes it"
        ) from error
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
