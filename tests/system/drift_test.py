"""What other programs do to our table: the kernel refuses it, or it is put back at once, and named."""

import contextlib
import json
import re
import subprocess
import time
import unittest

import atomic_test
import lab

POLICY = """\
version: 1
sets: {office: [192.0.2.0/24, 198.51.100.7]}
rules:
  - allow: 22/tcp
  - deny: 443/tcp
    from: "@office"
  - allow: 443/tcp
"""

# What somebody does, and what is said of it.
CHANGES = {
    "flush ruleset": "it is gone",
    "delete table inet fwctl": "it is gone",
    "flush chain inet fwctl @incoming": "chain incoming was changed",
    "insert rule inet fwctl @incoming accept": "chain incoming was changed",
    "add chain inet fwctl mine { type filter hook input priority -10; policy accept; }":
        "chain mine is new",
    "delete element inet fwctl office-ipv4 { 198.51.100.7 }": "set office-ipv4 was changed",
    "add element inet fwctl office-ipv4 { 203.0.113.9 }": "set office-ipv4 was changed",
    "add table inet fwctl { flags dormant; }": "the table's flag 'dormant'",
}

BY_KERNEL = "Protected from other programs: by the kernel\n"
BY_WATCHING = "Protected from other programs: by watching, since "


class DriftTest(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80, 443)
        (self.daemon.config / "policy.yaml").write_text(POLICY)

    def enable(self):
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.ours = self.lab.ruleset()

    def wait_until_ours(self, what):
        lab.until(lambda: self.lab.ruleset() == self.ours, f"our table after '{what}'")

    def others_try(self, command):
        """`@incoming` is the chain that packets are in now, of whatever name."""
        listing = self.lab.nft("list", "table", "inet", "fwctl").stdout
        chain = re.search(r"jump (incoming\S*)", listing)[1]
        return self.lab.nft("-f", "-", input=command.replace("@incoming", chain) + "\n", check=False)

    def others_do(self, command):
        done = self.others_try(command)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)

    def state(self):
        """Our table with handles, which tell whether anything was made anew."""
        return self.lab.table("-a")

    def flags(self):
        """Those of the table that nft 1.0.6 knows; None: it has none at all."""
        flags = re.search(r"^\tflags (.*)$", self.lab.nft("list", "table", "inet", "fwctl").stdout, re.M)
        return flags and flags[1]

    def hits(self, port):
        listing = self.lab.nft("list", "table", "inet", "fwctl").stdout
        return int(re.search(rf"tcp \. {port} counter packets (\d+)", listing)[1])

    def assert_drift_is_found_at_the_start(self):
        for command in CHANGES:
            with self.subTest(command):
                self.daemon.kill()
                before = self.lab.table()
                done = self.others_try(command)
                if "dormant" in command and done.returncode != 0:  # of one that persists, nft 1.0.6 can't
                    self.daemon.start()
                    continue
                self.assertEqual(done.stderr, "")
                self.assertNotEqual(self.lab.table(), before)
                self.daemon.start()
                self.assertEqual(self.lab.ruleset(), self.ours)
                self.assertNotIn("dormant", self.lab.table())
                self.assert_reach("filtered", 80, families=[4])

    @contextlib.contextmanager
    def monitored(self, told):
        """What nft tells of all transactions meanwhile, and in the second after, goes to the list `told`."""
        with lab.inside("server"):
            monitor = subprocess.Popen(["nft", "monitor"], stdout=subprocess.PIPE, text=True)
        try:
            lab.until(lambda: self.listens(monitor), "nft listens")
            self.tell("begin")
            yield
            time.sleep(1.5)  # what the last change retired is collected after a second
            self.tell("end")
            lines = list(iter(monitor.stdout.readline, "add table ip end\n"))
        finally:
            monitor.kill()
            monitor.communicate()
        begin = lines.index("delete table ip begin\n")
        told += [re.sub(r"generation \d+ by process \d+", "generation N by process N", line.rstrip())
                 for line in lines[begin + 1:] if not line.endswith("(nft)\n")]

    def tell(self, name):
        self.lab.nft("add", "table", "ip", name)
        self.lab.nft("delete", "table", "ip", name)

    @staticmethod
    def listens(monitor):
        """It is a member of a group of netfilter's (12)."""
        with lab.inside("server"), open("/proc/thread-self/net/netlink") as sockets:
            return any(row.split()[1:3] == ["12", str(monitor.pid)] and int(row.split()[3], 16)
                       for row in sockets)


