# SPDX-License-Identifier: Apache-2.0
"""The token endpoint and the tokens that it issues, with curl and http.client as clients."""

import hashlib
import json
import re
import sqlite3
import subprocess
import threading
import urllib.parse

import pytest

from lib import client
from lib.client import basic, bearer, chunk, head, read_response
from lib.config import ENDPOINT, USERNAME, write_secret
from lib.daemon import run_ctl
from lib.events import body, new_id
from lib.settings import scaled

PATH = "/oauth/token"
FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"

# id and secret of each client
PLAIN = ("riskos-client", "plain-secret-0123456789")
NEXT = ("riskos-client", "next-secret-0123456789")
ODD = ("Jürgen:100%+ü", "a+b%3A c:€&=\"\\")
HASHED = ("hashed-client", "hashed-secret-0123456789")
OTHER = ("other-client", "other-secret-0123456789")
OVER = ("over-client", "over-secret-0123456789")
CLOSED = ("closed-client", "closed-secret-0123456789")


def add_clients(daemon):
    def oauth(endpoint, pair, file, **more):
        daemon.secrets.append(pair[1])
        write_secret(daemon.folder / file, pair[1] + "\n")
        return {"endpoint": endpoint, "type": "oauth_client", "client_id": pair[0],
                "client_secret_file": file, **more}

    daemon.secrets.append(HASHED[1])
    made = run_ctl("hash-secret", stdin=HASHED[1].encode() + b"\n").out
    secret_hash = next(word for word in made.split() if word.startswith("scrypt:"))
    return {
        "endpoint other": {"path": "/other"},
        "endpoint closed": {"path": "/closed", "allow_from": "192.0.2.0/24"},
        "credential plain": oauth("riskos", PLAIN, "s-plain", token_ttl="10m"),
        "credential next": oauth("riskos", NEXT, "s-next"),
        "credential odd": oauth("riskos", ODD, "s-odd"),
        "credential hashed": {"endpoint": "riskos", "type": "oauth_client",
                              "client_id": HASHED[0], "client_secret_hash": secret_hash},
        "credential other": oauth("other", OTHER, "s-other"),
        "credential over": oauth("riskos", OVER, "s-over", not_after=PAST),
        "credential closed": oauth("closed", CLOSED, "s-closed"),
    }


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon(prepare=add_clients)


@pytest.fixture
def fresh(make_daemon):
    return make_daemon(prepare=add_clients)


def ask(daemon, parameters=None, auth=None, source=None, content_type=FORM, raw=None, headers=None):
    data = raw if raw is not None else urllib.parse.urlencode(parameters or {}).encode()
    given = {"Content-Type": content_type, "Authorization": auth, **(headers or {})}
    given = {name: value for name, value in given.items() if value is not None}
    with daemon.connect(source) as connection:
        return connection.request("POST", PATH, data, given)


def encoded(pair):
    """client_secret_basic, as RFC 6749 section 2.3.1 asks for."""
    return basic(*(urllib.parse.quote_plus(part) for part in pair))


def in_body(pair):
    return {**GRANT, "client_id": pair[0], "client_secret": pair[1]}


def token_of(daemon, response):
    """The token of a good answer, which is checked by the book."""
    assert response.status == 200, response.body
    assert response.headers.get_content_type() == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    answer = response.json()
    assert set(answer) == {"access_token", "token_type", "expires_in"}
    assert answer["token_type"] == "Bearer"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", answer["access_token"]), "256 bits of base64url"
    daemon.secrets.append(answer["access_token"])
    return answer["access_token"]


def get_token(daemon, pair=PLAIN):
    return token_of(daemon, ask(daemon, GRANT, encoded(pair)))


def use(daemon, token, path=ENDPOINT, source=None):
    return daemon.post(body(), auth=bearer(token), path=path,
                       source=source or daemon.new_source()).status


def assert_error(response, status, error):
    assert response.status == status, response.body
    assert response.headers.get_content_type() == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    answer = response.json()
    assert set(answer) == {"error", "error_description"}
    assert answer["error"] == error, answer
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def set_expiry(daemon, token, expires_at):
    """While the daemon is down: there is no way to make it believe in another time."""
    db = sqlite3.connect(daemon.config.store)
    digest = hashlib.sha256(token.encode()).digest()
    with db:
        changed = db.execute("UPDATE tokens SET expires_at = ? WHERE token_sha256 = ?",
                             (expires_at, digest)).rowcount
    db.close()
    assert changed == 1


