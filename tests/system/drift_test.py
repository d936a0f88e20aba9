"""What other programs do to our table: put back at once, and named."""

import json
import re
import time

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
}


class Drift(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80, 443)
        (self.daemon.config / "policy.yaml").write_text(POLICY)
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.ours = self.lab.ruleset()

    def wait_until_ours(self, what):
        lab.until(lambda: self.lab.ruleset() == self.ours, f"our table after '{what}'")

    def others_do(self, command):
        """`@incoming` is the chain that packets are in now, of whatever name."""
        listing = self.lab.nft("list", "table", "inet", "fwctl").stdout
        chain = re.search(r"jump (incoming\S*)", listing)[1]
        self.lab.nft("-f", "-", input=command.replace("@incoming", chain) + "\n")

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

    def hits(self, port):
        listing = self.lab.nft("list", "table", "inet", "fwctl").stdout
        return int(re.search(rf"tcp \. {port} counter packets (\d+)", listing)[1])

    def test_hits_of_what_was_not_touched_stay(self):
        self.assert_reach("open", 22)
        before = self.hits(22)
        self.assertGreater(before, 0)
        self.others_do("delete element inet fwctl office-ipv4 { 198.51.100.7 }")
        self.wait_until_ours("delete element")
        self.assertEqual(self.hits(22), before)

    def test_while_the_daemon_is_down_it_is_found_at_the_start(self):
        for command in CHANGES:
            with self.subTest(command):
                self.daemon.kill()
                self.others_do(command)
                self.assertNotEqual(self.lab.ruleset(), self.ours)
                self.daemon.start()
                self.assertEqual(self.lab.ruleset(), self.ours)

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
