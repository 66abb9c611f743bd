# SPDX-License-Identifier: Apache-2.0
"""A body in the store that cannot be read any more is a fault of its event alone: what needs it is
dead with the reason, and everything else is routed, replayed and delivered."""

import contextlib
import sqlite3

import pytest

from lib.events import body, body_of_size, new_id
from lib.hooks import script
from lib.waiting import wait_until

TRUE = {"type": "exec", "command": "/bin/true"}
PICKY = {**TRUE, "filter": ".data != null"}

DAMAGED = "the stored body is damaged"
MISSING = "the stored body is missing"

# what has happened to the row -> the statement, the reason
DAMAGES = {
    "cut": ("UPDATE payloads SET body = substr(body, 1, 100) WHERE seq = ?", DAMAGED),
    "zeros": ("UPDATE payloads SET body = zeroblob(length(body)) WHERE seq = ?", DAMAGED),
    "empty": ("UPDATE payloads SET body = x'' WHERE seq = ?", DAMAGED),
    "encoding": ("UPDATE payloads SET encoding = 99 WHERE seq = ?", DAMAGED),
    "another": ("UPDATE payloads SET body = CAST('{}' AS BLOB), encoding = 0 WHERE seq = ?",
                DAMAGED),
    "gone": ("DELETE FROM payloads WHERE seq = ?", MISSING),
}
every_damage = pytest.mark.parametrize("statement, reason", DAMAGES.values(), ids=DAMAGES)


def change(daemon, *statements):
    """Run statements, each with its parameters, on the store of a daemon that is stopped."""
    with contextlib.closing(sqlite3.connect(daemon.config.store)) as db, db:
        for sql, *parameters in statements:
            db.execute(sql, parameters)


def post_large(daemon, **kwargs):
    return daemon.stored(body_of_size(50_000, **kwargs))


def assert_dead(daemon, expected):
    """These deliveries are dead, (seq, handler) -> reason, and no others are; the log has them."""
    rows = daemon.query("SELECT seq, handler, reason FROM delivery_log WHERE state = 'dead'")
    assert {(row["seq"], row["handler"]): row["reason"] for row in rows} == expected
    assert len(rows) == len(expected)
    for (seq, handler), reason in expected.items():
        wait_until(lambda wanted={f"seq={seq}", f"handler={handler}", "WARNING"}, reason=reason:
                   any("is dead" in line and reason in line and wanted <= set(line.split())
                       for line in daemon.log().splitlines()), what=f"{seq} {handler} is logged")
    assert "cannot" not in daemon.log()  # nobody has taken it for a failure of the store


def assert_not_run(daemon, delivery, outcome):
    """The delivery has the one attempt that says why it is dead."""
    attempts = daemon.attempts(delivery["delivery"])
    assert [(a["attempt"], a["outcome"], a["code"]) for a in attempts] == [(1, outcome, None)]
    assert attempts[0]["reason"] == delivery["reason"] and attempts[0]["ended_at"]


# A filter asks for the body


@every_damage
def test_routing_goes_on_behind_a_body_that_a_filter_cannot_see(make_daemon, statement, reason):
    daemon = make_daemon()
    before = daemon.stored(body())
    bad = post_large(daemon, event_type="evaluation_paused")
    after = daemon.stored(body())
    daemon.stop()
    change(daemon, (statement, bad), ("UPDATE router SET routed_seq = 0",))
    daemon.config.update({"handler picky": PICKY, "handler picky_too": PICKY,
                          "handler others": {**TRUE, "events": "evaluation_completed"}})
    daemon.config.write()
    daemon.start()
    fresh = daemon.stored(body())
    for handler in ("picky", "picky_too", "others"):
        for seq in (before, after, fresh):
            daemon.delivery(seq, handler)
    for handler in ("picky", "picky_too"):
        assert_not_run(daemon, daemon.delivery(bad, handler, "dead"), "failed")
    assert_dead(daemon, {(bad, "picky"): reason, (bad, "picky_too"): reason})
    daemon.restart()
    daemon.delivery(daemon.stored(body()), "picky")


