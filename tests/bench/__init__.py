# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements. Every module here whose name has no underscore in front is a bench: its docstring says what it
measures and its one public function, ``bench(folder)``, gets an empty directory and yields tables (see ``_table``).
"""
