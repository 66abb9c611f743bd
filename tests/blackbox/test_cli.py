# SPDX-License-Identifier: Apache-2.0
"""riskhookctl: what it prints, in which form, and how it ends."""

import contextlib
import json
import os
import re
import select
import subprocess
import time

import pytest

from lib import client
from lib.config import ENDPOINT, free_port
from lib.daemon import Daemon, run_ctl
from lib.events import body, encode, envelope, fixture, new_id
from lib.settings import REPOSITORY, RISKHOOKCTL, scaled
from lib.waiting import wait_until

OK, FAILED, USAGE, NOTHING, UNREACHABLE = range(5)

EVENT_KEYS = {"seq", "event_id", "event_type", "original_type", "category", "eval_id",
              "customer_id", "decision", "status", "sub_status", "eval_status", "workflow",
              "environment", "endpoint", "event_at", "received_at", "test", "duplicates",
              "erased_at"}


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon({"handler true": {"type": "exec", "command": "/bin/true"}})


@pytest.fixture(scope="module")
def events(make_module_daemon):
    """A daemon whose store does not change any more, and the numbers of its events by name."""
    daemon = make_module_daemon()
    sequence = {
        "accepted": daemon.stored(body(
            "evaluation_completed", id="customer-1", eval_id="eval-1", decision="ACCEPT",
            status="CLOSED", workflow="onboarding", event_id="id-1")),
        "reviewed": daemon.stored(body(
            "evaluation_paused", id="customer-2", eval_id="eval-2", decision="REVIEW",
            status="OPEN", workflow="account change", environment_name="Production")),
        "updated": daemon.stored(body(
            "Decision Updated", id="customer-2", eval_id="eval-2", decision="Manual Review",
            status="CLOSED", workflow="account change", environment_name="Production")),
        "listed": daemon.stored(body(
            "watchlist_match_found", id="customer-3", eval_id="eval-3", decision=None,
            environment_name=None, workflow=None, event_id="id-1")),
        "ping": daemon.stored(fixture("test_ping_evaluation_completed.json").body),
    }
    return daemon, sequence


# Usage

@pytest.mark.parametrize("arguments", [
    [], ["no-such-command"], ["events", "--no-such-option"], ["events", "--limit"],
    ["events", "--limit", "many"], ["events", "--since", "whenever"], ["show"],
    ["show", "1", "2"], ["attempts"], ["attempts", "x"], ["evaluation"], ["trigger"],
    ["trigger", "no_such_type"], ["trigger", "evaluation_completed", "--set", "nonsense"],
    ["trigger", "evaluation_completed", "--count", "0"], ["init"],
], ids=" ".join)
def test_wrong_usage_is_exit_2_and_a_hint(daemon, arguments):
    result = daemon.ctl(*arguments)
    assert result.code == USAGE
    assert result.out == ""
    assert re.search(r"usage: riskhookctl | takes |'riskhookctl ", result.err)


@pytest.mark.parametrize("given", ["--limti", "--limti=3"])
def test_a_mistyped_option_is_answered_with_the_nearest(given):
    assert "did you mean '--limit'?" in run_ctl("events", given).err


@pytest.mark.parametrize("given, meant", [
    ("check", "check-config"), ("log", "log-level"), ("evnts", "events")])
def test_a_mistyped_command_is_answered_with_the_nearest(given, meant):
    assert f"unknown command '{given}' (did you mean '{meant}'?)" in run_ctl(given).err


def test_a_word_that_is_near_nothing_is_answered_with_the_list():
    assert "unknown command 'c'; 'riskhookctl help' lists them" in run_ctl("c").err


def test_help_lists_the_commands(daemon):
    result = run_ctl("--help")
    assert result.code == OK
    for command in ("init", "events", "show", "evaluation", "deliveries", "attempts", "trigger",
                    "dashboard", "check-config", "quarantine", "conflicts"):
        assert re.search(rf"\b{command}\b", result.out), command


def test_the_configuration_may_be_named_behind_the_command(events):
    daemon, _ = events
    before = daemon.ctl("events", "--json")
    behind = run_ctl("events", "--json", "-c", daemon.config.path)
    assert behind == before


