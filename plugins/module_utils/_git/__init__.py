# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Git on the builder: what is released, where it comes from, what is published.

This package is PRIVATE to the collection. It may change at any time.
"""
