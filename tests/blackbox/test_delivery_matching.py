# SPDX-License-Identifier: Apache-2.0
"""Which events a handler gets: by its options, and never by what it should not see."""

import pytest

from lib.events import body, fixture

TRUE = {"type": "exec", "command": "/bin/true"}

SECTIONS = {
    "endpoint production": {"path": "/production", "environment": "Production"},
    "credential production": {"endpoint": "production", "type": "bearer", "token_file": "token"},
    "handler everything": TRUE,
    "handler with-tests": {**TRUE, "test_events": "yes"},
    "handler types": {**TRUE, "events": "evaluation_completed, decision_update"},
    "handler types-repeated": {**TRUE, "events": ["evaluation_completed", "decision_update"]},
    "handler category": {**TRUE, "category": "case, watchlist"},
    "handler decision": {**TRUE, "decision": "review, Manual Review"},
    "handler workflow": {**TRUE, "workflow": "onboarding"},
    "handler environment": {**TRUE, "environment": "Production"},
    "handler endpoint": {**TRUE, "endpoint": "production"},
    "handler both": {**TRUE, "events": "evaluation_completed", "decision": "REVIEW"},
}

# An event -> the handlers that get it besides `everything` and `with-tests`.
CASES = {
    "a completed evaluation": (
        {"event_type": "evaluation_completed", "decision": "ACCEPT", "workflow": "other"},
        {"types", "types-repeated"}),
    "the sender's spelling": (
        {"event_type": "Decision Updated", "decision": "ACCEPT", "workflow": "other"},
        {"types", "types-repeated", "category"}),
    "a paused evaluation": (
        {"event_type": "evaluation_paused", "decision": "ACCEPT", "workflow": "other"}, set()),
    "a decision in another case": (
        {"event_type": "evaluation_paused", "decision": "Review", "workflow": "other"},
        {"decision"}),
    "a decision with a blank": (
        {"event_type": "evaluation_paused", "decision": "Manual Review", "workflow": "other"},
        {"decision"}),
    "no decision": (
        {"event_type": "evaluation_paused", "decision": None, "workflow": "other"}, set()),
    "all conditions": (
        {"event_type": "evaluation_completed", "decision": "REVIEW", "workflow": "other"},
        {"types", "types-repeated", "decision", "both"}),
    "a workflow": (
        {"event_type": "evaluation_paused", "decision": "ACCEPT", "workflow": "onboarding"},
        {"workflow"}),
    "an environment": (
        {"event_type": "evaluation_paused", "decision": "ACCEPT", "workflow": "other",
         "environment_name": "Production"}, {"environment"}),
    "a watchlist event": (
        {"event_type": "watchlist_match_found", "decision": None, "workflow": "other"},
        {"category"}),
    "an unknown type": (
        {"event_type": "something_new", "decision": None, "workflow": "other"}, set()),
}


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon(SECTIONS)


@pytest.mark.parametrize("fields, handlers", CASES.values(), ids=CASES.keys())
def test_an_event_goes_to_the_handlers_that_it_matches(daemon, fields, handlers):
    seq = daemon.stored(body(**fields))
    assert set(daemon.routed(seq)) == handlers | {"everything", "with-tests"}


def test_the_endpoint_is_a_condition_too(daemon):
    seq = daemon.stored(body("evaluation_paused", workflow="other", environment_name="Production"),
                        path="/production", auth="bearer")
    assert set(daemon.routed(seq)) == {"everything", "with-tests", "environment", "endpoint"}


def test_a_test_event_goes_only_to_handlers_that_ask_for_them(daemon):
    seq = daemon.stored(fixture("test_ping_evaluation_completed.json").body)
    assert set(daemon.routed(seq)) == {"with-tests"}


def test_an_event_of_another_environment_is_stored_and_goes_to_nobody(daemon):
    seq = daemon.stored(body(environment_name="Sandbox"), path="/production", auth="bearer")
    assert daemon.routed(seq) == {}
    assert daemon.show(seq)["environment"] == "Sandbox"
    assert daemon.value("SELECT wrong_environment FROM events WHERE seq = ?", seq) == 1


@pytest.mark.parametrize("name", ["", None, "production"])
def test_an_event_that_names_no_environment_or_the_right_one_passes(daemon, name):
    seq = daemon.stored(body("evaluation_paused", environment_name=name), path="/production",
                        auth="bearer")
    assert {"everything", "endpoint"} <= set(daemon.routed(seq))


def test_duplicates_and_conflicts_go_to_nobody_again(daemon):
    data = body("evaluation_paused")
    seq = daemon.stored(data)
    daemon.routed(seq)
    daemon.post(data)
    daemon.post(data + b" ")
    last = daemon.stored(body("evaluation_paused"))
    daemon.routed(last)
    counts = daemon.query("SELECT handler, count(*) AS n FROM deliveries WHERE seq = ? "
                          "GROUP BY handler", seq)
    assert counts and all(row["n"] == 1 for row in counts)


def test_the_deliveries_command_has_the_documented_keys_and_filters(daemon):
    seq = daemon.stored(body("evaluation_paused"))
    daemon.delivery(seq, "everything")
    rows = daemon.ctl_rows("deliveries", "--handler", "everything", "--state", "done")
    assert all(row["handler"] == "everything" and row["state"] == "done" for row in rows)
    row = next(row for row in rows if row["seq"] == seq)
    assert set(row) == {"delivery", "handler", "seq", "event_id", "event_type", "eval_id", "state",
                        "attempts", "due_at", "outcome", "reason", "replay", "paused"}
    assert daemon.ctl("deliveries", "--state", "dead").code == 3
    assert daemon.ctl("deliveries", "--handler", "nobody").code == 3
    assert daemon.ctl("deliveries", "--state", "nonsense").code == 2