# events

def test_events_prints_a_table_for_people(events):
    daemon, sequence = events
    result = daemon.ctl("events")
    assert result.code == OK
    lines = result.out.splitlines()
    assert len(lines) >= len(sequence) + 1, "a heading and a line for each"
    assert any("evaluation_completed" in line and "ACCEPT" in line for line in lines)


def test_events_json_has_the_documented_keys_in_order_of_arrival(events):
    daemon, sequence = events
    rows = daemon.ctl_rows("events")
    assert all(set(row) == EVENT_KEYS for row in rows)
    assert [row["seq"] for row in rows] == sorted(sequence.values())


def test_what_the_sender_did_not_give_is_null(events):
    daemon, sequence = events
    row = daemon.ctl_rows("events", "--category", "watchlist")[0]
    assert row["seq"] == sequence["listed"]
    for key in ("decision", "status", "sub_status", "eval_status", "workflow", "environment"):
        assert row[key] is None, key


@pytest.mark.parametrize("filters, names", [
    (["--type", "evaluation_completed"], ["accepted", "ping"]),
    (["--type", "decision_update"], ["updated"]),
    (["--category", "evaluation"], ["accepted", "reviewed", "ping"]),
    (["--eval-id", "eval-2"], ["reviewed", "updated"]),
    (["--customer-id", "customer-2"], ["reviewed", "updated"]),
    (["--decision", "ACCEPT"], ["accepted"]),
    (["--decision", "accept"], ["accepted"]),
    (["--decision", "Manual Review"], ["updated"]),
    (["--status", "CLOSED"], ["accepted", "updated"]),
    (["--workflow", "account change"], ["reviewed", "updated"]),
    (["--environment", "Production"], ["reviewed", "updated"]),
    (["--since", "2000-01-01T00:00:00Z"], ["accepted", "reviewed", "updated", "listed", "ping"]),
    (["--until", "2000-01-01T00:00:00Z"], []),
    (["--since", "1h"], ["accepted", "reviewed", "updated", "listed", "ping"]),
    (["--test"], ["ping"]),
    (["--limit", "2"], ["listed", "ping"]),
    (["--decision", "REVIEW", "--type", "evaluation_paused"], ["reviewed"]),
    (["--decision", "REVIEW", "--type", "decision_update"], []),
    (["--eval-id", "' OR 1=1 --"], []),
], ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "")
def test_events_filters(events, filters, names):
    daemon, sequence = events
    result = daemon.ctl("events", *filters, "--json")
    assert result.code == (OK if names else NOTHING)
    assert [row["seq"] for row in result.rows()] == sorted(sequence[name] for name in names)


def test_events_follow_prints_a_new_event_when_it_comes(daemon):
    old = daemon.stored(body())
    follow = subprocess.Popen([RISKHOOKCTL, "-c", daemon.config.path, "events", "--follow",
                               "--json", "--limit", "1"], stdout=subprocess.PIPE)

    def next_line():
        ready, _, _ = select.select([follow.stdout], [], [], scaled(20))
        assert ready, "nothing came"
        return json.loads(follow.stdout.readline())

    try:
        assert next_line()["seq"] == old
        for _ in range(3):
            seq = daemon.stored(body())
            row = next_line()
            assert row["seq"] == seq and set(row) == EVENT_KEYS
    finally:
        follow.terminate()
        follow.wait(scaled(20))
        follow.stdout.close()


def test_a_closed_pipe_ends_the_output_quietly(events):
    daemon, _ = events
    for arguments in (["events"], ["events", "--json"], ["show", "1"], ["show", "1", "--payload"]):
        done = daemon.ctl_unread(*arguments)
        assert (done.returncode, done.stderr) == (OK, b""), arguments


def test_control_characters_do_not_reach_the_terminal(daemon):
    evil = "\x1b[2Jx\x07\ny"
    seq = daemon.stored(body(evil, decision=evil, workflow=evil, id=evil))
    for arguments in (["events"], ["show", seq], ["events", "--json"]):
        out = daemon.ctl(*arguments).out
        assert "\x1b" not in out and "\x07" not in out
    assert daemon.show(seq)["decision"] == evil


