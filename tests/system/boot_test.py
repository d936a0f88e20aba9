"""The ladder of a boot, each rung on a real systemd: what is in force before network-pre.target where the
newest generation, all of them, the files or the disk are not as they should be; and upgrades with rules in
place."""

import json
import time

import lab
import stored
import systemd_test

# Says something to an echo server every few milliseconds, over one connection, and counts the answers.
CONVERSATION = """
import pathlib, socket, time
connection = socket.create_connection(("192.0.2.1", 80), 5)
for answers in range(1, 1 << 30):
    connection.send(b"still there?")
    if not connection.recv(64):
        raise SystemExit("it is closed")
    pathlib.Path("/answers.new").write_text(str(answers))
    pathlib.Path("/answers.new").rename("/answers")
    time.sleep(0.005)
"""
ECHO = """
import socket
listener = socket.create_server(("", 80))
while True:
    connection, _ = listener.accept()
    while data := connection.recv(64):
        connection.send(data)
"""
# Of the two folders, none is to be written to.
READ_ONLY = """
[Mount]
What=overlay
Where=/var/lib/fwctl
Type=overlay
Options=lowerdir=/kept:/empty
"""
# As when there is much in /tmp, in which systemd builds what PrivateDevices= shows a service of /dev: part
# of systemd-tmpfiles-setup.service, but begun early enough to be there in any case.
EMPTYING = """
[Unit]
DefaultDependencies=no
Before=systemd-tmpfiles-setup.service
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -S /emptying.py
"""
EMPTY = """
import glob, shutil, time
end = time.monotonic() + 3
while time.monotonic() < end:
    for path in glob.glob("/tmp/namespace-dev-*"):
        shutil.rmtree(path, ignore_errors=True)
"""
SHOUT = "NO STORED POLICY COULD BE LOADED"


