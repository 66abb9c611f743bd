# SPDX-License-Identifier: Apache-2.0
"""Tests of what is shipped besides the programs. They need tools that `make check` does not
(make deps-service), and share the library of the black-box tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))
