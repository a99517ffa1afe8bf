"""The build's own process; `edge_daemon.plans.building` starts it."""

import sys

from edge_daemon.plans.child import main

if __name__ == "__main__":
    sys.exit(main())
