# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The checks and tests of the collection; the top-level Makefile includes this file.

ROOT := $(CURDIR)
NAMES := ansible_collections/j4c/deploy
TREE := $(ROOT)/.work/tree
# Two of the tools need the collection at its path, as a real directory. Nothing outside of it may help them.
IN_TREE := cd '$(TREE)/$(NAMES)' && PATH="$(ROOT)/$(BIN):$$PATH" ANSIBLE_COLLECTIONS_PATH='$(TREE)' \
	ANSIBLE_CONFIG='$(ROOT)/tests/gates/ansible.cfg' ANSIBLE_HOME='$(ROOT)/.work/ansible'
PYTHON_VERSION = $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# ansible-test loads a script that installs pip from the internet, unless it finds one here.
PIP_VERSION = $(shell sed -n "s/^ *pip='\(.*\)',$$/\1/p" $(VENV)/lib/python*/site-packages/ansible_test/_internal/python_requirements.py 2> /dev/null)
GET_PIP = $(HOME)/.ansible/test/cache/get_pip_$(subst .,_,$(PIP_VERSION)).py

.PHONY: test
test: setup ## Run all checks and tests: the quick ones first, the others when those have passed
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target gates
	@$(MAKE) --no-print-directory integration

.PHONY: gates
gates: sanity lint unit build-check ## Run the quick checks and tests: no service is started

.PHONY: tree
tree: $(VENV_READY) ## Copy what git has, or will have, to where Ansible wants a collection
	@tests/gates/tree.sh '$(TREE)/$(NAMES)'

.PHONY: lint
lint: lint-python lint-types lint-yaml lint-shell lint-ansible lint-docs lint-changelog ## Run all linters

.PHONY: lint-python
lint-python: $(VENV_READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check --diff .

# Modules import each other by the collection's path; tests import tests.* from the checkout, the rest from the tree.
# Python 3.10 is the oldest that mypy knows.
.PHONY: lint-types
lint-types: tree
	@cd '$(TREE)' && '$(ROOT)/$(BIN)/mypy' --no-error-summary --python-version 3.10 --config-file '$(ROOT)/pyproject.toml' \
		--cache-dir '$(ROOT)/.mypy_cache/plugins' $(NAMES)/plugins
	@MYPYPATH='$(TREE)' $(BIN)/mypy --no-error-summary --cache-dir .mypy_cache/tests tests

.PHONY: lint-yaml
lint-yaml: tree
	@$(IN_TREE) yamllint --strict .

.PHONY: lint-shell
lint-shell: tree
	@$(IN_TREE) find . -name '*.sh' -exec shellcheck {} +

.PHONY: lint-ansible
lint-ansible: tree
	@$(IN_TREE) ansible-lint -q --offline --strict --profile production

.PHONY: lint-docs
lint-docs: tree
	@$(IN_TREE) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .

.PHONY: lint-changelog
lint-changelog: tree
	@$(IN_TREE) antsibull-changelog lint

.PHONY: sanity
sanity: tree $(GET_PIP) ## Run ansible-test sanity, without any exceptions
	@$(IN_TREE) ansible-test sanity --local --color no --python $(PYTHON_VERSION)

$(GET_PIP): tests/gates/get_pip.py
	@mkdir -p $(@D)
	@test -e $@ || cp $< $@

.PHONY: unit
unit: $(VENV_READY) ## Run the unit tests
	@$(BIN)/pytest -n 2 tests/unit

.PHONY: build-check
build-check: tree ## Build the collection, install it, and look at it from there
	@$(IN_TREE) tests/gates/installed.sh '$(ROOT)/.work/installed'

.PHONY: faults
faults: setup ## Kill the release engine at every step of a release and of a rollback
	@J4C_FAULTS=all $(BIN)/pytest tests/integration/test_release_faults.py

.PHONY: integration
integration: setup ## Run the tests against real parts: modules, roles, Molecule scenarios, demo
	@$(BIN)/python -m tests.integration.sweep
	@$(BIN)/pytest -n 2 --dist loadgroup --reruns 1 -m 'not alone' tests --ignore tests/unit
	@$(BIN)/pytest -m alone tests --ignore tests/unit