@unittest.skipUnless(lab.OWNED_TABLES, "this kernel keeps nobody out of a table")
class Owned(DriftTest):
    """By default, where the kernel has it."""

    def setUp(self):
        super().setUp()
        self.enable()

    def assert_owned(self):
        self.assertIn(BY_KERNEL, self.daemon.fwctl("status").stdout)
        self.assertEqual(self.daemon.call("Status")["protection"], {"by": "kernel"})
        self.assert_reach("open", 22)
        before = self.state(), self.hits(22)
        self.assertGreater(before[1], 0)
        for command in CHANGES:
            done = self.others_try(command)
            if command != "flush ruleset":  # that leaves out what it may not touch
                self.assertIn("Operation not permitted", done.stderr, command)
            self.assertEqual((self.state(), self.hits(22)), before, command)

    def test_what_others_try_does_nothing_at_any_moment(self):
        policy = atomic_test.POLICIES[0]
        self.daemon.apply(policy + "  - deny: 443/tcp\n    from: \"@office\"\n"
                                   "sets: {office: [192.0.2.0/24, 198.51.100.7]}\n")
        time.sleep(1.5)  # until what that retired is collected
        listed = self.state()
        traffic = atomic_test.Traffic(self.lab)
        for command in [*CHANGES] * 5:
            if command != "flush ruleset":
                self.assertIn("Operation not permitted", self.others_try(command).stderr, command)
        self.assertEqual(self.state(), listed)
        figures = traffic.finish()
        self.assertGreater(figures["sent"]["denied4"], 1000)
        self.assertEqual(figures["passed"], 0)
        self.assertEqual(figures["lost"], {"allowed4": 0, "allowed6": 0})
        traffic = atomic_test.Traffic(self.lab)
        before = traffic.count()["received"]
        for _ in range(10):
            self.others_do("flush ruleset")  # the witness of what is lost goes
        lab.until(lambda: traffic.count()["received"]["allowed6"] > before["allowed6"] + 1000, "traffic")
        after = traffic.count()["received"]
        traffic.end()
        self.assertEqual((after["denied4"], after["denied6"]), (0, 0))
        self.assertEqual(self.state(), listed)
        self.assertNotIn("had changed", self.daemon.log_text())

    def test_a_start_claims_what_an_earlier_one_left_and_sends_nothing_else(self):
        self.daemon.fwctl("limit", "80/tcp")
        self.daemon.fwctl("ban", lab.CLIENT_TOO[4], "for", "1h")
        for _ in range(7):
            lab.probe(lab.SERVER[4], 80)
        self.assert_reach("refused", 80, families=[4])  # six at once
        self.assert_reach("open", 22)
        time.sleep(1.5)
        for end in (self.daemon.kill, self.daemon.stop):
            before = self.lab.table(), self.hits(22)
            end()
            orphan = self.flags()
            told = []
            with self.monitored(told):
                self.daemon.start()
                self.assertEqual(self.hits(22), before[1])
                self.assert_reach("refused", 80, families=[4])
            # Bans are not compared, but always sent.
            self.assertEqual(told[:2], ["add table inet fwctl",
                                        "# new generation N by process N (fwctld)"])
            self.assertFalse([line for line in told[2:] if "banned/" not in line and "#" not in line], told)
            self.assertEqual((orphan, self.flags()), ("", "owner"))
        self.assert_owned()

    def test_without_bans_the_claim_is_all(self):
        time.sleep(1.5)
        self.daemon.kill()
        told = []
        with self.monitored(told):
            self.daemon.start()
        self.assertEqual(told, ["add table inet fwctl", "# new generation N by process N (fwctld)"])

    def test_what_others_make_of_an_orphan_is_found_at_the_start(self):
        self.assert_drift_is_found_at_the_start()
        self.assert_owned()

    def test_disable_and_enable(self):
        self.daemon.fwctl("disable")
        self.assertEqual(self.lab.table(), "")
        self.assertNotIn("Protected", self.daemon.fwctl("status").stdout)
        self.daemon.restart()
        self.assertEqual(self.lab.table(), "")
        self.daemon.fwctl("enable")
        self.assert_owned()

    def test_everything_the_daemon_does_goes_through_the_socket_that_owns(self):
        self.daemon.fwctl("--dry-run", "allow", "80/tcp")
        self.daemon.fwctl("allow", "80/tcp")
        self.assert_reach("open", 80)
        self.daemon.fwctl("ban", lab.CLIENT[4])
        self.assert_reach("filtered", 80, families=[4])
        self.daemon.fwctl("unban", lab.CLIENT[4])
        self.daemon.fwctl("panic", "on", "--confirm", "1h")
        self.daemon.fwctl("rollback")
        with lab.Varlink(self.daemon.socket) as trace:
            trace.stream("Trace", question=["tcp"])
            lab.until(lambda: "trace-" in self.lab.table(), "a trace begins")
        lab.until(lambda: "trace-" not in self.lab.table(), "it ends")
        lab.until(lambda: "retired" not in self.lab.table(), "what was replaced is collected")
        self.assert_reach("open", 80)
        self.assert_owned()

    def test_another_fwctld_does_not_start(self):
        before = self.state()
        for settings in ("", "protection: watching\n"):
            another = lab.Daemon(self.lab, name=f"another{len(settings)}")
            (another.config / "daemon.yaml").write_text(settings)
            with self.assertRaisesRegex(AssertionError, r"ended with 1:\n.*cannot take over table inet fwctl: a "
                                                        r"program that runs keeps all others out of it"):
                another.start()
            self.assertEqual(another.files(another.state), {})
        self.assertEqual(self.state(), before)

    def test_of_two_fwctlds_that_enforce_nothing_one_can_enable(self):
        self.daemon.fwctl("disable")
        another = lab.Daemon(self.lab, name="another").start()
        another.fwctl("enable")
        done = self.daemon.fwctl("enable", code=1)
        self.assertIn("another program, most likely another fwctld, keeps all others out of it", done.stderr)
        time.sleep(0.5)
        self.assertLessEqual(self.daemon.log_text().count("cannot be put back"), 1)
        self.assertIn(BY_KERNEL, another.fwctl("status").stdout)

    def test_the_setting_leaves_the_table_to_all_and_takes_it_back(self):
        self.daemon.watch()
        self.daemon.restart()
        self.assertIn(BY_WATCHING + "daemon.yaml says so\n", self.daemon.fwctl("status").stdout)
        self.others_do("insert rule inet fwctl @incoming accept")
        self.wait_until_ours("insert rule")
        (self.daemon.config / "daemon.yaml").unlink()
        self.daemon.restart()
        self.assert_owned()
        self.assertEqual(self.lab.ruleset(), self.ours)


