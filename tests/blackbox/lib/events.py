# SPDX-License-Identifier: Apache-2.0
"""Bodies: the fixtures, and small fresh ones."""

import json
import uuid
from dataclasses import dataclass

from lib.settings import FIXTURES


@dataclass(frozen=True)
class Fixture:
    file: str
    expect: dict

    @property
    def body(self):
        return (FIXTURES / self.file).read_bytes()


def fixtures():
    index = json.loads((FIXTURES / "index.json").read_text())
    return [Fixture(entry["file"], entry) for entry in index["fixtures"]]


def fixture(file):
    return next(f for f in fixtures() if f.file == file)


def new_id():
    return str(uuid.uuid4())


def envelope(event_type="evaluation_completed", event_id=None, event_at="2099-01-02T03:04:05Z",
             **data):
    """An event as a dict; further arguments are the fields of `data`, None leaves one out."""
    fields = {"id": "customer-" + new_id(), "eval_id": new_id(), "workflow": "onboarding",
              "decision": "ACCEPT", "environment_name": "Sandbox"}
    fields.update(data)
    return {"event_id": event_id or new_id(), "event_at": event_at, "event_type": event_type,
            "data": {k: v for k, v in fields.items() if v is not None}}


def encode(event):
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def body(*args, **kwargs):
    """A fresh, small body: envelope() as bytes."""
    return encode(envelope(*args, **kwargs))


def body_of_size(size, **kwargs):
    """A fresh body of exactly `size` bytes."""
    event = envelope(**kwargs)
    event["data"]["padding"] = ""
    event["data"]["padding"] = "x" * (size - len(encode(event)))
    data = encode(event)
    assert len(data) == size
    return data
