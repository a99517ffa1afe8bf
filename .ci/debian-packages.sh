#!/usr/bin/env bash
# Installs Debian packages that are missing, as root or by a sudo that asks no password.
#   debian-packages.sh COMMAND:PACKAGE...   those whose command isn't there; goes on without what it
#                                           can't install: the tests concerned skip with the reason
#   debian-packages.sh --need PACKAGE       fails with the remedy where it can't
set -euo pipefail
export PATH="$PATH:/usr/sbin"

need=false missing=()
if [ "$1" = --need ]; then
    need=true missing=("$2")
else
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
fi
[ ${#missing[@]} -gt 0 ] || exit 0

give_up() {
    echo "not installed: ${missing[*]} ($1); as root: apt-get install ${missing[*]}" >&2
    if $need; then exit 1; else exit 0; fi
}
command -v apt-get >/dev/null || give_up "no apt-get here"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || give_up "needs root"
    as_root=(sudo -n)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