# Both ways to authenticate, both kinds of body

@pytest.mark.parametrize("parameters, auth, name", [
    (GRANT, encoded(PLAIN), "plain"), (GRANT, basic(*PLAIN), "plain"),
    (in_body(PLAIN), None, "plain"), (GRANT, encoded(NEXT), "next"), (in_body(NEXT), None, "next"),
    (GRANT, encoded(ODD), "odd"), (in_body(ODD), None, "odd"),
    (GRANT, encoded(HASHED), "hashed"), (in_body(HASHED), None, "hashed"),
], ids=["encoded", "raw", "in the body", "rotated", "rotated in the body", "odd encoded",
        "odd in the body", "hashed", "hashed in the body"])
def test_a_token_opens_the_endpoint(daemon, parameters, auth, name):
    token = token_of(daemon, ask(daemon, parameters, auth))
    seq = daemon.stored(body(), auth=bearer(token))
    assert daemon.value("SELECT credential FROM events WHERE seq = ?", seq) == name


def test_a_secret_that_is_not_encoded_counts_as_it_is(daemon):
    """Many clients never encode; a colon in the id alone cannot be told then."""
    assert ask(daemon, GRANT, basic(ODD[0], ODD[1]), daemon.new_source()).status == 401
    half = basic(urllib.parse.quote_plus(PLAIN[0]), PLAIN[1])
    assert ask(daemon, GRANT, half).status == 200


@pytest.mark.parametrize("pair", [PLAIN, ODD], ids=["plain", "odd"])
def test_json_is_taken_too(daemon, pair):
    raw = json.dumps({**in_body(pair), "audience": [{"client_id": "x"}]}).encode()
    response = ask(daemon, content_type="application/json; charset=utf-8", raw=raw)
    assert use(daemon, token_of(daemon, response)) == 200


@pytest.mark.parametrize("pair", [PLAIN, ODD], ids=["plain", "odd"])
def test_curl_gets_a_token_and_posts_with_it(daemon, pair, certificate):
    def curl(*arguments):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--fail", "--cacert", certificate.certificate,
             *arguments], capture_output=True, timeout=scaled(30))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    origin = f"https://127.0.0.1:{daemon.port}"
    quoted = ":".join(urllib.parse.quote_plus(part) for part in pair)
    by_header = curl("-d", "grant_type=client_credentials", "-u", quoted, origin + PATH)
    by_body = curl("-d", "grant_type=client_credentials", "--data-urlencode",
                   "client_id=" + pair[0], "--data-urlencode", "client_secret=" + pair[1],
                   origin + PATH)
    for answer in (by_header, by_body):
        daemon.secrets.append(answer["access_token"])
        stored = curl("-H", "Authorization: Bearer " + answer["access_token"], "-H",
                      "Content-Type: application/json", "--data-binary", body().decode(),
                      origin + ENDPOINT)
        assert stored["result"] == "stored"


def test_the_time_to_live_is_told_and_kept(daemon):
    response = ask(daemon, GRANT, encoded(PLAIN))
    token = token_of(daemon, response)
    assert response.json()["expires_in"] == 600
    row = daemon.query("SELECT * FROM tokens WHERE token_sha256 = ?",
                       hashlib.sha256(token.encode()).digest())[0]
    assert row["expires_at"] - row["issued_at"] == 600 * 1000000
    assert (row["endpoint"], row["credential"], row["client_id"]) == ("riskos", "plain", PLAIN[0])


def test_a_well_formed_scope_is_granted_as_asked(daemon):
    token_of(daemon, ask(daemon, {**GRANT, "scope": "riskos.events other"}, encoded(PLAIN)))


# Errors by the book

