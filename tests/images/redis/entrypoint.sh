#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs Redis as user redis on all addresses, as the official image does.
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" != redis-server ]; then
    exec "$@"
fi

if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid redis --regid redis --init-groups -- "$0" "$@"
fi

umask 077
# Protected mode would refuse every other container; whoever sets it, in an argument or in the file, is obeyed.
case " $* " in
    *" --protected-mode "*) exec "$@" ;;
esac
if [ -r "${2:-}" ] && grep -qs '^[[:space:]]*protected-mode' "$2"; then
    exec "$@"
fi
exec "$@" --protected-mode no
