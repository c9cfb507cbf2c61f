#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes sure that the programs `make setup` starts from are there: Python with venv, git, curl, unzip, OpenSSH.
set -eu

python=${PYTHON:-python3}
packages=''

python_is_there() {
    command -v "$python" > /dev/null && "$python" -c 'import ensurepip, venv' 2> /dev/null
}

if ! python_is_there; then packages="$packages python3 python3-venv"; fi
for program in git curl unzip; do
    if ! command -v "$program" > /dev/null; then packages="$packages $program"; fi
done

# The tests that reach a server over SSH start a daemon of their own.
if ! command -v ssh > /dev/null; then packages="$packages openssh-client"; fi
if ! test -x /usr/sbin/sshd; then packages="$packages openssh-server"; fi

if [ -n "$packages" ]; then
    if ! command -v apt-get > /dev/null; then
        echo "setup: please install, with the package manager of this system:$packages" >&2
        exit 1
    fi
    as_root=''
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2> /dev/null; then
            echo "setup: please run as root: apt-get install ca-certificates$packages" >&2
            exit 1
        fi
        as_root='sudo -n'
    fi
    echo "setup: installing$packages"
    # Both variables are lists of words. In runlevel 1 Debian does not start what it installs.
    # shellcheck disable=SC2086
    $as_root apt-get -qq update
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -qq install -y --no-install-recommends ca-certificates $packages > /dev/null
fi

if ! python_is_there; then
    echo "setup: '$python' has no module venv: choose another one with 'make setup PYTHON=python3.12'" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "setup: '$python' is older than 3.10: choose another one with 'make setup PYTHON=python3.12'" >&2
    exit 1
fi
