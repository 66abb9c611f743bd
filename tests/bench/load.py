# SPDX-License-Identifier: Apache-2.0
"""One run of wrk against one server."""

import json
import os
import secrets
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def post(server, body, connections, seconds, fixed=False, rate=None, close=False):
    """Post `body` (a file) made unique, over `connections` keep-alive connections.

    fixed: not made unique. rate: so many a second, see post.lua; as fast as answers come when None.
    close: a new connection for each request.

    Returns wrk's summary: rate per second, latency percentiles in microseconds, errors by kind,
    `ok` (answers that were 2xx) and `tag`, which every event_id of this run has as its second and
    third group.
    """
    tag = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}"
    environment = dict(
        os.environ,
        BENCH_BODY=body,
        BENCH_PATH=server.path,
        BENCH_AUTHORIZATION=server.authorization,
        BENCH_TAG=tag,
        BENCH_FIXED="1" if fixed else "0",
        BENCH_RATE=str(rate or ""),
        BENCH_CLOSE="1" if close else "0",
    )
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
        "-s", os.path.join(HERE, "post.lua"), f"https://127.0.0.1:{server.port}{server.path}",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode != 0 or not results:
        raise RuntimeError(f"wrk failed ({done.returncode}): {done.stdout}{done.stderr}")
    result = json.loads(results[0].removeprefix("RESULT "))
    result["tag"] = tag
    result["ok"] = result["requests"] - result["not_2xx"]
    result["rate"] = result["ok"] * 1e6 / result["duration_us"]
    result["errors"] = sum(result[k] for k in ("not_2xx", "connect", "read", "write", "timeout"))
    return result
