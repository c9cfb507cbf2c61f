# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BENCHES ?=
VENV := .venv
BIN := $(VENV)/bin
VENV_READY := $(VENV)/.ready
COLLECTION := .work/collections/ansible_collections/j4c/deploy

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV_READY) $(COLLECTION) ## Install everything that is missing: Python packages, engine, images, demo workspace
	@$(BIN)/ansible-playbook playbooks/setup.yml

.PHONY: demo
demo: setup ## Release the example, a second version under traffic, and roll back
	@$(BIN)/python -m tests.demo.demo

.PHONY: bench
bench: setup ## Measure; BENCHES="playbooks ..." chooses some of tests/bench
	@$(BIN)/python -m tests.bench $(BENCHES)

.PHONY: clean
clean: ## Remove caches and the demo workspace; the virtual environment, images and
	rm -rf .work/absent .work/collections .work/demo .mypy_cache .ruff_cache .pytest_cache tests/output
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV_READY): requirements.txt requirements-dev.txt tests/setup/programs.sh
	@PYTHON='$(PYTHON)' tests/setup/programs.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

# Ansible finds a collection by its path, so the checkout gets one (see collections_path in ansible.cfg).
$(COLLECTION):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

include tests/gates.mk
