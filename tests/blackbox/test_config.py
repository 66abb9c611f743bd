# SPDX-License-Identifier: Apache-2.0
"""A wrong configuration is refused with file and line; a right one means what it says."""

import os
import re

import pytest

from lib.client import bearer
from lib.config import write_secret
from lib.daemon import DaemonFailed, run, run_ctl
from lib.events import body, body_of_size
from lib.settings import RISKHOOKD


@pytest.fixture
def daemon(make_daemon):
    """Configured, not started."""
    return make_daemon(start=False)


def check(daemon):
    """Both programs must come to the same verdict. Returns riskhookd's."""
    by_daemon = run(RISKHOOKD, "-c", daemon.config.path, "--check")
    by_ctl = run_ctl("-c", daemon.config.path, "check-config")
    assert by_daemon.code == by_ctl.code, (by_daemon, by_ctl)
    assert not daemon.config.store.exists(), "a check changes nothing"
    return by_daemon


def append(daemon, text):
    """Add lines to the configuration; return the number of the first one."""
    before = daemon.config.path.read_text()
    daemon.config.path.write_text(before + text)
    return before.count("\n") + 1


def assert_refused(daemon, path, line=None):
    result = check(daemon)
    assert result.code == 1
    number = r"\d+" if line is None else str(line)
    assert re.search(rf"^{re.escape(str(path))}:{number}: \S", result.err, re.MULTILINE), \
        f"expected {path}:{number}: in {result.err!r}"
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert failure.value.code == 1
    return result.err


def test_the_configuration_of_these_tests_is_right(daemon):
    result = check(daemon)
    assert result.code == 0
    assert result.out.endswith("ok (1 endpoint, 2 credentials, 0 handlers)\n")


HANDLER = "[handler h]\ntype = exec\ncommand = /bin/true\n"
CREDENTIAL = "[credential c]\nendpoint = riskos\ntype = bearer\n"

