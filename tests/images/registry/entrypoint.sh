#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Serves the registry with a configuration, as the official image does; REGISTRY_* variables override what is in it.
set -eu

case ${1:-} in
    *.yaml | *.yml) set -- docker-registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- docker-registry "$@" ;;
esac

exec "$@"
