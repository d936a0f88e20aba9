"""Units and installation under the real systemd, booted in a container on an overlay of this machine.

Nothing here reaches the machine: the container has its own network (--private-network), its own
processes and its own files (what it writes goes to a tmpfs that ends with the test).
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import lab

EXPOSURE = 20  # tenths of the scale of `systemd-analyze security`, whose worst is 100
UNITS = ("fwctld.service", "fwctld.socket")

# What the machine would do next: something that waits for network-pre.target, as all that brings up
# interfaces does. It writes down what it finds in force at that moment.
WITNESS = """
[Unit]
DefaultDependencies=no
After=network-pre.target
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '/usr/sbin/nft -s list table inet fwctl >/witness 2>&1; true'
"""
TARGET = """
[Unit]
Wants=sysinit.target sockets.target witness.service
After=sysinit.target sockets.target witness.service
AllowIsolate=yes
"""


# Ends well once a connection to the peer is what it is called for: "open" or "refused".
TALKER = """
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -S /talk.py %i
"""
TALK = """
import socket, sys, time
found, deadline = None, time.monotonic() + 10
while found != sys.argv[1]:
    if time.monotonic() > deadline:
        sys.exit(f"it is {found}")
    try:
        socket.create_connection(("192.0.2.9", 80), 1).close()
        found = "open"
    except ConnectionRefusedError:
        found = "refused"
"""


def installed(root, prefix="/usr"):
    """Installs the build below `root` as ./quickstart install does."""
    lab.run("cmake", "--install", lab.BUILD, "--prefix", prefix, env={**os.environ, "DESTDIR": str(root)})


class Machine:
    """A file tree laid over this machine's own, and the systemd booted on it."""

    def __init__(self):
        lab.enter()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="fwctl-machine-"))
        lab.mount("-t", "tmpfs", "tmpfs", self.directory)
        self.root = self.directory / "root"
        for name in ("upper", "work", "root"):
            (self.directory / name).mkdir()
        lab.mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={self.directory}/upper,"
                  f"workdir={self.directory}/work", self.root)
        for stale in ("etc/fwctl", "var/lib/fwctl"):
            shutil.rmtree(self.root / stale, ignore_errors=True)
        (self.root / "etc/fstab").write_text("")
        installed(self.root)
        units = self.root / "etc/systemd/system"
        (units / "witness.service").write_text(WITNESS)
        (units / "fwctl-test.target").write_text(TARGET)
        lab.run("systemctl", f"--root={self.root}", "enable", *UNITS)
        self.process = None
        self.leader = None

    def boot(self):
        log = open(self.directory / "console", "ab")
        (self.root / "witness").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "-q", "-D", str(self.root),
             "--register=no", "--keep-unit", "--private-network", "--link-journal=no",
             "--settings=no", "--boot", "--console=pipe", "systemd.unit=fwctl-test.target"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.leader = lab.until(self._find_leader, "systemd starts", 30)
        lab.until(lambda: self("systemctl", "is-active", "fwctl-test.target", check=False).stdout
                  == "active\n", "the machine is up", 60)
        return self

    def _find_leader(self):
        """The container's process 1, found among the descendants of systemd-nspawn."""
        if self.process.poll() is not None:
            raise AssertionError((self.directory / "console").read_text(errors="replace"))
        queue = [self.process.pid]
        while queue:
            pid = queue.pop()
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                if pid != self.process.pid and re.search(r"^NSpid:.*\t1$", status, re.M):
                    if "Name:\tsystemd\n" in status:
                        return pid
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    queue += map(int, (task / "children").read_text().split())
        return None

    def __call__(self, *command, **options):
        """Runs a command on that machine."""
        ours, theirs = (os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", self.leader))
        if ours == theirs:
            raise AssertionError("the machine shares our network")
        return lab.run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "--", *command,
                       **options)

    def show(self, unit, name):
        return self("systemctl", "show", "-P", name, unit).stdout.strip()

    def ruleset(self):
        done = self("nft", "-s", "list", "table", "inet", "fwctl", check=False)
        return lab.live(done.stdout) if done.returncode == 0 else ""

    def shutdown(self):
        if self.process is None:
            return
        with contextlib.suppress(AssertionError, OSError):
            self("systemctl", "poweroff", "--force", check=False)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def reboot(self):
        self.shutdown()
        return self.boot()

    def close(self):
        self.shutdown()
        lab.run("umount", "-R", "-l", self.directory, check=False)
        self.directory.rmdir()


@unittest.skipUnless(lab.PRIVILEGED, "systemd-nspawn needs root")
class OnAMachine(unittest.TestCase):
    """Each test on a machine of its own, which is up."""

    maxDiff = None

    def setUp(self):
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        self.addCleanup(self._show_journal)
        self.machine.boot()

    def _show_journal(self):
        if not self._outcome.success and self.machine.process:
            print(self.machine("journalctl", "-b", "--no-pager", "-n", "60", check=False).stdout)

    def assert_active(self, unit="fwctld.service"):
        self.assertEqual(self.machine("systemctl", "is-active", unit, check=False).stdout, "active\n",
                         self.machine("systemctl", "status", unit, check=False).stdout)


