# SPDX-License-Identifier: Apache-2.0
"""riskhookctl while something else is wrong: an error in the configuration, a word, another store."""

import json

import pytest

from lib.events import body

OK, FAILED = 0, 1
HANDLER = {"handler true": {"type": "exec", "command": "/bin/true"}}


def break_configuration(daemon, text):
    """Return: the "FILE:LINE" of the last line of `text`."""
    path = daemon.config.path
    path.write_text(path.read_text() + text)
    return f"{path}:{len(path.read_text().splitlines())}"


@pytest.fixture(scope="module")
def broken(make_module_daemon):
    daemon = make_module_daemon(HANDLER)
    seq = daemon.stored(body(event_id="one", eval_id="eval-1"))
    daemon.delivery(seq, "true")
    daemon.where = break_configuration(daemon, "[handler other]\ntimeuot = 5s\n")
    return daemon


@pytest.mark.parametrize("arguments", [
    ["events"], ["show", "one"], ["evaluation", "eval-1"], ["deliveries"], ["attempts", "1"],
    ["stats"], ["status"], ["pause", "true"], ["resume", "true"], ["log-level", "info"],
], ids=" ".join)
def test_what_asks_the_store_or_the_daemon_goes_on_and_warns(broken, arguments):
    result = broken.ctl(*arguments)
    assert result.code == OK, result.err
    assert result.err.startswith(f"riskhookctl: warning: {broken.where}: unknown option 'timeuot'")
    assert "did you mean 'timeout'" in result.err
    assert "riskhookd will not start with it" in result.err


def test_what_needs_all_of_it_fails(broken):
    for arguments in (["check-config"], ["dashboard"], ["trigger", "evaluation_completed"]):
        result = broken.ctl(*arguments)
        assert result.code == FAILED and result.err.startswith(f"riskhookctl: {broken.where}: ")


def test_doctor_finds_it_and_looks_at_the_rest(broken):
    result = broken.ctl("doctor", "--json")
    assert result.code == FAILED and result.err == ""
    levels = {}
    for row in map(json.loads, result.out.splitlines()):
        levels.setdefault(row["check"], set()).add(row["level"])
        if row["check"] == "config":
            assert row["finding"].startswith(broken.where)
    assert levels["config"] == {"problem"}
    assert levels["daemon"] == {"ok"} and "ok" in levels["store"]
    assert "certificate" not in levels, "it may be another one"


def test_reload_says_it_once(broken):
    result = broken.ctl("reload")
    assert result.code == FAILED
    assert result.err.startswith(f"riskhookctl: the old configuration stays: {broken.where}: ")


@pytest.mark.parametrize("text", ["[store]\npth = /nowhere\n", "[stroe]\n"], ids=repr)
def test_nobody_asks_another_store_than_was_meant(make_daemon, text):
    daemon = make_daemon(start=False)
    where = break_configuration(daemon, text)
    for command in ("events", "status", "reload"):
        result = daemon.ctl(command)
        assert (result.code, result.out) == (FAILED, "")
        assert result.err.startswith(f"riskhookctl: {where}: unknown")
    assert "riskhookd was not asked" in result.err
    result = daemon.ctl("doctor", "--json")
    (found,) = map(json.loads, result.out.splitlines())
    assert result.code == FAILED and result.err == ""
    assert (found["check"], found["level"]) == ("config", "problem")
    assert found["finding"].startswith(where)


def test_a_store_that_the_daemon_does_not_use(make_daemon):
    daemon = make_daemon()
    daemon.config.update({"store": {"path": daemon.config.store.parent / "other.db"}})
    daemon.config.write()
    found = [json.loads(line) for line in daemon.ctl("doctor", "--json").out.splitlines()]
    (store,) = [row for row in found if row["check"] == "store"]
    assert store["level"] == "problem" and "other.db" in store["finding"]
    assert store["advice"].startswith("riskhookd uses another file")


@pytest.mark.parametrize("arguments, said", [
    (["events", "--category", "docs"], "no category 'docs'; categories are evaluation, case, "),
    (["deliveries", "--state", "ded"], "no state 'ded'; states are pending, running, "),
    (["log-level", "loud"], "no level 'loud'; levels are error, warning, "),
], ids=str)
def test_a_word_that_cannot_be_meant_is_no_empty_answer(broken, arguments, said):
    result = broken.ctl(*arguments)
    assert result.code == 2 and said in result.err
