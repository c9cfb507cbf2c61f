#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the scripts of /docker-entrypoint.d, then the command.
set -eu

if [ "${1:-}" = nginx ]; then
    for file in /docker-entrypoint.d/*.sh; do
        if [ -x "$file" ]; then "$file"; fi
    done
fi
exec "$@"
