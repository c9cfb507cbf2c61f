#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts dockerd where no service manager does, and returns when it answers.
set -eu

log=/var/log/dockerd.log
seconds=300

start() {
    # A file left by a machine that went down may name a process that is something else today, or dead and not yet
    # collected by its parent (which has no executable any more); dockerd would give up.
    for file in /run/docker.pid /var/run/docker.pid /run/docker/containerd/containerd.pid; do
        [ -s "$file" ] || continue
        case $(readlink "/proc/$(cat "$file")/exe" || true) in
            */dockerd* | */containerd*) ;;
            *) rm -f "$file" ;;
        esac
    done
    setsid dockerd >> "$log" 2>&1 < /dev/null &
    engine=$!
}

fail() {
    echo "The engine $1. The end of $log:" >&2
    tail -n 10 "$log" >&2
    exit 1
}

start
waited=0
again=yes
until docker version > /dev/null 2>&1; do
    if ! kill -0 "$engine" 2> /dev/null; then
        # on a machine that has just come up, its own containerd can be too late for it
        [ "$again" = yes ] || fail 'ended as soon as it was started'
        again=no
        start
    fi
    [ "$waited" -lt "$((seconds * 5))" ] || fail "did not answer within $seconds s"
    waited=$((waited + 1))
    sleep 0.2
done
