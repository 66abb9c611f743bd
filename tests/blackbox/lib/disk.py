# SPDX-License-Identifier: Apache-2.0
"""A disk that fails when it is told to."""

from lib.settings import BUILD

FAULTY_DISK = BUILD / "power" / "faulty_disk.so"


class Disk:
    """What the writes of a daemon meet that was started with FAULTY_DISK preloaded
    (tests/power/faulty_disk.c)."""

    def __init__(self, path):
        assert FAULTY_DISK.exists(), f"{FAULTY_DISK} is missing: make check-build"
        self.path = path
        self.path.write_bytes(b"0")

    def set(self, fault):
        with self.path.open("r+b") as control:
            control.write(fault.encode())
