# SPDX-License-Identifier: Apache-2.0
"""What `make install`, `make dist` and `make deb` leave, and that systemd, mandoc and lintian find
nothing wrong with it."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from lib.settings import REPOSITORY, scaled

EXPOSURE_MAX = 15  # tenths
UNITS = "usr/lib/systemd/system"
SHIPPED = {
    "usr/sbin/riskhookd": 0o755,
    "usr/bin/riskhookctl": 0o755,
    "usr/lib/riskhookd/riskhook.so": 0o644,
    f"{UNITS}/riskhookd.service": 0o644,
    f"{UNITS}/riskhookd.socket": 0o644,
    "usr/lib/sysusers.d/riskhookd.conf": 0o644,
    "usr/lib/tmpfiles.d/riskhookd.conf": 0o644,
    "usr/share/man/man5/riskhook-store.5": 0o644,
    "usr/share/man/man5/riskhookd.conf.5": 0o644,
    "usr/share/man/man7/riskhook-handler.7": 0o644,
    "usr/share/man/man7/riskhook-http.7": 0o644,
    "usr/share/man/man8/riskhookctl.8": 0o644,
    "usr/share/man/man8/riskhookd.8": 0o644,
    "usr/share/bash-completion/completions/riskhookctl": 0o644,
    "usr/share/doc/riskhookd/README.md": 0o644,
    "usr/share/doc/riskhookd/examples/hook-needs-more.conf": 0o644,
    "usr/share/doc/riskhookd/examples/riskhookd.conf": 0o644,
    **{f"usr/share/riskhookd/hooks/{hook.name}": 0o644 if hook.suffix == ".c" else 0o755
       for hook in (REPOSITORY / "conf/hooks").iterdir()},
}
PAGES = sorted(path for path in REPOSITORY.glob("src/*/*.[5-8]"))


def run(*args, **kwargs):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True,
                          timeout=scaled(300), **kwargs)
    return done.returncode, done.stdout + done.stderr


def make(*args):
    # a make of its own: nothing of the one that runs these tests, and none of its SANITIZE
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    code, out = run("make", "-C", REPOSITORY, "--no-print-directory", *args, env=env)
    assert code == 0, out
    return out


def files(root):
    return {str(path.relative_to(root)): path.stat().st_mode & 0o7777
            for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("install") / "root"
    old = os.umask(0o077)  # modes must not depend on it
    try:
        make("install", f"DESTDIR={root}", "PREFIX=/usr")
    finally:
        os.umask(old)
    return root


# install

def test_install_puts_every_file_in_its_place(root):
    assert files(root) == SHIPPED


def test_the_folders_that_install_makes_are_open_to_all(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert [path for path in folders if path.stat().st_mode & 0o7777 != 0o755] == []


def test_other_folders_are_written_into_the_files(tmp_path):
    try:
        make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/riskhook", "SYSCONFDIR=/etc/opt")
    finally:
        make("all")  # the programs that other tests run have the usual folders
    text = "".join(path.read_text() for path in tmp_path.rglob("riskhookd.*")
                   if path.suffix != ".conf" or "man" in str(path))
    assert "/usr/sbin/riskhookd" not in text and "/etc/riskhookd" not in text
    assert "ExecStart=/opt/riskhook/sbin/riskhookd" in text
    # the build may have been there, with other folders compiled in
    for program in ("sbin/riskhookd", "bin/riskhookctl"):
        assert "/etc/opt/riskhookd/riskhookd.conf" in run(
            tmp_path / "opt/riskhook" / program, "--help")[1]


def test_uninstall_leaves_nothing(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert files(tmp_path) == {}
    assert not (tmp_path / "usr/share/riskhookd").exists()
    assert not (tmp_path / "usr/lib/riskhookd").exists()


def test_the_installed_programs_run(root):
    for program in ("usr/sbin/riskhookd", "usr/bin/riskhookctl"):
        code, out = run(root / program, "--version")
        assert code == 0, out


def test_the_installed_extension_is_loaded_by_sqlite3(root):
    code, out = run("sqlite3", "-cmd", f".load {root / 'usr/lib/riskhookd/riskhook'}", ":memory:",
                    "SELECT payload_decode(x'6162', 0)")
    assert (code, out) == (0, "ab\n")


# units

@pytest.fixture
def system(root, tmp_path):
    """What was installed, among the units of systemd itself."""
    shutil.copytree("/lib/systemd/system", tmp_path / UNITS, symlinks=True)
    shutil.copytree(root, tmp_path, symlinks=True, dirs_exist_ok=True)
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/kill", tmp_path / "bin/kill")
    return tmp_path


def test_systemd_finds_nothing_wrong_with_the_units(system):
    code, out = run("systemd-analyze", "verify", "--man=no", f"--root={system}",
                    "riskhookd.service", "riskhookd.socket")
    assert code == 0 and "riskhook" not in out, out


def test_the_unit_is_not_exposed(root):
    code, out = run("systemd-analyze", "security", "--offline=true",
                    f"--threshold={EXPOSURE_MAX}", root / UNITS / "riskhookd.service")
    assert code == 0, out
    print(out.splitlines()[-1])


def test_what_is_loose_and_what_hooks_inherit_is_commented():
    text = (REPOSITORY / "systemd/riskhookd.service").read_text()
    for setting in ("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",):
        assert re.search(rf"^# Loosened .*(\n#.*)*\n{setting}$", text, re.M), setting
    for setting in ("NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes",
                    "SystemCallFilter=~@privileged @resources", "KillMode=mixed"):
        assert re.search(rf"^# hooks: .*(\n#.*)*\n{setting}$", text, re.M), setting


def test_the_drop_in_is_understood(system):
    unit = system / UNITS / "riskhookd.service"
    drop_in = (system / "usr/share/doc/riskhookd/examples/hook-needs-more.conf").read_text()
    everything = re.sub(r"^;", "", drop_in, flags=re.M)  # the lines that are only suggested, too
    (system / f"{UNITS}/riskhookd.service.d").mkdir()
    (system / f"{UNITS}/riskhookd.service.d/more.conf").write_text(everything)
    code, out = run("systemd-analyze", "verify", "--man=no", f"--root={system}", unit.name)
    assert code == 0 and "riskhook" not in out, out


def test_user_and_folder_are_made_in_a_clean_root(root, tmp_path):
    shutil.copytree(root / "usr/lib", tmp_path / "usr/lib")
    (tmp_path / "etc").mkdir()
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        create = ["--create"] if tool == "systemd-tmpfiles" else []
        code, out = run(tool, f"--root={tmp_path}", *create, "riskhookd.conf")
        assert code == 0, out
    user = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^riskhookd:.*:/var/lib/riskhookd:/usr/sbin/nologin$", user, re.M)
    assert (tmp_path / "etc/riskhookd").stat().st_mode & 0o7777 == 0o750


# manual

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_wrong(page):
    _, out = run("mandoc", "-Tlint", page)
    # whether the pages of others are on this machine says nothing about ours
    out = [line for line in out.splitlines()
           if "referenced manual not found" not in line and "outdated mandoc.db" not in line]
    assert out == []


# dist

def test_dist_depends_on_the_commit_alone():
    digests = set()
    for _ in range(2):
        name, = re.findall(r"^build/\S+\.tar\.gz$", make("dist"), re.M)
        digests.add(hashlib.sha256((REPOSITORY / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    _, commit_time = run("git", "-C", REPOSITORY, "log", "-1", "--format=%ct")
    with tarfile.open(REPOSITORY / name) as tar:
        members = tar.getmembers()
    assert {member.mtime for member in members} == {int(commit_time)}
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    _, tracked = run("git", "-C", REPOSITORY, "ls-files")
    assert len([member for member in members if member.isfile()]) <= len(tracked.splitlines())


# deb

@pytest.fixture(scope="module")
def package():
    make("deb")
    package, = REPOSITORY.glob("build/riskhookd_*.deb")
    return package


def test_lintian_finds_no_error(package):
    code, out = run("lintian", "--fail-on=error", "--allow-root", package)
    assert code == 0, out
    print(out)


def test_the_same_commit_gives_the_same_package(package):
    first = package.read_bytes()
    make("deb")
    assert package.read_bytes() == first


def test_the_package_has_all_that_is_installed(package, tmp_path):
    code, out = run("dpkg-deb", "-x", package, tmp_path)
    assert code == 0, out
    packed = {name.replace("lib/systemd", "usr/lib/systemd", 1).removesuffix(".gz")
              if name.startswith("lib/") or "/man/" in name else name: mode
              for name, mode in files(tmp_path).items()}
    extra = {"usr/share/doc/riskhookd/changelog.gz", "usr/share/doc/riskhookd/copyright",
             "usr/share/lintian/overrides/riskhookd"}
    assert {name: mode for name, mode in packed.items() if name not in extra} == SHIPPED


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg wants to be root")
def test_the_package_is_installed_and_purged_in_a_clean_root(package, tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    (tmp_path / "etc").mkdir()

    def dpkg(*args):
        code, out = run("dpkg", f"--root={tmp_path}", "--force-depends",
                        "--force-script-chrootless", *args)
        assert code == 0, out
        return out

    dpkg("-i", package)
    assert "riskhookd:" in (tmp_path / "etc/passwd").read_text()
    assert (tmp_path / "etc/riskhookd").is_dir()
    assert not (tmp_path / "etc/riskhookd/riskhookd.conf").exists()
    assert "ConditionPathExists" in (tmp_path / "lib/systemd/system/riskhookd.service").read_text()
    assert not list(tmp_path.glob("etc/systemd/system/*/riskhookd*")), "is not enabled unasked"
    code, out = run(tmp_path / "usr/bin/riskhookctl", "init", tmp_path / "etc/riskhookd",
                    "--service")
    assert code == 0, out
    code, out = run(tmp_path / "usr/sbin/riskhookd", "--check", "-c",
                    tmp_path / "etc/riskhookd/riskhookd.conf")
    assert code == 0, out
    dpkg("-i", package)  # an upgrade keeps the configuration
    assert "is left" in dpkg("--purge", "riskhookd")
    assert (tmp_path / "etc/riskhookd/riskhookd.conf").exists()
    assert not (tmp_path / "usr/sbin/riskhookd").exists()
