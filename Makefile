# Two commands matter to a newcomer: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo-out
PREFIX ?= /opt/edge-daemon
# Many tests wait for processes, so one more than there are cores.
WORKERS ?= $(shell expr $$(nproc) + 1)

# What tests want of Debian; without one of them the tests concerned skip with the reason.
PACKAGES = .ci/debian-packages.sh mosquitto:mosquitto promtool:prometheus chromium:chromium \
	systemd-analyze:systemd shellcheck:shellcheck openssl:openssl

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PREFIX DESTDIR # for install.sh
# Tests that want real strips find them here; elsewhere they skip with the reason.
ifneq ($(wildcard ../shared/data/severstal),)
export EDGE_DAEMON_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help setup demo check test test-slow booted faults soak bench peers gpu schemas install uninstall clean
help:
	@echo "make demo     the daemon on a simulated line: alerts, metrics, a picture (no root, no broker needed)"
	@echo "make test     all tests, with what they need (torch, mosquitto, promtool)"
	@echo "make test-slow  what takes long: every encoder exported, torch.compile"
	@echo "make soak     half an hour of four cameras and faults all along: is anything lost, does anything grow?"
	@echo "make booted   the installed service under a systemd of its own, in a container (as root)"
	@echo "make faults   the long forms of docs/reliability.md: kills, power cuts, outages"
	@echo "make check    format, lint, types, import rules, dependencies"
	@echo "make setup    the development environment in $(VENV)"
	@echo "make bench    each stage and the whole daemon beside the bare network on this machine"
	@echo "make peers    the same side by side with what one would take instead (installs those)"
	@echo "make gpu      on a box with an NVIDIA GPU: parity, faults, leaks, and docs/benchmarks/<gpu>.md"
	@echo "make install  the service: $(PREFIX), /etc/edge-daemon, the systemd units (as root, or DESTDIR=)"
	@echo "make uninstall  takes that away; configuration and state stay unless PURGE=yes"

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
	@$(PACKAGES)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m 'not slow and not gpu and not booted' $(PYTEST)

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

# The service, installed and started by a real systemd in a container; skips where none can be booted.
booted: $(VENV)/.dev
	@$(PACKAGES) systemd-nspawn:systemd-container curl:curl
	@/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || .ci/debian-packages.sh ensurepip:python3-venv
	$(BIN)/pytest tests/booted $(PYTEST)

# Faults injected all along; exits 0 only if nothing was lost and nothing grows.
soak: $(VENV)/.dev
	@$(PACKAGES)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak $(SOAK)

# The long forms of docs/reliability.md's rows: 200 kills, 5,000 power cuts and the like.
faults: $(VENV)/.dev
	@$(PACKAGES)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow -o timeout=3600 -o faulthandler_timeout=0 tests/faults tests/bad_input tests/edge_daemon $(PYTEST)

# Staged with DESTDIR=..., which needs no root; nothing that is configured is overwritten.
install:
	systemd/install.sh

# Keeps configuration and state, unless PURGE=yes.
uninstall:
	systemd/install.sh --uninstall $(if $(filter yes,$(PURGE)),--purge)

schemas: $(VENV)/.base
	$(BIN)/python -m edge_daemon.schemas

clean:
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
