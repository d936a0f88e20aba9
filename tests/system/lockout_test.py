"""The lock-out guard, with a real sshd: nobody cuts off the branch he sits on without being told."""

import json
import pathlib
import unittest

import lab
import ssh

APPLIED = "version: 1\nrules: [allow 80/tcp]\n"
PROFILE = "[Way in]\ntitle=SSH\ndescription=SSH\nports={}/tcp\n"


@unittest.skipUnless(lab.PRIVILEGED, "sshd needs root")
class Lockout(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.sshd = ssh.Sshd(self.lab)
        (self.daemon.config / "policy.d").mkdir()
        self.daemon.start()

    def enable(self, *rules):
        for rule in rules:
            self.daemon.fwctl(*rule.split())
        self.daemon.fwctl("enable")

    def remote(self, *words, sudo=False, **how):
        """fwctl as typed in an SSH session."""
        command = [self.daemon.cli, "--socket", self.daemon.socket, "--color=never", *words]
        if sudo:
            return self.sshd.run("sudo", "-n", *command, user=ssh.USER, **how)
        return self.sshd.run(*command, **how)

    def state(self):
        return self.daemon.call("Status")["generation"], self.daemon.files()

    def assert_refused(self, *words, by=None, family=4, **how):
        """Returns what was said. `by`: what is named as the culprit."""
        before = self.state()
        refused = self.remote(*words, family=family, **how)
        self.assertEqual(refused.returncode, 1, (words, refused))
        self.assertRegex(refused.stderr,
                         rf"this would shut you out: a new connection from {lab.CLIENT[family]} to "
                         rf"{lab.SERVER[family]} port 22, as the one over which you are here, would be ")
        self.assertIn("'--confirm 60s'", refused.stderr)
        self.assertIn("'--allow-lockout'", refused.stderr)
        if by:
            self.assertIn(by, refused.stderr)
        self.assertEqual(self.state(), before, words)
        return refused.stderr

    def assert_done(self, *words, **how):
        done = self.remote(*words, **how)
        self.assertEqual(done.returncode, 0, (words, done))
        return done.stdout

    def test_what_would_shut_out_is_refused(self):
        self.enable("allow 22/tcp")
        self.daemon.call("EditSet", action="add", name="black", addresses=["203.0.113.1"])
        self.daemon.fwctl("prepend", "deny", "from", "@black")
        before = self.daemon.snapshot()
        said = self.assert_refused("prepend", "deny", "22/tcp", by="'deny 22/tcp'")
        self.assertEqual(self.daemon.snapshot(), before)
        self.assertRegex(said, r"rules\.yaml:\d+:\d+: error: this would shut you out\n.*deny.*\n +\^")
        for words in (["insert", "1", "reject", "from", "192.0.2.0/24"],
                      ["delete", "allow", "22/tcp"],
                      ["delete", "2"],
                      ["set", "add", "black", lab.CLIENT[4]],
                      ["set", "replace", "black", "192.0.2.0/28"],
                      ["forward", "22/tcp", "to", lab.INNER[4]],
                      ["--dry-run", "prepend", "deny", "22/tcp"]):
            self.assert_refused(*words)
        applied = self.lab.directory / "applied.yaml"
        applied.write_text("version: 1\nrules: [deny 22/tcp]\n")
        self.assert_refused("apply", applied, by=f"{applied}:2:9: error")
        denied = self.daemon.config / "policy.d/deny.yaml"
        denied.write_text("version: 1\nrules:\n  - deny: ssh\n")
        self.assert_refused("reload", by=f"{denied}:3:")

    def test_defaults_too(self):
        self.daemon.fwctl("default", "allow")
        self.enable()
        self.assert_refused("default", "deny", "incoming", by="the default for incoming traffic, deny")
        self.assert_refused("deny", "22")
        self.assert_refused("reject", "in", "on", "eth0")
        self.assert_done("deny", "in", "on", "eth1")
        self.assert_done("deny", "from", lab.CLIENT_TOO[4])

    def test_enable_and_ways_back(self):
        self.assert_refused("enable", by="the default for incoming traffic, deny")
        self.daemon.fwctl("allow", "80/tcp")
        self.daemon.fwctl("enable")
        without = self.daemon.call("Status")["generation"]
        self.daemon.fwctl("allow", "22/tcp")
        self.assert_refused("rollback")
        self.assert_refused("rollback", str(without))
        self.assert_done("--force", "reset")
        self.assert_refused("enable")

    def test_what_a_service_means(self):
        profile = self.daemon.config / "applications.d/way-in"
        profile.parent.mkdir()
        profile.write_text(PROFILE.format(22))
        self.daemon.fwctl("allow", "Way in")
        self.daemon.fwctl("enable")
        profile.write_text(PROFILE.format(2222))
        self.assert_refused("app", "update", "Way in")
        self.assert_done("allow", "22/tcp")
        self.assert_done("app", "update", "Way in")

    def test_sudo_and_ipv6_and_json(self):
        self.enable("allow 22/tcp")
        self.assert_refused("prepend", "deny", "22", sudo=True)
        self.assert_refused("prepend", "deny", "from", lab.CLIENT[6], family=6)
        self.assert_refused("prepend", "deny", "22/tcp", family=6, sudo=True)
        self.assert_done("prepend", "deny", "from", lab.CLIENT[4], family=6)
        refused = self.remote("--json", "prepend", "deny", "22/tcp", family=6, sudo=True)
        answer = json.loads(refused.stdout)
        self.assertEqual(answer["error"], "org.fwctl.Firewall.WouldLockOut")
        self.assertEqual(answer["parameters"]["connection"]["from"], lab.CLIENT[6])
        self.assertEqual(answer["parameters"]["connection"]["toPort"], 22)
        self.assertRegex(answer["parameters"]["rule"], "^r[0-9a-f]{8}$")

    def test_ways_past_it(self):
        self.enable("allow 22/tcp")
        self.assertIn("In force", self.assert_done("--confirm", "2s", "prepend", "deny", "22/tcp"))
        lab.until(lambda: not self.daemon.call("Status").get("trial"), "it is undone")
        self.assert_done("prepend", "deny", "22/tcp", "--allow-lockout")
        self.assert_reach("filtered", 22, families=[4])

    def test_who_could_not_come_back_anyway_is_not_kept_from_anything(self):
        self.enable("allow 22/tcp")
        script = self.lab.directory / "script"
        script.write_text(f"""\
set -e
fwctl() {{ {self.daemon.cli} --socket {self.daemon.socket} "$@"; }}
fwctl prepend deny 22/tcp --allow-lockout
fwctl prepend deny from {lab.CLIENT[4]}
""")
        done = self.sshd.run("sh", script)
        self.assertEqual(done.returncode, 0, done)

    def test_what_shuts_out_others_only_is_done(self):
        self.enable("allow 22/tcp")
        for words in (["allow", "80/tcp"], ["prepend", "deny", "from", lab.CLIENT_TOO[4]],
                      ["prepend", "limit", "22/tcp"], ["deny", "out", "25/tcp"], ["deny", "23/tcp"],
                      ["default", "reject"], ["route", "deny", "to", lab.INNER[4]],
                      ["disable"]):
            self.assert_done(*words)

    def test_history_has_the_connection_that_is_there(self):
        self.enable("allow 22/tcp")
        self.assert_done("allow", "80/tcp", sudo=True, family=6)
        self.assertEqual(self.daemon.call("History")["generations"][0]["from"], lab.CLIENT[6])
        self.daemon.fwctl("allow", "81/tcp", env={"SSH_CONNECTION": "203.0.113.9 50000 192.0.2.1 22"})
        self.assertEqual(self.daemon.call("History")["generations"][0]["from"], "")

    def test_inside_tmux(self):
        self.enable("allow 22/tcp")
        tmux = ["tmux", "-S", self.sshd.directory / "tmux", "-f", "/dev/null"]
        self.lab._closing.callback(lab.run, *tmux, "kill-server", check=False)
        out = self.sshd.directory / "out"

        def typed(*words):
            out.unlink(missing_ok=True)
            command = " ".join(map(str, (self.daemon.cli, "--socket", self.daemon.socket, *words)))
            lab.run(*tmux, "send-keys", f"{command} >{out}.new 2>&1; echo $? >>{out}.new; mv {out}.new {out}",
                    "Enter")
            lab.until(out.exists, "the command in tmux ends")
            return out.read_text()

        # Begun in one session, from one address; gone on with in another, from another.
        started = self.sshd.run(*tmux, "new-session", "-d", "-s", "work", "env", "PS1=",
                                "sh", source=lab.CLIENT_TOO)
        self.assertEqual(started.returncode, 0, started)
        self.sshd.session(*tmux, "attach", "-t", "work")
        lab.until(lambda: lab.run(*tmux, "list-clients", check=False).stdout, "the client is attached")
        bystander = self.sshd.session("sleep", "4321", source=lab.CLIENT_TOO, family=6)
        lab.until(lambda: "sleep 4321" in lab.run("ps", "-eo", "args").stdout.splitlines(),
                  "somebody else is there")
        said = typed("prepend", "deny", "from", lab.CLIENT[4])
        self.assertRegex(said, rf"from {lab.CLIENT[4]} to {lab.SERVER[4]} port 22[^$]*\n1\n$")
        self.assertTrue(typed("prepend", "deny", "from", lab.CLIENT_TOO[4]).endswith("\n0\n"))
        self.assertTrue(typed("prepend", "deny", "from", lab.CLIENT_TOO[6]).endswith("\n0\n"))
        self.assertTrue(pathlib.Path(f"/proc/{bystander.pid}").exists())


if __name__ == "__main__":
    lab.main(3)