# What is appended -> the line of it (from 0) that is wrong, if it is always that one; what is said.
WRONG = {
    "an unknown section": ("[sever]\nlisten = 127.0.0.1:1\n", None, "unknown section 'sever'"),
    "an unknown key": ("[server]\nlissen = 127.0.0.1:1\n", 1, "unknown option 'lissen'"),
    "a value that was given before":
        ("[log]\nlevel = debug\n", 1, "'level' was already given in line"),
    "a key of another section":
        ("[store]\nlevel = info\n", 1, "unknown option 'level' in section [store]"),
    "no value": ("[server]\nmax_body =\n", 1, "'max_body' is empty"),
    "no equals sign": ("[server]\nmax_body\n", 1, "expected 'option = value'"),
    "a number that is none": ("[server]\nmax_connections = many\n", 1, "expected a whole number"),
    "a number that is too small": ("[server]\nmax_connections = 0\n", 1, "is 0, allowed are 1 to"),
    "a number that is too large":
        ("[server]\nmax_connections = 100001\n", 1, "is 100001, allowed are"),
    "a huge number":
        ("[server]\nmax_connections = 99999999999999999999999\n", 1, "expected a whole number"),
    "a negative number": ("[server]\nthreads = -1\n", 1, "expected a whole number"),
    "a size without sense": ("[server]\nmax_body = 2 potatoes\n", 1, "expected a size such as"),
    "a size that is too small": ("[server]\nmax_body = 1\n", 1, "is 1, allowed are 1KiB to"),
    "a size that is too large": ("[server]\nmax_body = 1GiB\n", 1, "is 1GiB, allowed are"),
    "a duration without a unit that exists":
        ("[server]\nrequest_timeout = 15 fortnights\n", 1, "expected a duration"),
    "a duration that is too short": ("[server]\nrequest_timeout = 1ms\n", 1, "is 1ms, allowed are"),
    "a bool that is none": ("[server]\ninsecure_http = maybe\n", 1, "expected yes or no"),
    "admin on all addresses": ("[admin]\nlisten = 0.0.0.0:9464\n", 1, "must be a loopback address"),
    "a prefix with host bits":
        ("[server]\ntrusted_proxies = 192.0.2.1/24\n", 1, "without host bits"),
    "a prefix that is too long":
        ("[server]\ntrusted_proxies = 192.0.2.0/33\n", 1, "expected addresses and prefixes"),
    "an endpoint without a name": ("[endpoint]\npath = /x\n", None, "needs a name"),
    "an endpoint with a bad name": ("[endpoint a/b]\npath = /x\n", None, "needs a name"),
    "an endpoint with a relative path":
        ("[endpoint x]\npath = webhooks\n", 1, "a path that begins with /"),
    "two endpoints on one path":
        ("[endpoint x]\npath = /webhooks/riskos\n", None, "which [endpoint riskos] has already"),
    "a dedup that is none":
        ("[endpoint x]\npath = /x\ndedup = never\n", 2, "'dedup' is never, allowed are"),
    "a credential of no endpoint":
        ("[credential c]\ntype = bearer\ntoken_file = token\n", None, "'endpoint' is missing"),
    "a credential of an unknown endpoint":
        ("[credential c]\nendpoint = risk\ntype = bearer\ntoken_file = token\n",
         None, "there is no [endpoint risk]"),
    "a credential without a type":
        ("[credential c]\nendpoint = riskos\n", None, "'type' is missing"),
    "a credential of an unknown type":
        ("[credential c]\nendpoint = riskos\ntype = digest\n", 2, "'type' is digest, allowed are"),
    "bearer without a token": (CREDENTIAL, None, "exactly one of 'token_file' and 'token_hash'"),
    "bearer with two tokens":
        (CREDENTIAL + "token_file = token\ntoken_hash = sha256:" + "0" * 64 + "\n",
         None, "exactly one of 'token_file' and 'token_hash'"),
    "bearer with a password":
        (CREDENTIAL + "token_file = token\npassword_file = password\n",
         None, "'password_file' has no meaning"),
    "basic without a username":
        ("[credential c]\nendpoint = riskos\ntype = basic\npassword_file = password\n",
         None, "'username' is missing"),
    "a username with a colon":
        ("[credential c]\nendpoint = riskos\ntype = basic\nusername = a:b\n"
         "password_file = password\n", None, "may not contain a colon"),
    "a token hash that is none":
        (CREDENTIAL + "token_hash = sha256:xyz\n", None, "'token_hash' is not sha256:"),
    "a password hash that is none":
        ("[credential c]\nendpoint = riskos\ntype = basic\nusername = u\n"
         "password_hash = scrypt:1\n", None, "'password_hash' is not of the form"),
    "a time that is none":
        (CREDENTIAL + "token_file = token\nnot_after = tomorrow\n", 4, "expected a time"),
    "a validity that never is":
        (CREDENTIAL + "token_file = token\nnot_before = 2030-01-01T00:00:00Z\n"
         "not_after = 2029-01-01T00:00:00Z\n", None, "'not_after' is not after 'not_before'"),
    "a secret file that is not there":
        (CREDENTIAL + "token_file = nowhere\n", None, "nowhere': No such file or directory"),
    "a handler without a type": ("[handler h]\ncommand = /bin/true\n", None, "'type' is missing"),
    "a handler of an unknown type":
        ("[handler h]\ntype = http\n", 1, "'type' is http, allowed are"),
    "exec without a command": ("[handler h]\ntype = exec\n", None, "needs 'command'"),
    "exec with a socket": (HANDLER + "socket = /run/x\n", None, "'socket' has no meaning"),
    "unix without a socket": ("[handler h]\ntype = unix\n", None, "needs 'socket'"),
    "unix with a command":
        ("[handler h]\ntype = unix\nsocket = /run/x\ncommand = /bin/true\n",
         None, "'command' has no meaning"),
    "an open quote":
        ("[handler h]\ntype = exec\ncommand = /bin/echo 'x\n", 2, "with all quotes closed"),
    "an env without a value": (HANDLER + "env = NAME\n", None, "not of the form NAME=value"),
    "a concurrency of none": (HANDLER + "concurrency = 0\n", 3, "is 0, allowed are 1 to"),
    "an order that is none": (HANDLER + "order = random\n", 3, "'order' is random, allowed are"),
    "retry_max below retry_initial":
        (HANDLER + "retry_initial = 10m\nretry_max = 1s\n",
         None, "'retry_max' is shorter than 'retry_initial'"),
    "a handler of an unknown endpoint":
        (HANDLER + "endpoint = nowhere\n", None, "there is no [endpoint nowhere]"),
    "a handler of an unknown category":
        (HANDLER + "category = nowhere\n", 3, "'category' is nowhere, allowed are"),
}

# What stands in the place of a right value -> what is said.
INSTEAD = {
    "an enum that is none": ("log", "format", "xml", "is xml, allowed are"),
    "an address without a port": ("server", "listen", "127.0.0.1", "address and a port"),
    "an address with a name": ("server", "listen", "localhost:8443", "numeric address"),
    "a port that is too large": ("server", "listen", "127.0.0.1:65536", "address and a port"),
}