@unittest.skipUnless(lab.OWNED_TABLES, "this kernel keeps nobody out of a table")
class Upgraded(DriftTest):
    """A table without flags, as fwctld made it before."""

    def setUp(self):
        super().setUp()
        self.daemon.watch()
        self.enable()
        self.assert_reach("open", 22)
        time.sleep(1.5)
        self.daemon.kill()
        (self.daemon.config / "daemon.yaml").unlink()

    def test_stays_as_it_is_and_is_watched(self):
        before = self.state()
        told = []
        with self.monitored(told):
            self.daemon.start()
        self.assertEqual(told, [])
        self.assertEqual(self.state(), before)
        self.assertIn(BY_WATCHING + "the table was made without;", self.daemon.fwctl("status").stdout)
        self.others_do("insert rule inet fwctl @incoming accept")
        self.wait_until_ours("insert rule")
        self.daemon.fwctl("allow", "80/tcp")
        self.assert_reach("open", 80)

    def test_is_owned_once_it_is_made_anew(self):
        self.daemon.start()
        self.daemon.fwctl("disable")
        self.daemon.fwctl("enable")
        self.assertIn(BY_KERNEL, self.daemon.fwctl("status").stdout)
        self.assertIn("Operation not permitted", self.others_try("delete table inet fwctl").stderr)

    def test_is_owned_once_another_program_has_removed_it(self):
        self.daemon.start()
        self.others_do("flush ruleset")
        self.wait_until_ours("flush ruleset")
        self.assertIn(BY_KERNEL, self.daemon.fwctl("status").stdout)

    def test_is_owned_after_a_boot(self):
        self.others_do("delete table inet fwctl")
        self.daemon.start()
        self.assertIn(BY_KERNEL, self.daemon.fwctl("status").stdout)


