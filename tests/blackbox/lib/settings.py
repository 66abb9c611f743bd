# SPDX-License-Identifier: Apache-2.0
"""Where things are, and how patient to be.

RISKHOOK_BUILD       folder that holds riskhookd and riskhookctl (default: build/ of the repository)
RISKHOOK_TIME_SCALE  factor for every time limit; sanitizer builds need more than 1
RISKHOOK_SEED        seed of the tests that use chance; the seed in use is always printed
"""

import os
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = REPOSITORY / "tests" / "fixtures"
BUILD = pathlib.Path(os.environ.get("RISKHOOK_BUILD") or REPOSITORY / "build").resolve()
RISKHOOKD = BUILD / "riskhookd"
RISKHOOKCTL = BUILD / "riskhookctl"
TIME_SCALE = float(os.environ.get("RISKHOOK_TIME_SCALE") or 1)


def scaled(seconds):
    """A time limit on this build. Limits only end what hangs; no test depends on their length."""
    return seconds * TIME_SCALE
