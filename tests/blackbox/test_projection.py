# SPDX-License-Identifier: Apache-2.0
"""What is known of an evaluation follows the events' own time, whatever order they arrive in."""

import itertools

import pytest

from lib.events import body, new_id

EVALUATION_KEYS = {"eval_id", "customer_id", "workflow", "environment", "decision", "status",
                   "sub_status", "eval_status", "first_seen", "last_seen", "events",
                   "decision_changes"}


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon()


def at(minute):
    return f"2099-01-02T03:{minute:02}:00.5Z"


def report(eval_id, minute, decision, event_type="evaluation_completed", **more):
    """An event of that minute, as the vendor writes it."""
    return body(event_type, event_at=at(minute), eval_id=eval_id, decision=decision,
                decision_at=at(minute) if decision else None, **more)


def evaluation(daemon, eval_id):
    """The state that `evaluation EVAL_ID --json` prints first."""
    row = daemon.ctl_rows("evaluation", eval_id)[0]
    assert set(row) >= EVALUATION_KEYS
    return {key: row[key] for key in EVALUATION_KEYS}


def test_an_evaluation_is_shown_with_its_state(daemon):
    eval_id = new_id()
    daemon.stored(report(eval_id, 1, "REVIEW", "evaluation_paused", id="customer-1",
                         workflow="onboarding", status="OPEN", sub_status="Under Review",
                         eval_status="evaluation_paused"))
    row = evaluation(daemon, eval_id)
    assert row["eval_id"] == eval_id
    assert row["customer_id"] == "customer-1"
    assert row["workflow"] == "onboarding"
    assert row["environment"] == "Sandbox"
    assert row["decision"] == "REVIEW"
    assert row["status"] == "OPEN"
    assert row["sub_status"] == "Under Review"
    assert row["eval_status"] == "evaluation_paused"
    assert row["events"] == 1
    assert row["decision_changes"] == 0
    assert row["first_seen"] == row["last_seen"] and row["first_seen"].endswith("Z")


@pytest.mark.parametrize("order", itertools.permutations(range(3)),
                         ids=lambda order: "".join(map(str, order)))
def test_the_state_does_not_depend_on_the_order_of_arrival(daemon, order):
    eval_id = new_id()
    bodies = [
        report(eval_id, 1, "REVIEW", "evaluation_paused", status="ON_HOLD", sub_status="Waiting",
               eval_status="evaluation_paused"),
        report(eval_id, 2, "ACCEPT", "evaluation_completed", status="CLOSED", sub_status="Accept",
               evaluation_status="evaluation_completed"),
        report(eval_id, 3, "REJECT", "decision_update", status="CLOSED", sub_status="Decline"),
    ]
    for i in order:
        daemon.stored(bodies[i])
    row = evaluation(daemon, eval_id)
    assert (row["decision"], row["status"], row["sub_status"]) == ("REJECT", "CLOSED", "Decline")
    assert row["eval_status"] == "evaluation_completed"
    assert row["events"] == 3


def test_a_changed_decision_is_counted(daemon):
    eval_id = new_id()
    for minute, (decision, event_type, changes) in enumerate([
            ("ACCEPT", "evaluation_completed", 0), ("ACCEPT", "case_status_updated", 0),
            ("REJECT", "decision_update", 1), ("ACCEPT", "reevaluation", 2)]):
        daemon.stored(report(eval_id, minute, decision, event_type))
        assert evaluation(daemon, eval_id)["decision_changes"] == changes


def test_a_late_event_is_counted_but_overturns_nothing(daemon):
    eval_id = new_id()
    daemon.stored(report(eval_id, 5, "ACCEPT", status="CLOSED", sub_status="Accept"))
    daemon.stored(report(eval_id, 1, "REVIEW", "evaluation_paused", status="OPEN",
                         sub_status="Waiting"))
    row = evaluation(daemon, eval_id)
    assert (row["decision"], row["status"], row["sub_status"]) == ("ACCEPT", "CLOSED", "Accept")
    assert row["events"] == 2
    assert row["last_seen"] >= row["first_seen"]


def test_an_event_without_a_decision_keeps_the_known_one(daemon):
    eval_id = new_id()
    daemon.stored(report(eval_id, 1, "ACCEPT", status="CLOSED", sub_status="Accept"))
    daemon.stored(body("case_notes_added", event_at=at(9), eval_id=eval_id, decision=None,
                       updated_at=at(9), notes="n"))
    row = evaluation(daemon, eval_id)
    assert (row["decision"], row["status"]) == ("ACCEPT", "CLOSED")
    assert row["events"] == 2


def test_updated_at_is_the_time_of_a_case_event(daemon):
    eval_id = new_id()
    daemon.stored(body("case_status_updated", event_at=at(1), eval_id=eval_id, decision=None,
                       updated_at=at(30), status="CLOSED"))
    daemon.stored(body("case_assigned", event_at=at(20), eval_id=eval_id, decision=None,
                       updated_at=at(20), status="OPEN"))
    assert evaluation(daemon, eval_id)["status"] == "CLOSED"


def test_a_duplicate_changes_nothing(daemon):
    eval_id = new_id()
    data = report(eval_id, 1, "ACCEPT")
    daemon.stored(data)
    before = evaluation(daemon, eval_id)
    assert daemon.post(data).result == "duplicate"
    assert evaluation(daemon, eval_id) == before


def test_time_zones_and_fractions_are_compared_as_times(daemon):
    eval_id = new_id()
    daemon.stored(body(eval_id=eval_id, decision="ACCEPT", decision_at="2099-01-02T03:00:00.25Z"))
    daemon.stored(body("decision_update", eval_id=eval_id, decision="REJECT",
                       decision_at="2099-01-02T04:00:00.3+01:00"))
    assert evaluation(daemon, eval_id)["decision"] == "REJECT"


def test_the_view_agrees_with_the_command(daemon):
    eval_id = new_id()
    daemon.stored(report(eval_id, 1, "ACCEPT"))
    row = evaluation(daemon, eval_id)
    view = daemon.query("SELECT * FROM evaluation_log WHERE eval_id = ?", eval_id)[0]
    assert row == view


def test_the_time_line_lists_every_event(daemon):
    eval_id = new_id()
    ids = [new_id() for _ in range(3)]
    for minute, event_id in enumerate(ids):
        daemon.stored(body(["evaluation_paused", "evaluation_completed", "decision_update"][minute],
                           event_id=event_id, event_at=at(minute), eval_id=eval_id))
    text = daemon.ctl("evaluation", eval_id).out
    assert "evaluation_paused" in text and "decision_update" in text
    json_text = daemon.ctl("evaluation", eval_id, "--json").out
    assert all(event_id in json_text for event_id in ids)


def test_events_without_an_evaluation_make_none(daemon):
    before = daemon.value("SELECT count(*) FROM evaluations")
    daemon.stored(body("fraud_confirming", eval_id=None))
    assert daemon.value("SELECT count(*) FROM evaluations") == before
