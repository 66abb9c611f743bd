# SPDX-License-Identifier: Apache-2.0
"""The runs, each a dict of what was measured, and the figures over their repetitions."""

import statistics


class Runs(list):
    def of(self, **wanted):
        """Those that have these values."""
        return Runs(run for run in self if all(run.get(k) == v for k, v in wanted.items()))

    def values(self, name):
        return [run[name] for run in self]

    def over(self, others, figure=lambda run: run["rate"]):
        """The ratios of a figure within each repetition, where the two ran moments apart on the
        same machine."""
        below = {run["repetition"]: figure(run) for run in others}
        return [figure(run) / below[run["repetition"]] for run in self
                if below.get(run["repetition"])]

    def groups(self, *names):
        """Runs by what they have in common, in the order of their first."""
        found = {}
        for run in self:
            found.setdefault(tuple(run[name] for name in names), Runs()).append(run)
        return found


def spread(values):
    """Median and extremes; None when there is nothing."""
    if not values:
        return None
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}
