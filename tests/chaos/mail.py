# SPDX-License-Identifier: Apache-2.0
"""The events that are sent, and which handlers must get them."""

import json

from lib.daemon import PERSONAL
from lib.events import encode, envelope

# No type is an alias of another one: the key is made of what the store must find.
TYPES = ["evaluation_completed", "evaluation_paused", "decision_update", "review_case_assigned"]
LARGE = 900  # the filter of the handler `large`


class Event:
    """One body. A changed copy under the same key is a conflict."""

    def __init__(self, envelope_):
        self.envelope = envelope_
        self.data = encode(envelope_)

    @property
    def key(self):
        return "/".join([self.eval_id, self.envelope["event_type"], self.event_id])

    @property
    def event_id(self):
        return self.envelope["event_id"]

    @property
    def eval_id(self):
        return self.envelope["data"].get("eval_id", "")

    def changed(self, rng):
        """Another body under the same key, for the same handlers."""
        data = {**self.envelope["data"], "note": f"changed {rng.random()}"}
        return Event({**self.envelope, "data": data})

    def wanted(self):
        """(handler, what it gets, does it refuse it for ever) for each that must get it."""
        data, kind = self.envelope["data"], self.envelope["event_type"]
        yield "ledger", self.data, data["refuse"]
        yield "archive", self.data, data["refuse"]
        if data["decision"] == "REVIEW":
            yield "program", self.data, data["refuse"]
        if kind == "review_case_assigned":
            yield "worker", self.data, data["refuse"]
        if kind == "decision_update":
            yield "mortal", self.data, data["refuse"]
        if data["amount"] >= LARGE:
            gets = {"id": self.event_id, "amount": data["amount"]}
            yield "large", json.dumps(gets, separators=(",", ":")).encode(), False


class Source:
    """Fresh events of one client, in evaluations of its own."""

    def __init__(self, name, rng):
        self.name = name
        self.rng = rng
        self.n = 0

    def event(self):
        self.n += 1
        rng = self.rng
        # three evaluations at a time, a new one after about four events each
        eval_id = f"{self.name}-eval-{self.n // 12}-{rng.randrange(3)}"
        return Event(envelope(
            rng.choice(TYPES), event_id=f"{self.name}-event-{self.n}",
            eval_id=eval_id if rng.random() < 0.9 else None,
            decision="REVIEW" if rng.random() < 0.06 else "ACCEPT",
            amount=rng.randrange(1000), refuse=rng.random() < 0.02, name=rng.choice(PERSONAL),
            padding=rng.randbytes(rng.choice([10, 500, 1500])).hex()
            if rng.random() < 0.8 else "x" * 20000))