class Booted(OnAMachine):
    def test_a_fresh_installation_enforces_nothing(self):
        self.assert_active()
        self.assertEqual(self.machine.ruleset(), "")
        self.machine("fwctl", "status")
        self.assertEqual(self.machine.ruleset(), "")
        self.machine("fwctl", "enable")
        self.assertIn("22", self.machine.ruleset())

    def test_the_policy_is_in_force_before_the_network(self):
        self.machine("fwctl", "enable")
        self.machine("fwctl", "allow", "80/tcp")
        before = self.machine.ruleset()
        self.machine.reboot()
        self.assertEqual(self.machine.ruleset(), before)
        self.assertEqual(lab.live((self.machine.root / "witness").read_text()), before)
        ready, network = (int(self.machine.show(unit, "ActiveEnterTimestampMonotonic"))
                          for unit in ("fwctld.service", "network-pre.target"))
        self.assertGreater(ready, 0)
        self.assertLessEqual(ready, network)

    def test_nothing_at_boot_waits_in_a_circle(self):
        journal = self.machine("journalctl", "-b", "--no-pager", "-o", "cat").stdout
        self.assertIn("Started fwctld.service", journal)
        self.assertNotIn("ordering cycle", journal)
        self.assertNotRegex(journal, r"fwctld\.(service|socket): (Failed|Unknown|Invalid)")

    def test_restart_and_stop_leave_the_rules(self):
        self.machine("fwctl", "enable")
        before = self.machine.ruleset()
        for action in ("restart", "reload", "stop"):
            self.machine("systemctl", action, "fwctld.service")
            self.assertEqual(self.machine.ruleset(), before, action)
        self.assertNotEqual(self.machine.show("fwctld.service", "ActiveState"), "active")
        self.assertEqual(self.machine.show("fwctld.service", "Result"), "success")

    def test_the_socket_starts_the_daemon(self):
        self.machine("systemctl", "stop", "fwctld.service")
        self.assert_active("fwctld.socket")
        self.machine("fwctl", "status")
        self.assert_active()

    def assert_protected(self):
        by = "by the kernel" if lab.OWNED_TABLES else "by watching"
        self.assertIn("Protected from other programs: " + by, self.machine("fwctl", "status").stdout)

    def test_a_killed_daemon_comes_back_and_the_rules_stay(self):
        self.machine("fwctl", "enable")
        self.assert_protected()
        before = self.machine.ruleset()
        self.machine("systemctl", "kill", "-s", "KILL", "fwctld.service")
        self.assertEqual(self.machine.ruleset(), before)
        lab.until(lambda: self.machine.show("fwctld.service", "NRestarts") == "1", "a restart")
        lab.until(lambda: self.machine.show("fwctld.service", "ActiveState") == "active", "it is up")
        self.assert_protected()
        self.assertEqual(self.machine.ruleset(), before)

    def test_every_change_works_in_the_sandbox(self):
        self.machine("fwctl", "enable")
        drop_in = self.machine.root / "etc/fwctl/policy.d/50-web.yaml"
        drop_in.write_text("version: 1\nrules:\n  - allow: 443/tcp\n")
        for words in (("allow", "80/tcp"), ("reload",), ("default", "reject", "incoming"), ("ports",),
                      ("delete", "allow", "80/tcp"), ("reset",), ("show", "ruleset"), ("disable",)):
            self.machine("fwctl", *words)
        self.assert_active()
        self.assertEqual(self.machine.show("fwctld.service", "NRestarts"), "0")

    def test_what_rules_log_is_in_the_journal(self):
        self.machine("fwctl", "enable")
        self.machine("fwctl", "deny", "out", "log", "9999/udp")
        for words in ("link add eth0 type veth peer name eth1", "addr add 192.0.2.1/24 dev eth0",
                      "link set eth1 up", "link set eth0 up"):
            self.machine("ip", *words.split())
        self.machine("bash", "-c", "echo x >/dev/udp/192.0.2.9/9999", check=False)

        def journal():
            return self.machine("journalctl", "-b", "-t", "fwctl", "--no-pager", "-o", "cat",
                                "FWCTL_VERDICT=deny", "FWCTL_DPT=9999", check=False).stdout

        line = lab.until(journal, "the journal has it")
        self.assertRegex(line, r"^\[fwctl deny r\w+\] IN= OUT=eth0 SRC=192\.0\.2\.1 DST=192\.0\.2\.9 ")
        self.assertIn("to 192.0.2.9:9999 out eth0, by rule 2, deny out log 9999/udp",
                      self.machine("fwctl", "log").stdout)

    def test_units_are_followed_in_the_sandbox(self):
        units = self.machine.root / "etc/systemd/system"
        (units / "talker@.service").write_text(TALKER)
        (self.machine.root / "talk.py").write_text(TALK)
        self.machine("systemctl", "daemon-reload")
        for words in ("ip netns add peer", "ip link add eth0 type veth peer name eth1 netns peer",
                      "ip addr add 192.0.2.1/24 dev eth0", "ip link set eth0 up",
                      "ip -n peer addr add 192.0.2.9/24 dev eth1", "ip -n peer link set eth1 up",
                      "systemd-run -q --unit=peer ip netns exec peer /usr/bin/python3 -m http.server 80"):
            self.machine(*words.split())
        self.machine("fwctl", "enable")
        lab.until(lambda: self.machine("/usr/bin/python3", "-S", "/talk.py", "open"), "the peer listens")

        self.machine("fwctl", "reject", "out", "unit", "talker@refused")
        for _ in range(2):
            self.machine("systemctl", "start", "talker@refused.service")
        self.machine("/usr/bin/python3", "-S", "/talk.py", "open")
        self.machine("fwctl", "delete", "reject", "out", "unit", "talker@refused")
        self.machine("fwctl", "default", "reject", "outgoing")
        self.machine("fwctl", "allow", "out", "unit", "talker@open.service")
        for _ in range(2):
            self.machine("systemctl", "start", "talker@open.service")
        self.machine("/usr/bin/python3", "-S", "/talk.py", "refused")
        self.assertEqual(self.machine.show("fwctld.service", "NRestarts"), "0")

    def test_a_trace_works_in_the_sandbox(self):
        self.machine("fwctl", "enable")
        done = self.machine("bash", "-c", "fwctl trace -n 1 9999/udp on lo --for 20s >/trace 2>&1 & "
                            "until grep -q . /trace || ! kill -0 $!; do :; done; "
                            "echo x >/dev/udp/127.0.0.1/9999; wait; cat /trace")
        self.assertRegex(done.stdout, r"udp 127\.0\.0\.1:\d+ to 127\.0\.0\.1:9999 in lo: allowed\n"
                                      r"  allowed by 'loopback', which is always there: ")

    def test_the_daemon_has_no_more_power_than_it_needs(self):
        pid = self.machine.show("fwctld.service", "MainPID")
        status = dict(line.split(":\t", 1) for line in
                      self.machine("cat", f"/proc/{pid}/status").stdout.splitlines())
        self.assertEqual(int(status["CapEff"], 16), 1 << 12, "CAP_NET_ADMIN alone")
        self.assertEqual(int(status["CapBnd"], 16), 1 << 12)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")

    def test_any_user_may_connect_and_is_told_no(self):
        done = self.machine("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "fwctl",
                            "disable", check=False)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)

    def test_members_of_the_group_may_look_and_not_change(self):
        self.machine("systemd-sysusers")
        self.machine("fwctl", "enable")
        member = ("setpriv", "--reuid=65534", "--regid=65534", "--groups", "fwctl")
        self.machine(*member, "fwctl", "status")
        for words in (("disable",), ("trace", "--for", "1s")):
            self.assertEqual(self.machine(*member, "fwctl", *words, check=False).returncode, 3)


