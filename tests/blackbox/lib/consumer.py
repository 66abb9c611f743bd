# SPDX-License-Identifier: Apache-2.0
"""The other end of a `unix` handler: a consumer whose answers a test decides."""

import contextlib
import json
import os
import socket
import threading

from lib.settings import scaled


def ok(delivery):
    return {"delivery": delivery["delivery"], "status": "ok"}


def retry(delivery, **more):
    return {"delivery": delivery["delivery"], "status": "retry", **more}


def dead(delivery, **more):
    return {"delivery": delivery["delivery"], "status": "dead", **more}


class Consumer:
    """Listens on a Unix socket and answers deliveries.

    answer(consumer, delivery) is called for each line in the connection's thread. It returns the
    answer to send, a list of answers, raw bytes, or None for silence; the exception Disconnect
    closes the connection. Default: everything is ok.
    """

    class Disconnect(Exception):
        pass

    def __init__(self, path, answer=None):
        self.path = str(path)
        self.answer = answer or (lambda consumer, delivery: ok(delivery))
        self.lines = []  # raw, in order of arrival; under `changed`
        self.deliveries = []  # parsed; under `changed`
        self.connections = 0  # ever made; under `changed`
        self.changed = threading.Condition()
        self._sockets = set()  # open connections; under `changed`
        self._threads = []
        self._listener = None

    def start(self):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(64)
        self._spawn(self._accept, self._listener)
        return self

    def stop(self):
        """Close the listener and every connection; the socket's name goes too."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            os.unlink(self.path)
        with self.changed:
            for sock in self._sockets:
                with contextlib.suppress(OSError):  # the daemon was quicker
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(scaled(10))

    @property
    def is_listening(self):
        return self._listener is not None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def wait(self, condition, timeout=20):
        """Wait until condition(self) is true of what has arrived."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), scaled(timeout)), \
                f"{len(self.deliveries)} deliveries and {self.connections} connections so far"

    def wait_for(self, n, timeout=20):
        """Wait for at least n deliveries; return what has arrived."""
        self.wait(lambda consumer: len(consumer.deliveries) >= n, timeout)
        with self.changed:
            return list(self.deliveries)

    def send(self, answers):
        """Answer later: on every open connection."""
        data = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
        with self.changed:
            for sock in self._sockets:
                sock.sendall(data)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self._sockets.add(sock)
                self.changed.notify_all()
            self._spawn(self._serve, sock)

    def _serve(self, sock):
        try:
            with sock.makefile("rb") as stream:
                for line in stream:
                    self._take(sock, line)
        except (OSError, Consumer.Disconnect):
            pass
        finally:
            with self.changed:
                self._sockets.discard(sock)
            sock.close()

    def _take(self, sock, line):
        if not line.endswith(b"\n"):
            return  # the connection broke in the middle of a line
        delivery = json.loads(line)
        with self.changed:
            self.lines.append(line)
            self.deliveries.append(delivery)
            self.changed.notify_all()
        answers = self.answer(self, delivery)
        if answers is None:
            return
        if isinstance(answers, bytes):
            sock.sendall(answers)
            return
        for each in answers if isinstance(answers, list) else [answers]:
            sock.sendall(json.dumps(each).encode() + b"\n")