ERRORS = {
    "no client": (dict(parameters=GRANT), 401, "invalid_client"),
    "wrong secret": (dict(parameters=GRANT, auth=basic(PLAIN[0], "x")), 401, "invalid_client"),
    "wrong secret in the body": (dict(parameters=in_body((PLAIN[0], "x"))), 401, "invalid_client"),
    "unknown client": (dict(parameters=in_body(("x", "x"))), 401, "invalid_client"),
    "secret of another": (dict(parameters=in_body((PLAIN[0], OTHER[1]))), 401, "invalid_client"),
    "client that is over": (dict(parameters=in_body(OVER)), 401, "invalid_client"),
    "another scheme": (dict(parameters=GRANT, auth="Bearer x"), 401, "invalid_client"),
    "no base64": (dict(parameters=GRANT, auth="Basic !"), 401, "invalid_client"),
    "header without a client": (dict(parameters=GRANT, auth=""), 401, "invalid_client"),
    "two ways": (dict(parameters=in_body(PLAIN), auth=encoded(PLAIN)), 400, "invalid_request"),
    "two clients": (dict(parameters={**GRANT, "client_id": "x"}, auth=encoded(PLAIN)), 400,
                    "invalid_request"),
    "address": (dict(parameters=in_body(CLOSED)), 400, "unauthorized_client"),
    "no grant_type": (dict(parameters={"a": "b"}, auth=encoded(PLAIN)), 400, "invalid_request"),
    "no body": (dict(raw=b"", auth=encoded(PLAIN)), 400, "invalid_request"),
    "grant_type": (dict(parameters={"grant_type": "password"}, auth=encoded(PLAIN)), 400,
                   "unsupported_grant_type"),
    "scope": (dict(parameters={**GRANT, "scope": 'a "b"'}, auth=encoded(PLAIN)), 400,
              "invalid_scope"),
    "repeated": (dict(raw=b"grant_type=client_credentials&grant_type=x", auth=encoded(PLAIN)), 400,
                 "invalid_request"),
    "repeated in JSON": (dict(raw=b'{"grant_type":"client_credentials","grant_type":"x"}',
                              content_type="application/json", auth=encoded(PLAIN)), 400,
                         "invalid_request"),
    "percent": (dict(raw=b"grant_type=client_credentials&scope=%zz", auth=encoded(PLAIN)), 400,
                "invalid_request"),
    "media type": (dict(parameters=GRANT, auth=encoded(PLAIN), content_type="text/plain"), 400,
                   "invalid_request"),
    "encoding": (dict(parameters=GRANT, auth=encoded(PLAIN),
                      headers={"Content-Encoding": "gzip"}), 400, "invalid_request"),
    "form as JSON": (dict(parameters=GRANT, auth=encoded(PLAIN),
                          content_type="application/json"), 400, "invalid_request"),
    "JSON array": (dict(raw=b"[]", auth=encoded(PLAIN), content_type="application/json"), 400,
                   "invalid_request"),
    "deep JSON": (dict(raw=b"[" * 8000, auth=encoded(PLAIN), content_type="application/json"), 400,
                  "invalid_request"),
    "binary": (dict(raw=bytes(range(256)) * 8, auth=encoded(PLAIN)), 400, "invalid_request"),
    "too large": (dict(raw=b"scope=" + b"a" * 9000, auth=encoded(PLAIN)), 413, "invalid_request"),
}


@pytest.mark.parametrize("request_of, status, error", ERRORS.values(), ids=ERRORS.keys())
def test_errors_are_those_of_the_book(daemon, request_of, status, error):
    before = daemon.value("SELECT count(*) FROM tokens")
    assert_error(ask(daemon, **request_of, source=daemon.new_source()), status, error)
    assert daemon.value("SELECT count(*) FROM tokens") == before


def test_a_401_does_not_say_what_was_wrong(daemon):
    answers = {ask(daemon, **ERRORS[name][0], source=daemon.new_source()).body
               for name in ("no client", "wrong secret", "unknown client", "client that is over")}
    assert len(answers) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_another_method_is_405(daemon, method):
    with daemon.connect(daemon.new_source()) as connection:
        response = connection.request(method, PATH + "?grant_type=client_credentials")
    assert response.status == 405
    assert response.headers["Allow"] == "POST"


def test_parameters_in_the_url_count_for_nothing(daemon):
    query = urllib.parse.urlencode(in_body(PLAIN))
    with daemon.connect(daemon.new_source()) as connection:
        response = connection.request("POST", PATH + "?" + query, b"", {"Content-Type": FORM})
    assert_error(response, 401, "invalid_client")


def test_two_authorization_headers_are_refused(daemon):
    data = b"grant_type=client_credentials"
    with daemon.open_socket(source=daemon.new_source()) as sock:
        lines = head("POST", PATH, {"Authorization": encoded(PLAIN), "Content-Type": FORM,
                                    "Content-Length": len(data)})
        sock.sendall(lines[:-2] + f"Authorization: {encoded(PLAIN)}\r\n\r\n".encode() + data)
        assert read_response(sock).status in (400, 401)


