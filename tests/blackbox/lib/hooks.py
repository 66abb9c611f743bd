# SPDX-License-Identifier: Apache-2.0
"""Programs for `exec` handlers."""

import pathlib
from dataclasses import dataclass

from lib.waiting import wait_until


def script(folder, name, text):
    """Write an executable shell script; return its path."""
    path = pathlib.Path(folder) / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


# Leaves in its folder, under HANDLER-DELIVERY-ATTEMPT, all that the system knows of how it was
# started. (The inner shell: a redirection would show among the outer one's descriptors, for dash
# makes it in its own process. No child reads the status: dash blocks all signals until a child that
# it has started runs.) The folder appears by rename: once it can be seen it is complete.
PROBE = r"""
d="$1/$RISKHOOK_HANDLER-$RISKHOOK_DELIVERY_ID-$RISKHOOK_ATTEMPT"
mkdir "$d.tmp"
sh -c 'ls -l "$1" > "$2"' sh /proc/$$/fd "$d.tmp/fds"
cat /proc/$$/environ > "$d.tmp/environ"
cat /proc/$$/cmdline > "$d.tmp/cmdline"
while IFS= read -r line; do printf '%s\n' "$line"; done < /proc/$$/status > "$d.tmp/status"
cat /proc/$$/stat > "$d.tmp/stat"
readlink /proc/$$/cwd > "$d.tmp/cwd"
cat > "$d.tmp/stdin"
mv "$d.tmp" "$d"
"""


@dataclass
class ProbeResult:
    stdin: bytes
    environ: dict
    argv: list
    cwd: str
    descriptors: dict  # number -> what it is
    status: dict  # /proc/PID/status
    pid: int
    process_group: int


class Probe:
    """The recording hook and its folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.path = script(self.folder, "probe", PROBE)
        self.command = f"{self.path} {self.folder}"

    def result(self, handler, delivery, attempt=1):
        """Wait until this attempt has been recorded; return it."""
        folder = self.folder / f"{handler}-{delivery}-{attempt}"
        wait_until(folder.exists, what=f"the hook has left {folder.name}")
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        return ProbeResult(
            stdin=(folder / "stdin").read_bytes(),
            environ=_environ((folder / "environ").read_bytes()),
            argv=_words((folder / "cmdline").read_bytes()),
            cwd=(folder / "cwd").read_text().rstrip("\n"),
            descriptors=_descriptors((folder / "fds").read_text()),
            status=_status((folder / "status").read_text()),
            pid=int((folder / "status").read_text().partition("\nPid:")[2].split()[0]),
            process_group=int(stat[2]))


def _words(data):
    return [word.decode() for word in data.split(b"\0")[:-1]]


def _environ(data):
    return dict(word.split("=", 1) for word in _words(data))


def _status(text):
    return {key: value.strip() for key, _, value in
            (line.partition(":") for line in text.splitlines())}


def _descriptors(listing):
    """From `ls -l`: "lrwx------ 1 root root 64 Jan  2 03:04 0 -> pipe:[7]"."""
    found = {}
    for line in listing.splitlines():
        left, arrow, target = line.partition(" -> ")
        if arrow:
            found[int(left.split()[-1])] = target
    return found
