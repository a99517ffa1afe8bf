# Two commands matter to a newcomer: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo-out
PREFIX ?= /opt/edge-daemon

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Tests that want real strips find them here; elsewhere they skip with the reason.
ifneq ($(wildcard ../shared/data/severstal),)
export EDGE_DAEMON_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help setup demo check test test-slow bench peers gpu schemas install clean
help:
	@echo "make demo     the daemon on a simulated line: alerts, metrics, a picture (no root, no broker needed)"
	@echo "make test     all tests, with what they need (torch, mosquitto, promtool)"
	@echo "make test-slow  what takes long: every encoder exported, torch.compile"
	@echo "make check    format, lint, types, import rules, dependencies"
	@echo "make setup    the development environment in $(VENV)"
	@echo "make bench    each stage and the whole daemon beside the bare network on this machine"
	@echo "make peers    the same side by side with what one would take instead (installs those)"
	@echo "make gpu      on a box with an NVIDIA GPU: parity, faults, leaks, and docs/benchmarks/<gpu>.md"
	@echo "make install  the service: $(PREFIX), /etc/edge-daemon, the systemd unit (as root)"

# The daemon alone: small wheels, no torch.
$(VENV)/.base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "edge-daemon needs Python 3.11 or later; name one with make PYTHON=python3.11")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || .ci/debian-packages.sh --need python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

# All that developers and tests need, torch included (several GB the first time).
$(VENV)/.dev: $(VENV)/.base
	$(BIN)/pip install --quiet --editable '.[dev,train]'
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.base
	$(BIN)/python -m edge_daemon.demo --out $(DEMO)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

test: $(VENV)/.dev
	@.ci/debian-packages.sh mosquitto:mosquitto promtool:prometheus chromium:chromium
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto -m 'not slow and not gpu' $(PYTEST)

test-slow: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto -m slow $(PYTEST)

bench: $(VENV)/.base
	$(BIN)/edge-daemon bench

peers: $(VENV)/.dev
	$(BIN)/pip install --quiet --editable '.[bench,dev,train]'
	$(BIN)/python -m benchmarks networks
	$(BIN)/python -m benchmarks tiling
	$(BIN)/python -m benchmarks transport

# One test process: two would share the GPU's memory and each other's faults.
gpu: $(VENV)/.dev
	$(BIN)/pytest -m gpu $(PYTEST)
	$(BIN)/python -m tests.gpu.benchmark

# The steps of docs/service.md up to, not including, the start; nothing that is configured is overwritten.
install:
	/usr/bin/python3 -m venv $(PREFIX)
	$(PREFIX)/bin/pip install --quiet --upgrade .
	install -D -m 0644 systemd/sysusers.conf /etc/sysusers.d/edge-daemon.conf
	systemd-sysusers
	[ -e /etc/edge-daemon/config.toml ] || install -D -m 0644 systemd/config.toml /etc/edge-daemon/config.toml
	install -D -m 0644 systemd/edge-daemon.service /etc/systemd/system/edge-daemon.service
	install -d -o edge-daemon -g edge-daemon -m 0700 /var/lib/edge-daemon
	@echo "installed; now: systemctl daemon-reload && systemctl enable --now edge-daemon"

schemas: $(VENV)/.base
	$(BIN)/python -m edge_daemon.schemas

clean:
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
