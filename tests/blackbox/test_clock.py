# SPDX-License-Identifier: Apache-2.0
"""A wall clock that is set: deliveries wait as long as they were told to, and not for a time that
comes again after hours; nothing is erased or given up before its time, and what a provider said is
not believed for longer."""

import hashlib

import pytest

from chaos.world import HOUR, PRELOADS, Clock, can_preload
from lib.client import basic, bearer
from lib.config import write_secret
from lib.consumer import Consumer, ok, retry
from lib.events import body
from lib.provider import Provider
from lib.waiting import wait_until

pytestmark = pytest.mark.skipif(not can_preload(),
                                reason="sanitizers want to be the first library themselves")


@pytest.fixture
def clock(folder):
    return Clock(folder / "clock")


@pytest.fixture
def make(make_daemon, folder, clock):
    """A daemon with a consumer that takes everything at the second attempt."""
    answer = lambda consumer, delivery: \
        retry(delivery, after=1) if delivery["attempt"] == 1 else ok(delivery)
    with Consumer(folder / "consumer.sock", answer) as consumer:
        daemon = make_daemon({"handler later": {"type": "unix", "socket": consumer.path}},
                             environment={"LD_PRELOAD": str(PRELOADS[1]),
                                          "RISKHOOK_CLOCK": str(clock.path)})
        yield daemon


def wait_first_attempt(daemon):
    """What it has brought is in the store: when the second one is due."""
    wait_until(lambda: daemon.query("SELECT 1 FROM attempts WHERE attempt = 1 AND ended_at > 0"),
               what="the first attempt has ended")


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_clock_that_is_set_back_keeps_nobody_waiting(make, clock, restarted):
    daemon = make
    first, second = (daemon.stored(body(eval_id="one")) for _ in range(2))
    wait_first_attempt(daemon)
    if restarted:
        daemon.stop()
    clock.jump(-5 * HOUR)
    if restarted:
        daemon.start()
    else:
        daemon.stored(body())
    daemon.delivery(first, "later", "done")
    daemon.delivery(second, "later", "done")
    assert restarted or "the clock was set back by" in daemon.log()


def test_a_clock_that_is_set_forward_loses_nothing(make, clock):
    daemon = make
    seq = daemon.stored(body())
    wait_first_attempt(daemon)
    clock.jump(5 * HOUR)
    daemon.delivery(seq, "later", "done")


def test_a_clock_that_is_set_forward_ends_no_retry_for(make_daemon, folder, clock):
    """Both what began before the step and what began after it; the log says what to do."""
    answer = lambda consumer, delivery: \
        retry(delivery, after=1) if delivery["attempt"] < 3 else ok(delivery)
    with Consumer(folder / "consumer.sock", answer) as consumer:
        daemon = make_daemon({"handler later": {"type": "unix", "socket": consumer.path,
                                                "retry_for": "1h"}},
                             environment={"LD_PRELOAD": str(PRELOADS[1]),
                                          "RISKHOOK_CLOCK": str(clock.path)})
        before = daemon.stored(body())
        consumer.wait_for(1)
        clock.jump(5 * HOUR)
        after = daemon.stored(body())
        daemon.delivery(before, "later", "done")
        daemon.delivery(after, "later", "done")
    daemon.ctl("reload")
    assert wait_until(lambda: "the clock was set forward by 18000 s" in daemon.log())


def test_what_began_while_the_clock_was_ahead_is_given_up_in_time(make_daemon, folder, clock):
    answer = lambda consumer, delivery: retry(delivery)
    with Consumer(folder / "consumer.sock", answer) as consumer:
        daemon = make_daemon({"handler later": {"type": "unix", "socket": consumer.path,
                                                "retry_for": "2s", "retry_initial": "100ms"}},
                             environment={"LD_PRELOAD": str(PRELOADS[1]),
                                          "RISKHOOK_CLOCK": str(clock.path)})
        clock.jump(5 * HOUR)
        seq = daemon.stored(body())
        assert daemon.delivery(seq, "later", "dead")["attempts"] > 1