@pytest.mark.parametrize("text, line, said", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_line_is_refused_with_file_and_line(daemon, text, line, said):
    first = append(daemon, text)
    line = None if line is None else first + line
    assert said in assert_refused(daemon, daemon.config.path, line)


@pytest.mark.parametrize("section, option, value, said", INSTEAD.values(), ids=INSTEAD.keys())
def test_a_wrong_value_is_refused_with_file_and_line(daemon, section, option, value, said):
    daemon.config.update({section: {option: value}})
    daemon.config.write()
    line = daemon.config.path.read_text().splitlines().index(f"{option} = {value}") + 1
    assert said in assert_refused(daemon, daemon.config.path, line)


def test_a_key_before_any_section_is_refused(daemon):
    daemon.config.path.write_text("listen = 127.0.0.1:1\n" + daemon.config.path.read_text())
    assert_refused(daemon, daemon.config.path, 1)


def assert_told(daemon, *texts):
    """Every program that looks at the configuration warns of it, and goes on."""
    by_daemon, by_ctl = check(daemon), run_ctl("-c", daemon.config.path, "check-config")
    assert by_daemon.code == by_ctl.code == 0
    daemon.start()
    for text in texts:
        assert text in by_daemon.err and text in by_ctl.err and text in daemon.log()


def test_words_that_are_nearly_known_are_told(daemon):
    append(daemon, HANDLER + "events = evaluation_complted\ndecision = REVEIW\n")
    assert_told(daemon, "(did you mean 'evaluation_completed'?)", "(did you mean 'REVIEW'?)")


def test_a_program_that_is_not_there_is_told(daemon):
    append(daemon, "[handler h]\ntype = exec\ncommand = /no/such/hook\n")
    assert_told(daemon, "[handler h]: '/no/such/hook' cannot be run: No such file or directory")
    assert "/no/such/hook" in daemon.ctl("doctor").err


def test_a_comment_or_quotes_that_became_part_of_a_value_are_told(daemon):
    daemon.config.update({"credential basic": {"username": "riskos # of the Dashboard"},
                          "endpoint riskos": {"environment": '"Production"'}})
    daemon.config.write()
    assert_told(daemon, "[credential basic] username: what follows '#' is part of the value",
                "[endpoint riskos] environment: the quotes are part of the value")


def test_plain_http_is_refused_off_loopback(daemon):
    daemon.config.update({"server": {"listen": "0.0.0.0:0", "insecure_http": "yes"}})
    daemon.config.write()
    assert_refused(daemon, daemon.config.path)


@pytest.mark.parametrize("option", ["tls_certificate", "tls_private_key"])
@pytest.mark.parametrize("content", [None, "", "no PEM\n"], ids=["absent", "empty", "rubbish"])
def test_a_bad_certificate_or_key_stops_the_start(daemon, option, content):
    path = daemon.folder / "bad.pem"
    if content is not None:
        write_secret(path, content)
    daemon.config.update({"server": {option: path}})
    daemon.config.write()
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert failure.value.code == 1
    assert option in failure.value.output or "bad.pem" in failure.value.output


def test_a_missing_file_is_an_error_that_names_it(folder):
    for result in (run(RISKHOOKD, "-c", folder / "none.conf", "--check"),
                   run_ctl("-c", folder / "none.conf", "check-config"),
                   run_ctl("-c", folder / "none.conf", "events")):
        assert result.code == 1
        assert "none.conf" in result.err


def test_a_line_that_is_too_long_is_refused_and_never_cut(daemon):
    line = append(daemon, "; a comment\n[server]\ntrusted_proxies = " + "192.0.2.1, " * 3000
                  + "127.0.0.1\n")
    assert_refused(daemon, daemon.config.path, line + 2)


def test_a_list_may_repeat_its_key(make_daemon):
    prefixes = [f"198.51.100.{i}, 203.0.113.{i}" for i in range(250)] + ["127.0.0.0/8"]
    daemon = make_daemon({"endpoint riskos": {"allow_from": prefixes}})
    assert daemon.post(body()).result == "stored"


def test_comments_and_blanks_are_allowed(daemon):
    append(daemon, "\n; a comment\n# another\n  \n[store] ; behind a section\n"
                   "max_pending = 100   ; behind a value\n")
    assert check(daemon).code == 0


# conf.d

def add_conf(daemon, name, text):
    path = daemon.folder / "conf.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_conf_d_is_read_in_the_order_of_names_and_the_last_one_counts(daemon):
    add_conf(daemon, "20-more.conf", "[server]\nmax_body = 8KiB\n")
    add_conf(daemon, "10-less.conf", "[server]\nmax_body = 4KiB\n")
    add_conf(daemon, "30-ignored.conf.bak", "[server]\nmax_body = 1KiB\nnonsense\n")
    daemon.start()
    assert daemon.post(body_of_size(8192)).result == "stored"
    assert daemon.post(body_of_size(8193)).status == 413


def test_conf_d_adds_handlers_and_credentials(daemon):
    write_secret(daemon.folder / "added-token", "token-that-was-added\n")
    add_conf(daemon, "handler.conf", "[handler added]\ntype = exec\ncommand = /bin/true\n")
    add_conf(daemon, "credential.conf", "[credential added]\nendpoint = riskos\ntype = bearer\n"
                                        "token_file = added-token\n")
    daemon.start()
    seq = daemon.stored(body(), auth=bearer("token-that-was-added"))
    daemon.delivery(seq, "added")


def test_an_error_in_conf_d_names_that_file(daemon):
    path = add_conf(daemon, "50-wrong.conf", "# fine\n[server]\nnonsense = 1\n")
    assert_refused(daemon, path, 3)


# Secrets

@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_can_read_is_refused(daemon, mode):
    (daemon.folder / "token").chmod(mode)
    assert "token" in assert_refused(daemon, daemon.config.path)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 5000], ids=["empty", "newline", "too long"])
