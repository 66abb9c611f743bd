# SPDX-License-Identifier: Apache-2.0
"""The manual pages name every option, command, metric, exit code, column, key of JSON and type of
event that there is, and no other.

What there is comes from the programs: `riskhookd --dump-options`, `riskhookctl help`, /metrics, a
store, what --json prints. (The answers of riskhook-http(7) are held against their tables by
tests/unit/test_answer.c and test_token_endpoint.c.) Whoever adds a row to one of their tables adds an
entry to the page that a failing test names.
"""

import contextlib
import json
import re
import subprocess
import urllib.parse

import pytest

from lib.config import write_secret
from lib.daemon import run, run_ctl
from lib.events import body, encode, new_id
from lib.hooks import script
from lib.settings import BUILD, REPOSITORY, RISKHOOKCTL, RISKHOOKD, scaled
from lib.sql import open_store
from lib.waiting import wait_until

CONF = "src/core/riskhookd.conf.5"
CTL = "src/riskhookctl/riskhookctl.8"
DAEMON = "src/riskhookd/riskhookd.8"
HANDLER = "src/dispatch/riskhook-handler.7"
HTTP = "src/intake/riskhook-http.7"
STORE = "src/store/riskhook-store.5"
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


# riskhook-store(5)

PASSWORD = "a-secret-of-the-manual"


def add_client(daemon):
    daemon.secrets.append(PASSWORD)
    write_secret(daemon.folder / "client-secret", PASSWORD + "\n")
    return {"credential client": {"endpoint": "riskos", "type": "oauth_client", "client_id": "riskos",
                                  "client_secret_file": "client-secret"}}


def everything(daemon):
    """Traffic after which no list is empty and each column has all kinds of its values. Returns an
    evaluation and the numbers of the events, of which the first is of it."""
    changed = new_id()
    rich = {"status": "OPEN", "sub_status": "Under Review", "eval_status": "evaluation_completed",
            "review_queues": ["fraud"]}
    bodies = [body(eval_id=changed, decision="REVIEW", decision_at="2099-01-01T00:00:00Z", **rich),
              body("decision_update", eval_id=changed, decision="REJECT",
                   decision_at="2099-01-01T00:00:01Z", **rich),
              encode({"event_id": new_id(), "data": {"eval_id": new_id()}}), b"{}"]
    seqs = [daemon.stored(raw) for raw in bodies]
    for handler in ("taking", "refusing", "waiting"):
        for seq in seqs:
            daemon.delivery(seq, handler, {"taking": "done", "refusing": "dead",
                                           "waiting": "pending"}[handler])
    assert daemon.post(bodies[0]).result == "duplicate"
    assert daemon.post(bodies[0] + b" ").result == "conflict"
    assert daemon.post(b"[]").status == 400
    form = {"grant_type": "client_credentials", "client_id": "riskos", "client_secret": PASSWORD}
    response = daemon.post(urllib.parse.urlencode(form).encode(),
                           {"Content-Type": "application/x-www-form-urlencoded"}, auth=None,
                           path="/oauth/token")
    daemon.secrets.append(response.json()["access_token"])
    return changed, seqs


def make_full(make, folder):
    """A daemon in whose store there is some of everything. `.eval_id`, `.seqs`: of its events."""
    daemon = make({
        "log": {"format": "json", "level": "debug"},
        "handler taking": {"type": "exec", "command": script(folder, "taking", "echo taken\n")},
        "handler refusing": {"type": "exec", "command": script(folder, "refusing", "exit 65\n")},
        "handler waiting": {"type": "exec", "command": "/bin/true"}}, prepare=add_client)
    assert daemon.ctl("pause", "waiting").code == 0
    daemon.eval_id, daemon.seqs = everything(daemon)
    return daemon


@pytest.fixture(scope="module")
def full(make_module_daemon, tmp_path_factory):
    """One that only is asked."""
    return make_full(make_module_daemon, tmp_path_factory.mktemp("hooks"))


def columns_of(view):
    return entries(parts(STORE, "Ss", view), "Va")


def test_every_view_is_documented(full):
    views = [row["name"] for row in full.query("SELECT name FROM sqlite_schema WHERE type = 'view'")]
    agree(views, re.findall(r"^\.Ss (\w+_log)$", (REPOSITORY / STORE).read_text(), re.M), STORE, "views")


