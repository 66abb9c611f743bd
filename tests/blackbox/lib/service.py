# SPDX-License-Identifier: Apache-2.0
"""What a service manager does for a daemon: keeps its socket and passes it in."""

import fcntl
import socket
import struct
import sys

# Becomes the daemon, with the socket as descriptor 3 (sd_listen_fds(3)).
PASS_SOCKETS = """
import os, sys
fds, argv = sys.argv[1].split(","), sys.argv[2:]
for i, fd in enumerate(fds):
    os.dup2(int(fd), 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                  LISTEN_FDNAMES=":".join(f"socket-{i}" for i in range(len(fds))))
os.execv(argv[0], argv)
"""


def passing(*sockets):
    """Arguments of a Daemon that gets these sockets passed in."""
    # far from 3, so that none is overwritten before it is moved there
    copies = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 50) for sock in sockets]
    return {"prefix": [sys.executable, "-c", PASS_SOCKETS, ",".join(map(str, copies))],
            "pass_fds": copies}


def listening_socket(address="127.0.0.1", backlog=1024):
    return socket.create_server((address, 0), backlog=backlog)


def n_queued(listening):
    """How many connections nobody has accepted yet: tcpi_unacked of a socket that listens."""
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return struct.unpack_from("I", info, 24)[0]
