# SPDX-License-Identifier: Apache-2.0
"""make bench-delivery: how fast events reach handlers, and what a long backlog costs.

    spawn      posix_spawn and wait of /bin/true, 4 at once: the limit of exec handlers
    store      one attempt begun and finished a transaction of 64, by SQL: the limit of unix handlers
    exec, unix a backlog of DELIVERY_N events drained by /bin/true, or by a consumer in C-like Python
    latency    from the 200 to the hook's start, one event at a time
    backlog    BACKLOG_N waiting deliveries of a handler that is down: memory, another handler's
               latency, and the drain rate when it is back

DELIVERY_N (20000), BACKLOG_N (1000000) and DELIVERY_PARTS ("limits drain latency backlog").
"""

import contextlib
import json
import os
import sqlite3
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
import uuid
import http.client

import machine
from consumer import consumer
from servers import Riskhookd, make_certificate

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
N = int(os.environ.get("DELIVERY_N", "20000"))
BACKLOG = int(os.environ.get("BACKLOG_N", "1000000"))
PARTS = os.environ.get("DELIVERY_PARTS", "limits drain latency backlog").split()
BODY = json.dumps({"event_type": "evaluation_completed", "data": {"padding": "x" * 500}})


class Daemon(Riskhookd):
    """The log of a hundred thousand deliveries is not what is measured here."""

    log_level = "warning"

    def wait(self, sql, *parameters, timeout=900):
        deadline = time.monotonic() + timeout
        while not self.value(sql, *parameters):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {timeout} s: {sql}")
            time.sleep(0.02)


