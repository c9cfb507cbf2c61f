#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts dockerd where no service manager does, and returns when it answers.
set -eu

log=/var/log/dockerd.log
seconds=60

# A file left by a machine that went down may name a process that is something else today; dockerd would give up.
for file in /run/docker.pid /var/run/docker.pid /run/docker/containerd/containerd.pid; do
    [ -s "$file" ] || continue
    name=$(cat "/proc/$(cat "$file")/comm" 2> /dev/null || true)
    case $name in
        dockerd | containerd) ;;
        *) rm -f "$file" ;;
    esac
done

setsid --fork dockerd >> "$log" 2>&1 < /dev/null

waited=0
until docker version > /dev/null 2>&1; do
    if [ "$waited" -ge "$((seconds * 5))" ]; then
        echo "The engine did not answer within $seconds s. The end of $log:" >&2
        tail -n 15 "$log" >&2
        exit 1
    fi
    waited=$((waited + 1))
    sleep 0.2
done