class Watched(DriftTest):
    """Where the kernel has no such tables, or daemon.yaml says so."""

    def setUp(self):
        super().setUp()
        self.daemon.watch()
        self.enable()

    def test_status_says_so(self):
        self.assertIn(BY_WATCHING + "daemon.yaml says so\n", self.daemon.fwctl("status").stdout)
        self.assertEqual(self.daemon.call("Status")["protection"]["by"], "watching")
        self.assertIsNone(self.flags())

    def test_a_setting_that_is_wrong_is_refused(self):
        (self.daemon.config / "daemon.yaml").write_text("version: 1\nprotection: maybe\n")
        self.daemon.restart()
        self.assertRegex(self.daemon.log_text(), r"only root has access: (.|\n)*daemon\.yaml:2:13: error: expected "
                                                 r"'kernel' or 'watching'")

    def test_is_put_back_at_once_and_named(self):
        for command, said in CHANGES.items():
            with self.subTest(command):
                self.others_do(command)
                self.wait_until_ours(command)
                lab.until(lambda: said in self.daemon.log_text().splitlines()[-1], command)
                line = self.daemon.log_text().splitlines()[-1]
                self.assertRegex(line, r"nft \(process \d+\) had changed table inet fwctl \(.*\); "
                                       r"it was restored at ")
                problems = json.dumps(self.daemon.call("Status")["problems"])
                self.assertIn(said, problems)
                self.assert_reach("open", 22)
                self.assert_reach("filtered", 80, families=[4])

    def test_hits_of_what_was_not_touched_stay(self):
        self.assert_reach("open", 22)
        before = self.hits(22)
        self.assertGreater(before, 0)
        self.others_do("delete element inet fwctl office-ipv4 { 198.51.100.7 }")
        self.wait_until_ours("delete element")
        self.assertEqual(self.hits(22), before)

    def test_while_the_daemon_is_down_it_is_found_at_the_start(self):
        self.assert_drift_is_found_at_the_start()

    def test_a_program_that_does_not_give_in_does_not_keep_the_daemon_busy(self):
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            self.others_do("insert rule inet fwctl @incoming accept")
        self.wait_until_ours("a second of changes")
        restored = self.daemon.log_text().count("it was restored at")
        self.assertLess(restored, 20)
        self.assertGreater(restored, 2)
        self.daemon.fwctl("allow", "80/tcp")
        self.assert_reach("open", 80)

    def test_what_others_do_to_their_own_is_not_ours(self):
        self.lab.nft("-f", "-", input="add table inet other; add chain inet other c\n")
        self.daemon.fwctl("status")
        self.assertNotIn("had changed", self.daemon.log_text())


if __name__ == "__main__":
    lab.main()
