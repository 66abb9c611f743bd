# SPDX-License-Identifier: Apache-2.0
"""Where riskhookctl trigger posts to, with which credential, and what it says when it cannot."""

import os
import pty
import subprocess

import pytest

from lib.daemon import run_ctl
from lib.settings import RISKHOOKCTL, scaled

PLAIN = {"insecure_http": "yes", "tls_certificate": None, "tls_private_key": None}


def trigger(daemon, *arguments):
    return daemon.ctl("trigger", "evaluation_completed", *arguments)


@pytest.mark.parametrize("server", [
    {"listen": "127.0.0.1:0"}, {"listen": "[::1]:0"}, {"listen": "0.0.0.0:0"},
    {"listen": "[::]:0"}, {"listen": "127.0.0.1:0", **PLAIN}, {"listen": "[::1]:0", **PLAIN},
], ids=str)
def test_it_finds_the_daemon_wherever_it_listens(make_daemon, server):
    daemon = make_daemon({"server": server})
    result = trigger(daemon)
    assert result.code == 0, result.err
    assert daemon.value("SELECT count(*) FROM events") == 1


def test_a_port_that_only_a_dead_daemon_knew(make_daemon):
    daemon = make_daemon({"server": {"listen": "127.0.0.1:0"}}, start=False)
    result = trigger(daemon)
    assert result.code == 4
    assert "cannot ask the daemon for its port" in result.err


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    hashed = run_ctl("hash-secret", "--token", stdin=b"a token that is hashed").out.split()[-1]
    soon = {"endpoint": "quiet", "type": "bearer", "token_file": "token",
            "not_before": "2099-01-01T00:00:00Z"}
    return make_module_daemon({
        "credential hashed": {"endpoint": "riskos", "type": "bearer", "token_hash": hashed},
        "credential provider": {"endpoint": "riskos", "type": "introspection",
                                "introspection_uri": "https://127.0.0.1:1/introspect",
                                "client_id": "me", "client_secret_file": "password"},
        "endpoint quiet": {"path": "/webhooks/quiet"},
        "credential soon": soon,
    })


@pytest.mark.parametrize("arguments, said", [
    (["--as", "nobody"], "endpoint 'riskos' has no credential 'nobody'"),
    (["--as", "soon"], "endpoint 'riskos' has no credential 'soon'"),
    (["--as", "hashed"], "only the hash is configured"),
    (["--as", "provider"], "come from your identity provider"),
    (["--endpoint", "nowhere"], "no [endpoint nowhere] in"),
    (["--endpoint", "quiet"], "has no credential that is valid now"),
], ids=str)
def test_what_cannot_be_used_is_named(daemon, arguments, said):
    result = trigger(daemon, *arguments)
    assert result.code != 0
    assert said in result.err and result.out == ""


def test_one_that_is_not_valid_yet_can_be_tried(daemon):
    result = trigger(daemon, "--endpoint", "quiet", "--as", "soon")
    assert result.code == 1
    assert "401" in result.out + result.err


# hash-secret at a terminal

def type_at_terminal(text, *arguments):
    """What a person sees and what comes out when he types `text` at the prompt."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([RISKHOOKCTL, "hash-secret", *arguments], stdin=theirs, stderr=theirs,
                          stdout=subprocess.PIPE) as process:
        os.close(theirs)
        seen = b""
        while b"(is not shown): " not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, text)
        try:
            out, _ = process.communicate(timeout=scaled(30))
        finally:
            process.kill()  # it still waits for the secret when it did not get it
        while True:
            try:
                more = os.read(ours, 1000)
            except OSError:  # its end is closed
                break
            seen += more
    os.close(ours)
    return process.returncode, out.decode(), seen.decode()


def test_a_secret_that_is_typed_is_not_shown():
    code, out, seen = type_at_terminal(b"typed secret\n", "--token")
    assert code == 0
    assert out == run_ctl("hash-secret", "--token", stdin=b"typed secret").out
    assert "typed" not in seen


@pytest.mark.parametrize("secret, code", [(b"", 2), (b"\n", 2), (b"x" * 4096, 0),
                                          (b"x" * 4099, 1)],
                         ids=["nothing", "a line", "the most", "too much"])
def test_the_length_of_a_secret_is_bounded(secret, code):
    result = run_ctl("hash-secret", "--token", stdin=secret)
    assert result.code == code
    assert bool(result.err) == (code != 0)
