# SPDX-License-Identifier: Apache-2.0
"""An identity provider: signs tokens, publishes keys, answers introspection, and misbehaves when it
is told to. Built on python3-jwt and python3-cryptography, which share no code with riskhookd."""

import base64
import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lib.settings import scaled

ISSUER = "https://idp.example.com"
AUDIENCE = "riskhookd"
CURVES = {"ES256": ("P-256", ec.SECP256R1, 32), "ES384": ("P-384", ec.SECP384R1, 48),
          "ES512": ("P-521", ec.SECP521R1, 66)}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES]


def b64(data):
    if not isinstance(data, bytes):
        data = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair and its public half as a JWK."""

    def __init__(self, algorithm="RS256", kid=None, bits=2048):
        self.algorithm = algorithm
        self.kid = kid or f"key-{algorithm}"
        if algorithm in CURVES:
            self.private = ec.generate_private_key(CURVES[algorithm][1]())
        else:
            self.private = rsa.generate_private_key(65537, bits)

    def jwk(self, **more):
        numbers = self.private.public_key().public_numbers()
        if self.algorithm in CURVES:
            name, _, size = CURVES[self.algorithm]
            public = {"kty": "EC", "crv": name, "x": number(numbers.x, size),
                      "y": number(numbers.y, size)}
        else:
            public = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        public.update({"kid": self.kid, "alg": self.algorithm, "use": "sig"})
        public.update(more)
        return {name: value for name, value in public.items() if value is not None}

    def token(self, changed=None, header=None, algorithm=None):
        """A signed access token; None in `changed` or `header` leaves a member out."""
        head = {"kid": self.kid, "typ": "at+jwt", **(header or {})}
        return jwt.encode(claims(**(changed or {})), self.private, algorithm or self.algorithm,
                          headers={name: value for name, value in head.items()
                                   if value is not None or name == "typ"})


class FromNow(float):
    """A time so many seconds from when the token is made, and not from when the test was read."""

    def at(self, now):
        return now + (self if self % 1 else int(self))


def claims(**changed):
    now = int(time.time())
    changed = {name: value.at(now) if isinstance(value, FromNow) else value
               for name, value in changed.items()}
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "riskos", "client_id": "riskos",
            "iat": now, "exp": now + 600, "jti": b64(str(time.monotonic_ns())),
            "scope": "riskos.events other"}
    good.update(changed)
    return {name: value for name, value in good.items() if value is not None}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def setup(self):
        # the handshake here and not in accept(): a client that hangs there blocks nobody else
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.server.open.add(self.request)
        super().setup()

    def finish(self):
        self.server.open.discard(self.request)
        super().finish()

    def reply(self, status, body, content_type="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def flood(self):
        """1 GB without a length, until the client has had enough."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(1024):
            self.wfile.write(b" " * (1 << 20))
            self.server.provider.flooded += 1 << 20

    def answer(self, good):
        provider = self.server.provider
        mode = provider.mode
        if mode == "hang":
            provider.released.wait(scaled(60))
            mode = "good"
        if mode == "huge":
            self.flood()
        elif mode == "error":
            self.reply(500, {"error": "server_error"})
        elif mode == "redirect":
            self.reply(302, b"", Location=provider.url("/elsewhere"))
        elif mode == "rubbish":
            self.reply(200, b"<html>not what you think</html>", "text/html")
        else:
            good()

    def note(self, body=""):
        provider = self.server.provider
        with provider.changed:
            provider.requests.append((self.path, dict(self.headers), body))
            provider.changed.notify_all()

    def do_GET(self):
        self.note()
        provider = self.server.provider
        if self.path == "/keys":
            self.answer(lambda: self.reply(200, provider.key_set(), **provider.headers))
        else:
            self.reply(404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.note(body)
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        if self.path != "/introspect" or not self.server.provider.is_client(self.headers):
            self.reply(401, {"error": "invalid_client"})
            return
        self.answer(lambda: self.reply(
            200, self.server.provider.introspect(form["token"]),
            self.server.provider.content_type))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what some tests want


class Provider:
    """Runs while it is entered.

        with Provider(certificate) as provider:
            provider.mode = "hang"
    """

    CLIENT = ("risk:hookd", "s3cret/with+odd &characters%")

    def __init__(self, certificate, keys=()):
        self.certificate = certificate
        self.keys = list(keys)
        self.headers = {}  # of the key set
        self.tokens = {}  # opaque token -> members of its introspection answer
        self.content_type = "application/json"
        self.mode = "good"  # good, hang, huge, error, redirect, rubbish
        self.released = threading.Event()
        self.flooded = 0
        self.requests = []  # (path, headers, body); under `changed`
        self.changed = threading.Condition()
        self.server = None
        self.port = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.stop()

    def start(self):
        """On the same port as the last time."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.private_key)
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.context = context
        self.server.open = set()
        self.server.provider = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            for sock in list(self.server.open):
                with contextlib.suppress(OSError):  # the client was quicker
                    sock.shutdown(socket.SHUT_RDWR)
            self.server = None

    @contextlib.contextmanager
    def down(self):
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def hanging(self):
        self.released.clear()
        self.mode = "hang"
        try:
            yield
        finally:
            self.mode = "good"
            self.released.set()

    def url(self, path):
        return f"https://127.0.0.1:{self.port}{path}"

    def key_set(self):
        return {"keys": [key.jwk() if isinstance(key, Key) else key for key in self.keys]}

    def is_client(self, headers):
        """RFC 6749 section 2.3.1: both parts are form-encoded before they are joined."""
        scheme, _, encoded = headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return scheme == "Basic" and \
            (urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(password)) == self.CLIENT

    def introspect(self, token):
        return self.tokens.get(token, {"active": False})

    def count(self, path):
        with self.changed:
            return sum(1 for request in self.requests if request[0] == path)

    def wait(self, path, n=1):
        """Wait until a path was asked for n times."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: sum(1 for request in self.requests if request[0] == path) >= n,
                scaled(20)), f"{path} was not asked for {n} times"


class SilentServer:
    """Accepts connections and says nothing, not even in the TLS handshake."""

    def __enter__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.sock.close()
