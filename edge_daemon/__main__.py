"""`python -m edge_daemon`, the same as `edge-daemon`."""

from edge_daemon.cli import main

main()
