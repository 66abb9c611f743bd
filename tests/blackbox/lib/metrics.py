# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text format 0.0.4."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
UNITS = ("_seconds", "_bytes")


class Metrics:
    """samples: (name, frozenset of label pairs) -> value; kinds: family -> type. Anything that
    Prometheus would refuse, or promtool complain about, is an AssertionError."""

    def __init__(self, text):
        self.samples, self.kinds, self.helps = {}, {}, {}
        assert text.endswith("\n")
        current = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, current, said = line.split(" ", 3)
                assert current not in self.helps, f"{current} is there twice"
                assert said
                self.helps[current] = said
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == current, f"TYPE of {name} is not behind its HELP"
                assert kind in ("counter", "gauge", "histogram")
                self.kinds[name] = kind
            else:
                self._sample(line, current)
        for name, kind in self.kinds.items():
            assert kind != "counter" or name.endswith("_total"), name
            assert kind == "counter" or not name.endswith("_total"), name
            if kind == "histogram":
                self._check_histogram(name)

    def _sample(self, line, family):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.group(1), match.group(2) or "", float(match.groups()[-1])
        suffixes = ("_bucket", "_sum", "_count") if self.kinds[family] == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], f"{line} is below {family}"
        pairs = re.findall(LABEL, labels)
        key = (name, frozenset(pairs))
        assert len(dict(pairs)) == len(pairs) and key not in self.samples, line
        self.samples[key] = value

    def _check_histogram(self, family):
        series = {}
        for (name, labels), value in self.samples.items():
            if name == family + "_bucket":
                bound = float(dict(labels)["le"])
                rest = frozenset(pair for pair in labels if pair[0] != "le")
                series.setdefault(rest, []).append((bound, value))
        for labels, buckets in series.items():
            values = [value for _, value in sorted(buckets)]
            assert values == sorted(values), f"{family} is not cumulative"
            assert max(bound for bound, _ in buckets) == float("inf")
            assert self.samples[(family + "_count", labels)] == values[-1]
            assert (family + "_sum", labels) in self.samples

    def value(self, name, **labels):
        return self.samples[(name, frozenset(labels.items()))]

    def has(self, name, **labels):
        return (name, frozenset(labels.items())) in self.samples


def read(daemon):
    response = daemon.admin("/metrics")
    assert response.status == 200
    return Metrics(response.body.decode())