def test_a_body_in_pieces_is_as_good_and_a_long_one_is_not_kept(daemon):
    headers = {"Authorization": encoded(PLAIN), "Content-Type": FORM,
               "Transfer-Encoding": "chunked"}
    with daemon.open_socket(source=daemon.new_source()) as sock:
        sock.sendall(head("POST", PATH, headers))
        for piece in (b"grant_ty", b"pe=client_", b"credentials"):
            sock.sendall(chunk(piece))
        sock.sendall(chunk(b""))
        token_of(daemon, read_response(sock))
        sock.sendall(head("POST", PATH, headers))
        for _ in range(100):
            sock.sendall(chunk(b"a" * 1000))
        sock.sendall(chunk(b""))
        assert_error(read_response(sock), 413, "invalid_request")


def test_a_refusal_does_not_wait_for_a_body_that_waits_itself(daemon):
    with daemon.open_socket(source=daemon.new_source()) as sock:
        sock.sendall(head("POST", PATH, {"Authorization": encoded(PLAIN), "Content-Type": FORM,
                                         "Content-Length": 100000, "Expect": "100-continue"}))
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_without_such_a_credential_there_is_no_token_endpoint(make_daemon):
    assert make_daemon().post(b"", path=PATH, auth=None).status == 404


# Where a token counts

def test_a_token_of_one_endpoint_opens_no_other(daemon):
    own, other = get_token(daemon, PLAIN), get_token(daemon, OTHER)
    assert use(daemon, own) == 200 and use(daemon, other, "/other") == 200
    assert use(daemon, own, "/other") == 401
    refused = daemon.post(body(), auth=bearer(other), source=daemon.new_source())
    assert refused.status == 401
    assert any('error="invalid_token"' in text for text in refused.all("WWW-Authenticate"))


def test_the_clients_secret_itself_opens_nothing(daemon):
    for auth in (bearer(PLAIN[1]), basic(*PLAIN)):
        assert daemon.post(body(), auth=auth, source=daemon.new_source()).status == 401
    response = ask(daemon, GRANT, basic(USERNAME, daemon.config.password), daemon.new_source())
    assert_error(response, 401, "invalid_client")


def test_a_token_is_not_in_the_store(daemon):
    token = get_token(daemon)
    for name in ("events.db", "events.db-wal"):
        assert token.encode() not in (daemon.folder / name).read_bytes()


def test_many_are_alive_at_once(fresh):
    tokens = []

    def fetch():
        with fresh.connect() as connection:
            for _ in range(50):
                response = connection.request(
                    "POST", PATH, urllib.parse.urlencode(in_body(PLAIN)), {"Content-Type": FORM})
                tokens.append(token_of(fresh, response))

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(tokens)) == 300
    with fresh.connect() as connection:
        for token in tokens:
            answer = connection.request("POST", ENDPOINT, body(), fresh.headers(auth=bearer(token)))
            assert answer.result == "stored"
    assert fresh.value("SELECT count(*) FROM tokens") == 300
    metrics = fresh.admin("/metrics").body.decode()
    assert "riskhook_tokens_issued_total 300" in metrics


# Through restarts

def test_tokens_survive_a_restart(fresh):
    tokens = [get_token(fresh), get_token(fresh, OTHER)]
    fresh.restart()
    assert use(fresh, tokens[0]) == 200
    assert use(fresh, tokens[1], "/other") == 200


def test_tokens_survive_kill_9_right_behind_the_answer(fresh):
    for _ in range(5):
        token = get_token(fresh)
        fresh.kill9()
        fresh.start()
        assert use(fresh, token) == 200


def test_an_expired_token_is_refused_and_does_not_count_as_guessing(make_daemon):
    daemon = make_daemon({"server": {"auth_failures_max": 2}}, prepare=add_clients)
    token = get_token(daemon)
    daemon.stop()
    set_expiry(daemon, token, 1 + daemon.value("SELECT issued_at FROM tokens"))
    daemon.start()
    source = daemon.new_source()
    for _ in range(5):
        refused = daemon.post(body(), auth=bearer(token), source=source)
        assert refused.status == 401
        assert any('error="invalid_token"' in text for text in refused.all("WWW-Authenticate"))
    assert daemon.ctl("token", "list").code == 3
    fresh_token = token_of(daemon, ask(daemon, GRANT, encoded(PLAIN), source))
    assert use(daemon, fresh_token, source=source) == 200


