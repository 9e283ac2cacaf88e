# Everything a newcomer needs: each target does all the set-up there is, and does nothing twice.
#
#   make demo     a cluster on this machine, a guest that moves, a node that dies: about a minute
#   make test     rules, simulation, and each real part by itself; within ten minutes
#   make acceptance  whole clusters of real daemons with real guests; CI runs both
#   make mutants  one line of the product broken at a time: the tests must notice each
#   make search   a simulated cluster, harmed at random for SECONDS=600
#   make soak     MOVES=1000 of real guests, with a process harmed in every tenth
#   make bench    the measurements of docs/benchmarks.md, written anew
#   make setup    only the set-up: Debian packages, .venv, the product in it

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ETCD := $(VENV)/etcd

# What the lab and the tests call, and what a guest is made of. Of tgt the tests start one of their
# own; the service that comes with it would listen on this host for nobody.
DEBIAN := qemu-system-x86 iproute2 nftables util-linux mount fdisk e2fsprogs tcpdump procps \
	gcc libc6-dev libc6-dev-i386 binutils busybox-static linux-image-cloud-amd64 python3-venv \
	qemu-block-extra qemu-utils sg3-utils tgt fence-agents

.PHONY: help setup demo test acceptance mutants search soak lint bench clean

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

setup: $(READY)

$(READY): setup.cfg pyproject.toml Makefile
	@missing=(); \
	for each in $(DEBIAN); do \
		dpkg-query -W -f='$${db:Status-Status}' $$each 2>/dev/null | grep -qx installed || missing+=($$each); \
	done; \
	if (( $${#missing[@]} )); then \
		echo "installing $${missing[*]}"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -q update; \
		apt-get -q install -y --no-install-recommends "$${missing[@]}"; \
		if [[ " $${missing[*]} " == *" tgt "* && -d /run/systemd/system ]]; then \
			systemctl --quiet disable --now tgt; \
		fi; \
	fi
	@python=; \
	for each in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do \
		if $$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$each; break; \
		fi; \
	done; \
	[[ $$python ]] || { echo "Python 3.11 or later is needed" >&2; exit 1; }; \
	[[ -x $(BIN)/python ]] || $$python -m venv $(VENV); \
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(READY)

demo: setup
	@$(BIN)/vmsg lab demo

# Warnings are errors everywhere; the cheapest checks come first.
lint: setup
	$(BIN)/flake8 cluster packages cli tests
	$(BIN)/isort --check --quiet cluster packages cli tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

# Three at a time, whole files: most of a live test is waiting, and each has a lab of its own.
TOGETHER := $(BIN)/python -m pytest --numprocesses 3 --dist loadgroup

test: lint
	$(TOGETHER) -m 'not acceptance' $(PYTEST)

acceptance: setup
	$(TOGETHER) -m acceptance $(PYTEST)

# Not part of `make test`: it runs tests some hundred times over. ONLY=guardian: those alone.
mutants: setup
	@$(BIN)/python -m tests.mutants.run $(if $(ONLY),--only '$(ONLY)')

SECONDS := 600

search: setup
	@$(BIN)/python -m tests.simulation.search --seconds $(SECONDS)

MOVES := 1000

soak: setup
	@$(BIN)/python -m tests.soak.run --moves $(MOVES)

# One of tests/bench alone: make bench BENCH=move
bench: setup $(ETCD)/.ready
	@for each in $(or $(BENCH:%=tests/bench/%.py),$(wildcard tests/bench/*.py)); do \
		ETCD_BIN=$(ETCD)/usr/bin PYTHONPATH=. $(BIN)/python $$each; \
	done

# What agreement is measured beside. Installed, Debian's etcd would start a server on this host, so
# it is only unpacked.
$(ETCD)/.ready: $(READY)
	@apt-get -q update
	@DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends nghttp2-client
	@mkdir -p $(ETCD)
	@cd $(ETCD) && apt-get -q download etcd-server etcd-client
	@for each in $(ETCD)/*.deb; do dpkg-deb -x $$each $(ETCD); done
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .coverage .import_linter_cache
