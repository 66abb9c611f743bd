# SPDX-License-Identifier: Apache-2.0
"""The shipped programs that speak the line protocol: conf/hooks/append-ledger, unix-consumer.*"""

import json
import os
import shutil
import subprocess

import pytest

from lib.events import body, encode, envelope, fixture
from lib.settings import REPOSITORY
from lib.waiting import wait_until

HOOKS = REPOSITORY / "conf" / "hooks"


def ledger(path):
    return {"type": "exec", "mode": "worker", "command": f"{HOOKS / 'append-ledger'} {path}",
            "retry_initial": "50ms", "retry_max": "200ms"}


def test_the_ledger_has_a_line_for_each_event(make_daemon, folder):
    path = folder / "ledger.ndjson"
    daemon = make_daemon({"handler ledger": ledger(path)})
    raw = encode(envelope(n="N")).replace(b'"N"', b"12345678901234567890.10")
    pretty = fixture("evaluation_completed.json").body
    seqs = [daemon.stored(raw), daemon.stored(pretty)]
    seqs += [daemon.stored(body(eval_id="nasty \x00\n\u2028 'x' \"y\"")) for _ in range(50)]
    for seq in seqs:
        daemon.delivery(seq, "ledger")
    lines = path.read_bytes().splitlines()
    rows = [json.loads(line) for line in lines]
    assert sorted(row["seq"] for row in rows) == seqs
    assert list(rows[0]) == ["seq", "event_id", "event_type", "category", "eval_id", "received_at",
                             "test", "replay", "payload"]
    assert any(line.endswith(b'"payload":' + raw + b"}") for line in lines)
    assert any(row["payload"] == json.loads(pretty) for row in rows)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_ledger_survives_rotation_and_cut_lines(make_daemon, folder):
    path = folder / "ledger.ndjson"
    path.write_bytes(b'{"seq":1,"cut')
    daemon = make_daemon({"handler ledger": ledger(path)})
    first = daemon.stored(body())
    daemon.delivery(first, "ledger")
    lines = path.read_bytes().splitlines()
    assert lines[0] == b'{"seq":1,"cut' and json.loads(lines[1])["seq"] == first
    path.rename(folder / "old")
    second = daemon.stored(body())
    daemon.delivery(second, "ledger")
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [second]


def test_the_ledger_asks_to_come_again_while_it_cannot_write(make_daemon, folder):
    path = folder / "not-yet" / "ledger.ndjson"
    daemon = make_daemon({"handler ledger": ledger(path)})
    seq = daemon.stored(body())
    wait_until(lambda: "append-ledger: No such file or directory" in daemon.log())
    path.parent.mkdir()
    assert daemon.delivery(seq, "ledger")["attempts"] >= 2


def test_the_consumer_in_c(make_daemon, folder):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    source = HOOKS / "unix-consumer.c"
    assert len(source.read_text().splitlines()) <= 60
    program = folder / "unix-consumer"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-o", program, source],
                   check=True)
    assert subprocess.run([program], capture_output=True, check=False).returncode == 64
    path = folder / "c.sock"
    with (folder / "out").open("wb") as out:
        consumer = subprocess.Popen([program, path], stdout=out)
        try:
            wait_until(path.exists)
            daemon = make_daemon({"handler c": {"type": "unix", "socket": path}})
            seqs = [daemon.stored(body()) for _ in range(20)]
            for seq in seqs:
                daemon.delivery(seq, "c")
            daemon.restart()
            seqs.append(daemon.stored(body()))
            daemon.delivery(seqs[-1], "c")
        finally:
            consumer.kill()
            consumer.wait()
    rows = [json.loads(line) for line in (folder / "out").read_bytes().splitlines()]
    assert sorted(row["seq"] for row in rows) == seqs
    assert os.path.exists(path)
