#!/usr/bin/env bash
# What the tests need besides Python, from Debian where it is missing. Without the right to install
# it only says so: the tests concerned then skip with the reason.
set -euo pipefail
export PATH="$PATH:/usr/sbin"
missing=()
command -v mosquitto >/dev/null || missing+=(mosquitto)
command -v promtool >/dev/null || missing+=(prometheus)
command -v chromium >/dev/null || missing+=(chromium)
[ ${#missing[@]} -gt 0 ] || exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || { echo "not installed: ${missing[*]} (no sudo without a password)"; exit 0; }
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || { echo "not installed: ${missing[*]} (no apt-get here)"; exit 0; }
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
