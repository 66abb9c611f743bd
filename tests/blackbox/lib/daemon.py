# SPDX-License-Identifier: Apache-2.0
"""The daemon under test, with all that a test wants to do to it."""

import base64
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

from lib import client
from lib.config import ENDPOINT, USERNAME, Config
from lib.settings import RISKHOOKCTL, RISKHOOKD, scaled
from lib.sql import open_store
from lib.waiting import wait_until

SANITIZER_REPORT = re.compile(r"Sanitizer|runtime error:")

# Values of the fixtures that a log must never hold, whatever a test does.
PERSONAL = ["FAKEGIVEN", "FAKEFAMILY", "nobody@example.invalid", "000-00-0000", "+15555550100",
            "0 Nowhere Street"]


class DaemonFailed(AssertionError):
    """The daemon ended when it should have started."""

    def __init__(self, code, output):
        super().__init__(f"riskhookd ended with {code} before it was ready:\n{output}")
        self.code = code
        self.output = output


@dataclass
class Result:
    """What a program did."""
    code: int
    out: str
    err: str

    def rows(self):
        """The objects of `--json` output, one a line."""
        assert self.code in (0, 3), f"exit {self.code}: {self.err}"
        return [json.loads(line) for line in self.out.splitlines()]


def run(program, *args, stdin=b"", timeout=30, env=None):
    done = subprocess.run([str(program), *map(str, args)], input=stdin, capture_output=True,
                          timeout=scaled(timeout), env=env)
    result = Result(done.returncode, done.stdout.decode(errors="replace"),
                    done.stderr.decode(errors="replace"))
    assert not SANITIZER_REPORT.search(result.err), result.err
    return result


def run_ctl(*args, **kwargs):
    return run(RISKHOOKCTL, *args, **kwargs)


class NotifySocket:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.setblocking(False)
        self.seen = ""

    def wait_ready(self, process, timeout):
        """True once READY=1 has come; False when the process has ended first."""
        pidfd = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            poll.register(pidfd, select.POLLIN)
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                ready = [fd for fd, _ in poll.poll(max(0, deadline - time.monotonic()) * 1000)]
                if self.sock.fileno() in ready:
                    self.seen += self.sock.recv(8192).decode() + "\n"
                    if "READY=1" in self.seen:
                        return True
                elif pidfd in ready:
                    return False
        finally:
            os.close(pidfd)
        raise AssertionError(f"no READY=1 within {timeout:g} s; notified so far: {self.seen!r}")

    def wait_for(self, line, timeout):
        """Read until a message has this line; False when none came in time."""
        deadline = time.monotonic() + timeout
        while select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
            if line in self.sock.recv(8192).decode().splitlines():
                return True
        return False

    def drain(self):
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(8192)

    def close(self):
        self.sock.close()
        os.unlink(self.path)


