#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""unix-consumer.py SOCKET: take events from riskhookd over a Unix socket, print them, say ok

The smallest useful consumer, to start from. It needs Python 3 and nothing else.

    [handler printer]
    type = unix
    socket = /run/riskhookd-printer/events.sock

Start it as a user whose socket riskhookd's user may write to:

    unix-consumer.py /run/riskhookd-printer/events.sock

riskhookd connects when it has something to deliver. Each line that comes is one delivery:
{"delivery":812,"attempt":1,"seq":17,"event_id":...,"event_type":...,"eval_id":...,"payload":{...}}
Each is answered by one line: {"delivery":812,"status":"ok"}, or "retry" (with "after": seconds, if
you like), or "dead" (with "reason": text). The same delivery can come again: `seq` tells.
"""
import json
import pathlib
import socketserver
import sys


def take(delivery):
    """Do something with one delivery; return "ok", "retry" or "dead"."""
    payload = delivery["payload"]
    data = payload.get("data")
    decision = data.get("decision") if isinstance(data, dict) else None
    print(json.dumps([delivery["seq"], delivery["event_type"], delivery["eval_id"], decision]),
          flush=True)
    return "ok"


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            delivery = json.loads(line)
            answer = {"delivery": delivery["delivery"], "status": take(delivery)}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: unix-consumer.py SOCKET")
    path = sys.argv[1]
    if pathlib.Path(path).is_socket():
        pathlib.Path(path).unlink()  # left by an earlier run
    with Server(path, Connection) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
