"""Sets from files and sets changed at run time, under packets."""

import re
import time

import lab

BOTH = [lab.CLIENT[4], lab.CLIENT[6]]
POLICY = """\
sets:
  drop: {file: sets/drop.txt}
rules:
  - deny: 80/tcp
    from: "@drop"
  - allow: 80/tcp
"""


class Sets(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80, 443)

    def assert_client(self, expected, port=80, families=lab.FAMILIES):
        """The client has two addresses of each family; this is about its first."""
        self.assert_reach(expected, port, families=families, source=lab.CLIENT)

    def write(self, name, text):
        path = self.daemon.config / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def start_with_file(self):
        self.write("policy.yaml", POLICY)
        self.write("sets/drop.txt", "# unwanted\n" + lab.CLIENT[4] + "  # this one\n\n")
        self.daemon.start()
        self.daemon.fwctl("enable")

    def test_a_file_decides_from_reload_on(self):
        self.start_with_file()
        self.assert_client("filtered", families=[4])
        self.assert_client("open", families=[6])
        self.assert_reach("open", 80, families=[4], source=lab.CLIENT_TOO)
        self.write("sets/drop.txt", lab.CLIENT[6] + "\n")
        self.assertIn("sets/drop.txt has changed", self.daemon.fwctl("status").stdout)
        self.assert_client("filtered", families=[4])
        self.assertIn(f"+ set drop {lab.CLIENT[6]}", self.daemon.fwctl("reload").stdout)
        self.assert_client("open", families=[4])
        self.assert_client("filtered", families=[6])

    def test_a_file_that_is_gone_still_counts_after_a_reboot(self):
        self.start_with_file()
        before = self.lab.ruleset()
        (self.daemon.config / "sets/drop.txt").unlink()
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_client("filtered", families=[4])
        done = self.daemon.fwctl("reload", code=1)
        self.assertRegex(done.stderr, r"policy\.yaml:2:16: error: there is no file \S+/sets/drop\.txt")

    def names(self):
        """What the set of addresses is called in the kernel."""
        return set(re.findall(r"ip saddr @(drop-ipv4\S*)", self.lab.table("-t")))

    def test_a_very_long_file_makes_nobody_wait(self):
        self.daemon.watch()
        self.start_with_file()
        self.write("sets/drop.txt", "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(1, 140_001, 2)) +
                   lab.CLIENT[4] + "\n")
        self.daemon.fwctl("reload")
        self.assert_client("filtered", families=[4])
        self.lab.nft("add", "table", "inet", "other")
        started = time.monotonic()
        self.assertNotIn("another program changed", self.daemon.fwctl("status").stdout)
        self.daemon.restart()
        self.assertNotIn("another program changed", self.daemon.fwctl("status").stdout)
        self.assertLess(time.monotonic() - started, 10)
        self.assert_client("filtered", families=[4])
        # The one that the start replaced is gone a second later.
        lab.until(lambda: len(self.names()) == 1, "what was before is collected")
        self.lab.nft("delete", "element", "inet", "fwctl", *self.names(), "{", lab.CLIENT[4], "}")
        lab.until(lambda: "(set drop-ipv4/32 was changed)" in self.daemon.fwctl("status").stdout,
                  "it is put back")
        self.assert_client("filtered", families=[4])

    def test_a_broken_file_is_refused_whole(self):
        self.start_with_file()
        self.write("sets/drop.txt", "192.0.2.1\n   192.0.2.300\n192.0.2.1/33 # too long\n")
        before = self.daemon.snapshot()
        for words in (("reload",), ("check", self.daemon.config)):
            done = self.daemon.fwctl(*words, code=1)
            self.assertRegex(done.stderr, r"sets/drop\.txt:2:4: error: '192\.0\.2\.300'", words)
            self.assertRegex(done.stderr, r"sets/drop\.txt:3:11: error: ", words)
        self.assertEqual(self.daemon.snapshot(), before)
        self.assert_client("filtered", families=[4])

    def test_set_add_takes_effect_at_once_and_survives_a_restart(self):
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.assertIn("+ set friends", self.daemon.fwctl("set", "add", "friends", lab.CLIENT[4]).stdout)
        self.daemon.fwctl("allow", "80/tcp", "from", "@friends")
        self.assert_client("open", families=[4])
        self.assert_client("filtered", families=[6])
        self.daemon.fwctl("set", "add", "friends", lab.CLIENT[6])
        self.assert_client("open")
        before = self.daemon.snapshot()
        self.assertIn("already in set 'friends'",
                      self.daemon.fwctl("set", "add", "friends", ",".join(BOTH)).stdout)
        self.daemon.fwctl("--dry-run", "set", "remove", "friends", *BOTH)
        self.assertEqual(self.daemon.snapshot(), before)
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assert_client("open")
        self.daemon.fwctl("set", "remove", "friends", lab.CLIENT[4])
        self.assert_client("filtered", families=[4])
        self.assert_client("open", families=[6])

    def test_set_replace_takes_addresses_or_a_file(self):
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.daemon.fwctl("set", "add", "friends", "192.0.2.99")
        self.daemon.fwctl("allow", "80/tcp", "from", "@friends")
        self.daemon.fwctl("set", "replace", "friends", lab.CLIENT[4])
        self.assert_client("open", families=[4])
        path = self.lab.directory / "list.txt"
        path.write_text("# new friends\n" + lab.CLIENT[6] + "\n")
        self.daemon.fwctl("set", "replace", "friends", path)
        self.assert_client("filtered", families=[4])
        self.assert_client("open", families=[6])
        self.daemon.fwctl("set", "replace", "friends", "-", input=lab.CLIENT[4] + "\n")
        self.assert_client("open", families=[4])
        path.write_text("\n1.2.3\n")
        before = self.daemon.snapshot()
        done = self.daemon.fwctl("set", "replace", "friends", path, code=1)
        self.assertRegex(done.stderr, r"list\.txt:2:1: error: '1\.2\.3' is not")
        self.daemon.fwctl("set", "replace", "friends", self.lab.directory / "absent", code=1)
        self.assertEqual(self.daemon.snapshot(), before)

    def test_a_set_of_many_rules_is_in_the_kernel_once(self):
        rules = "".join(f"  - allow: {port}/tcp\n    from: '@many'\n    log: true\n"
                        for port in range(1000, 1100))
        self.start("sets: {many: [192.0.2.77, 192.0.2.79]}\nrules:\n" + rules)
        table = self.lab.ruleset()
        self.assertEqual(table.count("192.0.2.77"), 1)
        self.assertGreaterEqual(table.count("@many-ipv4"), 100)

    def handles_of_sets(self):
        listing = self.lab.nft("-a", "list", "sets", "table", "inet", "fwctl").stdout
        return [line for line in listing.splitlines() if "set many" in line]

    def test_a_big_set_is_changed_in_place(self):
        self.write("rules.yaml", "version: 1\nsets:\n  many: ["
                   + ", ".join([f"198.18.{net}.{2 * host}" for net in range(8) for host in range(64)]
                               + [f"100.64.{4 * net}.0/24" for net in range(64)]
                               + [f"2001:db8:b{2 * net:03x}::/48" for net in range(600)])
                   + "]\nrules:\n  - deny: 80/tcp\n    from: '@many'\n  - allow: 80/tcp\n")
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.assert_client("open")
        before = self.handles_of_sets()
        self.assertEqual([line.split()[1] for line in before],
                         ["many-ipv4/24", "many-ipv4/32", "many-ipv6/48"])
        network = ".".join(lab.CLIENT[4].split(".")[:3])
        self.daemon.fwctl("set", "add", "many", lab.CLIENT[4])
        self.assert_client("filtered", families=[4])
        self.daemon.fwctl("set", "remove", "many", lab.CLIENT[4])
        self.assert_client("open", families=[4])
        self.daemon.fwctl("set", "add", "many", f"{network}.0/24", lab.CLIENT[6] + "/48")
        self.assert_client("filtered")
        self.assertEqual(self.handles_of_sets(), before, "elements came and went, and no set")
        table = self.lab.ruleset()
        self.daemon.restart()
        self.assertEqual(self.lab.ruleset(), table)
        self.assertEqual(self.handles_of_sets(), before)
        self.daemon.fwctl("set", "remove", "many", f"{network}.0/24", lab.CLIENT[6] + "/48")
        self.assert_client("open")

    def test_pairs_decide_by_address_and_port(self):
        self.write("policy.yaml", "sets:\n  partners: {file: sets/partners.txt}\n"
                                  "rules:\n  - allow from @partners\n")
        self.write("sets/partners.txt", f"{lab.CLIENT[4]} 80/tcp\n{lab.CLIENT[6]} 443/tcp\n")
        self.daemon.start()
        self.daemon.fwctl("enable")

        def assert_only(*pairs):
            for family in lab.FAMILIES:
                for port in (80, 443):
                    self.assert_client("open" if (family, port) in pairs else "filtered", port, [family])
            for port in (80, 443):
                self.assert_reach("filtered", port, source=lab.CLIENT_TOO)
        assert_only((4, 80), (6, 443))
        self.write("sets/partners.txt", f"{lab.CLIENT[4]} 443/tcp\n{lab.CLIENT[4]} 80/udp\n"
                                        f"{lab.CLIENT[6]} 443/tcp\n")
        done = self.daemon.fwctl("reload").stdout
        self.assertIn(f"- set partners {lab.CLIENT[4]} 80/tcp\n", done)
        self.assertIn(f"+ set partners {lab.CLIENT[4]} 443/tcp\n", done)
        assert_only((4, 443), (6, 443))
        before = self.lab.ruleset()
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)
        assert_only((4, 443), (6, 443))
        self.write("sets/partners.txt", f"{lab.CLIENT[4]} 80/tcp\n{lab.CLIENT[4]}/24 80/tcp\n")
        done = self.daemon.fwctl("reload", code=1)
        self.assertRegex(done.stderr, r"sets/partners\.txt:2:1: error: '\S+/24' is more than one address")
        assert_only((4, 443), (6, 443))

    def test_pairs_are_added_and_removed_at_run_time(self):
        self.daemon.start()
        self.daemon.fwctl("enable")
        pair = f"{lab.CLIENT[4]} 80/tcp"
        self.assertIn(f"+ set partners {pair}\n", self.daemon.fwctl("set", "add", "partners", pair).stdout)
        self.daemon.fwctl("allow", "from", "@partners")
        self.assert_client("open", families=[4])
        self.assert_client("filtered", 443)
        self.daemon.fwctl("set", "add", "partners", f"{lab.CLIENT[6]} 443/tcp")
        self.assert_client("open", 443, families=[6])
        self.assert_client("filtered", 80, families=[6])
        shown = self.daemon.fwctl("set", "show", "partners").stdout
        self.assertTrue(shown.endswith(f"\n{pair}\n{lab.CLIENT[6]} 443/tcp\n"), shown)
        path = self.lab.directory / "copy.txt"
        path.write_text(shown)
        self.assertIn("holds just that", self.daemon.fwctl("set", "replace", "partners", path).stdout)
        for words in (("allow", "80/tcp", "from", "@partners"), ("set", "add", "partners", lab.CLIENT[4]),
                      ("deny", "from", "!@partners")):
            self.daemon.fwctl(*words, code=1 if words[0] == "set" else 2)
        explained = self.daemon.fwctl("explain", "80/tcp", "from", lab.CLIENT[4]).stdout
        self.assertIn("allow", explained)
        self.daemon.fwctl("set", "remove", "partners", pair)
        self.assert_client("filtered", families=[4])
        self.assert_client("open", 443, families=[6])

    def test_list_and_show(self):
        self.start_with_file()
        self.daemon.fwctl("set", "add", "friends", "192.0.2.0/24", "2001:db8::1-2001:db8::9")
        self.daemon.fwctl("allow", "443/tcp", "from", "@friends")
        listed = self.daemon.fwctl("set", "list").stdout
        self.assertRegex(listed, r"(?m)^drop +1 +1 +sets/drop\.txt, named in ")
        self.assertRegex(listed, r"(?m)^friends +2 +3 +\S+rules\.yaml:\d+$")
        shown = self.daemon.fwctl("set", "show", "friends").stdout
        self.assertTrue(shown.endswith("\n192.0.2.0/24\n2001:db8::1-2001:db8::9\n"), shown)
        path = self.lab.directory / "copy.txt"
        path.write_text(shown)
        self.assertIn("holds just that", self.daemon.fwctl("set", "replace", "friends", path).stdout)
        [one] = self.daemon.json("set", "show", "drop")["sets"]
        self.assertEqual((one["addresses"], one["managed"], one["rules"]), ([lab.CLIENT[4]], True, [1]))
        self.assertNotIn("addresses", self.daemon.json("set", "list")["sets"][0])
        done = self.daemon.fwctl("set", "show", "freinds", code=1)
        self.assertIn("did you mean 'friends'?", done.stderr)

    def test_what_is_refused_changes_nothing(self):
        self.start_with_file()
        self.daemon.fwctl("set", "add", "friends", "192.0.2.1")
        self.daemon.fwctl("allow", "443/tcp", "from", "@friends")
        before = self.daemon.snapshot()
        done = self.daemon.fwctl("set", "add", "drop", "192.0.2.9", code=1)
        self.assertIn("is read from the file sets/drop.txt", done.stderr)
        self.assertIn("then 'fwctl reload'", done.stderr)
        done = self.daemon.fwctl("set", "delete", "friends", code=1)
        self.assertIn("no set is called 'friends'", done.stderr)
        done = self.daemon.fwctl("set", "add", "friends", "192.0.2.300", code=2)
        self.assertIn("command:1:17: error: '192.0.2.300' is not", done.stderr)
        for words in (("set",), ("set", "add"), ("set", "add", "friends"), ("set", "show"),
                      ("set", "delete", "friends", "192.0.2.1")):
            self.daemon.fwctl(*words, code=2)
        self.assertEqual(self.daemon.snapshot(), before)
        self.daemon.fwctl("delete", "allow", "443/tcp", "from", "@friends")
        self.daemon.fwctl("set", "delete", "friends")
        self.assertNotIn("friends", self.daemon.policy())


if __name__ == "__main__":
    lab.main()
