"""Changes on trial: what nobody confirms goes again, whatever happens to the daemon in between."""

import time

import lab

POLICY = """\
version: 1
rules:
  - allow: 22/tcp
"""
LOCKED_OUT = "rules: [deny 22/tcp]\n"


def over(seconds):
    """A condition that is true when so much time has passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


class Confirm(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80)
        (self.daemon.config / "policy.yaml").write_text(POLICY)
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.before = self.state()

    def state(self):
        """What comes back: the files, and what is in force."""
        return (self.daemon.files(self.daemon.config), self.daemon.policy(),
                self.daemon.call("Status")["enabled"])

    def trial(self):
        return self.daemon.call("Status").get("trial")

    def lock_out(self, time):
        done = self.daemon.fwctl("--confirm", time, "apply", "-", input=LOCKED_OUT)
        self.assertNotEqual(self.state(), self.before)
        return done.stdout

    def assert_back(self):
        self.assertEqual(self.state(), self.before)
        self.assertIsNone(self.trial())
        self.assert_reach("open", 22)
        newest = self.daemon.call("History")["generations"][0]
        self.assertRegex(newest["reason"], r"^generation \d+ was not confirmed ")
        self.assertNotIn("uid", newest)
        self.assertIn("was not confirmed", self.daemon.fwctl("status").stdout)
        self.assertFalse(self.daemon.json("reload")["outcome"]["changed"])

    def test_what_nobody_confirms_goes_again(self):
        said = self.lock_out("2s")
        self.assertIn("undone in 2s unless 'fwctl confirm'", said)
        self.assert_reach("filtered", 22, families=[4])
        lab.until(lambda: self.trial() is None, "it is undone")
        self.assert_back()
        self.assertIn("was not confirmed in time: back to generation 2", self.daemon.log_text())
        self.daemon.fwctl("allow", "80/tcp")

    def test_what_is_confirmed_stays(self):
        self.daemon.fwctl("allow", "80/tcp", "--confirm=1")
        self.daemon.fwctl("confirm")
        generation = self.daemon.call("Status")["generation"]
        self.assertFalse(self.daemon.json("confirm")["outcome"]["changed"])
        self.daemon.kill()
        lab.until(over(1.2), "the time of the trial is over")
        self.daemon.start()
        self.assertEqual(self.daemon.call("Status")["generation"], generation)
        self.assert_reach("open", 80)

    def test_status_counts_down(self):
        self.lock_out("90s")
        trial = self.trial()
        self.assertEqual(trial["before"], 2)
        self.assertLessEqual(trial["secondsLeft"], 90)
        self.assertGreater(trial["secondsLeft"], 60)
        self.assertRegex(self.daemon.fwctl("status").stdout,
                         r"On trial: 1m\d+s left until generation 2 comes back; 'fwctl confirm' keeps")
        lab.until(lambda: self.trial()["secondsLeft"] < trial["secondsLeft"], "it counts down")

    def test_meanwhile_nothing_else_changes(self):
        self.lock_out("60s")
        before = self.daemon.snapshot()
        for words in (["allow", "80/tcp"], ["--confirm", "9s", "allow", "80/tcp"], ["disable"],
                      ["--force", "reset"], ["default", "reject"], ["rollback", "1"]):
            refused = self.daemon.fwctl(*words, code=1)
            self.assertRegex(refused.stderr,
                             r"generation 3 waits to be confirmed, for (1m|\d+s) more: 'fwctl confirm' keeps it, "
                             r"'fwctl rollback' undoes it at once")
        self.assertEqual(self.daemon.snapshot(), before)
        self.daemon.fwctl("rollback")
        self.assertEqual(self.state(), self.before)
        self.daemon.fwctl("allow", "80/tcp")

    def test_killed_and_started_in_time_it_goes_on_counting(self):
        self.lock_out("4s")
        self.daemon.kill()
        self.daemon.start()
        self.assertIsNotNone(self.trial())
        self.assertEqual(self.daemon.call("Status")["generation"], 3)
        lab.until(lambda: self.trial() is None, "it is undone")
        self.assert_back()

    def test_killed_and_started_too_late_it_is_undone_at_the_start(self):
        self.lock_out("1s")
        self.daemon.kill()
        lab.until(over(1.2), "the time of the trial is over")
        self.daemon.start()
        self.assert_back()

    def test_a_reboot_undoes_it_at_once(self):
        (self.daemon.config / "policy.d").mkdir()
        (self.daemon.config / "policy.d/lockout.yaml").write_text(LOCKED_OUT)
        self.daemon.fwctl("--confirm", "1h", "reload")
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assert_back()

    def test_files_that_people_own_are_put_back(self):
        policy = self.daemon.config / "policy.yaml"
        policy.write_text(LOCKED_OUT)
        self.daemon.fwctl("--confirm", "1s", "reload")
        lab.until(lambda: self.trial() is None, "it is undone")
        self.assertEqual(policy.read_text(), POLICY)
        self.assert_back()

    def test_out_of_force_and_back(self):
        self.daemon.fwctl("--confirm", "1s", "disable")
        self.assert_reach("open", 80, families=[4])
        lab.until(lambda: self.daemon.call("Status")["enabled"], "it is undone")
        self.assert_reach("filtered", 80, families=[4])
        self.assert_back()

    def test_what_is_no_change_is_no_trial(self):
        outcome = self.daemon.json("--confirm", "60s", "enable")["outcome"]
        self.assertFalse(outcome["changed"])
        self.assertNotIn("confirm", outcome)
        self.assertIsNone(self.trial())

    def test_it_goes_with_changes_and_a_time(self):
        self.assertIn("goes with commands that change",
                      self.daemon.fwctl("--confirm", "60s", "status", code=2).stderr)
        for wrong in ("soon", "0", "25h", "-1"):
            self.daemon.fwctl("--confirm", wrong, "allow", "80/tcp", code=2)
        self.assertIsNone(self.trial())


if __name__ == "__main__":
    lab.main(3)
