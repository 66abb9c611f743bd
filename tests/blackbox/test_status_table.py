# SPDX-License-Identifier: Apache-2.0
"""Every row of the status table: who gets which answer, and what stays of it."""

import base64
import hashlib
import json
import subprocess

import pytest

from lib.client import basic, bearer, chunk, head, read_response
from lib.config import ENDPOINT, write_secret
from lib.daemon import run_ctl
from lib.events import body, body_of_size, new_id
from lib.waiting import wait_until

MAX_BODY = 2 * 1024 * 1024

UTF8_PASSWORD = "pä:ss:wörd€"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def add_credentials(daemon):
    """Further endpoints: one for each thing that a credential can be."""
    sections = {}

    def secret(name, content):
        daemon.secrets.append(content)
        return write_secret(daemon.folder / name, content + "\n")

    def endpoint(name, credentials, **options):
        sections[f"endpoint {name}"] = {"path": f"/{name}", **options}
        for i, credential in enumerate(credentials):
            sections[f"credential {name}-{i}"] = {"endpoint": name, **credential}

    def bearer_file(name, token, **more):
        secret(name, token)
        return {"type": "bearer", "token_file": name, **more}

    secret("password-utf8", UTF8_PASSWORD)
    hashed = run_ctl("hash-secret", stdin=b"hashed-password\n").out
    password_hash = next(word for word in hashed.split() if word.startswith("scrypt:"))
    token_hash = "sha256:" + hashlib.sha256(b"hashed-token").hexdigest()

    endpoint("nobody", [bearer_file("t-nobody", "token-for-nobody")], allow_from="192.0.2.0/24")
    endpoint("basic-only", [{"type": "basic", "username": "Jürgen",
                             "password_file": "password-utf8"}])
    endpoint("bearer-only", [bearer_file("t-bearer-only", "token-of-bearer-only")])
    endpoint("strict", [bearer_file("t-strict", "token-strict")])
    endpoint("lenient", [bearer_file("t-lenient", "token-lenient", lenient="yes")])
    endpoint("rotation", [bearer_file("t-old", "token-of-last-year"),
                          bearer_file("t-new", "token-of-this-year")])
    endpoint("validity", [bearer_file("t-over", "token-that-is-over", not_after=PAST),
                          bearer_file("t-early", "token-too-early", not_before=FUTURE),
                          bearer_file("t-valid", "token-valid-now", not_before=PAST,
                                      not_after=FUTURE)])
    endpoint("hashes", [{"type": "basic", "username": "hashed", "password_hash": password_hash},
                        {"type": "bearer", "token_hash": token_hash}])
    daemon.secrets += ["hashed-password", "hashed-token"]
    return sections


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon({"store": {"quarantine_max": 1000}}, prepare=add_credentials)


def assert_problem(response, status):
    """RFC 9457, short, and with nothing in it that the sender should not know."""
    assert response.status == status, response.body
    assert response.headers.get_content_type() == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status"} <= set(problem)
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert len(response.body) < 1000
    return problem


# Path, method, source

@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/riskos/more", "/webhooks/RISKOS",
                                  "//webhooks/riskos", "/oauth/token", "/healthz", "/v1/status"])
def test_an_unknown_path_is_404(daemon, path):
    assert_problem(daemon.post(body(), path=path), 404)


