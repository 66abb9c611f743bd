# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on: processor, kernel, and how long the disk takes to sync."""

import os
import platform
import statistics
import subprocess
import time


def facts(folder):
    """Facts about this machine; `folder` is where the store of the run will be."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "fdatasync_ms": round(fdatasync_ms(folder), 3),
        "versions": {name: _version(command) for name, command in VERSIONS.items()},
    }


VERSIONS = {
    "nginx": ["nginx", "-v"],
    "webhook": ["webhook", "-version"],
    "wrk": ["wrk", "-v"],
}


def resident_kib(pids):
    """Resident memory of these processes together, KiB."""
    return _memory_kib(pids, "VmRSS:")


def peak_kib(pids):
    """The most that each of them ever had, added up, KiB."""
    return _memory_kib(pids, "VmHWM:")


def _memory_kib(pids, field):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith(field))
    return total


def accepted():
    """TCP connections that this machine has accepted so far."""
    with open("/proc/net/snmp", encoding="ascii") as text:
        names, values = (line.split() for line in text if line.startswith("Tcp:"))
    return int(values[names.index("PassiveOpens")])


def children(pid):
    """Process ids of the direct children of a process."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return [int(child) for child in text.read().split()]


def fdatasync_ms(folder, writes=200):
    """Median time of appending 4 KiB and syncing it, as a write-ahead log does."""
    path = os.path.join(folder, "fdatasync.probe")
    page = b"\0" * 4096
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    times = []
    try:
        for _ in range(writes):
            os.write(fd, page)
            began = time.perf_counter()
            os.fdatasync(fd)
            times.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        os.unlink(path)
    return statistics.median(times) * 1000


def _cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _version(command):
    """First line of what a program says about its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0] if lines else None
