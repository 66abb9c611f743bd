# SPDX-License-Identifier: Apache-2.0
"""/metrics: what is counted, in a form that Prometheus' own tool accepts; the dashboard and the
alerts speak of nothing else."""

import json
import re
import shutil
import subprocess
import time

import pytest

from lib import metrics
from lib.events import body, encode, envelope, fixture, new_id
from lib.hooks import script
from lib.settings import REPOSITORY, scaled
from lib.waiting import wait_until


@pytest.fixture(scope="module")
def daemon(make_module_daemon, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hooks")
    return make_module_daemon({
        "handler good": {"type": "exec", "command": "/bin/true"},
        "handler bad": {"type": "exec", "command": script(folder, "bad", "exit 65\n")},
        "handler stopped": {"type": "unix", "socket": folder / "nobody.sock"}})


def change(daemon, before, name, **labels):
    return metrics.read(daemon).value(name, **labels) - before.value(name, **labels)


def test_requests_are_counted_by_endpoint_and_status(daemon):
    before = metrics.read(daemon)
    name = "riskhook_endpoint_requests_total"
    daemon.stored(body())
    daemon.post(body(), auth=None, source=daemon.new_source())
    daemon.post(b"nonsense")
    daemon.post(body(), path="/elsewhere")
    assert change(daemon, before, name, endpoint="riskos", code="200") == 1
    assert change(daemon, before, name, endpoint="riskos", code="401") == 1
    assert change(daemon, before, name, endpoint="riskos", code="400") == 1
    assert change(daemon, before, name, endpoint="(none)", code="404") == 1


def test_credentials_are_counted_by_outcome(daemon):
    before = metrics.read(daemon)
    name = "riskhook_endpoint_auth_total"
    daemon.stored(body())
    daemon.post(body(), auth=None, source=daemon.new_source())
    daemon.post(body(), auth="Bearer wrong", source=daemon.new_source())
    for outcome in ("accepted", "missing", "wrong"):
        assert change(daemon, before, name, endpoint="riskos", outcome=outcome) == 1, outcome
    assert change(daemon, before, name, endpoint="riskos", outcome="expired") == 0


def test_events_are_counted_by_type_and_category(daemon):
    name = "riskhook_events_total"
    daemon.stored(body("Decision Updated"))
    daemon.stored(body("decision_update"))
    for i in range(5):
        daemon.stored(body(f"invented_{i}_{new_id()}"))
    now = metrics.read(daemon)
    assert now.value(name, type="decision_update", category="case") >= 2
    assert now.value(name, type="other", category="unknown") >= 5
    assert not any("invented" in str(labels) for _, labels in now.samples), "the sender adds labels"


def test_duplicates_conflicts_and_quarantine_are_counted(daemon):
    before = metrics.read(daemon)
    event = envelope()
    daemon.stored(encode(event))
    assert daemon.post(encode(event)).result == "duplicate"
    event["data"]["decision"] = "REJECT"
    assert daemon.post(encode(event)).result == "conflict"
    daemon.post(b"[]")
    for kind in ("duplicate", "conflict", "quarantined"):
        assert change(daemon, before, f"riskhook_events_{kind}_total") == 1, kind


def test_every_200_is_in_the_ack_histogram(daemon):
    before = metrics.read(daemon)
    for _ in range(3):
        daemon.stored(body())
    assert change(daemon, before, "riskhook_ack_duration_seconds_count") == 3
    after = metrics.read(daemon)
    assert after.value("riskhook_ack_duration_seconds_sum") > 0
    assert after.value("riskhook_store_commit_operations_sum") >= \
        after.value("riskhook_store_commit_operations_count")


def test_every_commit_is_in_the_histogram(daemon):
    """The two are read one after the other, and the router commits when it likes."""
    daemon.stored(body())

    def agree():
        now = metrics.read(daemon)
        return now.value("riskhook_store_commit_duration_seconds_count") == \
            now.value("riskhook_store_commits_total") > 0
    wait_until(agree, what="as many durations as commits")


def test_deliveries_are_counted_by_handler_and_outcome(make_daemon, folder):
    daemon = make_daemon({
        "handler good": {"type": "exec", "command": "/bin/true"},
        "handler bad": {"type": "exec", "command": script(folder, "bad", "exit 65\n")},
        "handler busy": {"type": "exec", "command": script(folder, "busy", "exit 75\n"),
                         "retry_initial": "1h", "retry_max": "1h"}})
    attempts, deliveries = "riskhook_handler_attempts_total", "riskhook_handler_deliveries_total"
    assert metrics.read(daemon).value(attempts, handler="good", outcome="ok") == 0
    daemon.stored(body())
    for name, handler, outcome in ((attempts, "good", "ok"), (attempts, "bad", "dead"),
                                   (attempts, "busy", "retry"), (deliveries, "good", "done"),
                                   (deliveries, "bad", "dead")):
        wait_until(lambda n=name, h=handler, o=outcome:
                   metrics.read(daemon).value(n, handler=h, outcome=o) == 1,
                   what=f"{name} of {handler} {outcome}")
    now = metrics.read(daemon)
    for handler in ("good", "bad", "busy"):
        assert now.value("riskhook_handler_attempt_duration_seconds_count", handler=handler) == 1
    assert now.value(deliveries, handler="busy", outcome="dead") == 0


def test_queues_are_told_by_handler_and_state(daemon):
    daemon.stored(body())
    daemon.all_ended(besides="stopped")  # what the tests before have posted, too
    now = metrics.read(daemon)
    waiting = daemon.value("SELECT count(*) FROM deliveries WHERE handler = 'stopped'"
                           " AND state = 'pending'")
    assert now.value("riskhook_handler_queue_deliveries", handler="stopped",
                     state="pending") == waiting > 0
    assert now.value("riskhook_handler_oldest_pending_age_seconds", handler="stopped") > 0
    assert now.value("riskhook_handler_oldest_pending_age_seconds", handler="good") == 0
    assert now.value("riskhook_handler_queue_deliveries", handler="bad", state="dead") == \
        daemon.value("SELECT count(*) FROM deliveries WHERE state = 'dead'")


def test_the_stores_files_and_the_build_are_told(daemon):
    daemon.stored(body())
    wait_until(lambda: metrics.read(daemon).value("riskhook_store_database_bytes")
               == daemon.config.store.stat().st_size, what="no checkpoint between the two looks")
    now = metrics.read(daemon)
    assert now.value("riskhook_store_up") == 1
    assert now.value("riskhook_store_wal_bytes") > 0
    assert now.value("riskhook_store_disk_free_bytes") > 0
    assert any(name == "riskhook_build_info" and value == 1
               for (name, _), value in now.samples.items())


def test_the_last_event_of_an_endpoint_survives_a_restart(make_daemon):
    daemon = make_daemon()
    name = "riskhook_endpoint_last_event_timestamp_seconds"
    assert metrics.read(daemon).value(name, endpoint="riskos") == 0
    assert not metrics.read(daemon).has("riskhook_endpoint_last_event_age_seconds",
                                        endpoint="riskos")
    seq = daemon.stored(body())
    received_at = daemon.value("SELECT received_at / 1e6 FROM events WHERE seq = ?", seq)
    told = metrics.read(daemon).value(name, endpoint="riskos")
    assert int(received_at) <= told <= time.time()
    daemon.restart()
    now = metrics.read(daemon)
    assert now.value(name, endpoint="riskos") == told
    assert now.value("riskhook_endpoint_last_event_age_seconds", endpoint="riskos") > 0


def promtool():
    kept = REPOSITORY / "build" / "tools" / "promtool"
    return shutil.which("promtool") or (str(kept) if kept.exists() else None)


def test_promtool_accepts_the_metrics(daemon):
    if not promtool():
        pytest.skip("no promtool; tests/lint/promtool.sh fetch gets it")
    daemon.stored(fixture("evaluation_completed.json").body)
    done = subprocess.run([promtool(), "check", "metrics"], capture_output=True,
                          input=daemon.admin("/metrics").body, timeout=scaled(60))
    assert done.returncode == 0 and done.stdout == done.stderr == b"", done


def named_metrics(expressions):
    found = set()
    for text in expressions:
        found.update(re.findall(r"\briskhook_[a-z_]+", text))
    return {re.sub("_(bucket|sum|count)$", "", name) for name in found}


def expressions_of_dashboard():
    dashboard = json.loads((REPOSITORY / "conf" / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield str(variable["query"])


def expressions_of_alerts():
    text = (REPOSITORY / "conf" / "prometheus-alerts.yml").read_text()
    yield text


@pytest.mark.parametrize("expressions", [expressions_of_dashboard, expressions_of_alerts])
def test_every_metric_of_the_files_in_conf_exists(daemon, expressions):
    named = named_metrics(expressions())
    known = set(metrics.read(daemon).kinds)
    assert len(named) > 5
    assert named <= known, named - known


def test_promtool_accepts_the_alerts():
    if not promtool():
        pytest.skip("no promtool; tests/lint/promtool.sh fetch gets it")
    done = subprocess.run([promtool(), "check", "rules", "conf/prometheus-alerts.yml"],
                          cwd=REPOSITORY, capture_output=True, timeout=scaled(60))
    assert done.returncode == 0, done
