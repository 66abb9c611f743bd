# SPDX-License-Identifier: Apache-2.0
"""Secrets and certificates are replaced knowingly, and the sender's troubles do not go unseen."""

import datetime
import json

import pytest

from lib.certificate import Certificate
from lib.config import write_secret
from lib.daemon import run
from lib.events import body
from lib.settings import RISKHOOKCTL, RISKHOOKD
from lib.waiting import wait_until


def in_days(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(daemon):
    return daemon.admin("/v1/status").json()


def credential(daemon, name):
    return next(c for c in status(daemon)["credentials"] if c["credential"] == name)


def endpoint(daemon, name="riskos"):
    return next(e for e in status(daemon)["endpoints"] if e["endpoint"] == name)


def metric(daemon, line_start):
    for line in daemon.admin("/metrics").body.decode().splitlines():
        if line.startswith(line_start):
            return int(line.rpartition(" ")[2])
    return None


def age(timestamp):
    moment = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()


def test_last_use_is_shown_and_survives_a_restart(make_daemon):
    daemon = make_daemon({"credential basic": {"not_after": in_days(30)}})
    assert credential(daemon, "basic")["last_used_at"] is None
    daemon.stored(body())
    shown = credential(daemon, "basic")
    assert shown["type"] == "basic" and shown["endpoint"] == "riskos"
    assert 0 <= age(shown["last_used_at"]) < 3600
    assert shown["days_left"] == 29
    assert credential(daemon, "bearer")["last_used_at"] is None
    assert credential(daemon, "bearer")["days_left"] is None
    labels = '{credential="basic",endpoint="riskos",type="basic"}'
    used = metric(daemon, "riskhook_credential_last_used_timestamp_seconds" + labels)
    end = metric(daemon, "riskhook_credential_not_after_timestamp_seconds" + labels)
    assert 29 * 86400 < end - used <= 30 * 86400
    daemon.restart()
    assert credential(daemon, "basic")["last_used_at"] == shown["last_used_at"]
    assert 0 <= age(endpoint(daemon)["last_event_at"]) < 3600


def test_a_wrong_secret_is_no_use_of_the_credential(make_daemon):
    daemon = make_daemon()
    daemon.post(body(), auth="Bearer wrong")
    assert [c["last_used_at"] for c in status(daemon)["credentials"]] == [None, None]


def test_status_has_a_line_for_each_credential(make_daemon):
    daemon = make_daemon({"credential bearer": {"not_after": in_days(2.5)}})
    daemon.stored(body(), auth="bearer")
    lines = daemon.ctl("status").out.splitlines()
    line = next(line for line in lines if line.startswith("bearer"))
    assert line.split()[1:3] == ["bearer", "riskos"] and line.split()[-1] == "2"
    assert any(line.startswith("certificate.days_left") for line in lines)
    assert any(line.split()[:1] == ["riskos"] for line in lines)
    [everything] = daemon.ctl_rows("status")
    assert {c["credential"] for c in everything["credentials"]} == {"basic", "bearer"}


def test_ends_are_warned_of_once_each(make_daemon):
    daemon = make_daemon({"credential basic": {"not_after": in_days(13.5)},
                          "credential bearer": {"not_after": in_days(300)}})
    wait_until(lambda: "credential basic ends in 13 days" in daemon.log())
    daemon.config.update({"credential bearer": {"not_after": in_days(0.5)}})
    daemon.config.write()
    assert daemon.ctl("reload").code == 0
    wait_until(lambda: "credential bearer ends in 0 days" in daemon.log())
    assert daemon.ctl("reload").code == 0
    assert daemon.ctl("reload").code == 0  # the reminder has run between the two
    assert daemon.log().count("ends in") == 2


@pytest.mark.parametrize("begin,end,what", [
    (-30, 400, None), (-30, 16, None), (-30, 2.5, "ends in 2 days, at "),
    (-30, -1, "has ended at "), (2, 400, "not valid before "),
])
def test_checks_and_starts_warn_of_a_certificate_that_is_not_good(make_daemon, folder, begin, end,
                                                                  what):
    """They refuse nothing for it."""
    certificate = Certificate.between(folder / "certificate", begin, end)
    daemon = make_daemon(start=False)
    daemon.config.update({"server": {"tls_certificate": certificate.certificate,
                                     "tls_private_key": certificate.private_key}})
    daemon.config.write()
    for program, *args in ((RISKHOOKD, "--check"), (RISKHOOKCTL, "check-config")):
        result = run(program, "-c", daemon.config.path, *args)
        assert result.code == 0 and "ok" in result.out, result.err
        assert result.err.count("tls_certificate: ") == (what is not None), result.err
        assert what is None or "tls_certificate: " + what in result.err
    daemon.start()
    if what:
        wait_until(lambda: what in daemon.log())
    assert daemon.ctl("reload").code == 0
    assert what or "certificate" not in daemon.log()


def test_the_certificate_is_warned_of_until_it_is_renewed(make_daemon, folder):
    short, long = Certificate(folder / "short", days=3), Certificate(folder / "long", days=365)
    daemon = make_daemon(start=False)
    daemon.config.update({"server": {"tls_certificate": short.certificate,
                                     "tls_private_key": short.private_key}})
    daemon.config.write()
    daemon.start()
    wait_until(lambda: "the TLS certificate ends in 2 days" in daemon.log())
    assert status(daemon)["certificate"]["days_left"] == 2
    daemon.config.update({"server": {"tls_certificate": long.certificate,
                                     "tls_private_key": long.private_key}})
    daemon.config.write()
    assert daemon.ctl("reload").code == 0
    assert status(daemon)["certificate"]["days_left"] == 364
    assert metric(daemon, "riskhook_certificate_not_after_timestamp_seconds") > 0


def test_an_old_and_a_new_secret_live_side_by_side(make_daemon):
    daemon = make_daemon()
    daemon.secrets.append("the-next-token-1234567")
    write_secret(daemon.folder / "next", "the-next-token-1234567")
    daemon.config.update({"credential next": {"endpoint": "riskos", "type": "bearer",
                                              "token_file": "next"}})
    daemon.config.write()
    assert daemon.ctl("reload").code == 0
    daemon.stored(body(), auth="bearer")
    assert credential(daemon, "next")["last_used_at"] is None
    daemon.stored(body(), auth="Bearer the-next-token-1234567")
    assert credential(daemon, "next")["last_used_at"]
    daemon.config.update({"credential bearer": None})
    daemon.config.write()
    assert daemon.ctl("reload").code == 0
    assert daemon.post(body(), auth="bearer").status == 401


# Sender-safety


def test_a_run_of_failures_is_loud_at_three(make_daemon):
    daemon = make_daemon()
    loud = "3 authenticated requests in a row were not answered 200"
    for n in range(1, 6):
        assert daemon.post(b"not JSON").status == 400
        assert endpoint(daemon)["failures_in_a_row"] == n
        assert daemon.log().count(loud) == (n >= 3)
    assert metric(daemon, 'riskhook_endpoint_failures_in_a_row{endpoint="riskos"}') == 5
    daemon.stored(body())
    assert endpoint(daemon)["failures_in_a_row"] == 0
    assert "requests are answered 200 again" in daemon.log()


def test_a_run_of_401_is_told_and_ends_with_the_right_credential(make_daemon):
    daemon = make_daemon()
    source = daemon.new_source()
    for n in range(1, 5):
        assert daemon.post(body(), auth="Bearer wrong", source=source).status == 401
        assert endpoint(daemon)["unauthorized_in_a_row"] == n
    assert daemon.log().count("3 requests in a row were answered 401") == 1
    assert endpoint(daemon)["failures_in_a_row"] == 0
    daemon.stored(body())
    assert endpoint(daemon)["unauthorized_in_a_row"] == 0


def test_silence_is_noticed_and_so_is_its_end(make_daemon):
    daemon = make_daemon({"endpoint riskos": {"silence_alarm": "100ms"}})
    wait_until(lambda: "no event has come for 100ms" in daemon.log())
    assert endpoint(daemon)["silent"] is True
    assert metric(daemon, 'riskhook_endpoint_silent{endpoint="riskos"}') == 1
    daemon.stored(body())
    wait_until(lambda: "events come again" in daemon.log())


def test_no_silence_without_the_option(make_daemon):
    daemon = make_daemon({"endpoint riskos": {"silence_alarm": "30d"}})
    assert endpoint(daemon)["silent"] is False
    daemon.stored(body())
    assert "no event has come" not in daemon.log()


def test_the_status_is_json_without_secrets(make_daemon):
    daemon = make_daemon()
    text = json.dumps(status(daemon)) + daemon.admin("/metrics").body.decode()
    assert not any(secret in text for secret in daemon.secrets)


# Addresses


@pytest.fixture(scope="module")
def dual(make_module_daemon):
    """Listens on every address of both families."""
    daemon = make_module_daemon(start=False)
    daemon.config.update({
        "server": {"listen": f"[::]:{daemon.port}", "trusted_proxies": "::1, 127.0.0.1",
                   "auth_failures_max": 3, "auth_failures_window": "1h"},
        "endpoint only6": {"path": "/only6", "allow_from": "2001:db8:1::/48"},
        "credential six": {"endpoint": "only6", "type": "bearer", "token_file": "token"}})
    daemon.config.write()
    return daemon.start()


def as_client(daemon, address, path=None, auth="bearer"):
    arguments = {"path": path} if path else {}
    return daemon.post(body(), {"X-Forwarded-For": address}, auth=auth, **arguments).status


@pytest.mark.parametrize("address, code", [
    ("2001:db8:1::7", 200), ("2001:db8:1:ffff::", 200), ("2001:db8:2::7", 403),
    ("192.0.2.1", 403), ("2001:db8:1::7, 192.0.2.1", 403), ("192.0.2.1, 2001:db8:1::9", 200)])
def test_allow_from_with_ipv6(dual, address, code):
    assert as_client(dual, address, "/only6") == code


def test_the_throttle_counts_a_64_as_one(dual):
    for host in (":1", "2:2:2:2", "ffff:ffff:ffff:ffff"):
        assert as_client(dual, f"2001:db8:aaaa:bbbb:{host}", auth="Bearer wrong") == 401
    assert as_client(dual, "2001:db8:aaaa:bbbb:ffff::1") == 429
    assert as_client(dual, "2001:db8:aaaa:bbbc::1") == 200, "the next /64"


def test_the_throttle_counts_ipv4_addresses_one_by_one(dual):
    for _ in range(3):
        assert as_client(dual, "198.51.100.1", auth="Bearer wrong") == 401
    assert as_client(dual, "198.51.100.1") == 429
    assert as_client(dual, "198.51.100.2") == 200
