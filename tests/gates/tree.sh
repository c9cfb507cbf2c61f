#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the directory $1 a copy of what git has, or will have, of the current directory. It is brought up to date in
# place, because another check may be reading it.
set -eu
export LC_ALL=C

tree=$1
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

git ls-files -z --cached --others --exclude-standard | sort -zu > "$lists/known"
git ls-files -z --deleted | sort -zu > "$lists/deleted"
comm -z -23 "$lists/known" "$lists/deleted" > "$lists/wanted"

mkdir -p "$tree"
tar --null --files-from="$lists/wanted" -cf - | tar -xf - -C "$tree"
# Without a repository of its own the tools would find this one, which ignores the copy.
test -d "$tree/.git" || git init --quiet "$tree"

cd "$tree"
find . \( -path ./.git -o -path ./tests/output \) -prune -o ! -type d -printf '%P\0' | sort -zu > "$lists/found"
comm -z -13 "$lists/wanted" "$lists/found" | xargs -0 -r rm -f --
find . -mindepth 1 -depth -type d -empty ! -path './.git/*' ! -path './tests/output*' -delete