def test_a_secret_that_cannot_be_one_is_refused(daemon, content):
    write_secret(daemon.folder / "token", content)
    assert_refused(daemon, daemon.config.path)


def test_one_trailing_newline_is_not_part_of_a_secret(make_daemon):
    def prepare(daemon):
        write_secret(daemon.folder / "token", "the-token-itself\n")

    daemon = make_daemon(prepare=prepare)
    assert daemon.post(body(), auth=bearer("the-token-itself")).result == "stored"


def test_a_secret_is_taken_from_the_credentials_directory_first(make_daemon, folder):
    write_secret(folder / "token", "token-from-systemd\n", mode=0o440)
    daemon = make_daemon(environment={"CREDENTIALS_DIRECTORY": str(folder)})
    daemon.secrets.append("token-from-systemd")
    assert daemon.post(body(), auth=bearer("token-from-systemd")).result == "stored"
    refused = daemon.post(body(), auth="bearer", source=daemon.new_source())
    assert refused.status == 401, "the file beside the configuration is not looked at"
    assert daemon.post(body(), auth="basic").result == "stored", "but it is for the others"


def test_an_error_never_shows_a_secret(daemon):
    write_secret(daemon.folder / "token", "never-show-this" * 400)
    result = check(daemon)
    assert result.code == 1
    assert "never-show-this" not in result.err + result.out


# Programs

@pytest.mark.parametrize("program", ["riskhookd", "riskhookctl"])
def test_help_and_version_need_no_configuration(program):
    for option in ("--help", "--version"):
        result = run(RISKHOOKD.with_name(program), option)
        assert result.code == 0 and result.err == ""
        assert program in result.out


def test_dump_options_has_a_row_for_each_option(daemon):
    """In the tables; that each table's rows are documented, test_manual.py looks after."""
    rows = [line.split("\t") for line in run(RISKHOOKD, "--dump-options").out.splitlines()]
    assert all(len(row) == 7 and all(row) for row in rows)
    told = {(row[0], row[1]) for row in rows}
    assert len(told) == len(rows)
    for section, options in daemon.config.sections.items():
        for option in options:
            assert (section.split()[0], option) in told


def test_a_second_daemon_on_the_same_port_says_so(make_daemon):
    first = make_daemon()
    second = make_daemon(start=False)
    second.config.update({"server": {"listen": f"127.0.0.1:{first.port}"}})
    second.config.write()
    with pytest.raises(DaemonFailed) as failure:
        second.start()
    assert failure.value.code == 1
    assert str(first.port) in failure.value.output
    assert first.post(body()).result == "stored"


def test_a_relative_path_counts_from_the_configuration(make_daemon):
    daemon = make_daemon({"store": {"path": "data.db"}}, start=False)
    cwd = os.getcwd()
    os.chdir("/")
    try:
        daemon.start()
    finally:
        os.chdir(cwd)
    daemon.stored(body())
    assert (daemon.folder / "data.db").exists()