# show, evaluation, deliveries, attempts

def test_show_finds_by_number_and_by_event_id(events):
    daemon, sequence = events
    by_seq = daemon.show(sequence["reviewed"])
    assert EVENT_KEYS <= set(by_seq)
    assert daemon.show(by_seq["event_id"])["seq"] == sequence["reviewed"]


def test_show_prints_every_event_of_an_event_id(events):
    daemon, sequence = events
    rows = daemon.ctl("show", "id-1", "--json").rows()
    found = {row["seq"] for row in rows if "event_type" in row and "category" in row}
    assert found == {sequence["accepted"], sequence["listed"]}


@pytest.mark.parametrize("arguments", [
    ["show", "999999"], ["show", "no-such-id"], ["show", "999999", "--payload"],
    ["evaluation", "no-such-evaluation"], ["attempts", "999999"], ["deliveries"], ["quarantine"],
    ["conflicts"], ["events", "--type", "no_such_type"],
], ids=" ".join)
def test_nothing_found_is_exit_3(events, arguments):
    daemon, _ = events
    assert daemon.ctl(*arguments).code == NOTHING
    assert daemon.ctl(*arguments, *(["--json"] if "--payload" not in arguments else [])).out == ""


def test_everything_can_be_asked_while_the_daemon_is_down(make_daemon):
    daemon = make_daemon({"handler true": {"type": "exec", "command": "/bin/true"}})
    seq = daemon.stored(body(eval_id="eval-1"))
    daemon.post(b"rubbish")
    delivery = daemon.delivery(seq, "true")["delivery"]
    daemon.stop()
    for arguments in (["events"], ["show", seq], ["evaluation", "eval-1"], ["deliveries"],
                      ["attempts", delivery], ["quarantine"]):
        assert daemon.ctl(*arguments).code == OK, arguments
    daemon.start()
    daemon.kill9()
    assert daemon.ctl("events").code == OK, "after kill -9 too"


def test_the_store_is_asked_without_libcurl(daemon, folder):
    (folder / "libcurl.so.4").write_text("not a library")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    for command in (["events"], ["stats"], ["help"], ["check-config"]):
        assert daemon.ctl(*command, env=environment).code in (OK, NOTHING)
    for command in (["status"], ["trigger", "evaluation_completed"], ["reload"]):
        result = daemon.ctl(*command, env=environment)
        assert result.code == FAILED and "cannot load libcurl" in result.err
    assert "no libcurl" in daemon.ctl("--version", env=environment).out


def test_without_a_store_there_is_nothing_to_ask(make_daemon):
    daemon = make_daemon(start=False)
    result = daemon.ctl("events")
    assert result.code in (FAILED, NOTHING)
    assert str(daemon.config.store) in result.err
    assert not daemon.config.store.exists()


def test_a_body_in_quarantine_and_in_conflict_is_listed_for_people(make_daemon):
    daemon = make_daemon()
    data = body(event_id="the-event")
    daemon.stored(data)
    daemon.post(data + b" ")
    daemon.post(b"rubbish")
    assert "evaluation_completed" in daemon.ctl("conflicts").out
    assert "riskos" in daemon.ctl("quarantine").out


# trigger

