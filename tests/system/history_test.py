"""Who changed what, and the way back, on the real kernel under packets."""

import json

import lab

POLICY = """\
version: 1
rules:
  - allow: 22/tcp
"""


class History(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80, 443)
        (self.daemon.config / "policy.yaml").write_text(POLICY)
        (self.daemon.config / "policy.d").mkdir()
        self.daemon.start()
        self.daemon.fwctl("enable")

    def history(self):
        return self.daemon.json("history")["generations"]

    def drop(self, name, text):
        (self.daemon.config / "policy.d" / name).write_text(text)

    def test_it_says_who_when_and_what(self):
        session = lab.connect(lab.SERVER[4], 22)
        self.addCleanup(session.close)
        self.daemon.fwctl("allow", "80/tcp", env={
            "SSH_CONNECTION": f"{lab.CLIENT[4]} {session.getsockname()[1]} {lab.SERVER[4]} 22"})
        newest, enabled, first = self.history()
        self.assertEqual((newest["uid"], newest["user"], newest["from"], newest["reason"], newest["current"]),
                         (0, "root", lab.CLIENT[4], "allow 80/tcp", True))
        self.assertEqual((enabled["reason"], enabled["from"], enabled["current"]), ("enable", "", False))
        self.assertNotIn("uid", first)
        table = self.daemon.fwctl("history").stdout.splitlines()
        self.assertRegex(table[1], r"^ +3  now  20\S+ \S+ UTC  root from 192\.0\.2\.2  allow 80/tcp$")
        self.assertRegex(table[3], r"^ +1 +20\S+ \S+ UTC  fwctld +first start$")
        self.assertIn("+ allow 80/tcp", self.daemon.fwctl("history", "3").stdout)
        self.daemon.restart()
        self.assertEqual(self.history(), [newest, enabled, first])

    def test_a_program_that_reads_it_gets_whole_lines(self):
        comment = "the long story of why this port is open, " * 3
        self.daemon.fwctl("allow", "80/tcp", "comment", comment)
        self.assertIn(comment.strip(), self.daemon.fwctl("history").stdout.splitlines()[1])

    def test_it_is_bounded(self):
        for port in range(1000, 1030):
            self.daemon.call("Add", rule=["allow", f"{port}/tcp"])
        generations = self.history()
        self.assertEqual([one["number"] for one in generations], list(range(32, 12, -1)))
        self.daemon.restart()
        self.assertEqual(self.history(), generations)

    def test_rollback_undoes_the_last_change_for_packets_and_files(self):
        self.daemon.fwctl("allow", "80/tcp")
        before = self.daemon.files(self.daemon.config)
        self.daemon.fwctl("delete", "allow", "80/tcp")
        self.assert_reach("filtered", 80, families=[4])
        said = self.daemon.fwctl("rollback").stdout
        self.assertIn("+ allow 80/tcp", said)
        self.assert_reach("open", 80)
        self.assertEqual(self.daemon.files(self.daemon.config), before)
        self.assertFalse(self.daemon.json("reload")["outcome"]["changed"])
        self.daemon.restart()
        self.assert_reach("open", 80)
        self.assertEqual(self.daemon.call("Status")["problems"], [])

    def test_rollback_puts_files_of_people_back_and_keeps_what_was_never_loaded(self):
        self.drop("web.yaml", "rules: [allow 80/tcp]\n")
        self.daemon.fwctl("reload")
        good = self.daemon.call("Status")["generation"]
        before = self.daemon.files(self.daemon.config)
        self.drop("web.yaml", "rules: [deny 80/tcp]\n")
        self.drop("more.yaml", "rules: [deny 443/tcp]\n")
        self.daemon.fwctl("reload")
        self.assert_reach("filtered", 80, families=[4])
        self.drop("more.yaml", "half a pol")
        said = self.daemon.fwctl("rollback", str(good)).stdout
        self.assert_all(("open", 22), ("open", 80))
        after = self.daemon.files(self.daemon.config)
        copies = {path: text for path, text in after.items() if path not in before}
        self.assertEqual(list(copies.values()), [b"half a pol"])
        self.assertIn(next(iter(copies)), said)
        self.assertEqual({**before, **copies}, after)
        self.assertFalse(self.daemon.json("reload")["outcome"]["changed"])

    def test_what_is_not_kept_is_refused_with_what_is(self):
        refused = self.daemon.fwctl("rollback", "99", code=1)
        self.assertIn("generation 99 is not kept; there are 2-1", refused.stderr)
        answer = json.loads(self.daemon.fwctl("--json", "history", "99", code=1).stdout)
        self.assertEqual(answer["parameters"]["known"], [2, 1])
        self.daemon.fwctl("rollback", "0", code=2)
        self.assertEqual(len(self.history()), 2)

    def test_a_dry_run_changes_nothing(self):
        self.daemon.fwctl("allow", "80/tcp")
        before = self.daemon.snapshot()
        self.assertIn("- allow 80/tcp", self.daemon.fwctl("--dry-run", "rollback").stdout)
        self.assertEqual(self.daemon.snapshot(), before)

    def test_only_who_may_change_may_go_back(self):
        with lab.Varlink(self.daemon.socket) as connection:
            self.assertEqual(len(connection.call("History")["generations"]), 2)
        nobody = self.daemon.fwctl("rollback", code=3, user=65534, group=65534, extra_groups=[])
        self.assertIn("not permitted", nobody.stderr)


if __name__ == "__main__":
    lab.main()
