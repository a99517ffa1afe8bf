#!/bin/sh
# The service, put in its places or taken away again:
#   systemd/install.sh [--files-only]      the program, units, users, folders, a first configuration
#   systemd/install.sh --uninstall         all of that, but what was configured and what is remembered
#   systemd/install.sh --uninstall --purge ... and those too: alerts that nobody has got are lost with them
#
# --files-only leaves the program to others (a package, an image that has it already).
# PREFIX   where the program goes, a folder of its own; /opt/edge-daemon
# DESTDIR  puts everything below a folder instead, as packages are made: needs no root, starts nothing
# PYTHON   makes the program's environment; /usr/bin/python3
set -eu
# Nothing here is secret, and the service's user has to read it, whatever umask root has.
umask 022

PREFIX=${PREFIX:-/opt/edge-daemon}
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-/usr/bin/python3}
UNITS=$DESTDIR/etc/systemd/system
CONFIG=$DESTDIR/etc/edge-daemon
SYSUSERS=$DESTDIR/etc/sysusers.d/edge-daemon.conf
TMPFILES=$DESTDIR/etc/tmpfiles.d/edge-daemon.conf
MARK=.made-by-install.sh
SOURCE=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "error: $*" >&2
    exit 1
}

# --uninstall removes it whole, so it has to be ours: made here before, or not there at all.
must_be_ours() {
    [ -e "$1/$MARK" ] || [ ! -e "$1" ] || [ -z "$(ls -A "$1")" ] ||
        fail "$1 holds something else; name a folder that isn't there with PREFIX="
}

install_program() {
    root=$DESTDIR$PREFIX
    must_be_ours "$root"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$PYTHON is older than Python 3.11; name another with PYTHON="
    mkdir -p "$root"
    : >"$root/$MARK"
    "$PYTHON" -m venv "$root" || fail "no environment could be made; apt-get install python3-venv"
    "$root/bin/pip" install --quiet --no-compile --upgrade "$SOURCE"
    # Now: the service may not write there.
    "$root/bin/python" -m compileall -q ${DESTDIR:+-s "$DESTDIR"} "$root/lib" ||
        true # a file of others that no Python 3 understands is never imported either
    [ -z "$DESTDIR" ] || relocate "$root"
}

# Programs of an environment begin with its path, which is another one once it has been unpacked.
relocate() {
    pattern=$(printf '%s' "$DESTDIR" | sed 's/[][\\.*^$|]/\\&/g')
    grep -rIlF "$DESTDIR" "$1/bin" "$1/pyvenv.cfg" | while IFS= read -r file; do
        sed -i "s|$pattern||g" "$file"
    done
}

install_unit() {
    install -d "$UNITS"
    sed "s|/opt/edge-daemon|$PREFIX|g" "$SOURCE/systemd/$1" >"$UNITS/$1"
    chmod 0644 "$UNITS/$1"
}

install_files() {
    install -D -m 0644 "$SOURCE/systemd/sysusers.conf" "$SYSUSERS"
    install -D -m 0644 "$SOURCE/systemd/tmpfiles.conf" "$TMPFILES"
    install_unit edge-daemon.service
    install_unit edge-daemon@.service
    [ -e "$CONFIG/config.toml" ] || install -D -m 0644 "$SOURCE/systemd/config.toml" "$CONFIG/config.toml"
}

# Only where systemd is really at work: not below DESTDIR, not while an image is built.
on_systemd() {
    [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]
}

install_all() {
    [ "$files_only" = yes ] || install_program
    install_files
    if [ -z "$DESTDIR" ]; then
        systemd-sysusers "$SYSUSERS"
        systemd-tmpfiles --create "$TMPFILES"
    fi
    ! on_systemd || systemctl daemon-reload
    echo "installed; now: $PREFIX/bin/edge-daemon check --unit edge-daemon, then systemctl enable --now edge-daemon"
}

uninstall_all() {
    if on_systemd; then
        # Not there any more is as good as stopped.
        systemctl stop edge-daemon.service 'edge-daemon@*.service' 2>/dev/null || true
        systemctl disable edge-daemon.service edge-daemon@.service 2>/dev/null || true
    fi
    rm -f "$UNITS/edge-daemon.service" "$UNITS/edge-daemon@.service" "$SYSUSERS" "$TMPFILES"
    [ ! -e "$DESTDIR$PREFIX/$MARK" ] || rm -r "$DESTDIR$PREFIX"
    if [ "$purge" = yes ]; then
        rm -rf "$CONFIG" "$DESTDIR/var/lib/edge-daemon" "$DESTDIR/var/cache/edge-daemon" \
            "$UNITS/edge-daemon.service.d" "$UNITS"/edge-daemon@*.service.d
    fi
    ! on_systemd || systemctl daemon-reload
    [ "$purge" = yes ] || echo "kept: $CONFIG and $DESTDIR/var/lib/edge-daemon (--purge removes them)"
}

files_only=no purge=no action=install_all
for option in "$@"; do
    case $option in
        --files-only) files_only=yes ;;
        --uninstall) action=uninstall_all ;;
        --purge) purge=yes ;;
        *) fail "usage: systemd/install.sh [--files-only] | --uninstall [--purge]" ;;
    esac
done
case $PREFIX:${DESTDIR:-/} in
    /?*:/*) ;;
    *) fail "PREFIX=$PREFIX and DESTDIR=$DESTDIR have to be absolute paths" ;;
esac
[ "$action" = uninstall_all ] || [ "$purge" = no ] || fail "--purge goes with --uninstall"
[ -n "$DESTDIR" ] || [ "$(id -u)" -eq 0 ] || fail "has to be root's doing (or name a folder with DESTDIR=)"
"$action"
