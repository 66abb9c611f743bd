# SPDX-License-Identifier: Apache-2.0
"""JWT access tokens: good ones by every algorithm, hostile ones, and what the log says of them."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lib import metrics
from lib.client import bearer
from lib.config import write_secret
from lib.daemon import run
from lib.events import body
from lib.provider import ALGORITHMS, AUDIENCE, ISSUER, FromNow, Key, b64, claims
from lib.settings import RISKHOOKD

PATH = "/jwt"


class Keys:
    """One of each kind, and some that the key set must not let in."""

    def __init__(self):
        self.by_algorithm = {name: Key(name) for name in ALGORITHMS}
        self.rsa = self.by_algorithm["RS256"]
        self.ec = self.by_algorithm["ES256"]
        self.stranger = Key("RS256", kid=self.rsa.kid)
        self.short = Key("RS256", kid="short", bits=1024)
        self.encryption = Key("RS256", kid="encryption")
        self.signer = Key("RS256", kid="signer")
        self.secret = b"a symmetric key that has no place in a public set"

    def key_set(self):
        keys = [key.jwk() for key in self.by_algorithm.values()]
        keys += [self.short.jwk(), self.encryption.jwk(use="enc"),
                 self.signer.jwk(use=None, key_ops=["sign"]),
                 {"kty": "oct", "kid": "oct", "k": b64(self.secret), "alg": "HS256"},
                 {"kty": "OKP", "kid": "okp", "crv": "Ed25519", "x": b64(bytes(32))}, "rubbish"]
        return {"keys": keys}


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture(scope="module")
def daemon(make_module_daemon, keys):
    def prepare(daemon):
        (daemon.folder / "keys.json").write_text(json.dumps(keys.key_set()))
        common = {"endpoint": "jwt", "type": "jwt", "issuer": ISSUER, "jwks_file": "keys.json"}
        return {
            "endpoint jwt": {"path": PATH},
            "credential idp": {**common, "audience": AUDIENCE, "algorithms": ", ".join(ALGORITHMS),
                               "required_scope": "riskos.events"},
            "credential idp-next": {**common, "audience": "riskhookd-next"},
            "endpoint few": {"path": "/few"},
            "credential few": {**common, "endpoint": "few", "audience": AUDIENCE},
        }
    return make_module_daemon(prepare=prepare)


def post(daemon, token, path=PATH):
    return daemon.post(body(), auth=bearer(token), path=path, source=daemon.new_source())


# Good ones

@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_signed_by_any_allowed_algorithm_is_accepted(daemon, keys, algorithm):
    token = keys.by_algorithm[algorithm].token()
    for _ in range(2):  # verified, then remembered
        response = post(daemon, token)
        assert response.result == "stored"
    row = daemon.query("SELECT * FROM events WHERE seq = ?", response.seq)[0]
    assert row["credential"] == "idp"


GOOD = {
    "list of audiences": {"aud": ["somebody", AUDIENCE]},
    "scope list": {"scope": None, "scp": ["riskos.events"]},
    "scope list as Microsoft has it": {"scope": None, "scp": "a riskos.events"},
    "no iat": {"iat": None},
    "no sub": {"sub": None, "client_id": None},
    "just expired, within the leeway": {"exp": FromNow(-5)},
    "not yet, within the leeway": {"nbf": FromNow(30), "iat": FromNow(30)},
    "fractions of seconds": {"iat": FromNow(0.5), "exp": FromNow(600.25)},
    "text beyond ASCII": {"name": "J\u00fcrgen \u20ac"},
}


@pytest.mark.parametrize("changed", GOOD.values(), ids=GOOD.keys())
def test_a_token_with_other_right_claims_is_accepted(daemon, keys, changed):
    assert post(daemon, keys.rsa.token(changed)).result == "stored"


@pytest.mark.parametrize("header", [
    {"typ": "JWT"}, {"typ": None}, {"typ": "application/at+jwt"}, {"typ": "AT+JWT"}, {"kid": None},
    {"x5t": "abc"}, {"x5c": ["abc"]},
], ids=str)
def test_a_token_with_another_right_header_is_accepted(daemon, keys, header):
    assert post(daemon, keys.rsa.token(header=header)).result == "stored"


def test_credentials_are_chosen_by_what_the_token_says(daemon, keys):
    response = post(daemon, keys.rsa.token({"aud": "riskhookd-next", "scope": None}))
    assert daemon.value("SELECT credential FROM events WHERE seq = ?", response.seq) == "idp-next"


def test_a_scope_that_is_missing_is_403_and_says_which(daemon, keys):
    response = post(daemon, keys.rsa.token({"scope": "riskos.event riskos.events2"}))
    assert response.status == 403
    challenge, = response.all("WWW-Authenticate")
    assert challenge.startswith("Bearer ") and 'error="insufficient_scope"' in challenge
    assert 'scope="riskos.events"' in challenge
    assert "scope" in response.json()["detail"]


def test_a_scope_that_is_missing_is_counted_as_a_failure(daemon, keys):
    before = metrics.read(daemon)
    post(daemon, keys.rsa.token({"scope": None}))
    now = metrics.read(daemon)

    def change(name, **labels):
        return now.value(name, **labels) - before.value(name, **labels)
    assert change("riskhook_auth_failures_total") == 1
    assert change("riskhook_requests_refused_total") == 0
    auth = [change("riskhook_endpoint_auth_total", endpoint="jwt", outcome=outcome)
            for outcome in ("accepted", "insufficient_scope")]
    assert auth == [0, 1]


# Hostile ones

def sign(key, header, payload):
    """A JWS of any two parts, signed with RS256 or ES256."""
    signed = f"{header if isinstance(header, str) else b64(header)}." \
             f"{payload if isinstance(payload, str) else b64(payload)}"
    if key.algorithm == "ES256":
        r, s = decode_dss_signature(key.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    else:
        signature = key.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{b64(signature)}"


def mac(key, header, secret=None):
    """RS/HS confusion: the public key as the secret of an HMAC."""
    pem = secret or key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{b64(header)}.{b64(claims())}"
    return f"{signed}.{b64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def head(key, **changed):
    members = {"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt", **changed}
    return {name: value for name, value in members.items() if value is not None}


def unsigned(header, signature=""):
    return f"{b64(header)}.{b64(claims())}.{signature}"


def with_signature(token, signature):
    return token.rpartition(".")[0] + "." + b64(signature)


def as_der(key, signed):
    return f"{signed}.{b64(key.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


def change_part(token, i, change):
    parts = token.split(".")
    parts[i] = change(parts[i])
    return ".".join(parts)


def leftover_bits(part):
    """Other text for the same bytes: the bits that base64 leaves over are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4 in (2, 3)
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def duplicate(members, name, value):
    """The JSON of an object, in which a name comes twice."""
    return b64(json.dumps(members)[:-1] + f', {json.dumps(name)}: {json.dumps(value)}}}')


