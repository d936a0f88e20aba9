"""The bench runs, its table has every row, and a contestant that fails is told and not left out."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import lab  # noqa: E402

FIGURE = r"[\d.,]+ ms"


def bench(**environment):
    return subprocess.run([HERE / "run", "--quick", "--only", "change", "--rounds", "1"],
                          env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)


class Smoke(unittest.TestCase):
    def test_every_row_has_its_figures(self):
        done = bench()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^Machine: cores \d+, kernel \S+, load before \(")
        for there in ("0", "1,000"):
            for peer in ("starting 'true'", "nft add rule"):
                self.assertRegex(
                    done.stdout,
                    rf"(?m)^one rule more, {there} there +{FIGURE} +{peer} +{FIGURE} +[\d.,]+ × ")
            # Not installed, and not fetched: said so, with the reason below.
            self.assertRegex(done.stdout, rf"(?m)^one rule more, {there} there +{FIGURE} +ufw allow +"
                                          rf"({FIGURE}|none \[1\]) ")

    def with_allow(self, answer):
        """The bench with a fwctl that has only `answer` (of a shell) to `allow`."""
        with tempfile.NamedTemporaryFile("w", suffix="-fwctl", delete=False) as script:
            self.addCleanup(os.unlink, script.name)
            script.write(f'#!/bin/sh\ncase "$*" in *" allow "*) {answer};; esac\nexec {lab.FWCTL} "$@"\n')
        os.chmod(script.name, 0o755)
        done = bench(FWCTL=script.name)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"(?m)^one rule more, 0 there +failed +nft add rule +{FIGURE} \[1\]")
        return done.stdout

    def test_a_contestant_that_fails_is_told(self):
        self.assertRegex(self.with_allow("echo 'no, thanks'; exit 1"),
                         r"(?m)^\[1\] '.*fwctl .*' ended with 1: no, thanks$")

    def test_work_that_was_not_done_is_a_failure(self):
        self.assertRegex(self.with_allow("exit 0"), r"(?m)^\[1\] rules of fwctl: 0 instead of 2$")


if __name__ == "__main__":
    if not lab.PRIVILEGED:
        print("the bench needs root with its capabilities")
        sys.exit(lab.SKIPPED)
    unittest.main(verbosity=2)
