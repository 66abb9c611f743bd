# SPDX-License-Identifier: Apache-2.0
"""The hooks that are shipped: against a local HTTP server, with hostile values, and at the daemon."""

import http.server
import json
import subprocess
import threading

import pytest

from lib.config import write_secret
from lib.events import body, encode, envelope
from lib.hooks import script
from lib.settings import REPOSITORY, scaled

HOOKS = REPOSITORY / "conf" / "hooks"
# what riskhookd lets through: printable, but as bad as it gets
HOSTILE = "$(touch /tmp/x) `id` '\"; rm -rf / #@/etc/passwd\\ %s {x}"
STATUS_TO_CODE = [(200, 0), (202, 0), (400, 65), (401, 65), (404, 65), (408, 75), (429, 75),
                  (302, 75), (500, 75), (503, 75)]


class Receiver(http.server.ThreadingHTTPServer):
    """Remembers requests and answers `status`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.requests = []
        self.url = f"http://127.0.0.1:{self.server_port}/in"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.server.requests.append((self.command, self.path, self.headers,
                                     self.rfile.read(length)))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PATCH = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


def run(hook, *args, event=None, **environment):
    """Run a hook as riskhookd does: clean environment, the event on stdin."""
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/", "RISKHOOK_SEQ": "17",
           "RISKHOOK_EVENT_ID": "evt-17", "RISKHOOK_EVENT_TYPE": "evaluation_completed",
           "RISKHOOK_EVAL_ID": "eval-9", "RISKHOOK_DECISION": "REVIEW", "RISKHOOK_REPLAY": "0",
           **environment}
    if not isinstance(event, bytes):
        event = encode(event or envelope(decision="REVIEW"))
    return subprocess.run([str(HOOKS / hook), *map(str, args)], input=event, env=env, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=scaled(60))


# notify


@pytest.mark.parametrize("status,code", STATUS_TO_CODE)
def test_notify_turns_the_answer_into_an_exit_code(receiver, status, code):
    receiver.status = status
    assert run("notify", receiver.url).returncode == code
    assert len(receiver.requests) == 1


def test_notify_sends_the_bytes_the_ids_and_the_token(receiver, folder):
    token = write_secret(folder / "token", "s3cret.Token-_~+/=\n")
    raw = b'{"n": 1.10,\n "b": "\xc3\xa9", "at": "@/etc/passwd"}'
    done = run("notify", receiver.url, token, event=raw, RISKHOOK_EVAL_ID=HOSTILE,
               RISKHOOK_EVENT_ID="@" + HOSTILE)
    assert done.returncode == 0, done.stdout
    method, path, headers, sent = receiver.requests[0]
    assert (method, path, sent) == ("POST", "/in", raw)
    assert headers["Authorization"] == "Bearer s3cret.Token-_~+/="
    assert headers["Idempotency-Key"] == "@" + HOSTILE
    assert headers["X-Riskhook-Eval-Id"] == HOSTILE
    assert (headers["X-Riskhook-Seq"], headers["X-Riskhook-Replay"]) == ("17", "0")
    assert b"s3cret" not in done.stdout


def test_notify_refuses_what_it_cannot_use(folder):
    bad = write_secret(folder / "token", 'a"\nurl = "http://127.0.0.1:1/')
    assert run("notify").returncode == 78
    assert run("notify", "file:///etc/passwd").returncode == 78
    assert run("notify", "-o/tmp/x").returncode == 78
    assert run("notify", "http://127.0.0.1:1/", bad).returncode == 78
    assert run("notify", "http://127.0.0.1:1/", folder / "none").returncode == 78
    assert run("notify", "http://127.0.0.1:1/").returncode == 75


# route-review

RULES = [{"queue": "aml", "review_queues": ["Watchlist Queue"]},
         {"queue": "pep", "tags": ["PEP"], "decision": ["review"]},
         {"queue": "notes", "event_type": ["case_notes_added"]}]


@pytest.mark.parametrize("data,event_type,queue", [
    ({}, "evaluation_completed", "default"),
    ({"review_queues": ["x", "watchlist queue"]}, "evaluation_completed", "aml"),
    ({"decision_queue": "Watchlist Queue"}, "decision_update", "aml"),
    ({"tags": ["a", "pep"]}, "evaluation_completed", "pep"),
    ({"tags": ["pep"], "decision": "ACCEPT"}, "evaluation_completed", "default"),
    ({"tags": "pep"}, "evaluation_completed", "pep"),
    ({"tags": {"pep": 1}, "review_queues": [None, 7]}, "case_notes_added", "notes")])
def test_route_review_chooses_the_queue(folder, data, event_type, queue):
    rules = folder / "rules.json"
    rules.write_text(json.dumps(RULES))
    for name in ("default", "aml", "pep", "notes"):
        (folder / name).mkdir()
    event = encode(envelope(**{"decision": "REVIEW", **data}))
    for _ in range(2):  # the same file again
        done = run("route-review", "--queue", "default", "--rules", rules, "--directory", folder,
                   event=event, RISKHOOK_EVENT_TYPE=event_type)
        assert done.returncode == 0, done.stdout
    files = list(folder.glob("*/*"))
    assert files == [folder / queue / "17.json"]
    assert files[0].read_bytes() == event


@pytest.mark.parametrize("status,code", STATUS_TO_CODE)
def test_route_review_posts(receiver, status, code):
    receiver.status = status
    event = envelope(decision="REVIEW")
    done = run("route-review", "--queue", "q", "--post", receiver.url, event=event)
    assert done.returncode == code
    (_, _, headers, sent), = receiver.requests
    assert json.loads(sent) == {"queue": "q", "seq": 17, "event": event}
    assert headers["Idempotency-Key"] == "evt-17"


def test_route_review_mails_ids_alone(folder):
    sendmail = script(folder, "sendmail", f'echo "$@" > {folder}/args; cat > {folder}/mail\n')
    done = run("route-review", "--queue", "aml", "--mail", "review-%s@example.com",
               event=envelope(decision="REVIEW", notes="Jane Doe"), SENDMAIL=str(sendmail),
               RISKHOOK_EVAL_ID=HOSTILE)
    assert done.returncode == 0, done.stdout
    head, _, text = (folder / "mail").read_text().partition("\n\n")
    assert "To: review-aml@example.com" in head.splitlines()
    assert f"eval_id: {HOSTILE}" in text.splitlines()
    assert "Jane" not in head + text
    assert (folder / "args").read_text() == "-t -oi\n"
    script(folder, "sendmail", "exit 1\n")
    assert run("route-review", "--queue", "aml", "--mail", "a@example.com",
               SENDMAIL=str(sendmail)).returncode == 75


def test_route_review_refuses_what_it_cannot_use(folder):
    def code(*args, **kwargs):
        return run("route-review", *args, **kwargs).returncode

    assert code("--queue", "../x", "--directory", folder) == 78
    assert code("--queue", "x") == 78
    assert code("--directory", folder) == 78
    assert code("--queue", "none", "--directory", folder) == 75
    assert code("--queue", "x", "--directory", folder, event=b"[1]") == 65
    assert code("--queue", "x", "--directory", folder, event=b"\xff") == 65
    for bad in ('{', '[{"queue": "../x"}]', '[{"queue": "x", "tag": []}]', '[{}]', '7',
                '[{"queue": "x", "tags": "pep"}]'):
        (folder / "rules.json").write_text(bad)
        assert code("--queue", "x", "--directory", folder, "--rules", folder / "rules.json") == 78


# docv-trigger


def test_docv_trigger_asks_the_application(receiver, folder):
    token = write_secret(folder / "token", "app-token\n")
    event = envelope("evaluation_paused", decision="", eval_id="eval-9")
    args = ["--application", receiver.url, "--token-file", token, "--once", folder]
    for _ in range(2):
        done = run("docv-trigger", *args, event=event, RISKHOOK_EVENT_TYPE="evaluation_paused")
        assert done.returncode == 0, done.stdout
        assert b"app-token" not in done.stdout
    (method, path, headers, sent), = receiver.requests
    assert (method, path, headers["Authorization"]) == ("POST", "/in", "Bearer app-token")
    assert json.loads(sent) == {
        "action": "start_docv", "reason": "evaluation_paused", "eval_id": "eval-9",
        "customer_id": event["data"]["id"], "workflow": "onboarding", "decision": "",
        "seq": 17, "event_id": "evt-17"}


@pytest.mark.parametrize("resume", [False, True])
def test_docv_trigger_asks_riskos(receiver, folder, resume):
    key = write_secret(folder / "key", "api-key")
    (folder / "data.json").write_text('{"individual":{"docv":{"config":{"language":"de"}}}}')
    event = envelope(decision="review", eval_id="../a b?c")
    done = run("docv-trigger", "--riskos", receiver.url + "/", "--api-key-file", key, "--data",
               folder / "data.json", *(["--resume"] if resume else ["--workflow", "docv"]),
               event=event)
    assert done.returncode == 0, done.stdout
    (method, path, headers, sent), = receiver.requests
    sent = json.loads(sent)
    assert headers["Authorization"] == "Bearer api-key"
    assert sent["data"] == {"individual": {"docv": {"config": {"language": "de"}}}}
    if resume:
        assert (method, path) == ("PATCH", "/in/api/evaluation/..%2Fa%20b%3Fc")
    else:
        assert (method, path) == ("POST", "/in/api/evaluation")
        assert (sent["id"], sent["workflow"]) == (event["data"]["id"], "docv")
        assert sent["timestamp"].endswith("Z")


@pytest.mark.parametrize("status,code", STATUS_TO_CODE)
def test_docv_trigger_turns_the_answer_into_an_exit_code(receiver, folder, status, code):
    receiver.status = status
    done = run("docv-trigger", "--application", receiver.url, "--once", folder)
    assert done.returncode == code
    assert len(receiver.requests) == 1
    assert bool(list(folder.iterdir())) == (code == 0)


def test_docv_trigger_has_nothing_to_do(receiver):
    assert run("docv-trigger", "--application", receiver.url,
               event=envelope(decision="ACCEPT")).returncode == 0
    assert receiver.requests == []


def test_docv_trigger_refuses_what_it_cannot_use(receiver, folder):
    open_key = write_secret(folder / "open", "key", mode=0o644)
    key = write_secret(folder / "key", "a\nHost: evil")

    def code(*args, **kwargs):
        return run("docv-trigger", *args, **kwargs).returncode

    assert code() == 78
    assert code("--application", "http://example.com/") == 78
    assert code("--riskos", receiver.url) == 78
    assert code("--application", receiver.url, "--token-file", open_key) == 78
    assert code("--application", receiver.url, "--token-file", key) == 78
    assert code("--application", receiver.url, event=b"nonsense") == 65
    assert code("--application", "http://127.0.0.1:1/") == 75
    assert receiver.requests == []


# at the daemon


def test_hooks_at_the_daemon(make_daemon, receiver, folder):
    (folder / "default").mkdir()
    daemon = make_daemon({
        "handler review": {"type": "exec", "decision": "REVIEW", "command":
                           f"{HOOKS}/route-review --queue default --directory {folder}"},
        "handler notify": {"type": "exec", "command": f"{HOOKS}/notify {receiver.url}"},
        "handler docv": {"type": "exec",
                         "command": f"{HOOKS}/docv-trigger --application {receiver.url}"}})
    event = body(decision="REVIEW")
    seq = daemon.stored(event)
    for handler in ("review", "notify", "docv"):
        daemon.delivery(seq, handler, "done")
    assert (folder / "default" / f"{seq}.json").read_bytes() == event
    assert sorted(sent == event for *_, sent in receiver.requests) == [False, True]
