# SPDX-License-Identifier: Apache-2.0
"""The three servers that are compared: same certificate, TLS 1.3, keep-alive, loopback.

A server is started fresh for each run in a folder of its own, so that neither a grown store nor
a backlog of processes weighs on the next run.
"""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time

from machine import children

START_SECONDS = 15
STOP_SECONDS = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificate(folder):
    """A self-signed P-256 certificate; returns the paths of certificate and key."""
    certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", certificate, "-keyout", key],
        check=True, capture_output=True)
    return certificate, key


class Server:
    """A child process with a listening port; subclasses say what to run."""

    name = ""
    path = "/webhooks/riskos"
    authorization = "Bearer bench-token-of-no-value"

    def __init__(self, folder, certificate, key):
        self.folder = folder
        self.certificate = certificate
        self.key = key
        self.port = free_port()
        self.process = None
        os.makedirs(folder)

    def command(self):
        """Write the configuration and return the argv."""
        raise NotImplementedError

    def __enter__(self):
        with open(self.file("log"), "wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        try:
            self._wait_until_it_accepts()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def file(self, name, text=None):
        """Path of a file in the server's folder, written first when there is text."""
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(path, 0o600)
        return path

    def resumes(self):
        """Whether a client that comes back can skip the full handshake."""
        context = ssl.create_default_context(cafile=self.certificate)
        session = None
        for _ in range(2):
            with (socket.create_connection(("127.0.0.1", self.port)) as plain,
                  context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as tls):
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while tls.recv(4096): # tickets come with the answer
                    pass
                session = tls.session
                is_resumed = tls.session_reused
        return is_resumed

    def _wait_until_it_accepts(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.file("log"), encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"{self.name} does not start:\n{log.read()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)

    def _stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Nginx(Server):
    """The ceiling: reads the body, throws it away and answers 200."""

    name = "nginx"

    def command(self):
        conf = self.file("nginx.conf", f"""
            daemon off;
            worker_processes {os.cpu_count()};
            pid {self.folder}/pid;
            error_log {self.folder}/error.log warn;
            events {{ worker_connections 2048; }}
            http {{
                access_log off;
                client_max_body_size 2m;
                client_body_temp_path {self.folder}/body;
                proxy_temp_path {self.folder}/proxy;
                fastcgi_temp_path {self.folder}/fastcgi;
                uwsgi_temp_path {self.folder}/uwsgi;
                scgi_temp_path {self.folder}/scgi;
                keepalive_requests 1000000000;
                ssl_certificate {self.certificate};
                ssl_certificate_key {self.key};
                ssl_protocols TLSv1.3;
                # wrk would resume its sessions; riskhookd offers none
                ssl_session_tickets off;
                ssl_session_cache off;
                server {{
                    listen 127.0.0.1:{self.port} ssl;
                    location / {{ default_type application/json; return 200 '{{"result":"ok"}}'; }}
                }}
            }}
            """)
        return ["nginx", "-e", f"{self.folder}/error.log", "-c", conf]


class Webhook(Server):
    """adnanh/webhook with one hook: answers first, runs /bin/true then, keeps nothing."""

    name = "webhook"
    path = "/webhooks/riskos"

    def command(self):
        token = {"source": "header", "name": "Authorization"}
        hooks = self.file("hooks.json", json.dumps([{
            "id": "riskos",
            "execute-command": "/bin/true",
            "trigger-rule": {
                "match": {"type": "value", "value": self.authorization, "parameter": token}},
        }]))
        return ["webhook", "-hooks", hooks, "-ip", "127.0.0.1", "-port", str(self.port),
                "-urlprefix", "webhooks", "-secure", "-cert", self.certificate, "-key", self.key,
                "-tls-min-version", "1.3"]


class Riskhookd(Server):
    """Ours, as it ships: log at info, every event on disk before its 200.

    store: the store's path, a new one in the server's folder when None. handlers: the options of
    each by its name.
    """

    name = "riskhookd"
    log_level = "info"
    program = os.path.abspath(os.path.join(os.environ.get("RISKHOOK_BUILD", "build"), "riskhookd"))

    def __init__(self, folder, certificate, key, store=None, handlers=None):
        super().__init__(folder, certificate, key)
        self.store = store or os.path.join(folder, "events.db")
        self.handlers = handlers or {}

    def command(self):
        self.file("token", self.authorization.removeprefix("Bearer ") + "\n")
        self.file("password", "bench-password-of-no-value\n")
        conf = self.file("riskhookd.conf", f"""
[server]
listen = 127.0.0.1:{self.port}
tls_certificate = {self.certificate}
tls_private_key = {self.key}
max_connections_per_address = 2000

[store]
path = {self.store}

[admin]
socket = {self.folder}/admin.sock

[log]
format = text
level = {self.log_level}

[endpoint riskos]
path = {self.path}

[credential bench-bearer]
endpoint = riskos
type = bearer
token_file = token

[credential bench-basic]
endpoint = riskos
type = basic
username = riskos
password_file = password
{self._handler_sections()}""")
        return [self.program, "-c", conf]

    def _handler_sections(self):
        return "".join(
            f"\n[handler {name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
            for name, options in self.handlers.items())

    def rows(self, tag, behind):
        """Events behind a seq whose event_id has `tag`, once no more are coming."""
        before = -1
        while True:
            now = self.value("SELECT count(*) FROM events"
                             " WHERE seq > ? AND substr(event_id, 10, length(?)) = ?",
                             behind, tag, tag)
            if now == before:
                return now
            before = now
            time.sleep(0.2)

    def last_seq(self):
        return self.value("SELECT coalesce(max(seq), 0) FROM events")

    def value(self, sql, *parameters):
        return self.row(sql, *parameters)[0]

    def row(self, sql, *parameters):
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True,
                                                timeout=30)) as db:
            return db.execute(sql, parameters).fetchone()


class RiskhookdBasic(Riskhookd):
    """The same with a Basic credential."""

    name = "riskhookd-basic"
    authorization = "Basic " + base64.b64encode(b"riskos:bench-password-of-no-value").decode()

    def command(self):
        argv = super().command()
        self.file("token", "bench-token-of-no-value\n")
        return argv


SERVERS = {cls.name: cls for cls in (Nginx, Riskhookd, RiskhookdBasic, Webhook)}


def tls_version(port):
    """What a client negotiates with the server, for the record."""
    text = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief"],
        input="", capture_output=True, text=True, check=False)
    found = re.search(r"Protocol version: (\S+)", text.stdout + text.stderr)
    cipher = re.search(r"Ciphersuite: (\S+)", text.stdout + text.stderr)
    return f"{found.group(1)} {cipher.group(1)}" if found and cipher else "unknown"
