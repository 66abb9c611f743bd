# SPDX-License-Identifier: Apache-2.0
"""The other ends of the handlers: they fail, hang up and die, and note what they have seen."""

import json
import random
import threading

from lib.consumer import Consumer, dead, ok, retry
from lib.hooks import script

from chaos.ledger import digest
from chaos.mail import LARGE

RETRIES = {"retry_initial": "10ms", "retry_max": "200ms", "retry_for": "365d"}

# Notes before it answers, in one write each: SEQ what DIGEST.
PROGRAM = r"""
cd FOLDER
cat > "body-$$"
digest=$(sha256sum "body-$$")
grep -q '"refuse":true' "body-$$" && refuse=1
rm -f "body-$$"
echo "$RISKHOOK_SEQ seen ${digest%% *}" >> program.log
if [ -e broken ] || [ $(((RISKHOOK_DELIVERY_ID + RISKHOOK_ATTEMPT) % 5)) = 0 ]; then
	exit 75
elif [ "$refuse" ]; then
	echo "$RISKHOOK_SEQ dead" >> program.log
	exit 65
fi
echo "$RISKHOOK_SEQ ok" >> program.log
"""

WORKER = r"""#!/usr/bin/python3
import hashlib, json, os, sys
log = os.open("FOLDER/worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
for line in sys.stdin.buffer:
    delivery = json.loads(line)
    payload = line[line.index(b'"payload":') + len('"payload":'):-2]
    note = lambda what: os.write(log, f"{delivery['seq']} {what}\n".encode())
    note("seen " + hashlib.sha256(payload).hexdigest())
    status = "dead" if delivery["payload"]["data"]["refuse"] else "ok"
    if (delivery["delivery"] * 7 + delivery["attempt"]) % 60 == 0:
        os._exit(1)
    if os.path.exists("FOLDER/broken"):
        status = "retry"
    else:
        note(status)
    answer = {"delivery": delivery["delivery"], "status": status}
    os.write(1, json.dumps(answer).encode() + b"\n")
"""


class Witness(Consumer):
    """A consumer that writes into the ledger instead of remembering, and has moods."""

    def __init__(self, name, path, ledger, seed):
        super().__init__(path)
        self.name = name
        self.ledger = ledger
        self.mood = "odd"  # odd, calm, or failing: each answer is "retry"
        self.random = random.Random(seed)
        self.random_lock = threading.Lock()

    def _take(self, sock, line):
        if not line.endswith(b"\n"):
            return  # the connection broke in the middle of a line
        delivery = json.loads(line)
        payload = line[line.index(b'"payload":') + len('"payload":'):-2]
        self.ledger.sighted(self.name, delivery["seq"], "seen", digest(payload))
        answer = self.decide(delivery)
        if answer is None:
            return
        if answer["status"] != "retry":
            # before it is sent: what the daemon knows, the ledger knows
            self.ledger.sighted(self.name, delivery["seq"], answer["status"])
        sock.sendall(json.dumps(answer).encode() + b"\n")

    def decide(self, delivery):
        with self.random_lock:
            chance = self.random.random()
        if self.mood == "failing":
            return retry(delivery, after=0.05)
        if self.mood == "odd":
            if chance < 0.003:
                raise Consumer.Disconnect
            if chance < 0.005:
                return None  # the attempt times out
            if chance < 0.03:
                return retry(delivery)
        if delivery["payload"].get("data", {}).get("refuse"):
            return dead(delivery, reason="refused")
        return ok(delivery)


class Handlers:
    """All handlers of the daemon under test, and their sections of its configuration."""

    def __init__(self, folder, ledger, seed):
        self.folder = folder
        self.ledger = ledger
        self.broken = folder / "broken"  # while it is there, programs fail
        self.witnesses = {
            name: Witness(name, folder / f"{name}.sock", ledger, seed + i)
            for i, name in enumerate(["ledger", "large", "mortal", "archive"])}
        self.program = script(folder, "program", PROGRAM.replace("FOLDER", str(folder)))
        self.worker = folder / "worker"
        self.worker.write_text(WORKER.replace("FOLDER", str(folder)))
        self.worker.chmod(0o755)

    def start(self):
        for witness in self.witnesses.values():
            witness.start()

    def stop(self):
        for witness in self.witnesses.values():
            if witness.is_listening:
                witness.stop()

    def _unix(self):
        return {name: {"type": "unix", "socket": witness.path, "timeout": "1s", **RETRIES}
                for name, witness in self.witnesses.items()}

    def late_sections(self):
        """A handler that comes later and wants all that there was."""
        self.ledger.present(["archive"])
        return {"handler archive": {**self._unix()["archive"], "start": "all", "window": 16}}

    def sections(self):
        self.ledger.present(["ledger", "large", "mortal", "program", "worker"])
        unix = self._unix()
        return {
            "handler ledger": {**unix["ledger"], "concurrency": 2, "window": 16},
            "handler large": {**unix["large"], "filter": f".data.amount >= {LARGE}",
                              "transform": "{id: .event_id, amount: .data.amount}"},
            "handler mortal": {**unix["mortal"], "events": "decision_update"},
            "handler program": {"type": "exec", "command": self.program, "decision": "REVIEW",
                                "concurrency": 2, **RETRIES},
            "handler worker": {"type": "exec", "mode": "worker", "command": self.worker,
                               "events": "review_case_assigned", **RETRIES},
        }

    def set_mood(self, mood):
        for witness in self.witnesses.values():
            witness.mood = mood
        if mood == "failing":
            self.broken.touch()
        else:
            self.broken.unlink(missing_ok=True)

    def collect(self):
        """What the programs have noted goes into the ledger."""
        for name in ("program", "worker"):
            log = self.folder / f"{name}.log"
            for line in log.read_text().splitlines() if log.exists() else []:
                seq, what, *payload = line.split()
                self.ledger.sighted(name, int(seq), what,
                                    bytes.fromhex(payload[0]) if payload else None)
