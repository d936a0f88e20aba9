"""Rules that end by themselves, under packets and the real clock."""

import datetime
import re
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

    def test_one_behind_others_is_taken_out_too(self):
        for state in ("enable", "disable"):
            with self.subTest(state):
                self.daemon.fwctl(state)
                self.daemon.fwctl("allow", "81/tcp")
                self.daemon.fwctl("allow", "82/tcp")
                self.daemon.fwctl("allow", "80/tcp", "for", "2s")
                self.assertIn("until", self.rules())
                lab.until(lambda: "until" not in self.rules(), "the rule is taken out")
                self.assertEqual(len(self.status()["rules"]), 2)

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


class Entries(lab.LabTest):
    """Entries of sets that end by themselves."""

    HERE = [lab.CLIENT[4], lab.CLIENT[6]]

    def setUp(self):
        super().setUp()
        self.lab.listen(80)
        self.start("rules: [allow 80/tcp]\n")
        self.daemon.fwctl("set", "add", "black", "203.0.113.9")
        self.daemon.fwctl("prepend", "deny", "from", "@black")

    def show(self):
        return self.daemon.fwctl("set", "show", "black").stdout

    def temporary(self):
        return self.daemon.call("Sets", name="black")["sets"][0]["temporary"]

    def end(self):
        return datetime.datetime.fromisoformat(self.temporary()[0]["until"].replace("Z", "+00:00"))

    def timeouts(self):
        """Of the elements that packets meet, with how long they had when they were put in."""
        return re.findall(r"(\S+) timeout (\S+) comment \"until", self.lab.ruleset())

    def assert_client(self, expected):
        self.assert_reach(expected, 80, source=lab.CLIENT)

    def test_the_daemon_takes_an_entry_out_when_it_has_ended(self):
        self.assert_client("open")
        said = self.daemon.fwctl("set", "add", "black", *self.HERE, "for", "6s").stdout
        self.assertRegex(said, rf"\+ set black {lab.CLIENT[4]} until 20")
        generation = self.daemon.call("Status")["generation"]
        self.assert_client("filtered")
        self.assertEqual({address for address, _ in self.timeouts()}, set(self.HERE))
        self.assertRegex(self.show(), rf"\n203.0.113.9\n{lab.CLIENT[4]}  # ends in [1-6]s\n")
        explained = self.daemon.fwctl("explain", "80/tcp", "from", lab.CLIENT[4]).stdout
        self.assertRegex(explained, r"\n  @black until 20\S+: denied by rule 1, ")

        def gone():
            self.assertEqual(self.daemon.call("Status")["problems"], [])
            return "until" not in (self.daemon.config / "rules.yaml").read_text()
        lab.until(gone, "the entries are taken out")
        self.assert_client("open")
        self.assertEqual(self.temporary(), [])
        self.assertEqual(self.daemon.call("Status")["generation"], generation + 1)
        self.assertNotIn(lab.CLIENT[4], self.lab.ruleset())
        self.assertIn("203.0.113.9", self.lab.ruleset())

    def test_the_kernel_ends_an_entry_without_the_daemon(self):
        self.daemon.fwctl("set", "add", "black", *self.HERE, "for", "6s")
        self.assert_client("filtered")
        self.daemon.kill()
        lab.until(lambda: lab.probe(lab.SERVER[4], 80, source=lab.CLIENT[4], wait=0.2) == "open", "its end")
        self.assert_client("open")
        self.assertIn("until", (self.daemon.config / "rules.yaml").read_text())
        self.daemon.start()
        lab.until(lambda: not self.temporary(), "the entries are taken out")
        self.assertEqual(self.daemon.call("Status")["problems"], [])
        self.daemon.fwctl("set", "add", "black", *self.HERE, "for", "1h")
        self.assert_client("filtered")

    def test_the_time_left_is_kept(self):
        self.daemon.fwctl("set", "add", "black", lab.CLIENT[4], "for", "1h")
        end = self.end()
        ((_, timeout),) = self.timeouts()
        self.daemon.restart()
        self.assertEqual(self.timeouts(), [(lab.CLIENT[4], timeout)], "nothing was sent")
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")  # as a reboot does
        time.sleep(1.1)
        self.daemon.start()
        self.assertEqual(self.end(), end)
        ((_, again),) = self.timeouts()
        self.assertRegex(again, r"^59m[2-5]\ds")
        self.assertNotEqual(again, timeout)
        left = self.temporary()[0]["secondsLeft"]
        self.assertTrue(3500 < left < 3600, left)
        self.daemon.fwctl("reload")
        self.assertEqual(self.end(), end)

    def test_another_time_moves_the_end_and_none_takes_it_away(self):
        self.daemon.fwctl("set", "add", "black", lab.CLIENT[4], "for", "1h")
        first = self.end()
        said = self.daemon.json("set", "add", "black", f"{lab.CLIENT[4]}/32", "for", "3h")["outcome"]
        self.assertIn("ending later", said["notes"][0])
        self.assertGreater(self.end() - first, datetime.timedelta(hours=1))
        ((address, timeout),) = self.timeouts()
        self.assertEqual((address, timeout[:4]), (lab.CLIENT[4], "2h59"))
        until = self.temporary()[0]["until"]
        same = self.daemon.json("set", "add", "black", lab.CLIENT[4], "until", until)["outcome"]
        self.assertFalse(same["changed"])
        self.daemon.fwctl("set", "add", "black", lab.CLIENT[4])
        self.assertEqual((self.temporary(), self.timeouts()), ([], []))
        unchanged = self.daemon.json("set", "add", "black", lab.CLIENT[4], "for", "1s")["outcome"]
        self.assertFalse(unchanged["changed"])
        self.assert_reach("filtered", 80, families=[4], source=lab.CLIENT)

    def test_in_a_file_of_ones_own(self):
        self.daemon.apply("""\
sets:
  office:
    - {address: %s, until: 2199-01-01T00:00:00Z}
    - {address: %s, until: 2001-01-01T00:00:00Z}
rules:
  - allow: 80/tcp
    from: "@office"
""" % tuple(self.HERE))
        self.assert_reach("open", 80, families=[4], source=lab.CLIENT)
        self.assert_reach("filtered", 80, families=[6], source=lab.CLIENT)
        (problem,) = self.daemon.call("Status")["problems"]
        self.assertIn("1 entry of this set has ended", problem)
        refused = self.daemon.fwctl("set", "add", "black", "::1", "for", "2x", code=2).stderr
        self.assertIn("command:1:23: error: '2x' is not how long", refused)


if __name__ == "__main__":
    lab.main()