class Daemon:
    """riskhookd in a temporary folder.

        daemon = Daemon(certificate, {"handler true": {"type": "exec", "command": "/bin/true"}})
        daemon.start()
        daemon.post(body)
        daemon.stop()  # also looks through the log for secrets and sanitizer reports
    """

    running = []  # for the report of a failed test

    def __init__(self, certificate, sections=None, environment=None, preexec=None, pass_fds=(),
                 prefix=(), keep_notify=False):
        # Not pytest's tmp_path: the name of a Unix socket must stay under 108 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="riskhook-"))
        self.config = Config(self.folder, certificate)
        self.config.update(sections or {})
        self.secrets = [self.config.password, self.config.token]
        self.certificate = certificate
        self.context = certificate.client_context()
        self.environment = environment or {}
        self.preexec = preexec
        self.pass_fds = pass_fds
        self.prefix = list(prefix)  # a command that executes the daemon
        self.keep_notify = keep_notify  # leave self.notify open after the start
        self.notify = None
        self.log_path = self.folder / "log"
        self.log_path.touch()
        self.process = None
        self._sources = iter(f"127.1.{i >> 8}.{i & 255}" for i in range(1, 65535))
        self.config.write()

    # Life

    def start(self):
        assert not self.process, "runs already"
        self.notify = notify = NotifySocket(self.folder / "notify.sock")
        env = {**os.environ, "NOTIFY_SOCKET": notify.path, **self.environment}
        mark = self.log_path.stat().st_size
        try:
            with self.log_path.open("ab") as log:
                self.process = subprocess.Popen(
                    [*self.prefix, str(RISKHOOKD), "-c", str(self.config.path)], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, env=env, preexec_fn=self.preexec,
                    pass_fds=self.pass_fds)
            Daemon.running.append(self)
            if not notify.wait_ready(self.process, scaled(20)):
                code = self._collect()
                raise DaemonFailed(code, self.log()[mark:])
        finally:
            if not self.keep_notify:
                notify.close()
        self.notified = notify.seen
        return self

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_stopping(self):
        """After terminate(): it knows of it, and lets what runs come to its end."""
        wait_until(lambda: "stopping" in str(self.admin("/readyz").json().get("reasons")),
                   what="the daemon is stopping")

    def wait_stopped(self):
        """After terminate(): the daemon must end with 0 and leave a clean log."""
        code = self._collect()
        assert code == 0, f"ended with {code} after SIGTERM\n{self.log()[-4000:]}"
        self.check_log()

    def stop(self):
        if self.process:
            self.terminate()
            self.wait_stopped()

    def kill9(self):
        self.process.kill()
        self._collect()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def _collect(self):
        process, self.process = self.process, None
        Daemon.running.remove(self)
        try:
            return process.wait(scaled(40))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def dispose(self):
        """The end of a test: stop, check, remove the folder."""
        try:
            self.stop()
            self.check_log()
        finally:
            if self.process:
                self.kill9()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    # Log

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text, n=1):
        """Wait until the log has a text n times: the line about a commit comes after it, and one
        of level info or debug some milliseconds after what it tells."""
        wait_until(lambda: self.log().count(text) >= n, what=f"the log has {text!r}")

    def check_log(self):
        text = self.log()
        report = SANITIZER_REPORT.search(text)
        assert not report, text[max(0, report.start() - 500):report.start() + 6000]
        for secret in self.secrets:
            encoded = base64.b64encode(f"{USERNAME}:{secret}".encode()).decode()
            assert secret not in text, "a credential is in the log"
            assert encoded not in text, "an Authorization header is in the log"
        for value in PERSONAL:
            assert value not in text, f"personal data is in the log: {value}"

    # Intake

    @property
    def port(self):
        return self.config.port

    @property
    def basic(self):
        return client.basic(USERNAME, self.config.password)

    @property
    def bearer(self):
        return client.bearer(self.config.token)

    def new_source(self):
        """A loopback address that no test has used: its failures are nobody else's."""
        return next(self._sources)

    def connect(self, source=None, tls=True):
        return client.Connection(self.port, self.context if tls else None, source)

    def open_socket(self, source=None, tls=True, timeout=client.TIMEOUT):
        return client.open_socket(self.port, self.context if tls else None, source, timeout)

    def headers(self, headers=None, auth="basic"):
        """auth: "basic", "bearer", a whole Authorization value, or None."""
        auth = {"basic": self.basic, "bearer": self.bearer}.get(auth, auth)
        given = {"Content-Type": "application/json"}
        if auth is not None:
            given["Authorization"] = auth
        given.update(headers or {})
        return {name: value for name, value in given.items() if value is not None}

    def post(self, body, headers=None, auth="basic", path=ENDPOINT, source=None, tls=True):
        """One request on a connection of its own."""
        with self.connect(source, tls) as connection:
            return connection.request("POST", path, body, self.headers(headers, auth))

    def stored(self, body, **kwargs):
        """Post an event that must be new; return its seq."""
        response = self.post(body, **kwargs)
        assert response.result == "stored", response.body
        return response.seq

    def admin(self, path, body=None):
        """GET, or POST when there is a body: bytes, or what becomes JSON."""
        connection = client.UnixHTTPConnection(self.config.admin_socket)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            connection.request("GET" if body is None else "POST", path, body)
            reply = connection.getresponse()
            return client.Response(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    # Command line

    def ctl(self, *args, **kwargs):
        return run_ctl("-c", self.config.path, *args, **kwargs)

    def ctl_unread(self, *args):
        """What became of a command whose output nobody reads, as behind `head`."""
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return subprocess.run([str(RISKHOOKCTL), "-c", str(self.config.path), *args],
                                  stdout=writer, stderr=subprocess.PIPE, timeout=scaled(30))
        finally:
            os.close(writer)

    def ctl_rows(self, *args):
        """The objects that a command prints with --json; [] when it found nothing."""
        return self.ctl(*args, "--json").rows()

    def show(self, key):
        """The event object of `show --json`."""
        result = self.ctl("show", key, "--json")
        assert result.code == 0, f"exit {result.code}: {result.err}"
        return result.rows()[0]

    def payload(self, key):
        """The bytes of `show --payload`."""
        done = subprocess.run([RISKHOOKCTL, "-c", self.config.path, "show", str(key), "--payload"],
                              capture_output=True, timeout=scaled(30))
        assert done.returncode == 0, done.stderr
        return done.stdout

    # Store

    def db(self):
        """A read-only connection of the test's own."""
        return open_store(self.config.store)

    def query(self, sql, *parameters):
        db = self.db()
        try:
            return [dict(row) for row in db.execute(sql, parameters)]
        finally:
            db.close()

    def value(self, sql, *parameters):
        rows = self.query(sql, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def routed(self, seq):
        """Wait until the router has passed an event; return its deliveries by handler."""
        wait_until(lambda: self.value("SELECT routed_seq FROM router") >= seq,
                   what=f"event {seq} is routed")
        return {row["handler"]: row for row in
                self.query("SELECT * FROM delivery_log WHERE seq = ?", seq)}

    def delivery(self, seq, handler, state="done", timeout=20):
        """Wait until a delivery is in a state; return its row of delivery_log."""
        rows = []

        def arrived():
            rows[:] = self.query("SELECT * FROM delivery_log WHERE seq = ? AND handler = ?",
                                 seq, handler)
            return rows and rows[0]["state"] == state

        try:
            wait_until(arrived, timeout)
        except AssertionError as e:
            raise AssertionError(f"delivery to {handler} is not {state} but {rows}") from e
        return rows[0]

    def all_ended(self, timeout=60, besides=""):
        """Wait until every event is routed, every replay has ended and no delivery is to be made,
        those of one handler aside. How long that takes depends on how many were posted: `timeout`
        is for the next step alone.

        It is one statement, so one moment: what is routed between two looks is missed by both.
        """
        def left():
            return self.value("""
                SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending' AND handler <> ?1)
                     + (SELECT count(*) FROM deliveries WHERE state = 'running' AND handler <> ?1)
                     + (SELECT count(*) FROM replays WHERE ended_at = 0)
                     + (SELECT count(*) FROM events WHERE seq > (SELECT routed_seq FROM router))
                """, besides)

        while n := left():
            wait_until(lambda n=n: left() != n, timeout, what=f"the {n} that are left become fewer")

    def attempts(self, delivery):
        return self.ctl_rows("attempts", delivery)
