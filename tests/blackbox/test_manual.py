# SPDX-License-Identifier: Apache-2.0
"""The manual pages name every option, command, metric, exit code and type of event that there is, and
no other.

What there is comes from the programs: `riskhookd --dump-options`, `riskhookctl help`, /metrics. (The
answers of riskhook-http(7) are held against their tables by tests/unit/test_answer.c and
test_token_endpoint.c.) Whoever adds a row to one of their tables adds an entry to the page that a failing test names.
"""

import re
import subprocess

import pytest

from lib.daemon import run, run_ctl
from lib.events import body
from lib.hooks import script
from lib.settings import REPOSITORY, RISKHOOKCTL, RISKHOOKD, scaled

CONF = "src/core/riskhookd.conf.5"
CTL = "src/riskhookctl/riskhookctl.8"
DAEMON = "src/riskhookd/riskhookd.8"
HANDLER = "src/dispatch/riskhook-handler.7"
HTTP = "src/intake/riskhook-http.7"
COMPLETION = "conf/completion/riskhookctl.bash"


def parts(page, macro, heading):
    """The text below the heading `.macro heading`, up to the next of its kind or above."""
    text = (REPOSITORY / page).read_text()
    found = re.search(rf"^\.{macro} {heading}\n(.*?)(?=^\.S[hs] |\Z)", text, re.M | re.S)
    assert found, f"{page} has no '.{macro} {heading}'"
    return found[1]


def entries(text, macro):
    """{name: text} of the items `.It macro name`, or `.It name`."""
    found = re.findall(rf"^\.It {macro + ' ' if macro else ''}(\S+)(.*?)(?=^\.It |\Z)", text, re.M | re.S)
    assert len(dict(found)) == len(found), "an entry is there twice"
    return dict(found)


def agree(there_is, documented, page, what):
    missing = sorted(set(there_is) - set(documented))
    surplus = sorted(set(documented) - set(there_is))
    assert not missing, f"{page} lacks the {what} {missing}: add '.It' entries for them"
    assert not surplus, f"{page} documents the {what} {surplus}, which do not exist: remove them"


# riskhookd.conf(5)

@pytest.fixture(scope="module")
def options():
    """{section: {option: row}}"""
    rows = [line.split("\t") for line in run(RISKHOOKD, "--dump-options").out.splitlines()]
    sections = {}
    for section, name, kind, default, bounds, reloadable, _ in rows:
        sections.setdefault(section, {})[name] = (kind, default, bounds, reloadable)
    return sections


def test_every_section_is_documented(options):
    text = (REPOSITORY / CONF).read_text()
    agree(options, re.findall(r"^\.Ss Section (\w+)", text, re.M), CONF, "sections")


def test_every_option_is_documented(options):
    for section, rows in options.items():
        documented = entries(parts(CONF, "Ss", f"Section {section}(?: NAME)?"), "Ic")
        agree(rows, documented, CONF, f"options of [{section}]")


def plain(mdoc):
    """The text of an entry without its markup."""
    words = re.sub(r"^\.[A-Z][a-z]? ", "", mdoc, flags=re.M).replace("\\&", "")
    return " ".join(words.split())


def test_defaults_and_bounds_are_documented(options):
    for section, rows in options.items():
        documented = entries(parts(CONF, "Ss", f"Section {section}(?: NAME)?"), "Ic")
        for name, (_, default, bounds, reloadable) in rows.items():
            text = plain(documented[name])
            where = f"{CONF}: [{section}] {name}"
            if bounds != "-":
                assert bounds in text, f"{where}: say its bounds or words: '{bounds}'"
            if default != "-":
                assert f"default {default} ." in text, f"{where}: say '; default' '.Ql {default} .'"
            restart = "Takes effect at a restart." in text
            assert restart == (reloadable == "no"), f"{where}: does a reload suffice?"


def test_the_example_names_every_type_of_credential(options):
    text = (REPOSITORY / "conf/riskhookd.conf").read_text()
    comment = re.search(r"# How the sender proves .*?(?=\ntype)", text, re.S)[0]
    for word in options["credential"]["type"][2].split(", "):
        assert f" {word}: " in comment, f"conf/riskhookd.conf: [credential] type: say what {word} is"


# riskhookctl(8)

@pytest.fixture(scope="module")
def commands():
    """{command: its options}"""
    listing = run_ctl("help").out.split("\noptions")[0]
    return {name: options_of(run_ctl("help", name).out)
            for name in re.findall(r"^  ([a-z][a-z-]*)  ", listing, re.M)}


COMMON = {"config", "help", "version", "utc"}


def options_of(help_text):
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", help_text, re.M)) - COMMON