def test_an_unknown_path_is_404_without_a_credential_too(daemon):
    assert_problem(daemon.post(body(), path="/unknown", auth=None, source=daemon.new_source()), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_another_method_is_405_and_says_which_is_allowed(daemon, method):
    with daemon.connect() as connection:
        response = connection.request(method, ENDPOINT, None, daemon.headers())
    assert response.status == 405
    assert response.headers["Allow"] == "POST"
    if method != "HEAD":
        assert_problem(response, 405)


def test_a_source_that_is_not_allowed_is_403_even_with_the_credential(daemon):
    assert_problem(daemon.post(body(), path="/nobody", auth=bearer("token-for-nobody")), 403)


def test_the_path_is_compared_without_the_query(daemon):
    assert daemon.post(body(), path=ENDPOINT + "?source=riskos&x=%2F").result == "stored"


@pytest.mark.parametrize("trusted, forwarded, status", [
    (True, "192.0.2.7", 200),
    (True, "198.51.100.1, 192.0.2.7", 200),
    (True, "192.0.2.7, 198.51.100.1", 403),
    (True, "192.0.2.7, 127.0.0.9", 200),  # two proxies, both ours
    (True, "nonsense", 403),
    (True, None, 403),
    (False, "192.0.2.7", 403),
])
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(make_daemon, trusted, forwarded,
                                                              status):
    daemon = make_daemon({
        "server": {"trusted_proxies": "127.0.0.0/8" if trusted else None},
        "endpoint riskos": {"allow_from": "192.0.2.0/24"}})
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert daemon.post(body(), headers).status == status


def test_plain_http_is_served_behind_a_proxy_on_loopback(make_daemon):
    daemon = make_daemon({"server": {"insecure_http": "yes", "tls_certificate": None,
                                     "tls_private_key": None}})
    assert daemon.post(body(), tls=False).result == "stored"


# Missing and wrong credentials

def challenges(response):
    """The scheme of each WWW-Authenticate header -> the whole header."""
    found = {}
    for header in response.all("WWW-Authenticate"):
        scheme = header.split()[0]
        assert scheme not in found, "one challenge per scheme"
        found[scheme] = header
    return found


def test_no_credential_is_401_with_a_challenge_for_each_scheme(daemon):
    response = daemon.post(body(), auth=None, source=daemon.new_source())
    assert_problem(response, 401)
    found = challenges(response)
    assert set(found) == {"Basic", "Bearer"}
    assert 'realm="' in found["Basic"] and 'charset="UTF-8"' in found["Basic"]
    assert 'realm="' in found["Bearer"]
    assert "error=" not in found["Bearer"], "nothing was wrong yet (RFC 6750 section 3.1)"


@pytest.mark.parametrize("path, scheme", [("/basic-only", "Basic"), ("/bearer-only", "Bearer"),
                                          ("/rotation", "Bearer")])
def test_only_accepted_schemes_are_challenged(daemon, path, scheme):
    response = daemon.post(body(), auth=None, path=path, source=daemon.new_source())
    assert_problem(response, 401)
    assert set(challenges(response)) == {scheme}


def test_a_wrong_bearer_token_is_invalid_token(daemon):
    response = daemon.post(body(), auth=bearer("wrong"), source=daemon.new_source())
    assert_problem(response, 401)
    assert 'error="invalid_token"' in challenges(response)["Bearer"]


WRONG = {
    "wrong token": bearer("wrong"),
    "empty token": "Bearer ",
    "scheme alone": "Bearer",
    "unknown scheme": "Digest username=x",
    "empty": "",
    "wrong password": basic("riskos", "wrong"),
    "empty password": basic("riskos", ""),
    "unknown user": basic("nobody", "wrong"),
    "no base64": "Basic !!!!",
    "no colon": "Basic " + base64.b64encode(b"riskos").decode(),
    "Basic alone": "Basic",
    "very long": bearer("x" * 7000),
    "control bytes": b"Bearer \x01\x7f\xff",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_credential_is_401_and_the_body_does_not_say_why(daemon, wrong):
    right_size = body()
    missing = daemon.post(right_size, auth=None, source=daemon.new_source())
    response = daemon.post(right_size, auth=wrong, source=daemon.new_source())
    assert_problem(response, 401)
    assert response.body == missing.body


def test_a_bit_more_or_less_than_the_secret_is_wrong(daemon):
    token, password = daemon.config.token, daemon.config.password
    for auth in (bearer(token[:-1]), bearer(token + "x"), bearer(token.swapcase()),
                 bearer(token + "\\n"), basic("riskos", password[:-1]),
                 basic("riskos", password + "\n"), basic("RISKOS", password),
                 basic("riskos:", password)):
        assert daemon.post(body(), auth=auth, source=daemon.new_source()).status == 401


def test_a_credential_of_another_endpoint_is_wrong(daemon):
    for path, auth in (("/strict", daemon.bearer), (ENDPOINT, bearer("token-strict")),
                       ("/basic-only", daemon.basic)):
        assert daemon.post(body(), auth=auth, path=path, source=daemon.new_source()).status == 401


def test_nothing_of_a_refused_request_reaches_the_store(daemon):
    marker = new_id()
    source = daemon.new_source()
    for raw in (body(event_id=marker), marker.encode()):
        assert daemon.post(raw, auth=None, source=source).status == 401
        assert daemon.post(raw, auth=bearer("wrong"), source=source).status == 401
        assert daemon.post(raw, auth=bearer("token-for-nobody"), path="/nobody").status == 403
        assert daemon.post(raw, {"Content-Type": "text/plain"}).status == 415
    assert daemon.value("SELECT count(*) FROM events WHERE event_id = ?", marker) == 0
    assert daemon.value("SELECT count(*) FROM quarantine WHERE body = CAST(? AS BLOB)", marker) == 0


def test_two_authorization_headers_are_not_a_way_in(daemon):
    data = body()
    with daemon.open_socket(source=daemon.new_source()) as sock:
        request = head("POST", ENDPOINT, {"Authorization": "Bearer wrong",
                                          "Content-Length": len(data)})
        request = request[:-2] + f"Authorization: {daemon.bearer}\r\n\r\n".encode()
        sock.sendall(request + data)
        assert read_response(sock).status in (400, 401)


def test_the_credential_is_decided_before_the_body(daemon):
    with daemon.open_socket(source=daemon.new_source()) as sock:
        sock.sendall(head("POST", ENDPOINT, {"Authorization": "Bearer wrong",
                                             "Content-Length": 1000,
                                             "Expect": "100-continue"}))
        assert sock.recv(12) == b"HTTP/1.1 401", "no 100 Continue for a wrong credential"


def test_a_good_credential_gets_100_continue_and_then_200(daemon):
    data = body()
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data),
                                             "Expect": "100-continue"}))
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):
            interim += sock.recv(1)
        assert interim.startswith(b"HTTP/1.1 100")
        sock.sendall(data)
        assert read_response(sock).result == "stored"