TYPES = {"Integer.": {"integer"}, "0 or 1.": {"integer"}, "Text.": {"text"}, "Time.": {"text"},
         "Text or NULL.": {"text", "null"}, "Time or NULL.": {"text", "null"}}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.mark.parametrize("view", ["event_log", "evaluation_log", "delivery_log"])
def test_every_column_is_documented(full, view):
    there_is = [row["name"] for row in full.query(f"SELECT name FROM pragma_table_info('{view}')")]
    documented = columns_of(view)
    agree(there_is, documented, STORE, f"columns of {view}")
    assert list(documented) == there_is, f"{STORE}: {view} has its columns in another order"
    for column, text in documented.items():
        where, kind = f"{STORE}: {view}.{column}", text.strip().splitlines()[0]
        assert kind in TYPES, f"{where}: begin with one of {list(TYPES)}"
        values = [row[column] for row in full.query(f"SELECT {column} FROM {view}")]
        types = {row["t"] for row in full.query(f"SELECT DISTINCT typeof({column}) AS t FROM {view}")}
        if column != "erased_at":  # nothing is, here
            assert types == TYPES[kind], where
        if kind == "0 or 1.":
            assert set(values) <= {0, 1}, where
        if kind.startswith("Time"):
            assert all(re.fullmatch(TIME, value) for value in values if value), where


def examples(page, macro="Sh", heading="EXAMPLES"):
    found = re.findall(r"^\.Bd .*?\n(.*?)^\.Ed$", parts(page, macro, heading), re.M | re.S)
    return [text.replace("\\e", "\\").replace("\\&", "") for text in found]


def test_the_queries_of_the_manual_answer(full):
    queries = [text for text in examples(STORE) if text.startswith("SELECT")]
    assert len(queries) == 3
    with contextlib.closing(open_store(full.config.store)) as db:
        waits, changed, queues = ([dict(row) for row in db.execute(sql)] for sql in queries)
    received = full.query("SELECT min(received_at) AS t FROM event_log")[0]["t"]
    assert waits == [{"handler": handler, "state": state, "n": len(full.seqs), "oldest": received}
                     for handler, state in (("refusing", "dead"), ("waiting", "pending"))]
    assert [(row["seq"], row["decision"]) for row in changed] == \
        [(full.seqs[0], "REVIEW")] * 3 + [(full.seqs[1], "REJECT")] * 3
    assert {row["eval_id"] for row in changed} == {full.eval_id}
    assert queues == [{"seq": full.seqs[0], "eval_id": full.eval_id, "queues": '["fraud"]'}]


def of_this_build(text, daemon):
    text = text.replace("/var/lib/riskhookd/events.db", str(daemon.config.store))
    return text.replace("/usr/lib/riskhookd/riskhook", str(BUILD / "riskhook"))


def test_the_program_of_the_manual_reads_a_body(full):
    program, = [text for text in examples(STORE) if text.startswith("import")]
    names = {}
    exec(of_this_build(program, full), names)  # our own page
    assert names["body"] == full.payload(1)


def test_the_extension_is_loaded_as_the_manual_says(full):
    load, = examples(STORE, "Sh", "FUNCTIONS")
    done = run("sqlite3", "-readonly", full.config.store,
               stdin=of_this_build(load, full).encode() + b"SELECT hex(payload(1));\n")
    assert bytes.fromhex(done.out) == full.payload(1), done.err


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


# the keys of --json

def json_sections():
    """{commands: text}: the subsections `Keys of A, B and C`"""
    text = (REPOSITORY / CTL).read_text()
    found = re.findall(r"^\.Ss Keys of ([^\n]*)\n(.*?)(?=^\.S[hs] )", text, re.M | re.S)
    return {tuple(re.split(r", | and ", commands)): text for commands, text in found}


def documented_keys(command):
    """The keys as the test writes them, too: `a.b`, `a[].b`"""
    keys = set()
    text, = [text for commands, text in json_sections().items() if command in commands]
    head, *items = re.split(r"^\.It Va ", text, flags=re.M)
    for name, below in [("", head), *(item.split("\n", 1) for item in items)]:
        prefix = name + "." if name else ""
        views = re.findall(r"^The columns of\n\.Ql (\w+)", below, re.M)
        others = re.findall(r"^The keys of\n\.Ic (\w+)", below, re.M)
        inner = {key for view in views for key in columns_of(view)}
        inner |= {key for other in others for key in documented_keys(other)}
        keys |= {prefix + key for key in inner} if inner else {name} - {""}
    return keys


