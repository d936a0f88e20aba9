"""Files that people drop into the configuration directory: taken by reload, whole or not at all."""

import itertools
import pathlib
import shutil

import lab

EVERYTHING = pathlib.Path(__file__).resolve().parents[1] / "cases/every-feature"
POLICY = """\
version: 1
defaults: {incoming: deny, outgoing: allow, routed: deny}
rules:
  - allow: 22/tcp
"""


class Reload(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80, 443)
        (self.daemon.config / "policy.yaml").write_text(POLICY)
        self.daemon.start()
        self.daemon.fwctl("enable")

    def drop(self, name, text):
        directory = self.daemon.config / "policy.d"
        directory.mkdir(exist_ok=True)
        (directory / name).write_text(text)

    def replace(self, text):
        (self.daemon.config / "policy.yaml").write_text(text)

    def test_a_file_dropped_in_is_in_force_after_reload(self):
        self.drop("50-web.yaml", "version: 1\nrules:\n  - allow: [80/tcp, 443/tcp]\n")
        self.assert_reach("filtered", 80)
        self.daemon.fwctl("reload")
        self.assert_reach("open", 80)
        self.assert_reach("open", 443)
        self.daemon.restart()
        self.assert_reach("open", 80)

    def test_a_policy_of_every_feature_is_reloaded_without_losing_a_connection(self):
        """Connections that one policy let in go on under each of the others."""
        self.lab.listen(5001)
        shutil.copytree(EVERYTHING / "sets", self.daemon.config / "sets")
        everything = (EVERYTHING / "policy.yaml").read_text()
        texts = [everything, "rules:\n  - allow: 5001/tcp\n", "rules: []\n",
                 everything.replace("incoming: deny", "incoming: reject")]
        self.replace(texts[0])
        self.daemon.fwctl("reload")
        self.assertIn("limit rate 30/minute burst 10", self.lab.table())
        connections = [lab.connect(address[family], 5001, namespace=namespace)
                       for family in lab.FAMILIES
                       for namespace, address in (("client", lab.SERVER), ("inner", lab.SERVER_ETH1))]
        for number, text in zip(range(24), itertools.cycle(texts[1:] + texts[:1])):
            self.replace(text)
            self.daemon.fwctl("reload")
            for connection in connections:
                word = f"after change {number}".encode()
                connection.sendall(word)
                self.assertEqual(connection.recv(64), word)
        for connection in connections:
            connection.close()

    def test_files_are_read_in_the_order_of_their_names(self):
        self.drop("20-deny.yaml", "version: 1\nrules:\n  - deny: 80/tcp\n")
        self.drop("10-allow.yaml", "version: 1\nrules:\n  - allow: 80/tcp\n")
        self.daemon.fwctl("reload")
        self.assert_reach("open", 80)
        (self.daemon.config / "policy.d/10-allow.yaml").unlink()
        self.daemon.fwctl("reload")
        self.assert_reach("filtered", 80)

    def test_a_broken_file_is_refused_whole(self):
        self.drop("10-good.yaml", "version: 1\nrules:\n  - allow: 443/tcp\n")
        self.drop("50-broken.yaml", "version: 1\nrules:\n  - allow: 80/tcp\n  - alow: 8080/tcp\n")
        before = self.daemon.snapshot()
        done = self.daemon.fwctl("reload", code=1)
        self.assertRegex(done.stdout + done.stderr, r"policy\.d/50-broken\.yaml:4:5")
        self.assertIn("alow: 8080/tcp", done.stdout + done.stderr)
        self.assertEqual(self.daemon.snapshot(), before)
        self.assert_reach("filtered", 80)
        self.assert_reach("filtered", 443)
        self.assert_reach("open", 22)

    def test_all_problems_are_told_at_once(self):
        self.drop("50-broken.yaml", "version: 1\nrules:\n  - allow: 0/tcp\n  - deny: 65536/udp\n")
        self.drop("60-broken.yaml", "version: 1\nrules:\n  - allow: 22/tcp\n    frm: 10.0.0.1\n")
        with self.assertRaises(lab.VarlinkError) as caught:
            self.daemon.call("Reload")
        self.assertEqual(caught.exception.name, "InvalidPolicy")
        places = {(entry["file"].rpartition("policy.d/")[2], entry["line"])
                  for entry in caught.exception.parameters["diagnostics"]
                  if entry["severity"] == "error"}
        self.assertLessEqual({("50-broken.yaml", 3), ("50-broken.yaml", 4), ("60-broken.yaml", 4)},
                             places)

    def test_a_daemon_that_starts_on_broken_files_keeps_the_policy_in_force(self):
        before = self.lab.ruleset()
        self.drop("50-broken.yaml", "version: 1\nrules: [\n")
        self.daemon.restart()
        self.assertEqual(self.lab.ruleset(), before)
        self.assertTrue(self.daemon.call("Status")["problems"])
        self.assert_reach("open", 22)
        self.assert_reach("filtered", 80)
        # The same after a reboot: the kernel is empty, the files are still broken.
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)

    def test_apply_replaces_the_policy_file(self):
        new = self.lab.directory / "new.yaml"
        new.write_text(POLICY.replace("22/tcp", "[22/tcp, 80/tcp]"))
        self.daemon.fwctl("diff", new)
        self.assert_reach("filtered", 80)
        self.daemon.fwctl("apply", new)
        self.assert_reach("open", 80)
        self.assertEqual((self.daemon.config / "policy.yaml").read_text(), new.read_text())

    def test_apply_refuses_a_broken_file_whole(self):
        new = self.lab.directory / "new.yaml"
        new.write_text("version: 1\nrules:\n  - allow: 80/tcp\n  - allow: ninety/tcp\n")
        before = self.daemon.snapshot()
        done = self.daemon.fwctl("apply", new, code=1)
        self.assertRegex(done.stdout + done.stderr, r"new\.yaml:4:\d+")
        self.assertEqual(self.daemon.snapshot(), before)

    def test_check_works_without_a_daemon(self):
        good = self.lab.directory / "good.yaml"
        good.write_text(POLICY)
        bad = self.lab.directory / "bad.yaml"
        bad.write_text(POLICY + "  - allow: 70000/tcp\n")
        self.daemon.stop()
        self.daemon.fwctl("check", good)
        done = self.daemon.fwctl("check", bad, code=1)
        self.assertRegex(done.stdout + done.stderr, r"bad\.yaml:5:\d+")
        self.daemon.fwctl("status", code=4)

    def test_the_files_of_people_are_never_rewritten(self):
        self.drop("50-web.yaml", "version: 1\nrules:\n  - allow: 80/tcp   # mine\n")
        before = {path: content for path, content in self.daemon.files(self.daemon.config).items()
                  if not path.endswith("rules.yaml")}
        for words in (("reload",), ("allow", "443/tcp"), ("prepend", "deny", "443/tcp"),
                      ("default", "reject", "incoming"), ("delete", "deny", "443/tcp"),
                      ("disable",), ("enable",)):
            self.daemon.fwctl(*words, code=None)
        after = {path: content for path, content in self.daemon.files(self.daemon.config).items()
                 if not path.endswith("rules.yaml")}
        self.assertEqual(after, before)


if __name__ == "__main__":
    lab.main()