# Good credentials

@pytest.mark.parametrize("template", [
    "Bearer {}", "bearer {}", "bEaReR {}", "Bearer   {}", "Bearer {}  ", "  Bearer {}",
    "Bearer Bearer {}", "Bearer bearer {}", "Bearer\t{}",
])
def test_spellings_of_bearer_seen_in_the_field_are_accepted(daemon, template):
    auth = template.format("token-strict")
    assert daemon.post(body(), auth=auth, path="/strict").result == "stored"


def test_a_bare_token_needs_a_lenient_credential(daemon):
    strict = daemon.post(body(), auth="token-strict", path="/strict", source=daemon.new_source())
    assert strict.status == 401
    assert daemon.post(body(), auth="token-lenient", path="/lenient").result == "stored"
    assert daemon.post(body(), auth="Bearer token-lenient", path="/lenient").result == "stored"
    wrong = daemon.post(body(), auth="token-other", path="/lenient", source=daemon.new_source())
    assert wrong.status == 401


def test_a_basic_password_may_hold_colons_and_utf8(daemon):
    for scheme in ("Basic", "bASIC", "Basic  "):
        pair = basic("Jürgen", UTF8_PASSWORD).split()[1]
        response = daemon.post(body(), auth=f"{scheme} {pair}", path="/basic-only")
        assert response.result == "stored"


def test_several_credentials_live_at_once(daemon):
    for token, name in (("token-of-last-year", "rotation-0"), ("token-of-this-year", "rotation-1")):
        seq = daemon.stored(body(), auth=bearer(token), path="/rotation")
        assert daemon.value("SELECT credential FROM events WHERE seq = ?", seq) == name


def test_a_credential_counts_only_between_its_dates(daemon):
    for token, status in (("token-that-is-over", 401), ("token-too-early", 401),
                          ("token-valid-now", 200)):
        response = daemon.post(body(), auth=bearer(token), path="/validity",
                               source=daemon.new_source())
        assert response.status == status, token


@pytest.mark.parametrize("auth, status", [
    (basic("hashed", "hashed-password"), 200), (basic("hashed", "hashed-passwore"), 401),
    (bearer("hashed-token"), 200), (bearer("hashed-tokem"), 401),
])
def test_a_hash_is_as_good_as_the_secret(daemon, auth, status):
    response = daemon.post(body(), auth=auth, path="/hashes", source=daemon.new_source())
    assert response.status == status


def test_curl_gets_in_as_a_user_would_try_it(daemon):
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", daemon.config.sections["server"]
         ["tls_certificate"], "--user", f"riskos:{daemon.config.password}",
         "--json", body().decode(), f"https://127.0.0.1:{daemon.port}{ENDPOINT}"],
        capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == "stored"


# Too many failures

@pytest.fixture(scope="module")
def throttled_daemon(make_module_daemon):
    return make_module_daemon({"server": {"auth_failures_max": 3, "auth_failures_window": "1h"}})


