# SPDX-License-Identifier: Apache-2.0
"""The admin side: health, metrics and status on the Unix socket, the first two on loopback TCP."""

import http.client
import json
import re
import stat

import pytest

from lib.config import free_port
from lib.events import body
from lib.settings import scaled
from lib.waiting import wait_until


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon()


def test_health_readiness_and_status_are_json(daemon):
    daemon.stored(body())
    assert daemon.admin("/healthz").json() == {"status": "ok"}
    assert daemon.admin("/readyz").json() == {"ready": True}
    status = daemon.admin("/v1/status").json()
    assert status["listen"] == f"https://127.0.0.1:{daemon.port}"
    assert status["pid"] == daemon.pid
    assert status["store"]["healthy"] is True
    assert status["since_start"]["stored"] >= 1


def test_metrics_are_prometheus_text(daemon):
    before = metrics(daemon)
    daemon.stored(body())
    after = metrics(daemon)
    assert after["riskhook_events_stored_total"] == before["riskhook_events_stored_total"] + 1
    assert after["riskhook_store_commits_total"] > before["riskhook_store_commits_total"]
    assert after["riskhook_pending_events"] == 0
    wait_until(lambda: metrics(daemon)["riskhook_pending_bytes"] == 0)


def metrics(daemon):
    response = daemon.admin("/metrics")
    assert response.headers.get_content_type() == "text/plain"
    lines = response.body.decode().splitlines()
    helped = {line.split()[2] for line in lines if line.startswith("# HELP ")}
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    values = {}
    for line in lines:
        if line.startswith("#"):
            continue
        name, value = re.fullmatch(r"(\w+)(?:\{[^}]*\})? (-?[0-9.e+]+)", line).groups()
        values[name] = float(value)
        family = re.sub("_(bucket|sum|count)$", "", name)
        assert name in typed or family in typed, line
        assert name in helped or family in helped, line
    return values


def test_the_socket_is_closed_to_others(daemon):
    mode = (daemon.folder / "admin.sock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o660


def test_unknown_paths_and_methods_are_refused(daemon):
    assert daemon.admin("/v1/nothing").status == 404
    assert daemon.admin("/").status == 404


def test_loopback_tells_health_and_metrics_alone(make_daemon):
    port = free_port()
    daemon = make_daemon({"admin": {"listen": f"127.0.0.1:{port}"}})
    daemon.stored(body())
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200),
                         ("/v1/status", 404)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=scaled(20))
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == status, path
        if status == 404:
            assert "error" in json.loads(response.read())
        connection.close()
