"""panic on: everything is cut off at once but loopback and the caller's own connection, with a real sshd."""

import contextlib
import socket
import unittest

import lab
import ssh


@unittest.skipUnless(lab.PRIVILEGED, "sshd needs root")
class Panic(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.sshd = ssh.Sshd(self.lab)
        self.lab.listen(80, 81)
        self.lab.listen(99, namespace="client")
        self.daemon.start()

    def remote(self, *words, **how):
        return self.sshd.run(self.daemon.cli, "--socket", self.daemon.socket, "--color=never", *words, **how)

    def enable(self):
        self.daemon.fwctl("allow", "22,80/tcp")
        self.daemon.fwctl("enable")

    def panic(self, *options, **how):
        done = self.remote(*options, "panic", "on", **how)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def arrives(self, family):
        """Whether a datagram that this host sends gets to the client, whatever becomes of an answer."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        with lab.inside("client"):
            there = socket.socket(kind, socket.SOCK_DGRAM)
        with lab.inside("server"):
            here = socket.socket(kind, socket.SOCK_DGRAM)
        with here, there:
            there.bind((lab.CLIENT[family], 0))
            there.settimeout(lab.SILENCE)
            with contextlib.suppress(PermissionError):  # how a dropped packet of one's own looks
                here.sendto(b"?", there.getsockname())
            try:
                return there.recv(64) == b"?"
            except TimeoutError:
                return False

    def assert_cut_off(self):
        self.assertEqual([self.arrives(family) for family in lab.FAMILIES], [False, False])
        out = {"server": lab.CLIENT, "namespace": "server"}
        self.assert_all(("filtered", 22), ("filtered", 80), ("filtered", 99, out),
                        ("open", 80, {"server": {4: "127.0.0.1", 6: "::1"}, "namespace": "server"}))

    def assert_as_before(self):
        self.assertEqual([self.arrives(family) for family in lab.FAMILIES], [True, True])
        self.assert_all(("open", 22), ("open", 80),
                        ("open", 99, {"server": lab.CLIENT, "namespace": "server"}))

    def test_it_spares_loopback_and_the_caller_alone(self):
        self.enable()
        for family in lab.FAMILIES:
            other = lab.connect(lab.SERVER[family], 80, source=lab.CLIENT_TOO[family], wait=lab.SILENCE)
            self.addCleanup(other.close)
            other.send(b"before")
            self.assertEqual(other.recv(64), b"before")
            said = self.panic("--allow-lockout", family=family)
            self.assertRegex(said, rf"the connection from {lab.CLIENT[family]} port \d+ to {lab.SERVER[family]} port 22")
            self.assertIn("PANIC IS ON", said)
            other.send(b"panic")
            self.assertRaises(TimeoutError, other.recv, 64)
            self.assert_cut_off()
            for namespace in ("server", "client"):
                lab.run("ip", "-n", namespace, "neigh", "flush", "dev", "eth0")
            status = self.remote("status", family=family).stdout
            self.assertRegex(status, rf"PANIC IS ON since .*between {lab.CLIENT[family]} port \d+ and "
                                     rf"{lab.SERVER[family]} port 22; 'fwctl panic off' ends it")
            self.assertIn("panic is on already", self.remote("panic", "on", family=family).stdout)
            self.assertEqual(self.remote("panic", "off", family=family).returncode, 0)
            self.assert_as_before()
        self.assertEqual([(one["reason"], one["from"]) for one in self.daemon.call("History")["generations"][:2]],
                         [("panic off", lab.CLIENT[6]), ("panic on", lab.CLIENT[6])])

    def test_also_where_nothing_is_in_force(self):
        self.panic("--allow-lockout")
        self.assert_cut_off()
        listing = self.lab.nft("list", "table", "inet", "fwctl").stdout
        self.assertRegex(listing, rf'ip saddr {lab.CLIENT[4]} ip daddr {lab.SERVER[4]} tcp sport \d+ tcp dport 22 '
                                  r'accept comment "panic"')
        self.assertEqual(self.remote("panic", "off").returncode, 0)
        self.assert_as_before()
        self.assertFalse(self.daemon.call("Status")["enabled"])

    def test_it_outlives_the_daemon_and_the_boot(self):
        self.enable()
        self.panic("--allow-lockout")
        table = self.lab.ruleset()
        self.daemon.restart()
        self.assertEqual(self.lab.ruleset(), table)
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), table)
        self.assert_cut_off()
        self.daemon.fwctl("panic", "off")
        self.assert_as_before()

    def test_changes_meanwhile_come_in_force_with_its_end(self):
        self.enable()
        self.panic("--allow-lockout")
        self.assertIn("PANIC IS ON", self.daemon.fwctl("allow", "81/tcp").stdout)
        self.daemon.fwctl("reload")
        self.assertIn("PANIC IS ON", self.daemon.fwctl("default", "reject", "incoming").stdout)
        self.assert_all(("filtered", 80, {"families": [4]}), ("filtered", 81, {"families": [4]}))
        self.assertIn("panic is on", self.daemon.fwctl("ports").stdout)
        self.assertIn("This is what would be after 'fwctl panic off'",
                      self.daemon.fwctl("explain", "81/tcp").stdout)
        self.daemon.fwctl("panic", "off")
        self.assert_reach("open", 81)

    def test_who_could_not_come_back_is_asked(self):
        self.enable()
        before = self.daemon.snapshot()
        refused = self.remote("panic", "on")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("this would shut you out as soon as your connection ends: while panic is on, no new "
                      f"connection from {lab.CLIENT[4]}", refused.stderr)
        unknown = self.daemon.fwctl("panic", "on", code=1)
        self.assertIn("it is not known over which connection you are here", unknown.stderr)
        self.assertEqual(self.remote("--dry-run", "panic", "on").returncode, 1)
        self.assertEqual(self.daemon.snapshot(), before)
        self.daemon.fwctl("panic", "on", "--allow-lockout")
        self.assert_cut_off()
        self.daemon.fwctl("rollback")
        self.assert_as_before()

    def test_on_trial_it_ends_by_itself(self):
        self.enable()
        self.panic("--confirm", "2s")
        self.assert_reach("filtered", 80, families=[4])
        lab.until(lambda: "panic" not in self.daemon.call("Status"), "it is over")
        self.assert_as_before()
        self.panic("--confirm", "1h")
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assert_as_before()


if __name__ == "__main__":
    lab.main(3)