def test_too_many_failures_from_an_address_are_429(throttled_daemon):
    daemon, source = throttled_daemon, throttled_daemon.new_source()
    for _ in range(3):
        assert daemon.post(body(), auth=bearer("wrong"), source=source).status == 401
    response = daemon.post(body(), auth=bearer("wrong"), source=source)
    assert_problem(response, 429)
    assert 0 < int(response.headers["Retry-After"]) <= 3600
    assert daemon.post(body(), source=source).status == 429, "guessing right does not help now"


def test_failures_are_counted_per_address(throttled_daemon):
    daemon, source = throttled_daemon, throttled_daemon.new_source()
    for _ in range(5):
        daemon.post(body(), auth=bearer("wrong"), source=source)
    assert daemon.post(body(), source=daemon.new_source()).result == "stored"


def test_good_requests_do_not_count_as_failures(throttled_daemon):
    daemon, source = throttled_daemon, throttled_daemon.new_source()
    for _ in range(10):
        assert daemon.post(body(), source=source).result == "stored"


def test_the_throttle_ends_with_its_window(make_daemon):
    daemon = make_daemon({"server": {"auth_failures_max": 1, "auth_failures_window": "1s"}})
    source = daemon.new_source()
    daemon.post(body(), auth=bearer("wrong"), source=source)
    wait_until(lambda: daemon.post(body(), source=source).status == 200,
               what="the address is served again")


# Size

def assert_closed(sock):
    """The peer has ended the connection; how does not matter."""
    try:
        assert sock.recv(1) == b""
    except OSError as e:
        assert not isinstance(e, TimeoutError), "the connection is still open"


def test_a_declared_body_far_over_the_limit_is_413_before_it_is_sent(daemon):
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(),
                                             "Content-Length": 2 * MAX_BODY + 1}))
        assert_problem(read_response(sock), 413)
        assert_closed(sock)


def test_a_client_that_sends_a_body_over_the_limit_sees_the_413(daemon):
    # it reads only after it has sent everything: the answer must not come with a reset
    for _ in range(5):
        assert_problem(daemon.post(body_of_size(MAX_BODY + 1)), 413)


def test_a_declared_body_over_the_limit_gets_no_100_continue(daemon):
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": MAX_BODY + 1,
                                             "Expect": "100-continue"}))
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_an_absurd_content_length_is_refused(daemon):
    for length in (str(2**63), str(2**64 + 5), "99999999999999999999999", "-1", "0x10", "1 2"):
        with daemon.open_socket(source=daemon.new_source()) as sock:
            sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": length}))
            assert read_response(sock).status in (400, 413), length
    assert daemon.post(body()).result == "stored"


def test_a_streamed_body_over_the_limit_is_413(daemon):
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Transfer-Encoding": "chunked"}))
        data = body_of_size(MAX_BODY + 1)
        for i in range(0, len(data), 65536):
            sock.sendall(chunk(data[i:i + 65536]))
        sock.sendall(chunk(b""))
        assert_problem(read_response(sock), 413)
        assert_closed(sock)


def test_a_body_exactly_at_the_limit_is_stored(daemon):
    declared, streamed = body_of_size(MAX_BODY), body_of_size(MAX_BODY)
    assert daemon.payload(daemon.stored(declared)) == declared
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Transfer-Encoding": "chunked"}))
        for i in range(0, len(streamed), 65536):
            sock.sendall(chunk(streamed[i:i + 65536]))
        sock.sendall(chunk(b""))
        assert daemon.payload(read_response(sock).seq) == streamed


def test_max_body_is_what_the_configuration_says(make_daemon):
    daemon = make_daemon({"server": {"max_body": "4KiB"}})
    assert daemon.post(body_of_size(4096)).result == "stored"
    assert daemon.post(body_of_size(4097)).status == 413


# Content type and coding

@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
    "application/cloudevents+json", "application/problem+json; charset=utf-8", None,
])
def test_json_content_types_and_none_are_accepted(daemon, content_type):
    assert daemon.post(body(), {"Content-Type": content_type}).result == "stored"


@pytest.mark.parametrize("content_type", [
    "text/plain", "text/json-not", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/jsonp", "application/octet-stream", "application/xml",
])
def test_another_content_type_is_415(daemon, content_type):
    assert_problem(daemon.post(body(), {"Content-Type": content_type}), 415)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity", "gzip, identity", "unheard-of"])
