# SPDX-License-Identifier: Apache-2.0
"""Writes configurations for the daemon under test."""

import os
import pathlib
import random
import secrets
import socket

USERNAME = "riskos"
ENDPOINT = "/webhooks/riskos"


def _port_range():
    """Below the range from which the kernel takes ports for outgoing connections: no client can sit
    on one while its daemon is down. Each worker of pytest-xdist has its share, for the same
    reason."""
    first = 10240
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    share = (max(low, 20000) - first) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first += share * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return range(first, first + share)


def free_port():
    """A port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(_port_range())
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def write_secret(path, content, mode=0o600):
    path = pathlib.Path(path)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def render(sections):
    """{section: {key: value}} as INI. A list repeats its key, None leaves the key out."""
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            for item in value if isinstance(value, list) else [value]:
                if item is not None:
                    lines.append(f"{key} = {item}")
        lines.append("")
    return "\n".join(lines)


class Config:
    """A complete configuration in a folder of its own: certificate, one endpoint, one credential of
    each kind. Everything in `sections` can be changed before write()."""

    def __init__(self, folder, certificate):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "riskhookd.conf"
        self.store = self.folder / "events.db"
        self.admin_socket = self.folder / "admin.sock"
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self.token = secrets.token_urlsafe(24)
        write_secret(self.folder / "password", self.password + "\n")
        write_secret(self.folder / "token", self.token + "\n")
        self.sections = {
            "server": {"listen": f"127.0.0.1:{self.port}",
                       "tls_certificate": certificate.certificate,
                       "tls_private_key": certificate.private_key},
            "store": {"path": self.store},
            "admin": {"socket": self.admin_socket},
            "log": {"format": "text", "level": "info"},
            "endpoint riskos": {"path": ENDPOINT},
            "credential basic": {"endpoint": "riskos", "type": "basic", "username": USERNAME,
                                 "password_file": "password"},
            "credential bearer": {"endpoint": "riskos", "type": "bearer", "token_file": "token"},
        }

    def update(self, sections):
        """Merge: options of a section that is there are added or replaced; None drops a section."""
        for section, options in sections.items():
            if options is None:
                self.sections.pop(section, None)
            else:
                self.sections.setdefault(section, {}).update(options)

    def write(self):
        self.path.write_text(render(self.sections))
        os.chmod(self.path, 0o600)
        return self.path
