"""What the bench makes of figures: rounds, medians of ratios, budgets."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import measure  # noqa: E402
import report  # noqa: E402


class Silent:
    def say(self, text):
        pass


def series(*values):
    made = measure.Series()
    made.values = dict(enumerate(values, 1))
    return made


def row(ours, theirs, ratio="as fast", budget=None):
    return report.Row("work", "ms", ours, "peer", theirs, ratio, budget)


class Rounds(unittest.TestCase):
    def setUp(self):
        self.turns = []

    def contestant(self, name, fails_in=None, check=lambda turns: None):
        def turn(number):
            self.turns.append((number, name))
            if number == fails_in:
                raise measure.Failed("no")
            return number * 10
        return measure.Contestant(turn, check)

    def compare(self, rounds, **contestants):
        return measure.compare("work", contestants, rounds, Silent())

    def test_everybody_has_a_turn_in_every_round_and_the_order_rotates(self):
        found = self.compare(3, a=self.contestant("a"), b=self.contestant("b"))
        self.assertEqual("".join(name for _, name in self.turns), "ab" "ba" "ab" "ba")
        self.assertEqual(found["a"].values, {1: 10, 2: 20, 3: 30})  # without the one that warmed up

    def test_a_failure_takes_all_figures_and_spares_the_others(self):
        found = self.compare(3, a=self.contestant("a", fails_in=2), b=self.contestant("b"))
        self.assertEqual((found["a"].values, found["a"].problem), ({}, "no"))
        self.assertEqual(self.turns.count((3, "a")), 0)
        self.assertEqual(len(found["b"].values), 3)

    def test_work_that_was_not_done_does_not_count(self):
        def check(turns):
            measure.expect("rules", 7, turns)
        found = self.compare(2, a=self.contestant("a", check=check))
        self.assertEqual((found["a"].values, found["a"].problem), ({}, "rules: 7 instead of 3"))


class Table(unittest.TestCase):
    def test_the_ratio_is_the_median_of_pairs(self):
        pairs = row(series(1, 10, 100), series(2, 50, 300))
        self.assertEqual(pairs.ratios(), [2, 5, 3])
        text = report.table({"Work": [pairs]}, {"cores": 1})
        self.assertRegex(text, r"(?m)^work  10\.0 ms  peer  50\.0 ms  3\.00 × as fast \(2\.00–5\.00\) ")

    def test_a_budget_holds_for_the_median_and_a_question_mark_says_not_for_all(self):
        ours, theirs = series(1, 1, 1), series(2, 3, 4)
        for budget, met in ((report.at_least(2), "yes"), (report.at_least(3), "yes?"),
                            (report.at_least(3.5), "no?"), (report.at_least(5), "no")):
            text = report.table({"Work": [row(ours, theirs, budget=budget)]}, {})
            self.assertRegex(text, rf"(?m)^work .*× +{met.replace('?', '[?]')}$")

    def test_a_budget_of_memory_is_about_our_own_figure(self):
        one = row(series(7, 8), measure.missing("nft: not installed"), "the memory", report.megabytes(7.6))
        self.assertTrue(one.met())
        self.assertFalse(one.clear())
        text = report.table({"Work": [one]}, {})
        self.assertRegex(text, r"(?m)^work  7\.50 ms  peer  none \[1\]  – +≤ 7\.6 MB  yes\?$")
        self.assertIn("\n[1] nft: not installed\n", text)

    def test_figures_have_three_digits(self):
        for value, text in ((0, "0"), (0.00382, "0.00382"), (2.5, "2.50"), (31.4, "31.4"), (12345, "12,345")):
            self.assertEqual(report.figure(value), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