def test_what_expired_long_ago_is_forgotten(fresh):
    token = get_token(fresh)
    fresh.stop()
    set_expiry(fresh, token, 1)
    fresh.start()
    get_token(fresh)
    assert fresh.value("SELECT count(*) FROM tokens") == 1


@pytest.mark.parametrize("change", [
    None, {"client_id": "renamed"}, {"not_after": PAST}, {"not_before": FUTURE},
    {"endpoint": "other"},
], ids=["removed", "renamed", "over", "early", "moved"])
def test_a_token_counts_only_while_its_client_does(fresh, change):
    token = get_token(fresh, HASHED)
    assert use(fresh, token) == 200
    fresh.stop()
    fresh.config.update({"credential hashed": change})
    fresh.config.write()
    fresh.start()
    assert use(fresh, token) == 401
    assert use(fresh, token, "/other") == 401


# Revoking

def test_revoke_one_holds_at_once_and_after_a_restart(fresh):
    tokens = [get_token(fresh) for _ in range(3)]
    rows = fresh.ctl_rows("token", "list")
    digest = hashlib.sha256(tokens[1].encode()).hexdigest()
    assert [row["token"] for row in rows][1] == digest[:12]
    assert all(row["credential"] == "plain" and row["endpoint"] == "riskos" for row in rows)
    assert fresh.ctl("token", "revoke", digest[:12].upper()).code == 0
    for _ in range(2):
        assert [use(fresh, token) for token in tokens] == [200, 401, 200]
        fresh.restart()
    assert fresh.ctl("token", "revoke", digest[:12]).code == 3


def test_revoke_all_of_a_credential(fresh):
    own, other = [get_token(fresh) for _ in range(3)], get_token(fresh, OTHER)
    assert len(fresh.ctl_rows("token", "list", "--credential", "plain")) == 3
    result = fresh.ctl("token", "revoke", "--credential", "plain")
    assert result.code == 0 and "3 revoked" in result.out
    assert [use(fresh, token) for token in own] == [401] * 3
    assert use(fresh, other, "/other") == 200
    assert use(fresh, get_token(fresh)) == 200, "the client may fetch a new one"
    assert fresh.ctl_rows("token", "revoke", "--credential", "plain") == [{"revoked": 1}]


@pytest.mark.parametrize("arguments, code", [
    (["token"], 2), (["token", "list", "x"], 2), (["token", "revoke"], 2),
    (["token", "revoke", "xyz"], 2), (["token", "revoke", "0123456789ab", "--credential", "x"], 2),
    (["token", "no-such"], 2), (["token", "revoke", "0123456789ab"], 3),
    (["token", "revoke", "--credential", "no-such"], 3),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_usage_of_token(daemon, arguments, code):
    assert daemon.ctl(*arguments).code == code


def test_listing_works_with_the_daemon_down_and_revoking_does_not(fresh):
    get_token(fresh)
    fresh.stop()
    assert len(fresh.ctl_rows("token", "list")) == 1
    assert fresh.ctl("token", "revoke", "--credential", "plain").code == 4


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"token":"x"}', b'{"token":1}',
                                  b'{"credential":""}', b'{"token":"0123456789ab","token":"0"}',
                                  b'{"token":"0123456789ab","credential":"plain"}',
                                  b"{" * 70000])
def test_hostile_revocations(daemon, data):
    connection = client.UnixHTTPConnection(daemon.config.admin_socket)
    connection.request("POST", "/v1/tokens/revoke", data)
    assert connection.getresponse().status == (413 if len(data) > 65536 else 400)
    connection.close()
    connection = client.UnixHTTPConnection(daemon.config.admin_socket)
    connection.request("GET", "/v1/tokens/revoke")
    assert connection.getresponse().status == 405
    connection.close()


# Throttle

def test_wrong_clients_are_throttled_with_everything_else_of_the_address(make_daemon):
    daemon = make_daemon({"server": {"auth_failures_max": 3}}, prepare=add_clients)
    token = get_token(daemon)
    source = daemon.new_source()
    for _ in range(3):
        response = ask(daemon, in_body((PLAIN[0], "x")), source=source)
        assert_error(response, 401, "invalid_client")
    for response in (ask(daemon, in_body(PLAIN), source=source),
                     daemon.post(body(), auth=bearer(token), source=source)):
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60
    token_of(daemon, ask(daemon, in_body(PLAIN), source=daemon.new_source()))


