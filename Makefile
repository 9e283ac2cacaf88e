# Everything a newcomer needs: each target does all the set-up there is, and does nothing twice.
#
#   make demo     a cluster on this machine, a guest that moves, a node that dies: about a minute
#   make test     rules, simulation, and each real part by itself; within ten minutes
#   make acceptance  whole clusters of real daemons with real guests; CI runs both
#   make mutants  one line of the product broken at a time: the tests must notice each
#   make search   a simulated cluster, harmed at random for SECONDS=600
#   make fuzz     MESSAGES=1000000 of one bad node's at the doors of whole daemons
#   make soak     MOVES=1000 of real guests, with a process harmed in every tenth
#   make bench    the measurements of docs/benchmarks.md, written anew
#   make setup    only the set-up for lab and tests: Debian packages, .venv, the product in it
#   make host     a node's own set-up, in a checkout at /opt/vmsg: no compiler, no test tools
#   make deb      Debian packages of it, for Debian 12 and 13, in build/deb
#   make lock     supply/lock.txt anew: what a host installs, with hashes
#   make sbom     the same as a CycloneDX document; make audit: against known holes

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KERNEL := $(VENV)/kernel
ETCD := $(VENV)/etcd

# What a node runs on, and nothing else: no compiler, no kernel, no service.
HOST := qemu-system-x86 iproute2 python3-venv
# What the lab calls, and what its guests are made of. A kernel is only unpacked (below).
LAB := $(HOST) util-linux mount gcc libc6-dev libc6-dev-i386 binutils busybox-static kmod
# What the tests call beside that; the last two make hosts with a systemd of their own.
TESTS := nftables fdisk e2fsprogs tcpdump procps qemu-block-extra qemu-utils sg3-utils tgt \
	fence-agents systemd-container mmdebstrap

.PHONY: help setup host deb lock sbom audit demo test acceptance mutants search fuzz soak lint bench clean

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

setup: $(READY) $(KERNEL)/.ready

# $(call install,PACKAGES): those that are not there yet. The tests start a tgtd of their own; the
# service that comes with it would listen on this machine for nobody, so it is masked meanwhile.
define install
missing=(); \
for each in $(1); do \
	dpkg-query -W -f='$${db:Status-Status}' $$each 2>/dev/null | grep -qx installed || missing+=($$each); \
done; \
if (( $${#missing[@]} )); then \
	echo "installing $${missing[*]}"; \
	export DEBIAN_FRONTEND=noninteractive; \
	quiet=; [[ " $${missing[*]} " == *" tgt "* && -d /run/systemd/system ]] && quiet=tgt; \
	[[ -z $$quiet ]] || systemctl --quiet mask $$quiet; \
	apt-get -q update; \
	apt-get -q install -y --no-install-recommends "$${missing[@]}"; \
	[[ -z $$quiet ]] || { systemctl --quiet unmask $$quiet; systemctl --quiet disable $$quiet; }; \
fi
endef

# A virtual environment, and in it what builds the two things that come as sources: the engine of
# agreement, and the product.
define environment
python=; \
for each in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do \
	if $$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$each; break; \
	fi; \
done; \
[[ $$python ]] || { echo "Python 3.11 or later is needed" >&2; exit 1; }; \
[[ -x $(BIN)/python ]] || $$python -m venv $(VENV); \
$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
$(PIP) install --require-hashes --requirement supply/build.txt
endef

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
BUILT := --no-build-isolation --use-pep517

# Versions are those of the lock, so that what is tested is what hosts get.
$(READY): setup.cfg pyproject.toml Makefile supply/lock.txt supply/build.txt
	@$(call install,$(LAB) $(TESTS))
	@$(environment)
	@sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' supply/lock.txt >$(VENV)/constraints.txt
	@PYTHONWARNINGS=ignore $(PIP) install $(BUILT) --constraint $(VENV)/constraints.txt --editable '.[test]'
	@touch $(READY)

# The kernel of Linux guests. Installed, it would be what this machine boots next, and it lacks the
# drivers of most hardware; so it is only unpacked.
$(KERNEL)/.ready: $(READY)
	@rm -rf $(KERNEL)
	@mkdir -p $(KERNEL)
	@[[ $$(apt-cache depends linux-image-cloud-amd64 2>/dev/null) ]] || apt-get -q update
	@cd $(KERNEL) && apt-get -qq -o APT::Sandbox::User=root download $$(apt-cache depends linux-image-cloud-amd64 | \
		sed -n 's/^ *Depends: \(linux-image-.*-cloud-amd64\)$$/\1/p')
	@for each in $(KERNEL)/*.deb; do dpkg-deb -x $$each $(KERNEL); rm $$each; done
	@[[ -e $(KERNEL)/lib ]] || ln -s usr/lib $(KERNEL)/lib
	@for each in $(KERNEL)/lib/modules/*; do /sbin/depmod -b $(KERNEL) $${each##*/}; done
	@touch $@

# A node's own set-up, where its units look for it. What builds goes when it has built.
host:
	@[[ $(CURDIR) == /opt/vmsg ]] || { echo "a host's checkout is /opt/vmsg" >&2; exit 1; }
	@$(call install,$(HOST))
	@$(environment)
	@$(PIP) install $(BUILT) --require-hashes --no-deps --only-binary :all: \
		--no-binary pysyncobj --requirement supply/lock.txt
	@$(BIN)/python -m supply.placing $(VENV)
	@$(PIP) uninstall --yes setuptools pip
	@ln -sf /opt/vmsg/$(BIN)/vmsg /usr/local/bin/vmsg
	@install -Dm644 -t /usr/local/lib/systemd/system conf/systemd/*
	@[[ ! -d /run/systemd/system ]] || systemctl daemon-reload

deb: setup
	@$(BIN)/python -m supply.debian --kernel $(KERNEL) --to build/deb

lock: setup
	@$(BIN)/python -m supply.lock

sbom: setup
	@mkdir -p build
	@$(BIN)/python -m supply.sbom >build/vmsg.cdx.json

audit: setup
	@$(BIN)/python -m supply.audit $(ADVISORIES)

demo: setup
	@$(BIN)/vmsg lab demo

# Warnings are errors everywhere; the cheapest checks come first.
lint: setup
	$(BIN)/flake8 cluster packages cli supply tests
	$(BIN)/isort --check --quiet cluster packages cli supply tests
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

MESSAGES := 1000000
SEED := 1

fuzz: setup
	@$(BIN)/python -m tests.fuzz.siege --messages $(MESSAGES) --seed $(SEED)

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
