#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the collection in the current directory, installs it under the directory $1, and looks at it from there as its
# user does: documentation and playbooks, with nothing else of this checkout in reach.
set -eu

installed=$1
root=$installed/ansible_collections/j4c/deploy
export ANSIBLE_COLLECTIONS_PATH="$installed"

rm -rf "$installed"
mkdir -p "$installed"
ansible-galaxy collection build --output-path "$installed" > "$installed/log"
ansible-galaxy collection install --offline --no-deps "$installed"/*.tar.gz > "$installed/log"
cd "$installed"

for unwanted in .git .venv .work .ci; do
    if [ -e "$root/$unwanted" ]; then
        echo "build-check: the archive has $unwanted" >&2
        exit 1
    fi
done

modules=$(cd "$root/plugins/modules" && find . -name '[!_]*.py' | sed 's,^\./\(.*\)\.py$,j4c.deploy.\1,')
# One word a module.
# shellcheck disable=SC2086
ansible-doc --type module $modules > log

for playbook in "$root"/playbooks/*.yml; do
    name=j4c.deploy.$(basename "$playbook" .yml)
    if ! ansible-playbook --inventory "$root/inventory/example" --list-tasks "$name" > log 2>&1; then
        echo "build-check: $name cannot be run from an installed collection:" >&2
        cat log >&2
        exit 1
    fi
done