# Every event type in the vendor's documents -> its canonical name and category.
TYPES = {
    "evaluation_completed": ("evaluation_completed", "evaluation"),
    "evaluation_paused": ("evaluation_paused", "evaluation"),
    "evaluation_resumed": ("evaluation_resumed", "evaluation"),
    "reevaluation": ("reevaluation", "evaluation"),
    "workflow_execution_failed": ("workflow_execution_failed", "evaluation"),
    "decision_update": ("decision_update", "case"),
    "fraud_confirming": ("fraud_confirming", "case"),
    "review_case_assigned": ("review_case_assigned", "case"),
    "review_case_unassigned": ("review_case_unassigned", "case"),
    "case_status_updated": ("case_status_updated", "case"),
    "case_notes_added": ("case_notes_added", "case"),
    "case_attachment_added": ("case_attachment_added", "case"),
    "case_decision_changed": ("decision_update", "case"),
    "case_status_changed": ("case_status_updated", "case"),
    "case_assigned": ("review_case_assigned", "case"),
    "watchlist_notification_monitored_search_updated": ("monitored_search_updated", "watchlist"),
    "monitored_search_updated": ("monitored_search_updated", "watchlist"),
    "case_management_notification_case_closure": ("case_closure", "watchlist"),
    "case_closure": ("case_closure", "watchlist"),
    "watchlist_match_found": ("watchlist_match_found", "watchlist"),
    "watchlist_monitoring_alert": ("monitored_search_updated", "watchlist"),
    "docv_waiting_for_user_to_redirect": ("docv_waiting_for_user_to_redirect", "docv"),
    "docv_waiting_for_upload": ("docv_waiting_for_upload", "docv"),
    "docv_app_opened": ("docv_app_opened", "docv"),
    "docv_document_front_uploaded": ("docv_document_front_uploaded", "docv"),
    "docv_document_back_uploaded": ("docv_document_back_uploaded", "docv"),
    "docv_document_selfie_uploaded": ("docv_document_selfie_uploaded", "docv"),
    "docv_documents_uploaded": ("docv_documents_uploaded", "docv"),
    "docv_verification_completed": ("docv_verification_completed", "docv"),
    "docv_session_complete": ("docv_session_complete", "docv"),
    "docv_session_expired": ("docv_session_expired", "docv"),
}


def last_seq(daemon):
    return daemon.value("SELECT max(seq) FROM events") or 0


def triggered(daemon, *arguments, count=1):
    """Run trigger; return the rows of the events that it made."""
    before = last_seq(daemon)
    result = daemon.ctl("trigger", *arguments)
    assert result.code == OK, result.err
    rows = daemon.query("SELECT * FROM event_log WHERE seq > ? ORDER BY seq", before)
    assert len(rows) == count
    return rows


@pytest.mark.parametrize("name", TYPES)
def test_trigger_posts_an_event_of_every_documented_type(daemon, name):
    row = triggered(daemon, name)[0]
    assert (row["event_type"], row["category"]) == TYPES[name]
    assert not row["test"]


def test_trigger_list_prints_types_that_trigger_knows(daemon):
    result = daemon.ctl("trigger", "--list")
    assert result.code == OK
    names = [line.split()[0] for line in result.out.splitlines()[1:]]  # behind the heading
    assert len(names) == len(set(names))
    assert set(TYPES) <= set(names)
    for name in names:
        triggered(daemon, name)


def test_trigger_posts_a_fresh_realistic_event_each_time(daemon):
    years = {time.strftime("%Y", time.gmtime())}
    one, two = triggered(daemon, "evaluation_completed") + triggered(daemon, "evaluation_completed")
    years.add(time.strftime("%Y", time.gmtime()))
    assert one["event_id"] != two["event_id"] and one["eval_id"] != two["eval_id"]
    for key in ("eval_id", "customer_id", "decision", "status", "workflow", "environment",
                "event_at"):
        assert one[key], key
    assert one["event_at"][:4] in years
    payload = json.loads(daemon.payload(one["seq"]))
    assert payload["data"]["data_enrichments"], "as the vendor's are"


def test_trigger_is_delivered_like_any_event(daemon):
    daemon.delivery(triggered(daemon, "evaluation_completed")[0]["seq"], "true")


def test_trigger_set_changes_fields(daemon):
    row = triggered(daemon, "evaluation_completed", "--set", "data.decision=REVIEW",
                    "--set", "data.id=my-customer", "--set", "data.eval_id=my-eval",
                    "--set", "data.custom.deep=x=y")[0]
    assert (row["decision"], row["customer_id"], row["eval_id"]) == ("REVIEW", "my-customer",
                                                                      "my-eval")
    assert json.loads(daemon.payload(row["seq"]))["data"]["custom"] == {"deep": "x=y"}