def fill(path, handler, n, evaluations):
    """Put n events and their pending deliveries into a store that no daemon has open. The first of
    each evaluation has the turn."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        first = db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        before = db.execute("SELECT coalesce(max(evaluation), 0) FROM evaluations").fetchone()[0]
        db.execute("""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :evaluations)
            INSERT INTO evaluations
            SELECT :before + i, 'eval-' || (:before + i), '', '', '', '', '', '', '', 0, 0, 0, :now,
                   :now, 1, 0 FROM n""",
                   {"evaluations": evaluations, "before": before, "now": time.time_ns() // 1000})
        db.execute("""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
            INSERT INTO events (seq, evaluation, event_type, dedup_id, event_id, id_derived,
                original_type, category, customer_id, decision, status, sub_status, eval_status,
                workflow, environment, wrong_environment, test, event_at, decision_at, received_at,
                endpoint, credential, address, duplicates, body_bytes, body_sha256)
            SELECT :first + i, :before + 1 + i % :evaluations, 'evaluation_completed',
                'evt-' || (:first + i), 'evt-' || (:first + i), 0, '', 'evaluation', '', 'ACCEPT', '',
                '', '', '', '', 0, 0, 0, 0, :now, 'riskos', 'c', '127.0.0.1', 0, length(:body), x''
            FROM n""", {"n": n, "first": first, "before": before,
                        "evaluations": evaluations, "body": BODY,
                        "now": time.time_ns() // 1000})
        db.execute("INSERT INTO payloads (seq, body) SELECT seq, CAST(? AS BLOB) FROM events"
                   " WHERE seq > ?", (BODY, first))
        db.execute("""
            INSERT INTO deliveries (seq, handler, evaluation, state, ready, due_at, created_at,
                                    retry_since, changed_at)
            SELECT seq, ?, evaluation, 'pending', seq - ? <= ?, ?, ?, ?, 0 FROM events WHERE seq > ?""",
                   (handler, first, evaluations, *[time.time_ns() // 1000] * 3, first))
        db.execute("UPDATE router SET routed_seq = (SELECT max(seq) FROM events)")
        db.commit()


def handler(kind, folder):
    if kind == "exec":
        return {"type": "exec", "command": "/bin/true", "concurrency": 4}
    return {"type": "unix", "socket": os.path.join(folder, "consumer.sock"), "window": 256}


# --- limits ---

def spawn_limit(seconds=3, threads=4):
    """posix_spawn and wait of /bin/true a second."""
    counts = [0] * threads
    deadline = time.monotonic() + seconds

    def run(place):
        while time.monotonic() < deadline:
            pid = os.posix_spawn("/bin/true", ["/bin/true"], {})
            os.waitpid(pid, 0)
            counts[place] += 1

    workers = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds


def store_limit(folder, certificate, key, batch=64, seconds=3):
    """Deliveries a second that SQLite alone can begin and finish, a transaction of `batch` each."""
    daemon = Daemon(os.path.join(folder, "limit"), certificate, key)
    with daemon:
        pass
    fill(daemon.store, "h", 100000, 100000)
    done = 0
    with contextlib.closing(sqlite3.connect(daemon.store, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        began = time.monotonic()
        while time.monotonic() - began < seconds and done < 100000:
            numbers = range(done + 1, done + batch + 1)
            db.execute("BEGIN IMMEDIATE")
            db.executemany("UPDATE deliveries SET state = 'running', attempts = 1 WHERE delivery = ?",
                           [(n,) for n in numbers])
            db.executemany("INSERT INTO attempts (delivery, attempt, started_at) VALUES (?, 1, 0)",
                           [(n,) for n in numbers])
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
            db.executemany("UPDATE attempts SET ended_at = 1, outcome = 'ok' WHERE delivery = ?",
                           [(n,) for n in numbers])
            db.executemany("UPDATE deliveries SET state = 'done' WHERE delivery = ?",
                           [(n,) for n in numbers])
            db.execute("COMMIT")
            done += batch
        return done / (time.monotonic() - began)


# --- the daemon ---

def drain(folder, certificate, key, kind, n, evaluations):
    """Deliveries a second from a backlog that is there when the daemon starts."""
    place = os.path.join(folder, f"drain-{kind}")
    daemon = Daemon(place, certificate, key, handlers={"h": handler(kind, folder)})
    with Daemon(place + "-new", certificate, key) as empty:
        pass
    os.rename(empty.store, daemon.store)
    fill(daemon.store, "h", n, evaluations)
    with consumer(os.path.join(folder, "consumer.sock")), daemon:
        began = time.monotonic()
        start = daemon.value("SELECT count(*) FROM attempts WHERE ended_at > 0")
        daemon.wait("SELECT NOT EXISTS (SELECT 1 FROM deliveries WHERE state = 'pending')"
                    " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE state = 'running')")
        return (n - start) / (time.monotonic() - began)


def post(connection, daemon):
    body = json.loads(BODY)
    body["event_id"] = str(uuid.uuid4())
    body["data"]["eval_id"] = str(uuid.uuid4())
    connection.request("POST", daemon.path, json.dumps(body),
                       {"Authorization": daemon.authorization, "Content-Type": "application/json"})
    reply = connection.getresponse()
    if reply.status != 200:
        raise RuntimeError(f"answered {reply.status}")
    reply.read()
    return time.time()


def connect(daemon):
    context = ssl.create_default_context(cafile=daemon.certificate)
    return http.client.HTTPSConnection("127.0.0.1", daemon.port, context=context)


HOOK = """#!/bin/sh
date +%s.%N > "$1.new" && mv "$1.new" "$1/$RISKHOOK_SEQ"
"""


def latencies(daemon, starts, n=200):
    """Milliseconds from the 200 to the hook's own first clock reading."""
    found = []
    connection = connect(daemon)
    for _ in range(n):
        answered = post(connection, daemon)
        seq = daemon.value("SELECT max(seq) FROM events")
        path = os.path.join(starts, str(seq))
        while not os.path.exists(path):
            time.sleep(0.001)
        with open(path, encoding="ascii") as text:
            found.append((float(text.read()) - answered) * 1000)
    connection.close()
    return found


def timed_handler(folder):
    starts = os.path.join(folder, "starts")
    os.makedirs(starts, exist_ok=True)
    hook = os.path.join(folder, "hook")
    with open(hook, "w", encoding="ascii") as text:
        text.write(HOOK)
    os.chmod(hook, 0o755)
    return {"type": "exec", "command": f"{hook} {starts}"}, starts


def own_start(folder, n=50):
    """Milliseconds that sh and date themselves take until the reading, without a daemon."""
    options, starts = timed_handler(folder)
    found = []
    for i in range(n):
        began = time.time()
        subprocess.run(options["command"].split(), env={"RISKHOOK_SEQ": f"own{i}", "PATH": "/bin"},
                       check=True)
        with open(os.path.join(starts, f"own{i}"), encoding="ascii") as text:
            found.append((float(text.read()) - began) * 1000)
    return statistics.median(found)


