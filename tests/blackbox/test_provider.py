# SPDX-License-Identifier: Apache-2.0
"""Identity providers that are asked over the network: keys that rotate, introspection, and what
happens when the provider is down, slow, lying or endless."""

import concurrent.futures
import json
import threading

import pytest

from lib.certificate import Certificate
from lib.client import bearer, chunk, head, read_response
from lib.config import ENDPOINT, write_secret
from lib.events import body
from lib.provider import AUDIENCE, ISSUER, Key, Provider, SilentServer
from lib.waiting import wait_until

BAD_MODES = ["huge", "error", "redirect", "rubbish"]


@pytest.fixture
def provider(certificate):
    with Provider(certificate, [Key("RS256", kid="first")]) as running:
        yield running


def by_keys(provider, **more):
    """A credential whose keys the provider publishes."""
    return {"endpoint": "riskos", "type": "jwt", "issuer": ISSUER, "audience": AUDIENCE,
            "jwks_uri": provider.url("/keys"), "provider_ca": provider.certificate.certificate,
            "jwks_refresh_min": "1s", **more}


def by_introspection(provider, **more):
    return {"endpoint": "riskos", "type": "introspection", "client_id": provider.CLIENT[0],
            "introspection_uri": provider.url("/introspect"),
            "client_secret_file": "client-secret",
            "provider_ca": provider.certificate.certificate, **more}


@pytest.fixture
def make(make_daemon, provider):
    """Makes a daemon that asks the provider: by keys, by introspection, or both."""

    def make_one(keys=None, introspection=None, sections=None, start=True):
        def prepare(daemon):
            write_secret(daemon.folder / "client-secret", provider.CLIENT[1] + "\n")
            daemon.secrets.append(provider.CLIENT[1])
            sections_ = dict(sections or {})
            if keys is not None:
                sections_["credential keys"] = by_keys(provider, **keys)
            if introspection is not None:
                sections_["credential introspection"] = by_introspection(provider, **introspection)
            return sections_
        return make_daemon(prepare=prepare, start=start)

    return make_one


def post(daemon, token, **kwargs):
    return daemon.post(body(), auth=bearer(token), **kwargs)