class Boot(systemd_test.OnAMachine):
    def setUp(self):
        super().setUp()
        self.state = self.machine.root / "var/lib/fwctl"
        self.config = self.machine.root / "etc/fwctl"
        self.machine("fwctl", "enable")
        self.machine("fwctl", "allow", "80/tcp")

    def status(self):
        return self.machine("fwctl", "status").stdout

    def newest_file(self):
        return max(self.state.glob("generation-*"), key=lambda path: int(path.name.split("-")[1]))

    def assert_in_force(self, ruleset):
        """Now, and before the network was."""
        self.assert_active()
        self.assertEqual(self.machine.ruleset(), ruleset)
        self.assertEqual(lab.live((self.machine.root / "witness").read_text()), ruleset)

    def damage(self, path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def boot_after(self, act):
        self.machine.shutdown()
        act()
        self.machine.boot()

    def test_the_newest_is_damaged(self):
        before = self.machine.ruleset()
        newest = self.newest_file()
        self.machine("fwctl", "disable")
        self.machine("fwctl", "enable")
        self.assertNotEqual(self.newest_file(), newest)
        self.machine("fwctl", "allow", "81/tcp")
        self.assertNotEqual(self.machine.ruleset(), before)

        def damage():
            for number in self.state.glob("generation-*"):
                if number != newest and int(number.name.split("-")[1]) > int(newest.name.split("-")[1]):
                    self.damage(number)

        self.boot_after(damage)
        self.assert_in_force(before)
        self.assertIn("is damaged and was left out", self.status())

    def test_all_are_damaged(self):
        self.boot_after(lambda: [self.damage(path) for path in self.state.glob("generation-*")])
        ruleset = self.machine.ruleset()
        self.assert_in_force(ruleset)
        self.assertIn("policy drop", ruleset)
        self.assertRegex(ruleset, r"tcp \. 22 ")
        self.assertNotRegex(ruleset, r"tcp \. 80 ")
        self.assertIn(SHOUT, self.status())
        self.assertIn(SHOUT, self.machine("journalctl", "-b", "-u", "fwctld", "--no-pager", "-o", "cat").stdout)
        self.assertEqual(self.machine("fwctl", "allow", "81/tcp", check=False).returncode, 1)
        self.machine("fwctl", "reload")
        self.assertNotIn(SHOUT, self.status())
        self.assertRegex(self.machine.ruleset(), r"tcp \. 80 ")

    def test_tmp_is_emptied_meanwhile(self):
        before = self.machine.ruleset()
        units = self.machine.root / "etc/systemd/system"
        (units / "emptying.service").write_text(EMPTYING)
        (units / "systemd-tmpfiles-setup.service.wants").mkdir()
        (units / "systemd-tmpfiles-setup.service.wants/emptying.service").symlink_to("../emptying.service")
        (self.machine.root / "emptying.py").write_text(EMPTY)
        self.machine.reboot()
        self.assert_in_force(before)
        self.assertEqual(self.machine.show("fwctld.service", "NRestarts"), "0")

    def test_what_was_not_confirmed(self):
        before = self.machine.ruleset()
        self.machine("fwctl", "allow", "81/tcp", "--confirm", "1h")
        self.assertNotEqual(self.machine.ruleset(), before)
        self.machine.reboot()
        self.assert_in_force(before)
        self.assertIn("was not confirmed before the host was started again", self.status())

    def test_an_invalid_file(self):
        before = self.machine.ruleset()
        for name, text in (("50-wrong.yaml", "rules: [allow 99999/tcp]\n"), ("60-no.yaml", "\0: [")):
            (self.config / "policy.d" / name).write_text(text)
        (self.config / "policy.yaml").write_text("rules: [")
        self.machine.reboot()
        self.assert_in_force(before)
        self.assertRegex(self.status(), "has changed since it was loaded|was added since")
        self.assertNotEqual(self.machine("fwctl", "reload", check=False).returncode, 0)
        self.assertEqual(self.machine.ruleset(), before)

    def test_the_disk_takes_nothing(self):
        before = self.machine.ruleset()
        (self.machine.root / "etc/systemd/system/var-lib-fwctl.mount").write_text(READ_ONLY)
        units = self.machine.root / "etc/systemd/system/local-fs.target.wants"
        units.mkdir(exist_ok=True)
        (units / "var-lib-fwctl.mount").symlink_to("../var-lib-fwctl.mount")
        (self.machine.root / "empty").mkdir()
        self.boot_after(lambda: self.state.rename(self.machine.root / "kept") and self.state.mkdir())
        self.assert_in_force(before)
        refused = self.machine("fwctl", "allow", "81/tcp", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Read-only file system", refused.stderr)
        self.assertEqual(self.machine.ruleset(), before)

    def test_var_is_missing(self):
        """The policy of the files is in force, since /etc/fwctl/enabled is there."""
        before = self.machine.ruleset()
        self.boot_after(lambda: lab.run("rm", "-r", self.machine.root / "var"))
        self.assert_in_force(before)
        self.assertIn("/etc/fwctl/enabled is there", self.machine("fwctl", "history").stdout)
        self.machine.reboot()
        self.assertRegex(self.machine.ruleset(), r"tcp \. 80 ")

    def test_var_is_missing_where_nothing_was_enabled(self):
        self.machine("fwctl", "disable")
        self.boot_after(lambda: lab.run("rm", "-r", self.machine.root / "var"))
        self.assert_in_force("")
        self.assertIn("nothing is enforced until 'fwctl enable'", self.status())

    def converse(self):
        for name, text in (("conversation.py", CONVERSATION), ("echo.py", ECHO)):
            (self.machine.root / name).write_text(text)
        for words in ("ip netns add peer", "ip link add eth0 type veth peer name eth1 netns peer",
                      "ip addr add 192.0.2.1/24 dev eth0", "ip link set eth0 up",
                      "ip -n peer addr add 192.0.2.9/24 dev eth1", "ip -n peer link set eth1 up",
                      "systemd-run -q --unit=echo /usr/bin/python3 -S /echo.py",
                      "systemd-run -q --unit=conversation -p Restart=no ip netns exec peer "
                      "/usr/bin/python3 -S /conversation.py"):
            self.machine(*words.split())

    def assert_goes_on(self):
        answers = self.machine.root / "answers"
        lab.until(answers.exists, "an answer")
        before = int(answers.read_text())
        lab.until(lambda: int(answers.read_text()) > before + 5, "answers go on")
        self.assert_active("conversation.service")

    def old_store(self):
        """The newest generation as earlier versions stored it: whole, without what came later."""
        newest = stored.newest(self.state)
        old = json.loads(self.newest_file().read_text().partition("\n")[2])
        for later in ("uid", "user", "from", "sets", "surroundings", "refreshed", "restored", "definitions"):
            old.pop(later, None)
        old["reason"] = "uid 0: allow 80/tcp"
        old["number"] = newest.number
        old["added"]["text"] = newest.added
        for path in self.state.iterdir():
            path.unlink()
        body = json.dumps(old).encode() + b"\n"
        header = b"fwctl-generation 1 %016x\n" % stored.digest(body)
        (self.state / f"generation-{newest.number}").write_bytes(header + body)

    def objects(self):
        """Our table with the handles by which the kernel knows what is in it."""
        return self.machine("nft", "-a", "-s", "list", "table", "inet", "fwctl").stdout

    def collected(self):
        """The same, once the daemon has taken out what its last change replaced."""
        if not stored.newest(self.state).settled:
            return None
        objects = self.objects()
        time.sleep(0.2)
        return objects if self.objects() == objects else None

    def test_an_upgrade_with_rules_in_place(self):
        self.converse()
        self.assert_goes_on()
        before = self.machine.ruleset()
        objects = lab.until(self.collected, "nothing is left of what was before")
        program = self.machine.root / "usr/sbin/fwctld"
        other = program.with_name("fwctld.next")
        other.write_bytes(program.read_bytes() + b"another build")
        other.chmod(0o755)
        other.rename(program)
        self.machine("systemctl", "restart", "fwctld.service")
        self.assertEqual(self.objects(), objects, "what is in force already is not sent again")
        self.assert_goes_on()

        # What an earlier version left on disk, and in the kernel: another layout under another name.
        self.machine("systemctl", "stop", "fwctld.socket", "fwctld.service")
        self.old_store()
        for rule in ("add chain inet fwctl of-old { type filter hook input priority 5; policy accept; }",
                     "add rule inet fwctl of-old tcp dport 80 accept",
                     "add chain inet fwctl generation { comment \"generation 1\"; }"):
            self.machine("nft", rule, check=False)
        self.machine("systemctl", "start", "fwctld.socket", "fwctld.service")
        self.assertEqual(self.machine.ruleset(), before)
        self.assert_goes_on()
        self.assertEqual(self.machine("fwctl", "history").returncode, 0)
        self.assertRegex(self.machine("fwctl", "--json", "history").stdout, r'"reason": ?"allow 80/tcp"')
        self.machine.reboot()
        self.assert_in_force(before)


if __name__ == "__main__":
    lab.main(2)