def test_retention_erases_nothing_for_a_clock_that_was_set_forward(make_daemon, clock):
    """Only a start believes it."""
    daemon = make_daemon({"store": {"retention": "1h", "retention_case": "2s"}},
                         environment={"LD_PRELOAD": str(PRELOADS[1]),
                                      "RISKHOOK_CLOCK": str(clock.path)})
    seq = daemon.stored(body())
    daemon.post(b"no JSON")
    case = daemon.stored(body("decision_update"))
    clock.jump(5 * HOUR)
    # time that really passes does count; the pass that sees it has looked at the others before
    wait_until(lambda: daemon.show(case)["erased_at"], timeout=30, what="what is old is erased")
    assert daemon.show(seq)["erased_at"] is None
    assert daemon.value("SELECT count(*) FROM quarantine") == 1
    daemon.restart()
    wait_until(lambda: daemon.show(seq)["erased_at"], timeout=30, what="the other is erased, too")


def test_retention_forgets_no_event_when_the_clock_was_set_back(make_daemon, clock):
    """The event from before the step gets old only after those that came later."""
    daemon = make_daemon({"store": {"retention": "30s"}},
                         environment={"LD_PRELOAD": str(PRELOADS[1]),
                                      "RISKHOOK_CLOCK": str(clock.path)})
    before = daemon.stored(body())
    clock.jump(-HOUR)
    after = daemon.stored(body())
    clock.jump(60)
    daemon.restart()  # which believes the clock at once
    wait_until(lambda: daemon.show(after)["erased_at"], timeout=30, what="the later one is erased")
    assert daemon.show(before)["erased_at"] is None
    clock.jump(HOUR)
    daemon.restart()
    wait_until(lambda: daemon.show(before)["erased_at"], timeout=30, what="both are erased")


@pytest.mark.parametrize("step", [-HOUR, 5 * HOUR], ids=["back", "forward"])
@pytest.mark.parametrize("choice", ["id", "credential"])
def test_a_token_is_revoked_whatever_the_clock_says(make_daemon, clock, step, choice):
    """Set back, the token was issued in the future; set forward, it has expired until the clock is
    right again."""
    def prepare(daemon):
        write_secret(daemon.folder / "oauth-secret", "a-secret-of-the-client\n")
        daemon.secrets.append("a-secret-of-the-client")
        return {"credential oauth": {"endpoint": "riskos", "type": "oauth_client",
                                     "client_id": "client", "client_secret_file": "oauth-secret"}}
    daemon = make_daemon(prepare=prepare, environment={"LD_PRELOAD": str(PRELOADS[1]),
                                                       "RISKHOOK_CLOCK": str(clock.path)})
    response = daemon.post(b"grant_type=client_credentials", path="/oauth/token",
                           auth=basic("client", "a-secret-of-the-client"),
                           headers={"Content-Type": "application/x-www-form-urlencoded"})
    token = response.json()["access_token"]
    daemon.secrets.append(token)
    assert daemon.post(body(), auth=bearer(token)).status == 200
    clock.jump(step)
    chosen = ["--credential", "oauth"] if choice == "credential" else \
        [hashlib.sha256(token.encode()).hexdigest()[:12]]
    daemon.ctl("token", "revoke", *chosen)
    clock.jump(-step)
    assert daemon.post(body(), auth=bearer(token)).status == 401
    daemon.restart()
    assert daemon.post(body(), auth=bearer(token)).status == 401


def test_what_a_provider_said_does_not_live_longer(make_daemon, certificate, clock):
    """Neither does a revoked token open anything for hours, nor a failure keep a good one out."""
    with Provider(certificate) as provider:
        def prepare(daemon):
            write_secret(daemon.folder / "provider-secret", provider.CLIENT[1] + "\n")
            daemon.secrets.append(provider.CLIENT[1])
            return {"credential asked": {
                "endpoint": "riskos", "type": "introspection", "client_id": provider.CLIENT[0],
                "introspection_uri": provider.url("/introspect"),
                "client_secret_file": "provider-secret", "provider_ca": certificate.certificate}}
        daemon = make_daemon(prepare=prepare,
                             environment={"LD_PRELOAD": str(PRELOADS[1]),
                                          "RISKHOOK_CLOCK": str(clock.path)})
        provider.tokens["token"] = {"active": True}
        assert daemon.post(body(), auth=bearer("token")).status == 200
        del provider.tokens["token"]
        clock.jump(-HOUR)
        assert daemon.post(body(), auth=bearer("token")).status == 401
        provider.tokens["another"] = {"active": True}
        with provider.down():
            assert daemon.post(body(), auth=bearer("another")).status == 503
        clock.jump(-HOUR)
        assert daemon.post(body(), auth=bearer("another")).status == 200
