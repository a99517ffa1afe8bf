#!/bin/sh
# Makes edge-daemon@.service, one instance for each line, out of edge-daemon.service:
#   systemd/template.sh < systemd/edge-daemon.service > systemd/edge-daemon@.service
# Everything but names and places is the same, the hardening above all; a test holds the two together.
set -eu

# A folder of plans for the GPU is shared: they take minutes to build, and lines on one computer have one GPU.
# The folder for sockets is no part of edge-daemon.service's, which is removed when that stops.
exec sed \
    -e '1s|.*|# Made from edge-daemon.service by systemd/template.sh: systemctl enable --now edge-daemon@line-1|' \
    -e 's|^Description=.*|& (%i)|' \
    -e 's|/etc/edge-daemon/config\.toml|/etc/edge-daemon/%i.toml|' \
    -e 's|^StateDirectory=edge-daemon$|&/%i|' \
    -e 's|^WorkingDirectory=%S/edge-daemon$|&/%i|' \
    -e 's|^RuntimeDirectory=edge-daemon$|&-%i|' \
    -e 's|/run/edge-daemon/|/run/edge-daemon-%i/|' \
    -e 's|:/etc/edge-daemon/\([a-z-]*\)$|:/etc/edge-daemon/%i/\1|'