CLAIMS = {  # claims that differ from good ones in one thing
    "wrong issuer": {"iss": "https://evil.example.com"},
    "issuer with a slash more": {"iss": ISSUER + "/"},
    "issuer in capitals": {"iss": ISSUER.upper()},
    "issuer as a list": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "wrong audience": {"aud": "somebody else"},
    "audience with more behind": {"aud": AUDIENCE + "-x"},
    "audiences, none ours": {"aud": ["a", "b"]},
    "audiences, one a number": {"aud": [AUDIENCE, 1]},
    "no audience": {"aud": None},
    "empty audiences": {"aud": []},
    "audience as an object": {"aud": {AUDIENCE: True}},
    "expired": {"exp": FromNow(-3600)},
    "expired beyond the leeway": {"exp": FromNow(-61)},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": "9999999999"},
    "expiry as true": {"exp": True},
    "expiry beyond all times": {"exp": 1e300},
    "negative expiry": {"exp": -1},
    "not yet valid": {"nbf": FromNow(3600)},
    "nbf as text": {"nbf": "0"},
    "issued in the future": {"iat": FromNow(3600)},
    "scope as a number": {"scope": 7},
    "scp with a number": {"scp": ["riskos.events", 7]},
}

HEADERS = {
    "another typ": {"typ": "dpop+jwt"},
    "an ID token by typ": {"typ": "id+jwt"},
    "typ as a number": {"typ": 1},
    "unknown kid": {"kid": "somebody's"},
    "kid with a path": {"kid": "../../../../etc/passwd"},
    "kid as SQL": {"kid": "' OR 1=1 --"},
    "kid of another key": {"kid": "key-RS512"},
    "kid as a number": {"kid": 1},
    "empty kid": {"kid": ""},
    "very long kid": {"kid": "k" * 1000},
    "crit": {"crit": ["exp"]},
    "crit, empty": {"crit": []},
    "b64": {"b64": False, "crit": ["b64"]},
    "jku": {"jku": "https://evil.example.com/keys"},
    "x5u": {"x5u": "https://evil.example.com/cert"},
    "nested": {"cty": "JWT"},
    "compressed": {"zip": "DEF"},
    "alg none": {"alg": "none"},
    "alg NONE": {"alg": "NONE"},
    "alg in small letters": {"alg": "rs256"},
    "alg unknown": {"alg": "XS256"},
    "alg empty": {"alg": ""},
    "alg missing": {"alg": None},
    "alg as a list": {"alg": ["RS256"]},
    "alg of another hash": {"alg": "RS384"},
    "alg PS for an RS signature": {"alg": "PS256", "kid": "key-PS256"},
    "alg of another kind of key": {"alg": "ES256"},
    "EdDSA": {"alg": "EdDSA", "kid": "okp"},
}

