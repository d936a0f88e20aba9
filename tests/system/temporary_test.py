"""Rules that end by themselves, under packets and the real clock."""

import datetime
import time

import lab


class Temporary(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80)
        self.daemon.start()
        self.daemon.fwctl("enable")

    def rules(self):
        return (self.daemon.config / "rules.yaml").read_text()

    def status(self):
        return self.daemon.call("Status")

    def wait_for(self, moment):
        lab.until(lambda: datetime.datetime.now(datetime.timezone.utc) > moment, "the rule's end")

    def end(self):
        return datetime.datetime.fromisoformat(self.status()["rules"][0]["until"].replace("Z", "+00:00"))

    def test_the_daemon_takes_a_rule_out_when_it_has_ended(self):
        self.daemon.fwctl("allow", "80/tcp", "for", "3s")
        generation = self.status()["generation"]
        self.assert_reach("open", 80)
        self.assertIn("meta time < ", self.lab.nft("list", "table", "inet", "fwctl").stdout)
        rule = self.status()["rules"][0]
        self.assertLessEqual(rule["secondsLeft"], 3)
        self.assertIn("ENDS IN", self.daemon.fwctl("status").stdout)
        lab.until(lambda: "until" not in self.rules(), "the rule is taken out")
        self.assert_reach("filtered", 80)
        self.assertEqual(self.status()["rules"], [])
        self.assertEqual(self.status()["generation"], generation + 1)
        self.assertEqual(self.status()["problems"], [])

    def test_the_kernel_ends_a_rule_without_the_daemon(self):
        self.daemon.fwctl("allow", "80/tcp", "for", "3s")
        self.assert_reach("open", 80)
        end = self.end()
        self.daemon.kill()
        self.wait_for(end)
        self.assert_reach("filtered", 80)
        self.assertIn("until", self.rules())
        self.daemon.start()
        lab.until(lambda: "until" not in self.rules(), "the rule is taken out")
        self.assertEqual(self.status()["rules"], [])

    def test_another_time_moves_the_end(self):
        self.daemon.fwctl("allow", "80/tcp", "for", "1h")
        first = self.end()
        outcome = self.daemon.json("allow", "80/tcp", "for", "3h")["outcome"]
        self.assertEqual(len(self.status()["rules"]), 1)
        self.assertGreater(self.end() - first, datetime.timedelta(hours=1))
        self.assertIn("ends later", outcome["notes"][0])
        self.daemon.fwctl("allow", "80/tcp")
        self.assertEqual(self.status()["rules"][0]["until"], "")
        self.assert_reach("open", 80)

    def test_a_temporary_rule_leaves_the_other_verdict_as_it_was(self):
        self.daemon.fwctl("allow", "80/tcp")
        self.daemon.fwctl("deny", "80/tcp", "for", "3s")
        self.assert_reach("filtered", 80, families=[4])
        lab.until(lambda: "until" not in self.rules(), "the rule is taken out")
        self.assert_reach("open", 80)

    def test_a_rule_of_a_file_stays_there_and_is_told_of(self):
        end = datetime.datetime.fromtimestamp(int(time.time()) + 2, datetime.timezone.utc)
        policy = self.daemon.config / "policy.yaml"
        policy.write_text(f"rules:\n  - allow: 80/tcp\n    until: {end:%Y-%m-%dT%H:%M:%SZ}\n")
        self.daemon.fwctl("reload")
        self.wait_for(end)
        self.assert_reach("filtered", 80)
        self.assertIn("policy.yaml:2: this rule has ended", self.daemon.fwctl("status").stdout)
        self.assertIn("this rule has ended", self.daemon.fwctl("check", policy).stderr)
        self.assertIn("until", policy.read_text())


if __name__ == "__main__":
    lab.main()
