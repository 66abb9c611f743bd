# SPDX-License-Identifier: Apache-2.0
"""Every shape that RiskOS is known to send is stored, recognised and kept byte for byte."""

import hashlib
from datetime import datetime, timedelta

import pytest

from lib.events import body, encode, envelope, fixtures, new_id

FIXTURES = fixtures()


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon()


@pytest.fixture(scope="module", params=FIXTURES, ids=lambda f: f.file)
def posted(daemon, request):
    """A fixture and the answer to its first post."""
    return request.param, daemon.post(request.param.body)


def expected_identity(fixture):
    if fixture.expect["identity_value"]:
        return fixture.expect["identity_value"]
    return "sha256:" + hashlib.sha256(fixture.body).hexdigest()


def test_a_fixture_is_answered_200_stored_with_its_identity(posted):
    fixture, response = posted
    assert response.status == 200
    assert response.headers.get_content_type() == "application/json"
    answer = response.json()
    assert set(answer) == {"result", "seq", "event_id"}
    assert answer["result"] == "stored"
    assert answer["event_id"] == expected_identity(fixture)
    assert isinstance(answer["seq"], int) and answer["seq"] > 0


def test_a_fixture_is_recognised(daemon, posted):
    fixture, response = posted
    expect = fixture.expect
    shown = daemon.show(response.seq)
    assert shown["seq"] == response.seq
    assert shown["event_id"] == expected_identity(fixture)
    assert shown["category"] == expect["category"]
    assert shown["eval_id"] == expect["eval_id"]
    assert shown["decision"] == expect["decision"]
    assert shown["environment"] == (expect["environment"] or None)
    assert shown["test"] is expect["is_test_delivery"]
    assert shown["endpoint"] == "riskos"
    if expect["canonical_type"]:
        assert shown["event_type"] == expect["canonical_type"]
    else:  # a shape that the vendor does not document: it needs a home, not a certain name
        assert shown["event_type"] in ("docv_verification_completed", "unknown")
    if expect["event_type"]:
        assert shown["original_type"] == expect["event_type"]


def test_a_fixture_is_kept_byte_for_byte(daemon, posted):
    fixture, response = posted
    assert daemon.payload(response.seq) == fixture.body


def test_a_fixture_posted_again_is_a_duplicate_of_the_first(daemon, posted):
    fixture, response = posted
    again = daemon.post(fixture.body, auth="bearer")
    assert again.json() == {**response.json(), "result": "duplicate"}
    assert daemon.show(response.seq)["duplicates"] == 1


@pytest.mark.parametrize("spelling, canonical", [
    ("Decision Updated", "decision_update"),
    ("Case Assigned", "review_case_assigned"),
    ("Case Unassigned", "review_case_unassigned"),
    ("case_unassigned", "review_case_unassigned"),
    ("Case Status Updated", "case_status_updated"),
    ("case_status_changed", "case_status_updated"),
    ("Case Notes Added", "case_notes_added"),
    ("Evaluation Completed", "evaluation_completed"),
    ("EVALUATION-PAUSED", "evaluation_paused"),
    ("Workflow Execution Failed", "workflow_execution_failed"),
    ("case-closure", "case_closure"),
    ("monitored_search_updated", "monitored_search_updated"),
])
def test_every_spelling_of_a_type_becomes_the_canonical_one(daemon, spelling, canonical):
    shown = daemon.show(daemon.stored(body(spelling)))
    assert shown["event_type"] == canonical
    assert shown["original_type"] == spelling
    assert shown["category"] != "unknown"


@pytest.mark.parametrize("raw", [
    b"{}",
    b' \r\n\t{"a": 1}\n',
    b'{"event_id":null,"event_type":null,"data":null}',
    b'{"event_id":7,"event_type":["x"],"data":"text"}',
    b'{"event_id":{},"data":[{"eval_id":"inside a list"}]}',
    '{"data":{"notes":"žluťoučký \\u0000 \\ud83d\\ude00"}}'.encode(),
    b'{"data":{"n":[1e400,-0.0,123456789012345678901234567890]}}',
], ids=range(7))
def test_any_json_object_is_kept_even_if_nothing_in_it_is_known(daemon, raw):
    seq = daemon.stored(raw)
    shown = daemon.show(seq)
    assert shown["event_type"] == "unknown"
    assert shown["category"] == "unknown"
    assert shown["event_id"]
    assert daemon.payload(seq) == raw


def test_the_same_event_id_under_another_type_is_another_event(daemon):
    # The vendor's own samples reuse ids across types.
    event = envelope("evaluation_paused")
    first = daemon.stored(encode(event))
    event["event_type"] = "evaluation_completed"
    assert daemon.stored(encode(event)) != first


def test_the_same_event_id_in_another_evaluation_is_another_event(daemon):
    event = envelope()
    first = daemon.stored(encode(event))
    event["data"]["eval_id"] = new_id()
    assert daemon.stored(encode(event)) != first


def test_the_event_reference_id_is_found_in_data_too(daemon):
    event = envelope("case_closure", eventReferenceId="reference-" + new_id())
    del event["event_id"]
    response = daemon.post(encode(event))
    assert response.json()["event_id"] == event["data"]["eventReferenceId"]


def test_a_very_long_identity_is_stored_and_still_tells_two_events_apart(daemon):
    one = daemon.post(body(event_id="x" * 5000 + "1", eval_id="e"))
    two = daemon.post(body(event_id="x" * 5000 + "2", eval_id="e"))
    assert (one.result, two.result) == ("stored", "stored")


def test_a_bad_time_does_not_cost_the_event(daemon):
    seq = daemon.stored(body(event_at="yesterday", decision_at="2099-99-99T00:00:00Z"))
    assert daemon.show(seq)["event_at"] is None


@pytest.mark.parametrize("given, utc", [
    ("2099-01-02T03:04:05Z", "2099-01-02T03:04:05Z"),
    ("2099-01-02T03:04:05.5Z", "2099-01-02T03:04:05.5Z"),
    ("2099-01-02T03:04:05.123456789Z", "2099-01-02T03:04:05.123456Z"),
    ("2099-01-02T05:04:05+02:00", "2099-01-02T03:04:05Z"),
])
def test_times_are_shown_in_utc(daemon, given, utc):
    shown = daemon.show(daemon.stored(body(event_at=given)))["event_at"]
    assert shown.endswith("Z")
    difference = datetime.fromisoformat(shown) - datetime.fromisoformat(utc)
    assert abs(difference) <= timedelta(milliseconds=1)
