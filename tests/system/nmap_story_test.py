"""The story this project began with: 22, 80 and 3000 are open; after fwctl 3000 is filtered."""

import lab

PORTS = (22, 80, 443, 3000, 8080)
BEFORE = {22: "open", 80: "open", 443: "closed", 3000: "open", 8080: "closed"}
AFTER = {22: "open", 80: "open", 443: "filtered", 3000: "filtered", 8080: "filtered"}
COMMANDS = (("allow", "22/tcp"), ("allow", "80/tcp"), ("deny", "3000/tcp"), ("enable",))
SEEN_AS = {"allow": "open", "deny": "filtered", "reject": "closed"}


class NmapStory(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80, 3000)
        self.daemon.start()

    def tell(self):
        for words in COMMANDS:
            self.daemon.fwctl(*words)

    def assert_nmap(self, expected):
        for family in lab.FAMILIES:
            self.assertEqual(lab.nmap(lab.SERVER[family], PORTS), expected, f"IPv{family}")

    def assert_ports_agree_with_nmap(self):
        sockets = [entry for entry in self.daemon.json("ports")["sockets"]
                   if entry["protocol"] == "tcp" and not entry["local"]]
        self.assertEqual({entry["port"] for entry in sockets}, {22, 80, 3000})
        for family in lab.FAMILIES:
            seen = lab.nmap(lab.SERVER[family], PORTS)
            ours = [entry for entry in sockets
                    if entry["address"] == "*" or (":" in entry["address"]) == (family == 6)]
            self.assertEqual({entry["port"] for entry in ours}, {22, 80, 3000}, f"IPv{family}")
            for entry in ours:
                self.assertEqual(SEEN_AS[entry["access"][-1]["verdict"]], seen[entry["port"]],
                                 f"IPv{family}: {entry}")

    def test_the_story(self):
        self.assert_nmap(BEFORE)
        self.tell()
        self.assert_nmap(AFTER)
        self.assert_ports_agree_with_nmap()

    def test_nothing_is_enforced_before_enable(self):
        for words in COMMANDS[:-1]:
            self.daemon.fwctl(*words)
        self.assertEqual(self.lab.ruleset(), "")
        self.assert_nmap(BEFORE)

    def test_a_restart_changes_nothing(self):
        self.tell()
        before = self.daemon.snapshot()
        handles = lab.live(self.lab.table("-a"))
        self.daemon.restart()
        self.assertEqual(self.daemon.snapshot(), before)
        # Not even sent again: the same objects, known by their handles.
        self.assertEqual(lab.live(self.lab.table("-a")), handles)
        self.assert_nmap(AFTER)
        self.assert_ports_agree_with_nmap()

    def test_the_rules_outlive_the_daemon(self):
        self.tell()
        before = self.lab.ruleset()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_nmap(AFTER)
        self.daemon.start()
        self.daemon.kill()
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_nmap(AFTER)

    def test_a_table_that_vanished_comes_back_at_start(self):
        self.tell()
        before = self.lab.ruleset()
        self.daemon.stop()
        # A reboot. Where the table is persistent an orphan can be deleted by anyone.
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_nmap(AFTER)

    def test_disable_opens_and_stays_so(self):
        self.tell()
        self.daemon.fwctl("disable")
        self.assert_nmap(BEFORE)
        self.daemon.restart()
        self.assertEqual(self.lab.ruleset(), "")
        self.daemon.fwctl("enable")
        self.assert_nmap(AFTER)

    def test_saying_it_twice_changes_nothing(self):
        self.tell()
        before = self.daemon.snapshot()
        for words in COMMANDS:
            outcome = self.daemon.json(*words)
            self.assertFalse(outcome.get("outcome", outcome)["changed"], words)
        self.assertEqual(self.daemon.snapshot(), before)

    def test_delete_closes_the_port_again(self):
        self.tell()
        self.daemon.fwctl("delete", "allow", "80/tcp")
        self.assert_reach("filtered", 80)
        self.assert_reach("open", 22)

    def test_a_dry_run_changes_nothing(self):
        self.tell()
        before = self.daemon.snapshot()
        for words in (("allow", "3000/tcp"), ("delete", "1"), ("default", "allow", "incoming"),
                      ("reset",), ("disable",), ("reload",)):
            self.daemon.fwctl("--dry-run", *words)
            self.assertEqual(self.daemon.snapshot(), before, words)


if __name__ == "__main__":
    lab.main()