def keys_in(value, prefix=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from keys_in(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from keys_in(inner, prefix + "[]")
    else:
        yield prefix + "[]" * isinstance(value, list)


def invocations(daemon, folder):
    """{command: argument lists that make it print all that it can}, in this order"""
    seq, dead, pending = (str(n) for n in (
        daemon.seqs[0],
        daemon.value("SELECT delivery FROM delivery_log WHERE state = 'dead'"),
        daemon.value("SELECT delivery FROM delivery_log WHERE state = 'pending'")))
    wrong = write_secret(folder / "wrong", "wrong\n")
    return {
        "attempts": [[dead]], "backup": [[folder / "copy.db"]], "conflicts": [[]], "dashboard": [[]],
        "deliveries": [[]], "doctor": [[]], "evaluation": [[daemon.eval_id]], "events": [[]],
        "hold": [[pending]], "release": [[pending]], "pause": [["taking"]], "status": [[]],
        "resume": [["taking"]], "quarantine": [[]], "replay": [["--handler", "taking", "--seq", seq]],
        "retry": [[dead]], "dismiss": [[pending]], "show": [[seq]], "stats": [[]],
        "token": [["list"], ["revoke", "--credential", "client"]],
        "trigger": [["evaluation_completed"], ["--list"],
                    ["evaluation_completed", "--bearer-file", wrong]]}


def test_every_key_of_json_is_documented(make_daemon, commands, folder):
    daemon = make_full(make_daemon, folder)
    used = invocations(daemon, folder)
    with_json = [name for name, options in commands.items() if "json" in options]
    assert sorted(used) == sorted(with_json), "run the new command here"
    agree(with_json, [name for names in json_sections() for name in names], CTL, "commands with --json")
    for command, lists in used.items():
        printed = []
        for arguments in lists:
            done = daemon.ctl(command, *arguments, "--json")
            assert done.out, f"{command} {arguments}: exit {done.code}: {done.err}"
            printed += [json.loads(line) for line in done.out.splitlines()]
        documented = documented_keys(command)
        there_is = {key for row in printed for key in keys_in(row)}
        empty = {key for key in there_is  # a list of which there is more elsewhere
                 if any(other.startswith(key + ".") for other in documented)}
        agree(there_is - empty, documented, CTL, f"keys of the command {command} (section JSON)")


def test_doctor_looks_at_what_the_manual_says(full):
    below = entries(json_sections()[("doctor",)], "Va")
    for key in ("check", "level"):
        words = re.findall(r"\w+", " ".join(re.findall(r"^\.Ql (.*)$", below[key], re.M)))
        said = [json.loads(line) for line in full.ctl("doctor", "--json").out.splitlines()]
        assert {row[key] for row in said} <= set(words), f"{CTL}: {key} of doctor"


def test_the_admin_socket_says_what_the_manual_says(full):
    said = full.admin("/healthz").body + full.admin("/readyz").body
    assert examples(DAEMON, "Sh", "METRICS") == [said.decode()]
    of_socket = set(keys_in(full.admin("/v1/status").json()))
    assert of_socket == {key for row in full.ctl_rows("status") for key in keys_in(row)}


# the keys of the log

def test_every_key_of_the_log_is_documented(full):
    documented = entries(parts(DAEMON, "Sh", "LOG"), "Va")
    keys = set()

    def seen():
        keys.update(*(json.loads(line) for line in full.log().splitlines() if line.endswith("}")))
        return keys >= set(documented)

    with contextlib.suppress(AssertionError):
        wait_until(seen, 5)
    agree(keys, documented, DAEMON, "keys of the log")


def test_the_fields_of_the_journal_are_the_keys_of_the_log():
    source = (REPOSITORY / "src/core/log_render.c").read_text()
    rows = re.findall(r'^\t\{"(\w+)", "(RISKHOOK_\w+)", ID_', source, re.M)
    assert rows and all(field == "RISKHOOK_" + key.upper() for key, field in rows)
    documented = entries(parts(DAEMON, "Sh", "LOG"), "Va")
    agree([key for key, _ in rows] + ["time", "level", "message"], documented, DAEMON, "keys of the log")


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