def test_trigger_file_posts_that_body(daemon, folder):
    event = envelope("decision_update", decision="REJECT")
    path = folder / "event.json"
    path.write_bytes(encode(event))
    row = triggered(daemon, "--file", path)[0]
    assert row["decision"] == "REJECT"
    assert row["event_id"] == event["event_id"]
    assert json.loads(daemon.payload(row["seq"])) == event


def test_trigger_as_uses_that_credential(daemon):
    for name in ("basic", "bearer"):
        seq = triggered(daemon, "case_notes_added", "--as", name)[0]["seq"]
        assert daemon.value("SELECT credential FROM events WHERE seq = ?", seq) == name
    assert daemon.ctl("trigger", "case_notes_added", "--as", "nobody").code in (FAILED, USAGE)


def test_trigger_count_posts_several(daemon):
    rows = triggered(daemon, "evaluation_completed", "--count", "5", count=5)
    assert len({row["event_id"] for row in rows}) == 5


def test_trigger_prints_what_became_of_it_and_no_secret(daemon):
    before = last_seq(daemon)
    result = daemon.ctl("trigger", "evaluation_completed")
    assert result.out.startswith(f"200 stored seq={before + 1} ")
    for secret in daemon.secrets:
        assert secret not in result.out + result.err


def test_trigger_without_a_daemon_is_exit_4(make_daemon):
    daemon = make_daemon(start=False)
    result = daemon.ctl("trigger", "evaluation_completed")
    assert result.code == UNREACHABLE
    assert result.err


def test_trigger_that_is_refused_is_exit_1(make_daemon):
    daemon = make_daemon({"endpoint riskos": {"allow_from": "192.0.2.0/24"}})
    result = daemon.ctl("trigger", "evaluation_completed")
    assert result.code == FAILED
    assert "403" in result.err + result.out


# dashboard

def test_dashboard_prints_what_to_type_into_the_form(daemon):
    result = daemon.ctl("dashboard")
    assert result.code == OK
    for text in ("https://", ENDPOINT, "Basic", "Bearer", "riskos", daemon.config.password,
                 daemon.config.token, "curl"):
        assert text in result.out, text


def test_dashboard_names_the_port_that_is_configured(daemon):
    assert f"listen = 0.0.0.0:{daemon.port}\n" in daemon.ctl("dashboard").out


@pytest.mark.parametrize("host", ["bad host!", "", "a,b", "https://a"])
@pytest.mark.parametrize("command", ["dashboard", "init"])
def test_a_host_that_is_none_is_refused(daemon, folder, command, host):
    directory = [folder / "new"] if command == "init" else []
    result = daemon.ctl(command, *directory, "--url-host", host)
    assert result.code == USAGE and result.out == ""
    assert f"--url-host takes a host name, not '{host}'" in result.err


# check-config (what it refuses is in test_config.py)

def test_check_config_is_quiet_about_a_right_configuration(daemon):
    result = daemon.ctl("check-config")
    assert result.code == OK
    assert result.err == ""


# init

@pytest.fixture
def initialised(folder):
    directory = folder / "demo"
    result = run_ctl("init", directory)
    assert result.code == OK, result.err
    return directory, result


def test_init_writes_a_configuration_that_is_right(initialised):
    directory, _ = initialised
    assert run_ctl("-c", directory / "riskhookd.conf", "check-config").code == OK


def test_the_unit_loads_every_secret_that_init_writes(initialised):
    directory, _ = initialised
    written = {path.name for path in directory.glob("riskos-*")}
    unit = (REPOSITORY / "systemd/riskhookd.service").read_text()
    manual = (REPOSITORY / "src/core/riskhookd.conf.5").read_text()
    assert written and written == set(re.findall(r"^LoadCredential=(\S+)$", unit, re.M))
    assert all(f".Pa {name}" in manual for name in written)


def secret_files(directory):
    found = re.findall(r"^(?:password_file|token_file|client_secret_file)\s*=\s*(\S+)",
                       (directory / "riskhookd.conf").read_text(), re.MULTILINE)
    assert len(found) == 3
    return found