TOKENS = {
    "alg none, unsigned": lambda k: unsigned(head(k.rsa, alg="none")),
    "alg none, with a signature": lambda k: unsigned(head(k.rsa, alg="none"), "AAAA"),
    "unsigned": lambda k: unsigned(head(k.rsa)),
    "HMAC by the public key": lambda k: mac(k.rsa, head(k.rsa, alg="HS256")),
    "HMAC by the public key, called RS256": lambda k: mac(k.rsa, head(k.rsa)),
    "HMAC by a secret in the key set":
        lambda k: mac(k.rsa, {"alg": "HS256", "kid": "oct"}, k.secret),
    "signed by a stranger": lambda k: k.stranger.token(),
    "signed by a stranger, without kid": lambda k: k.stranger.token(header={"kid": None}),
    "signed by a stranger, key embedded":
        lambda k: k.stranger.token(header={"jwk": k.stranger.jwk()}),
    "our own key embedded": lambda k: k.rsa.token(header={"jwk": k.rsa.jwk()}),
    "a key of 1024 bits": lambda k: k.short.token(),
    "a key for encryption": lambda k: k.encryption.token(),
    "a key that may only sign": lambda k: k.signer.token(),
    "ES256 by a P-384 key": lambda k: jwt.encode(
        claims(), k.by_algorithm["ES384"].private, "ES256", headers={"kid": "key-ES384"}),
    "ECDSA signature of zeros": lambda k: with_signature(k.ec.token(), bytes(64)),
    "ECDSA r and s of one": lambda k: with_signature(
        k.ec.token(), (1).to_bytes(32, "big") * 2),
    "ECDSA signature as DER": lambda k: as_der(k.ec, k.ec.token().rpartition(".")[0]),
    "ECDSA signature with a byte more":
        lambda k: change_part(k.ec.token(), 2, lambda part: b64(
            base64.urlsafe_b64decode(part + "==") + b"\0")),
    "ECDSA signature cut": lambda k: k.ec.token()[:-4],
    "RSA signature of zeros": lambda k: with_signature(k.rsa.token(), bytes(256)),
    "RSA signature with a zero in front":
        lambda k: change_part(k.rsa.token(), 2, lambda part: b64(
            bytes(1) + base64.urlsafe_b64decode(part + "=="))),
    "empty signature": lambda k: k.rsa.token().rpartition(".")[0] + ".",
    "truncated": lambda k: k.rsa.token()[:-20],
    "one part": lambda k: k.rsa.token().split(".")[0],
    "two parts": lambda k: k.rsa.token().rpartition(".")[0],
    "four parts": lambda k: k.rsa.token() + ".e30",
    "five parts": lambda k: k.rsa.token() + ".e30.e30",
    "dots alone": lambda k: "..",
    "no header": lambda k: "." + k.rsa.token().partition(".")[2],
    "oversized": lambda k: k.rsa.token({"padding": "x" * 13000}),
    "claims changed": lambda k: change_part(k.rsa.token(), 1, lambda _: b64(claims(sub="root"))),
    "header changed": lambda k: change_part(
        k.rsa.token(), 0, lambda _: b64(head(k.rsa, x="1"))),
    "padded": lambda k: change_part(
        sign(k.rsa, head(k.rsa), claims(padding="x" * (3 - len(b64(claims(padding=""))) % 3))),
        2, lambda part: part + "=="),
    "leftover bits": lambda k: change_part(k.rsa.token(), 2, leftover_bits),
    "plain base64": lambda k: change_part(k.rsa.token(), 1, lambda part: part[:-2] + "+/"),
    "not base64": lambda k: change_part(k.rsa.token(), 1, lambda part: "!" + part[1:]),
    "a claim twice": lambda k: sign(
        k.rsa, head(k.rsa), duplicate(claims(aud="somebody"), "aud", AUDIENCE)),
    "alg twice": lambda k: sign(
        k.rsa, duplicate(head(k.rsa, alg="none"), "alg", "RS256"), claims()),
    "claims no object": lambda k: sign(k.rsa, head(k.rsa), b64([claims()])),
    "claims no JSON": lambda k: sign(k.rsa, head(k.rsa), b64("{")),
    "claims with rubbish behind": lambda k: sign(
        k.rsa, head(k.rsa), b64(json.dumps(claims()) + "x")),
    "claims not UTF-8": lambda k: sign(
        k.rsa, head(k.rsa), b64(json.dumps(claims())[:-1].encode() + b', "x": "\xff"}')),
    "NaN": lambda k: sign(k.rsa, head(k.rsa), b64(json.dumps(claims(exp=float("nan"))))),
    "deeply nested": lambda k: sign(
        k.rsa, head(k.rsa), b64('{"a":' + "[" * 5000 + "]" * 5000 + "}")),
    "header no object": lambda k: sign(k.rsa, b64("RS256"), claims()),
}