@every_damage
def test_a_replay_goes_on_behind_a_body_that_a_filter_cannot_see(make_daemon, statement, reason):
    daemon = make_daemon({"handler picky": PICKY, "handler plain": TRUE})
    bad, good = post_large(daemon), daemon.stored(body())
    for seq in (bad, good):
        for handler in ("picky", "plain"):
            daemon.delivery(seq, handler)
    daemon.stop()
    change(daemon, (statement, bad))
    daemon.start()
    reply = daemon.admin("/v1/replay", {"handler": "picky", "first_seq": bad})
    assert reply.status == 200
    fresh = daemon.stored(body())
    for handler in ("picky", "plain"):
        daemon.delivery(fresh, handler)
    daemon.all_ended()
    again = daemon.query("SELECT delivery FROM deliveries WHERE replay > 0 AND seq = ?", good)
    assert len(again) == 1
    assert_dead(daemon, {(bad, "picky"): reason})


@every_damage
def test_a_new_handler_gets_the_rest_of_its_history(make_daemon, statement, reason):
    daemon = make_daemon({"handler plain": TRUE})
    eval_id = new_id()
    bad = post_large(daemon, eval_id=eval_id)
    good = daemon.stored(body("evaluation_paused", eval_id=eval_id))
    daemon.delivery(good, "plain")
    daemon.stop()
    change(daemon, (statement, bad))
    daemon.config.update({"handler fresh": {**PICKY, "start": "all"}})
    daemon.config.write()
    daemon.start()
    last = daemon.stored(body())
    daemon.delivery(last, "plain")
    for seq in (good, last):
        daemon.delivery(seq, "fresh")
    assert_not_run(daemon, daemon.delivery(bad, "fresh", "dead"), "failed")
    assert_dead(daemon, {(bad, "fresh"): reason})


# A delivery is due


@pytest.mark.parametrize("order", ["evaluation", "none"])
@every_damage
def test_a_due_delivery_is_dead_and_the_others_are_made(make_daemon, folder, order, statement,
                                                        reason):
    hook = script(folder, "hook", f'echo "$RISKHOOK_SEQ" >> {folder}/ran\n')
    daemon = make_daemon({"handler hook": {"type": "exec", "command": hook, "order": order},
                          "handler plain": TRUE})
    assert daemon.ctl("pause", "hook").code == 0
    eval_id = new_id()
    bad = post_large(daemon, eval_id=eval_id)
    later = daemon.stored(body("evaluation_paused", eval_id=eval_id))
    other = daemon.stored(body())
    for seq in (bad, later, other):
        daemon.delivery(seq, "plain")
    daemon.stop()
    change(daemon, (statement, bad))
    daemon.start()
    assert daemon.ctl("resume", "hook").code == 0
    fresh = daemon.stored(body())
    daemon.delivery(fresh, "plain")
    for seq in (later, other, fresh):
        daemon.delivery(seq, "hook")
    assert_not_run(daemon, daemon.delivery(bad, "hook", "dead"), "dead")
    assert_dead(daemon, {(bad, "hook"): reason})
    assert sorted(map(int, (folder / "ran").read_text().split())) == [later, other, fresh]


def test_a_body_that_is_back_can_be_delivered(make_daemon):
    daemon = make_daemon({"handler hook": TRUE})
    assert daemon.ctl("pause", "hook").code == 0
    bad = post_large(daemon)
    daemon.routed(bad)
    daemon.stop()
    change(daemon, ("UPDATE payloads SET encoding = encoding + 50 WHERE seq = ?", bad))
    daemon.start()
    assert daemon.ctl("resume", "hook").code == 0
    delivery = daemon.delivery(bad, "hook", "dead")["delivery"]
    daemon.stop()
    change(daemon, ("UPDATE payloads SET encoding = encoding - 50 WHERE seq = ?", bad))
    daemon.start()
    assert daemon.ctl("retry", delivery).code == 0
    daemon.delivery(bad, "hook")