class Units(unittest.TestCase):
    """What systemd says of the units without running them."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="fwctl-units-")
        self.addCleanup(self.directory.cleanup)
        self.root = pathlib.Path(self.directory.name)
        installed(self.root)
        self.units = [self.root / "usr/lib/systemd/system" / name for name in UNITS]

    def test_exposure(self):
        done = lab.run("systemd-analyze", "security", "--no-pager", "--offline=yes",
                       f"--threshold={EXPOSURE}", self.units[0], check=False)
        print(done.stdout.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout)

    @unittest.skipUnless(lab.PRIVILEGED, "needs a whole file tree")
    def test_verify(self):
        machine = Machine()
        self.addCleanup(machine.close)
        done = lab.run("systemd-analyze", "verify", "--man=no", f"--root={machine.root}", *UNITS,
                       check=False)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "fwctl" in line]
        self.assertEqual(ours, [])

    def test_an_existing_configuration_is_kept(self):
        policy = self.root / "etc/fwctl/policy.yaml"
        self.assertIn("limit: ssh", policy.read_text())
        policy.write_text("version: 1\n")
        installed(self.root)
        self.assertEqual(policy.read_text(), "version: 1\n")

    def test_two_installations_at_once_have_no_file_in_common(self):
        def made():
            return {file: file.stat().st_mtime_ns for file in (lab.BUILD / "systemd").rglob("*")}
        before = made()
        installed(self.root, "/usr/local")  # where the unit says other things than below /usr
        self.assertEqual(made(), before)
        unit = self.root / "usr/local/lib/systemd/system/fwctld.service"
        self.assertIn("ExecStart=/usr/local/sbin/fwctld", unit.read_text())
        self.assertEqual(unit.stat().st_mode & 0o777, 0o644)

    def test_the_shipped_policy_is_accepted(self):
        lab.run(self.root / "usr/bin/fwctl", "check", self.root / "etc/fwctl/policy.yaml")


if __name__ == "__main__":
    lab.main()