def test_any_content_encoding_is_415(daemon, coding):
    assert_problem(daemon.post(body(), {"Content-Encoding": coding}), 415)


# What is not one JSON object

NOT_AN_OBJECT = {
    "no JSON": b"event_type=evaluation_completed",
    "an array": b'[{"event_id":"1"}]',
    "a string": b'"evaluation_completed"',
    "a number": b"42",
    "null": b"null",
    "cut short": b'{"event_id":"1","data":{"eval_id"',
    "not UTF-8": b'{"event_id":"\xff\xfe"}',
    "overlong UTF-8": b'{"event_id":"\xc0\xaf"}',
    "a lone surrogate in UTF-8": b'{"event_id":"\xed\xa0\x80"}',
    "two values": b'{"a":1}{"b":2}',
    "something behind": b'{"a":1} x',
    "a trailing comma": b'{"a":1,}',
    "a comment": b'{"a":1}// c',
    "single quotes": b"{'a':1}",
    "a raw control character": b'{"a":"\n"}',
    "a leading zero": b'{"a":01}',
    "NaN": b'{"a":NaN}',
    "a NUL behind": b'{"a":1}\0',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}x',
    "only blanks": b"  \n",
    "empty": b"",
    "too deep": b'{"a":' * 100000 + b"1" + b"}" * 100000,
}


@pytest.mark.parametrize("raw", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT.keys())
def test_what_is_not_one_json_object_is_400_and_in_quarantine(daemon, raw):
    assert_problem(daemon.post(raw), 400)
    digest = hashlib.sha256(raw).hexdigest()
    rows = [row for row in daemon.ctl_rows("quarantine") if row["body_sha256"] == digest]
    assert len(rows) == 1
    row = rows[0]
    assert set(row) == {"quarantine", "endpoint", "credential", "address", "received_at", "posts",
                        "reason", "bytes", "body_sha256"}
    assert (row["endpoint"], row["credential"]) == ("riskos", "basic")
    assert row["address"] == "127.0.0.1"
    assert row["bytes"] == len(raw)
    assert row["reason"]
    assert daemon.value("SELECT body FROM quarantine WHERE quarantine = ?",
                        row["quarantine"]) == raw


def test_the_same_rubbish_again_is_counted_not_kept_twice(daemon):
    raw = b"rubbish " + new_id().encode()
    for _ in range(3):
        assert daemon.post(raw).status == 400
    digest = hashlib.sha256(raw).hexdigest()
    rows = [row for row in daemon.ctl_rows("quarantine") if row["body_sha256"] == digest]
    assert [row["posts"] for row in rows] == [3]


def test_the_quarantine_is_bounded_and_the_oldest_go_first(make_daemon):
    daemon = make_daemon({"store": {"quarantine_max": 5}})
    bodies = [f"rubbish {i}".encode() for i in range(12)]
    for raw in bodies:
        assert daemon.post(raw).status == 400
    kept = {row["body_sha256"] for row in daemon.ctl_rows("quarantine")}
    assert kept == {hashlib.sha256(raw).hexdigest() for raw in bodies[-5:]}


# What is not HTTP

@pytest.mark.parametrize("raw", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"POST /webhooks/riskos HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00" * 50, b"POST " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
], ids=["blank lines", "short", "version", "binary", "long path", "many headers", "bad chunk"])
def test_rubbish_on_the_wire_does_not_disturb_the_next_request(daemon, raw):
    sock = daemon.open_socket(source=daemon.new_source())
    try:
        sock.sendall(raw)
    except OSError:
        pass  # cut off in the middle: fine
    finally:
        sock.close()
    assert daemon.post(body()).result == "stored"


def test_a_plain_http_request_to_the_tls_port_does_not_disturb_the_next(daemon):
    with daemon.open_socket(tls=False) as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": 2}) + b"{}")
        try:
            assert b" 200 " not in sock.recv(4096)
        except OSError:
            pass
    assert daemon.post(body()).result == "stored"


@pytest.mark.parametrize("version, works", [("-tls1_1", False), ("-tls1_2", True),
                                            ("-tls1_3", True)])
def test_tls_is_1_2_or_newer(daemon, version, works):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", version,
         "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (b"Cipher is (NONE)" not in done.stdout and done.returncode == 0) == works


def test_answers_carry_no_server_version(daemon):
    response = daemon.post(body())
    assert "microhttpd" not in str(response.headers).lower()