def hostile():
    for name, changed in CLAIMS.items():
        yield pytest.param(lambda k, c=changed: sign(k.rsa, head(k.rsa), claims(**c)),
                           id=f"claims: {name}")
    for name, changed in HEADERS.items():
        yield pytest.param(lambda k, c=changed: sign(k.rsa, head(k.rsa, **c), claims()),
                           id=f"header: {name}")
    for name, make in TOKENS.items():
        yield pytest.param(make, id=f"token: {name}")


@pytest.mark.parametrize("make", hostile())
def test_a_hostile_token_is_401_and_nothing_is_stored(daemon, keys, make):
    before = daemon.value("SELECT count(*) FROM events")
    token = make(keys)
    response = post(daemon, token)
    assert response.status == 401, response.body
    assert 'error="invalid_token"' in response.all("WWW-Authenticate")[0]
    assert response.body == post(daemon, "wrong").body, "the answer does not say why"
    assert daemon.value("SELECT count(*) FROM events") == before
    daemon.secrets += [part for part in token.split(".") if len(part) > 40]


@pytest.mark.parametrize("key", ["ES384", "RS512"])
def test_only_the_configured_algorithms_are_accepted(daemon, keys, key):
    assert post(daemon, keys.rsa.token(), "/few").result == "stored"
    assert post(daemon, keys.by_algorithm[key].token(), "/few").status == 401


def test_a_token_that_was_good_is_refused_once_it_has_expired(make_daemon, keys):
    def prepare(daemon):
        (daemon.folder / "keys.json").write_text(json.dumps(keys.key_set()))
        return {"credential idp": {"endpoint": "riskos", "type": "jwt", "issuer": ISSUER,
                                   "audience": AUDIENCE, "jwks_file": "keys.json",
                                   "leeway": "0s"}}
    daemon = make_daemon(prepare=prepare)
    for seconds in (2, 5, 20, 60):  # however slow: it has to be answered before
        expires = int(time.time()) + seconds
        token = keys.rsa.token({"exp": expires})
        response = daemon.post(body(), auth=bearer(token))
        if time.time() < expires:
            break
    assert response.result == "stored"
    while time.time() < expires:
        time.sleep(expires - time.time())
    assert daemon.post(body(), auth=bearer(token)).status == 401


def test_the_log_says_why_and_never_holds_the_token(daemon, keys):
    source = daemon.new_source()
    token = keys.rsa.token({"aud": "somebody else"})
    daemon.post(body(), auth=bearer(token), path=PATH, source=source)
    line = next(line for line in daemon.log().splitlines() if source in line)
    assert "wrong audience" in line
    assert token not in daemon.log() and token.split(".")[1] not in daemon.log()


# Configuration

CONFIG = {
    "no issuer": {"issuer": None},
    "no audience": {"audience": None},
    "no keys": {"jwks_file": None},
    "two sources of keys": {"jwks_uri": "https://idp.example.com/keys"},
    "keys over plain HTTP": {"jwks_file": None, "jwks_uri": "http://127.0.0.1/keys"},
    "a user in the URL": {"jwks_file": None, "jwks_uri": "https://me@idp.example.com/keys"},
    "an algorithm that is none": {"algorithms": "RS256, none"},
    "HMAC": {"algorithms": "HS256"},
    "leeway without bound": {"leeway": "1h"},
    "a scope with quotes": {"required_scope": 'a"b'},
    "a password": {"password_file": "password"},
}


@pytest.mark.parametrize("changed", CONFIG.values(), ids=CONFIG.keys())
def test_a_wrong_configuration_is_refused_with_file_and_line(make_daemon, changed):
    good = {"endpoint": "riskos", "type": "jwt", "issuer": ISSUER, "audience": AUDIENCE,
            "jwks_file": "keys.json"}
    daemon = make_daemon({"credential idp": {**good, **changed}}, start=False)
    result = daemon.ctl("check-config")
    assert result.code == 1
    assert f"{daemon.config.path}:" in result.err


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct"}]}',
                                     b" " * (300 << 10)],
                         ids=["absent", "empty", "no set", "no key", "no key of use", "too large"])
def test_a_key_file_that_is_of_no_use_is_found_before_the_start(make_daemon, content):
    daemon = make_daemon({"credential idp": {
        "endpoint": "riskos", "type": "jwt", "issuer": ISSUER, "audience": AUDIENCE,
        "jwks_file": "keys.json"}}, start=False)
    if content is not None:
        write_secret(daemon.folder / "keys.json", content)
    result = run(RISKHOOKD, "-c", daemon.config.path, "--check")
    assert result.code == 1
    assert f"{daemon.config.path}:" in result.err and "keys.json" in result.err