def test_init_lets_nobody_else_read_a_secret(initialised):
    directory, _ = initialised
    for name in [*secret_files(directory), "tls/privkey.pem"]:
        assert (directory / name).stat().st_mode & 0o077 == 0, name


def test_init_makes_other_secrets_each_time(initialised, folder):
    directory, _ = initialised
    assert run_ctl("init", folder / "other").code == OK
    for name in secret_files(directory):
        mine, other = ((folder / where / name).read_bytes() for where in ("demo", "other"))
        assert mine != other and len(mine) >= 16


def test_init_prints_no_secret(initialised):
    directory, result = initialised
    for name in secret_files(directory):
        assert (directory / name).read_text().strip() not in result.out + result.err


def test_init_makes_a_certificate_for_this_machine(initialised):
    directory, _ = initialised
    text = (directory / "riskhookd.conf").read_text()
    name = re.search(r"^tls_certificate\s*=\s*(\S+)", text, re.MULTILINE).group(1)
    out = subprocess.run(["openssl", "x509", "-in", directory / name, "-noout", "-ext",
                          "subjectAltName", "-checkend", "86400"], capture_output=True, text=True,
                         check=True).stdout
    assert "127.0.0.1" in out and "localhost" in out


def test_init_again_is_refused_and_changes_nothing(initialised):
    directory, _ = initialised
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    result = run_ctl("init", directory)
    assert result.code == FAILED and result.err
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_init_for_the_service_leaves_the_places_to_the_unit(folder):
    directory = folder / "conf"
    result = run_ctl("init", directory, "--service", "--url-host", "hooks.example.com")
    assert result.code == OK, result.err
    assert "systemctl enable --now riskhookd.socket riskhookd.service" in result.out
    text = (directory / "riskhookd.conf").read_text()
    assert "[store]" not in text and "[admin]" not in text and "@" not in text
    assert "listen = [::]:8443" in text
    assert "append-event /var/lib/riskhookd/deliveries.log" in text
    assert run_ctl("-c", directory / "riskhookd.conf", "check-config").code == OK


def test_init_trigger_events_is_all_that_a_user_needs(initialised, certificate):
    directory, _ = initialised
    path = directory / "riskhookd.conf"
    text = path.read_text()
    port = free_port()
    path.write_text(re.sub(r"^(\[server\][^[]*?^listen\s*=\s*\S+:)\d+", rf"\g<1>{port}", text,
                           count=1, flags=re.MULTILINE | re.DOTALL))
    assert str(port) in path.read_text()
    daemon = Daemon(certificate)
    daemon.config.path = path
    daemon.config.port = port
    with contextlib.ExitStack() as stack:
        stack.callback(daemon.dispose)
        daemon.start()
        assert daemon.ctl("trigger", "evaluation_completed").code == OK
        rows = daemon.ctl_rows("events")
        assert [row["event_type"] for row in rows] == ["evaluation_completed"]
        # The example handlers take what they match.
        wait_until(lambda: (rows := daemon.ctl_rows("deliveries")) and
                   all(row["state"] == "done" for row in rows),
                   what="the example handlers have run")
        assert f":{port}{ENDPOINT}" in daemon.ctl("dashboard").out


# hash-secret

def test_hash_secret_reads_standard_input_and_does_not_print_it():
    result = run_ctl("hash-secret", stdin=b"a-password-for-the-test\n")
    assert result.code == OK
    assert re.search(r"scrypt:\S+", result.out)
    assert "a-password-for-the-test" not in result.out + result.err
    assert run_ctl("hash-secret", stdin=b"a-password-for-the-test\n").out != result.out, "salted"


def test_a_uuid_as_the_bearer_token_works_as_the_vendor_suggests(make_daemon):
    token = new_id()

    def prepare(daemon):
        (daemon.folder / "token").write_text(token)

    daemon = make_daemon(prepare=prepare)
    assert daemon.post(body(), auth=client.bearer(token)).result == "stored"