def statuses(daemon, tokens, threads=8):
    """Post once for each token, many at a time."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return [response.status for response in pool.map(lambda t: post(daemon, t), tokens)]


def metric(daemon, name):
    for line in daemon.admin("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError(name)


# What the operator is told


def doctor(daemon):
    rows = [json.loads(line) for line in daemon.ctl("doctor", "--json").out.splitlines()]
    return [(row["level"], row["finding"]) for row in rows if row["check"] == "provider"]


def test_doctor_asks_the_providers(make, provider):
    daemon = make(keys={}, introspection={})
    assert doctor(daemon) == [
        ("ok", "credential keys: 1 keys"),
        ("ok", "credential introspection: the introspection endpoint answers")]
    with provider.down():
        levels, findings = zip(*doctor(daemon))
    assert levels == ("problem", "problem")
    assert "jwks_uri" in findings[0] and "introspection_uri" in findings[1]


# Keys

def test_keys_are_read_once_and_signatures_checked_with_them(make, provider):
    daemon = make(keys={})
    tokens = [provider.keys[0].token() for _ in range(20)]
    assert statuses(daemon, tokens) == [200] * 20
    assert provider.count("/keys") == 1
    headers = provider.requests[0][1]
    assert headers["Accept"] == "application/json" and "Authorization" not in headers


def test_a_request_that_comes_before_the_keys_waits_for_them(make, provider):
    with provider.hanging():
        daemon = make(keys={})
        provider.wait("/keys")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(post, daemon, provider.keys[0].token()) for _ in range(4)]
            wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 4)
            assert daemon.post(body()).result == "stored"
            assert not any(one.done() for one in waiting)
            provider.released.set()
            assert [one.result().status for one in waiting] == [200] * 4
    assert provider.count("/keys") == 1


@pytest.mark.parametrize("shape", ["length", "chunked", "continue", "empty"])
def test_a_body_of_any_shape_survives_the_wait(make, provider, shape):
    """The body may be on the wire before, while or after the request waits."""
    with provider.hanging():
        daemon = make(keys={})
        data = body() if shape != "empty" else b""
        headers = daemon.headers(auth=bearer(provider.keys[0].token()))
        if shape == "chunked":
            headers["Transfer-Encoding"] = "chunked"
            data = b"".join(chunk(data[i:i + 50]) for i in range(0, len(data), 50)) + chunk(b"")
        else:
            headers["Content-Length"] = len(data)
        if shape == "continue":
            headers["Expect"] = "100-continue"
        with daemon.open_socket() as sock:
            sock.sendall(head("POST", ENDPOINT, headers))
            if shape != "continue":
                sock.sendall(data)
            wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 1)
            provider.released.set()
            if shape == "continue":
                interim = b""
                while not interim.endswith(b"\r\n\r\n"):
                    interim += sock.recv(1)
                assert interim.startswith(b"HTTP/1.1 100")
                sock.sendall(data)
            response = read_response(sock)
            assert response.status == (400 if shape == "empty" else 200)
            # the connection is as good as before
            again = body()
            headers = daemon.headers({"Content-Length": len(again)})
            sock.sendall(head("POST", ENDPOINT, headers) + again)
            assert read_response(sock).result == "stored"


def test_keys_rotate_under_load_and_no_good_token_is_lost(make, provider):
    daemon = make(keys={})
    answers, stop = [[] for _ in range(4)], threading.Event()

    def sender(mine):
        with daemon.connect() as connection:
            while not stop.is_set():
                token = provider.keys[0].token()
                status = connection.request(
                    "POST", ENDPOINT, body(), daemon.headers(auth=bearer(token))).status
                while status == 503:  # as RiskOS does: try again
                    status = connection.request(
                        "POST", ENDPOINT, body(), daemon.headers(auth=bearer(token))).status
                mine.append(status)

    def go_on():
        """Each sender gets some more answers, so nobody holds a token from before."""
        before = [len(mine) for mine in answers]
        wait_until(lambda: all(len(mine) > n + 10 for mine, n in zip(answers, before)))

    threads = [threading.Thread(target=sender, args=[mine]) for mine in answers]
    for thread in threads:
        thread.start()
    for i in range(3):
        go_on()
        provider.keys.insert(0, Key("ES256", kid=f"rotated-{i}"))
        del provider.keys[2:]
    go_on()
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for mine in answers for status in mine} == {200}
    assert 2 <= provider.count("/keys") <= 10


def test_an_unknown_key_is_looked_for_once_and_then_refused(make, provider):
    daemon = make(keys={"jwks_refresh_min": "1h"})
    assert post(daemon, provider.keys[0].token()).status == 200
    unknown = [Key("ES256", kid=f"unknown-{i}").token() for i in range(10)]
    # the daemon has only just read the keys, so it cannot know: come again
    assert set(statuses(daemon, unknown)) == {503}
    assert provider.count("/keys") == 1


def test_an_unknown_key_waits_for_the_newest_keys_and_is_401(make, provider):
    with provider.hanging():
        daemon = make(keys={})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, daemon, Key("ES256", kid="unknown").token())
            wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 1)
            provider.released.set()
            assert waiting.result().status == 401
    assert provider.count("/keys") == 1


def test_junk_does_not_make_anybody_ask_the_provider(make, provider):
    daemon = make(keys={}, introspection={"issuer": "https://other.example.com"})
    provider.wait("/keys")
    stranger = Key("RS256", kid="unknown")
    for token in (stranger.token({"aud": "somebody"}), stranger.token({"exp": 1}),
                  stranger.token({"iss": "https://evil.example.com"}),
                  stranger.token(header={"crit": ["x"]}), provider.keys[0].token()[:-8]):
        assert post(daemon, token, source=daemon.new_source()).status == 401
    assert provider.count("/keys") == 1 and provider.count("/introspect") == 0


def test_without_keys_it_is_503_with_retry_after_and_never_401(make, provider):
    with provider.down():
        daemon = make(keys={})
        response = post(daemon, provider.keys[0].token())
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert post(daemon, "opaque").status == 401, "nobody has to be asked about this one"
    wait_until(lambda: post(daemon, provider.keys[0].token()).status == 200)
    daemon.wait_log("the provider's keys can be read again")
    log = daemon.log()
    assert log.count("cannot read the provider's keys") == 1, "once, however often it is tried"
    assert log.count("the provider's keys can be read again") == 1


def test_keys_stay_in_use_while_the_provider_is_down(make, provider):
    daemon = make(keys={})
    old, new = provider.keys[0], Key("ES256", kid="new")
    assert post(daemon, old.token()).status == 200
    with provider.down():
        wait_until(lambda: post(daemon, new.token()).status == 503 and
                   metric(daemon, "riskhook_provider_failures_total") >= 1)
        assert post(daemon, old.token()).status == 200
        provider.keys.append(new)
    wait_until(lambda: post(daemon, new.token()).status == 200)


@pytest.mark.parametrize("mode", BAD_MODES)
def test_bad_answers_for_keys_are_survived(make, provider, mode):
    provider.mode = mode
    daemon = make(keys={})
    assert post(daemon, provider.keys[0].token()).status == 503
    assert daemon.post(body()).result == "stored"
    assert provider.flooded < 64 << 20, "1 GB was not cut off"
    assert provider.count("/elsewhere") == 0, "a redirect was followed"
    provider.mode = "good"
    wait_until(lambda: post(daemon, provider.keys[0].token()).status == 200)


def test_a_provider_with_a_certificate_of_nobody_is_not_believed(make, provider):
    daemon = make(keys={"provider_ca": None})
    assert post(daemon, provider.keys[0].token()).status == 503
    assert provider.count("/keys") == 0


def test_the_proxy_of_the_environment_is_not_used(make, provider):
    daemon = make(keys={}, start=False)
    daemon.environment = {name: "http://127.0.0.1:1" for name in
                          ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    daemon.start()
    assert post(daemon, provider.keys[0].token()).status == 200


def test_a_stop_does_not_wait_for_the_provider(make, provider):
    with provider.hanging():
        daemon = make(keys={"provider_timeout": "30s"}, introspection={"provider_timeout": "30s"})
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(post, daemon, token)
                       for token in (provider.keys[0].token(), "opaque")]
            wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 2)
            daemon.terminate()
            assert [one.result().status for one in waiting] == [503, 503]
        daemon.wait_stopped()
        assert "cut off" not in daemon.log() and "under way" not in daemon.log()


def test_a_reload_leaves_alone_who_waits(make, provider):
    """The old configuration lives on until its last request has its answer."""
    provider.tokens["token"] = {"active": True}
    with provider.hanging(), concurrent.futures.ThreadPoolExecutor(4) as pool:
        daemon = make(keys={"provider_timeout": "30s"}, introspection={"provider_timeout": "30s"})
        waiting = [pool.submit(post, daemon, token)
                   for token in (provider.keys[0].token(), "token")]
        wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 2)
        for _ in range(3):
            assert daemon.ctl("reload").code == 0
        waiting += [pool.submit(post, daemon, token)
                    for token in (provider.keys[0].token(), "token")]
        wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 4)
        provider.released.set()
        assert [one.result().status for one in waiting] == [200] * 4


def reload(daemon, **changed):
    daemon.config.update({"credential keys": changed})
    daemon.config.write()
    result = daemon.ctl("reload")
    assert result.code == 0, result.err


def test_keys_survive_reloads_while_the_provider_is_down(make, provider):
    daemon = make(keys={})
    known, unknown = provider.keys[0], Key("ES256", kid="unknown")
    assert post(daemon, known.token()).status == 200
    with provider.down():
        for changed in ({}, {}, {"jwks_stale_for": "1h", "jwks_refresh": "1m"}):
            failures = metric(daemon, "riskhook_provider_failures_total")
            reload(daemon, **changed)
            assert post(daemon, known.token()).status == 200
            wait_until(lambda n=failures: metric(daemon, "riskhook_provider_failures_total") > n)
            assert post(daemon, known.token()).status == 200
            assert post(daemon, unknown.token()).status == 503


def test_a_credential_with_another_name_has_the_keys_of_the_same_provider(make, provider):
    daemon = make(keys={})
    assert post(daemon, provider.keys[0].token()).status == 200
    with provider.down():
        sections = daemon.config.sections
        sections["credential renamed"] = sections.pop("credential keys")
        daemon.config.write()
        assert daemon.ctl("reload").code == 0
        assert post(daemon, provider.keys[0].token()).status == 200


def another_url(daemon, _):
    return {"jwks_uri": daemon.config.sections["credential keys"]["jwks_uri"] + "/other"}


def another_file(daemon, other):
    (daemon.folder / "other.pem").write_bytes(other.certificate.read_bytes())
    return {"provider_ca": "other.pem"}


def other_content(daemon, other):
    (daemon.folder / "ca.pem").write_bytes(other.certificate.read_bytes())
    return {}


FORMER = {
    "another URL": another_url,
    "another authority": another_file,
    "another authority in the same file": other_content,
    "the authorities of the system": lambda daemon, other: {"provider_ca": None},
}


@pytest.mark.parametrize("change", FORMER.values(), ids=FORMER.keys())
def test_keys_of_a_former_provider_vouch_for_nobody(make, provider, folder, change):
    daemon = make(keys={"provider_ca": "ca.pem"}, start=False)
    (daemon.folder / "ca.pem").write_bytes(provider.certificate.certificate.read_bytes())
    daemon.start()
    token = provider.keys[0].token()
    assert post(daemon, token).status == 200
    with provider.down():
        reload(daemon, **change(daemon, Certificate(folder / "other")))
        assert post(daemon, token).status == 503
        assert post(daemon, provider.keys[0].token()).status == 503


def test_a_reload_has_the_keys_read_at_once(make, provider):
    daemon = make(keys={"jwks_refresh_min": "1h"})
    old, new = provider.keys[0], Key("ES256", kid="new")
    assert post(daemon, old.token()).status == 200
    provider.keys[:] = [new]
    reload(daemon)
    assert post(daemon, new.token()).status == 200, "it waits for the keys, if need be"
    assert post(daemon, old.token()).status == 503, "those that are gone are not known any more"
    assert provider.count("/keys") == 2


def test_known_keys_wait_for_nobody_after_a_reload(make, provider):
    daemon = make(keys={"provider_timeout": "30s"})
    assert post(daemon, provider.keys[0].token()).status == 200
    with provider.hanging(), concurrent.futures.ThreadPoolExecutor(4) as pool:
        reload(daemon)
        waiting = []
        for i in range(3):  # each by a configuration that is gone when it gets its answer
            waiting.append(pool.submit(post, daemon, Key("ES256", kid=f"unknown-{i}").token()))
            wait_until(lambda n=i: metric(daemon, "riskhook_auth_waits_total") > n)
            reload(daemon)
            assert post(daemon, provider.keys[0].token()).status == 200
        provider.released.set()
        assert [one.result().status for one in waiting] == [401] * 3


# Introspection

def test_an_opaque_token_is_asked_about_once(make, provider):
    daemon = make(introspection={})
    provider.tokens["good one"[:4] + "-token/+"] = {"active": True}
    for _ in range(3):
        assert post(daemon, "good-token/+").status == 200
    assert provider.count("/introspect") == 1
    path, headers, form = provider.requests[0]
    assert form == "token=good-token%2F%2B&token_type_hint=access_token"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Accept"] == "application/json"


def test_an_inactive_token_is_401_and_not_asked_about_again_at_once(make, provider):
    daemon = make(introspection={})
    assert [post(daemon, "inactive").status for _ in range(3)] == [401] * 3
    assert provider.count("/introspect") == 1


def test_one_request_for_a_token_is_in_flight(make, provider):
    provider.tokens["shared"] = {"active": True}
    daemon = make(introspection={})
    with provider.hanging(), concurrent.futures.ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(post, daemon, "shared") for _ in range(12)]
        wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 12)
        provider.released.set()
        assert [one.result().status for one in waiting] == [200] * 12
    assert provider.count("/introspect") == 1


ANSWERS = {
    "bare": ({"active": True}, {}, 200),
    "with all that is wanted": (
        {"active": True, "iss": ISSUER, "aud": [AUDIENCE], "scope": "a b", "exp": 9999999999},
        {"issuer": ISSUER, "audience": AUDIENCE, "required_scope": "b"}, 200),
    "wrong issuer": ({"active": True, "iss": "https://evil.example.com"}, {"issuer": ISSUER}, 401),
    "no issuer": ({"active": True}, {"issuer": ISSUER}, 401),
    "wrong audience": ({"active": True, "aud": "somebody"}, {"audience": AUDIENCE}, 401),
    "expired": ({"active": True, "exp": 1}, {}, 401),
    "not yet": ({"active": True, "nbf": 9999999999}, {}, 401),
    "scope missing": ({"active": True, "scope": "a"}, {"required_scope": "a b"}, 403),
    "active as text": ({"active": "true"}, {}, 503),
    "active as a number": ({"active": 1}, {}, 503),
    "nothing": ({}, {}, 503),
    "a list": ([{"active": True}], {}, 503),
    "twice": (b'{"active": false, "active": true}', {}, 503),
}


@pytest.mark.parametrize("answer, options, status", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_answer_decides(make, provider, answer, options, status):
    provider.tokens["token"] = answer
    daemon = make(introspection=options)
    response = post(daemon, "token")
    assert response.status == status
    if status == 403:
        assert 'error="insufficient_scope", scope="a b"' in response.all("WWW-Authenticate")[0]


def test_a_good_answer_that_is_not_called_json_is_not_believed(make, provider):
    provider.tokens["token"] = {"active": True}
    provider.content_type = "text/html"
    assert post(make(introspection={}), "token").status == 503


@pytest.mark.parametrize("mode", BAD_MODES)
def test_a_bad_provider_is_503_with_retry_after_and_never_401(make, provider, mode):
    provider.tokens["token"] = {"active": True}
    provider.mode = mode
    daemon = make(introspection={})
    response = post(daemon, "token")
    assert response.status == 503 and int(response.headers["Retry-After"]) > 0
    assert provider.flooded < 64 << 20, "1 GB was not cut off"
    assert provider.count("/elsewhere") == 0, "a redirect was followed"
    assert daemon.log().count("cannot ask the provider") == 1
    provider.mode = "good"
    wait_until(lambda: post(daemon, "token").status == 200)
    assert "the provider answers again" in daemon.log()


def test_a_provider_that_is_down_is_503(make, provider):
    provider.tokens["token"] = {"active": True}
    daemon = make(introspection={})
    with provider.down():
        assert post(daemon, "token").status == 503
    wait_until(lambda: post(daemon, "token").status == 200)


def test_a_provider_that_does_not_know_us_is_503(make, provider):
    daemon = make(introspection={"client_id": "somebody"})
    assert post(daemon, "token").status == 503


@pytest.mark.parametrize("kind", ["keys", "introspection"])
def test_a_provider_that_accepts_and_says_nothing_is_503_in_time(make, provider, kind):
    with SilentServer() as silent:
        uri = f"https://127.0.0.1:{silent.port}/x"
        option = {"keys": "jwks_uri", "introspection": "introspection_uri"}[kind]
        daemon = make(**{kind: {option: uri, "provider_timeout": "300ms"}})
        token = provider.keys[0].token() if kind == "keys" else "opaque"
        assert post(daemon, token).status == 503


def test_others_are_answered_while_the_provider_hangs(make, provider):
    """More requests wait than there are threads; Basic, Bearer and known tokens do not notice."""
    known = provider.keys[0].token()
    provider.tokens["known"] = {"active": True}
    daemon = make(keys={"provider_timeout": "30s"}, introspection={"provider_timeout": "30s"})
    assert post(daemon, known).status == 200 and post(daemon, "known").status == 200
    with provider.hanging(), concurrent.futures.ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(post, daemon, f"opaque-{i}") for i in range(40)]
        wait_until(lambda: metric(daemon, "riskhook_auth_waits_total") >= 41)
        for auth in ("basic", "bearer", bearer(known), bearer("known")):
            assert daemon.post(body(), auth=auth).result == "stored"
        assert daemon.post(body(), auth=bearer("known"), path="/nowhere").status == 404
        assert not any(one.done() for one in waiting)
        provider.released.set()
        assert {one.result().status for one in waiting} <= {401, 429}


def test_a_token_is_not_shown_to_another_provider(make, provider):
    """A JWT of an issuer whose keys are known never goes to introspection, an opaque one does."""
    daemon = make(keys={}, introspection={})
    stranger = Key("RS256", kid="first")
    assert post(daemon, stranger.token(), source=daemon.new_source()).status == 401
    assert provider.count("/introspect") == 0
    assert post(daemon, "opaque", source=daemon.new_source()).status == 401
    assert provider.count("/introspect") == 1


def test_static_credentials_never_ask_anybody(make, provider):
    daemon = make(introspection={})
    for auth in ("basic", "bearer"):
        assert daemon.post(body(), auth=auth).result == "stored"
    assert provider.count("/introspect") == 0


CONFIG = {
    "no URL": {"introspection_uri": None},
    "plain HTTP": {"introspection_uri": "http://127.0.0.1/introspect"},
    "no client": {"client_id": None},
    "no secret": {"client_secret_file": None},
    "keys": {"jwks_uri": "https://idp.example.com/keys"},
    "no file of secret": {"client_secret_file": "nowhere"},
}


@pytest.mark.parametrize("changed", CONFIG.values(), ids=CONFIG.keys())
def test_a_wrong_configuration_is_refused_with_file_and_line(make, changed):
    daemon = make(introspection=changed, start=False)
    result = daemon.ctl("check-config")
    assert result.code == 1 and f"{daemon.config.path}:" in result.err


def test_the_command_line_never_shows_or_sends_the_client_secret(make, provider):
    daemon = make(introspection={})
    out = daemon.ctl("dashboard").out
    assert provider.CLIENT[1] not in out
    assert provider.CLIENT[1] not in daemon.ctl("dashboard", "--json").out
    refused = daemon.ctl("trigger", "evaluation_completed", "--as", "introspection")
    assert refused.code == 1 and "identity provider" in refused.err


def test_a_client_secret_that_others_can_read_is_refused(make):
    daemon = make(introspection={}, start=False)
    (daemon.folder / "client-secret").chmod(0o640)
    assert "chmod 600" in daemon.ctl("check-config").err