def percentiles(values):
    values = sorted(values)
    return {"p50": values[len(values) // 2], "p99": values[len(values) * 99 // 100]}


def backlog(folder, certificate, key):
    """A handler is down with BACKLOG_N deliveries; then its consumer is there again."""
    place = os.path.join(folder, "backlog")
    timed, starts = timed_handler(folder)
    daemon = Daemon(place, certificate, key,
                    handlers={"down": handler("unix", folder), "other": timed})
    with Daemon(place + "-new", certificate, key) as empty:
        resident_empty = machine.resident_kib(empty.pids())
    os.rename(empty.store, daemon.store)
    fill(daemon.store, "down", BACKLOG, BACKLOG // 10)
    result = {"n": BACKLOG, "rss_mib_empty": resident_empty / 1024}
    with daemon:
        result["other_ms"] = percentiles(latencies(daemon, starts))
        result["rss_mib_down"] = machine.resident_kib(daemon.pids()) / 1024
        with consumer(os.path.join(folder, "consumer.sock")):
            daemon.wait("SELECT EXISTS (SELECT 1 FROM deliveries WHERE handler = 'down'"
                        " AND state = 'running')")
            before = daemon.value("SELECT count(*) FROM attempts")
            began = time.monotonic()
            result["other_ms_draining"] = percentiles(latencies(daemon, starts, 100))
            time.sleep(max(0, 20 - (time.monotonic() - began)))
            after = daemon.value("SELECT count(*) FROM attempts")
            result["drain_per_s"] = (after - before) / (time.monotonic() - began)
            result["rss_mib_draining"] = machine.resident_kib(daemon.pids()) / 1024
    return result


def main():
    os.makedirs(BUILD, exist_ok=True)
    results = {}
    with tempfile.TemporaryDirectory(prefix="delivery-", dir=BUILD) as folder:
        certificate, key = make_certificate(folder)
        results["machine"] = machine.facts(folder)
        if "limits" in PARTS:
            results["spawn_limit"] = spawn_limit()
            results["store_limit"] = store_limit(folder, certificate, key)
        if "drain" in PARTS:
            results["exec"] = drain(folder, certificate, key, "exec", min(N, 10000), N // 4)
            results["unix"] = drain(folder, certificate, key, "unix", 2 * N, N // 2)
        if "latency" in PARTS:
            options, starts = timed_handler(folder)
            with Daemon(os.path.join(folder, "latency"), certificate, key,
                        handlers={"h": options}) as daemon:
                results["latency_ms"] = percentiles(latencies(daemon, starts))
            results["own_ms"] = own_start(folder)
        if "backlog" in PARTS:
            results["backlog"] = backlog(folder, certificate, key)
    with open(os.path.join(BUILD, "bench-delivery.json"), "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
    show(results)


def show(results):
    rows = []
    if "spawn_limit" in results:
        rows += [("posix_spawn of /bin/true, 4 at once", f"{results['spawn_limit']:,.0f}/s"),
                 ("SQLite alone, begin and finish", f"{results['store_limit']:,.0f}/s")]
    if "exec" in results:
        rows += [("exec /bin/true, concurrency 4", f"{results['exec']:,.0f}/s"),
                 ("unix, window 256", f"{results['unix']:,.0f}/s")]
    if "latency_ms" in results:
        rows += [("200 to the hook's start, p50 / p99",
                  "{p50:.1f} / {p99:.1f} ms".format(**results["latency_ms"])),
                 ("of which sh and date themselves", f"{results['own_ms']:.1f} ms")]
    if "backlog" in results:
        b = results["backlog"]
        rows += [(f"{b['n']:,} deliveries wait: resident memory",
                  f"{b['rss_mib_down']:.0f} MiB (empty store: {b['rss_mib_empty']:.0f})"),
                 ("  another handler meanwhile, p50 / p99",
                  "{p50:.1f} / {p99:.1f} ms".format(**b["other_ms"])),
                 ("  draining", f"{b['drain_per_s']:,.0f}/s, {b['rss_mib_draining']:.0f} MiB"),
                 ("  another handler while it drains, p50 / p99",
                  "{p50:.1f} / {p99:.1f} ms".format(**b["other_ms_draining"]))]
    width = max(len(name) for name, _ in rows)
    print(machine_text(results["machine"]))
    for name, value in rows:
        print(f"{name.ljust(width)}  {value}")


def machine_text(facts):
    return (f"{facts['cores']} x {facts['cpu']}, Linux {facts['kernel']}, "
            f"fdatasync {facts['fdatasync_ms']:.2f} ms")


if __name__ == "__main__":
    main()