def test_mistakes_that_are_no_guesses_are_not_throttled(make_daemon):
    daemon = make_daemon({"server": {"auth_failures_max": 1}}, prepare=add_clients)
    source = daemon.new_source()
    for name in ("no client", "client that is over", "address", "grant_type", "repeated", "scope"):
        assert ask(daemon, **ERRORS[name][0], source=source).status in (400, 401)
    token_of(daemon, ask(daemon, in_body(PLAIN), source=source))


# When the disk does not do

def test_no_token_is_given_that_could_not_be_stored(fresh):
    blocker = sqlite3.connect(fresh.config.store, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")  # longer than the daemon waits for a lock
    try:
        response = ask(fresh, in_body(PLAIN))
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    assert_error(response, 503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert fresh.value("SELECT count(*) FROM tokens") == 0
    get_token(fresh)


# Helping with the Dashboard

def test_dashboard_prints_the_form_of_each_kind(daemon):
    rows = {row["credential"]: row for row in daemon.ctl_rows("dashboard")}
    assert rows["basic"]["type"] == "basic" and rows["bearer"]["type"] == "bearer"
    odd = rows["odd"]
    assert odd["type"] == "oauth_client"
    assert (odd["client_id"], odd["client_secret"]) == ODD
    assert odd["token_url"].endswith(f":{daemon.port}{PATH}")
    assert odd["username"] is odd["password"] is odd["token"] is None
    assert rows["hashed"]["client_secret"] is rows["hashed"]["curl"] is None
    text = daemon.ctl("dashboard").out
    for word in ("Client ID", "Client secret", "Token URL", PLAIN[1], PATH):
        assert word in text


@pytest.mark.parametrize("name", ["basic", "bearer", "plain", "odd"])
def test_the_line_of_the_dashboard_works_as_it_is(daemon, name):
    rows = {row["credential"]: row for row in daemon.ctl_rows("dashboard")}
    line = rows[name]["curl"]
    sample = daemon.folder / "sample.json"
    sample.write_bytes(body())
    line = line.replace("riskhookctl trigger evaluation_completed --print", f"cat {sample}")
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=scaled(30))
    assert b'"stored"' in done.stdout, done


@pytest.mark.parametrize("name", ["basic", "bearer", "plain", "odd"])
def test_trigger_works_as_each(daemon, name):
    result = daemon.ctl("trigger", "evaluation_completed", "--as", name, "--json")
    assert result.code == 0, result.err
    seq = result.rows()[0]["seq"]
    assert daemon.value("SELECT credential FROM events WHERE seq = ?", seq) == name


def test_trigger_says_what_the_token_endpoint_says(daemon):
    result = daemon.ctl("trigger", "evaluation_completed", "--as", "over")
    assert result.code == 1
    assert "401 invalid_client" in result.err
    assert OVER[1] not in result.err
    assert daemon.ctl("trigger", "evaluation_completed", "--as", "hashed").code == 1


def test_trigger_with_a_token_from_elsewhere(daemon, folder):
    secret = write_secret(folder / "secret", OTHER[1] + "\n")
    url = f"https://127.0.0.1:{daemon.port}{PATH}"
    arguments = ["trigger", "evaluation_completed", "--endpoint", "other"]
    foreign = ["--token-url", url, "--client-id", OTHER[0], "--client-secret-file", secret]
    assert daemon.ctl(*arguments, *foreign).code == 0
    assert daemon.ctl(*arguments, *foreign, "--as", "other").code == 0
    assert daemon.ctl(*arguments, *foreign, "--as", "plain").code == 1, "of another endpoint"
    assert daemon.ctl(*arguments, *foreign[:4]).code == 2
    file = write_secret(folder / "token", get_token(daemon, OTHER) + "\n")
    assert daemon.ctl(*arguments, "--bearer-file", file).code == 0
    assert daemon.ctl(*arguments, "--bearer-file", file, *foreign).code == 2
    wrong = write_secret(folder / "wrong", new_id())
    assert daemon.ctl(*arguments, "--bearer-file", wrong).code == 1
    assert daemon.ctl(*arguments, "--bearer-file", folder / "no-such").code == 1
