"""The tables of docs/ufw.md: each command is run as it stands there, and packets see what it says."""

import pathlib
import re
import shlex

import lab

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/ufw.md"
PACKETS = re.compile(r"(?:(\d+) × )?(?:(out|through) )?(\d+)/(tcp|udp) (open|filtered|refused)(?: IPv([46]))?$")
PROFILE = "[Web Server]\ntitle=Web\ndescription=A web server\nports=80,443/tcp\n"


def table(heading):
    """The rows of the table below a heading: lists of cells."""
    part = DOCUMENT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    assert rows, heading
    return rows


def words(cell, program):
    """The arguments of a command in a cell."""
    command = shlex.split(re.fullmatch(r"`(.*)`", cell)[1])
    assert command[0] == program, cell
    return command[1:]


class Forms(lab.LabTest):
    def setUp(self):
        super().setUp()
        profiles = self.daemon.config / "applications.d"
        profiles.mkdir()
        (profiles / "web").write_text(PROFILE)

    def probe(self, expectation):
        times, way, port, protocol, expected, family = PACKETS.match(expectation).groups()
        where = {None: {}, "out": {"server": lab.CLIENT, "namespace": "server"},
                 "through": {"server": lab.INNER}}[way]
        for _ in range(int(times or 1)):
            self.assert_reach(expected, int(port), protocol,
                              families=(int(family),) if family else lab.FAMILIES, **where)

    def test_rules(self):
        self.lab.forwarding()
        rows = table("Rules")
        listeners = {(way or "in", protocol, int(port))
                     for *_, packets in rows for _, way, port, protocol, *_ in
                     (PACKETS.match(one).groups() for one in packets.split(", "))}
        for way, protocol, port in sorted(listeners):
            self.lab.listen(port, protocol=protocol,
                            namespace={"in": "server", "out": "client", "through": "inner"}[way])
        self.start()
        for ufw, fwctl, packets in rows:
            with self.subTest(fwctl):
                command = words(fwctl, "fwctl")
                self.assertEqual(command, words(ufw, "ufw"), "not a word is different")
                closed = bool({"allow", "limit"} & set(command))
                verdict = "deny" if closed else "allow"
                self.daemon.apply(f"defaults: {{incoming: {verdict}, outgoing: {verdict}, "
                                  f"routed: {verdict}}}\n")
                self.daemon.call("Enable")
                self.daemon.fwctl(*command)
                self.assertIn("\n1 ", self.daemon.fwctl("status").stdout)
                for expectation in packets.split(", "):
                    self.probe(expectation)
                self.daemon.fwctl("--force", "reset")
        self.assertGreater(len(rows), 25)

    def test_other_commands(self):
        self.start()
        for ufw, fwctl, *_ in table("Other commands"):
            with self.subTest(fwctl):
                command = words(fwctl, "fwctl")
                self.assertEqual(command, words(ufw, "ufw"))
                self.assertTrue(self.daemon.fwctl(*command).stdout)


if __name__ == "__main__":
    lab.main()