def test_every_command_is_documented(commands):
    documented = entries(parts(CTL, "Sh", "COMMANDS"), "Ic")
    agree([*commands, "help"], documented, CTL, "commands")
    for name, options in commands.items():
        _, _, listed = documented[name].partition("\nOptions:\n")
        listed = re.match(r"(?:^\.Fl -[a-z-]+ ?[,.]?\n)*", listed, re.M)[0]
        agree(options, re.findall(r"^\.Fl -([a-z-]+)", listed, re.M), CTL,
              f"options of the command {name} (its lines below 'Options:')")


def test_every_option_of_the_commands_is_documented(commands):
    documented = re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z-]+)", parts(CTL, "Sh", "OPTIONS"), re.M)
    agree(set.union(COMMON, *commands.values()), documented, CTL, "options (section OPTIONS)")


def test_every_exit_code_is_documented():
    there_is = re.findall(r"\b(\d) ", run_ctl("help").out.split("exit codes:")[1])
    agree(there_is, entries(parts(CTL, "Sh", "EXIT STATUS"), ""), CTL, "exit codes")


# riskhookd(8)

def test_every_argument_of_the_daemon_is_documented():
    there_is = options_of(run(RISKHOOKD, "--help").out) | (COMMON - {"utc"})
    documented = re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z-]+)", parts(DAEMON, "Sh", "DESCRIPTION"),
                            re.M)
    agree(there_is, documented, DAEMON, "options")


def test_every_exit_code_of_the_daemon_is_documented(folder):
    codes = {run(RISKHOOKD, *args).code
             for args in (["--version"], ["--check", "-c", folder / "none"], ["--none"])}
    agree([str(code) for code in codes], entries(parts(DAEMON, "Sh", "EXIT STATUS"), ""), DAEMON, "exit codes")


def test_every_metric_is_documented(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    there_is = re.findall(r"^# TYPE (\S+)", daemon.admin("/metrics").body.decode(), re.M)
    assert there_is
    agree(there_is, entries(parts(DAEMON, "Sh", "METRICS"), "Ic"), DAEMON, "metrics")


# riskhook-handler(7)

def test_every_variable_of_a_handler_is_documented(make_daemon, folder):
    hook = script(folder, "hook", f"/usr/bin/env > {folder}/env\n")
    daemon = make_daemon({"handler env": {"type": "exec", "command": hook}})
    daemon.delivery(daemon.stored(body()), "env")
    # the shell itself adds PWD and the like
    there_is = re.findall(r"^(RISKHOOK_\w+|PATH|LANG|HOME)=", (folder / "env").read_text(), re.M)
    agree(there_is, entries(parts(HANDLER, "Sh", "ENVIRONMENT"), "Ev"), HANDLER, "variables")


# riskhook-http(7)

def documented_types():
    """{spelling: (canonical type, category)}"""
    found, category, name = {}, None, None
    for line in parts(HTTP, "Sh", "EVENTS").partition("Known are these")[2].partition("\n.Pp")[0].splitlines():
        word, _, rest = line.partition(" ")
        if word == ".It" and rest.startswith("Ic "):
            name = rest[3:]
            found[name] = (name, category)
        elif word == ".It":
            category = rest
        elif word == ".Ql":
            found.update({other: (name, category) for other in rest.split(" , ")})
    return found


def test_every_type_of_event_is_documented():
    source = (REPOSITORY / "src/core/event_types.c").read_text().partition("} prefixes[]")[0]
    rows = re.findall(r'\{TEXT\("(\w+)"\),\s+(?:ITSELF|TEXT\("(\w+)"\)),\s+CATEGORY_(\w+)\}', source)
    assert len(rows) == source.count("{TEXT("), "a row is written in another way"
    there_is = {name: (other or name, category.lower()) for name, other, category in rows}
    agree(there_is, documented_types(), HTTP, "types of events (below 'Known are these')")
    assert documented_types() == there_is


def test_the_types_of_the_manual_are_recognised(make_daemon):
    daemon = make_daemon()
    for spelling, known in documented_types().items():
        seq = daemon.stored(body(spelling.replace("_", " ").title()))
        row = daemon.query("SELECT event_type, category FROM event_log WHERE seq = ?", seq)[0]
        assert (row["event_type"], row["category"]) == known


# completion

def complete(*words):
    done = subprocess.run(
        ["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                       '_riskhookctl; printf "%s\\n" "${COMPREPLY[@]}"',
         "bash", REPOSITORY / COMPLETION, RISKHOOKCTL, *words],
        capture_output=True, text=True, timeout=scaled(60))
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_completion_knows_commands_and_options(commands):
    assert complete("") == {*commands, "help"}
    assert complete("ev") == {"events", "evaluation"}
    for name in ("events", "trigger", "status"):
        assert complete(name, "--") == {f"--{option}" for option in commands[name] | COMMON}


def test_completion_knows_values():
    assert complete("deliveries", "--state", "d") == {"done", "dead"}
    assert complete("events", "--decision", "") == set(), "a value of which nothing is known"
    assert "evaluation_completed" in complete("trigger", "eval")
    assert complete("-c", "some.conf", "sho") == {"show"}
