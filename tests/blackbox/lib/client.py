# SPDX-License-Identifier: Apache-2.0
"""HTTP clients: a polite one on http.client, and a raw one that can misbehave."""

import base64
import http.client
import json
import socket
from dataclasses import dataclass

from lib.settings import scaled

TIMEOUT = 30


def basic(username, password):
    pair = f"{username}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def bearer(token):
    return f"Bearer {token}"


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def all(self, name):
        return self.headers.get_all(name) or []

    @property
    def result(self):
        """"stored", "duplicate" or "conflict" of a 200."""
        assert self.status == 200, f"{self.status}: {self.body!r}"
        return self.json()["result"]

    @property
    def seq(self):
        assert self.status == 200, f"{self.status}: {self.body!r}"
        return self.json()["seq"]


def read_response(sock, method="POST"):
    """The next response on a socket, after any 1xx. It must not need the connection's end."""
    reply = http.client.HTTPResponse(sock, method=method)
    reply.begin()
    try:
        return Response(reply.status, reply.headers, reply.read())
    finally:
        reply.close()


class UnbufferedSocket:
    """Stands in for a socket in read_response(): takes one response and leaves what follows."""

    def __init__(self, sock):
        self.sock = sock

    def makefile(self, _mode):
        return self

    def read(self, n):
        data = b""
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                break
            data += got
        return data

    def readline(self, limit=65537):
        line = b""
        while not line.endswith(b"\n") and len(line) < limit:
            got = self.sock.recv(1)
            if not got:
                break
            line += got
        return line

    def flush(self):
        pass

    def close(self):
        pass


class Connection:
    """A keep-alive connection. It never reconnects behind the test's back."""

    def __init__(self, port, context=None, source=None):
        source_address = (source, 0) if source else None
        if context:
            self.http = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=scaled(TIMEOUT), context=context,
                source_address=source_address)
        else:
            self.http = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=scaled(TIMEOUT), source_address=source_address)
        self.http.connect()
        self.http.auto_open = 0

    def request(self, method, path, body=None, headers=None, chunked=False):
        self.http.request(method, path, body=body, headers=headers or {}, encode_chunked=chunked)
        reply = self.http.getresponse()
        return Response(reply.status, reply.headers, reply.read())

    @property
    def sock(self):
        return self.http.sock

    def close(self):
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def open_socket(port, context=None, source=None, timeout=TIMEOUT):
    """A connected socket, through the TLS handshake when there is a context."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=scaled(timeout),
                                    source_address=(source, 0) if source else None)
    if not context:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname="127.0.0.1")
    except BaseException:
        sock.close()
        raise


def head(method, path, headers):
    """The bytes of a request's head. Header values may be bytes, to send what no client would."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()]
    for name, value in headers.items():
        value = value if isinstance(value, bytes) else str(value).encode("latin-1")
        lines.append(name.encode() + b": " + value + b"\r\n")
    return b"".join(lines) + b"\r\n"


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class UnixHTTPConnection(http.client.HTTPConnection):
    """For the admin socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=scaled(TIMEOUT))
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)
