"""The tables of docs/ufw.md: each command is run as it stands there, and packets see what it says."""

import pathlib
import re
import shlex

import lab

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/ufw.md"
PACKETS = re.compile(r"(?:(\d+) × )?(?:(out|through) )?(\d+)/(tcp|udp) (open|filtered|refused)(?: IPv([46]))?$")
# Commands of the second table after which packets meet what they met before.
LOOKING = ("status", "show", "app list", "app info", "app default", "version", "logging")
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

    def probe(self, *expectations):
        """At once, but for those that count."""
        wanted = []
        for times, way, port, protocol, expected, family in (PACKETS.match(one).groups() for one in expectations):
            where = {None: {}, "out": {"server": lab.CLIENT, "namespace": "server"},
                     "through": {"server": lab.INNER}}[way]
            families = (int(family),) if family else lab.FAMILIES
            for _ in range(int(times or 0)):
                self.assert_reach(expected, int(port), protocol, families=families, **where)
            if not times:
                wanted.append((expected, int(port), protocol, {"families": families, **where}))
        self.assert_all(*wanted)

    def assert_rules(self, part):
        """One of three parts of the first table."""
        self.lab.forwarding()
        rows = table("Rules")
        self.assertGreater(len(rows), 30)
        listeners = {(way or "in", protocol, int(port))
                     for *_, packets in rows for _, way, port, protocol, *_ in
                     (PACKETS.match(one).groups() for one in packets.split(", "))}
        for way, protocol, port in sorted(listeners):
            self.lab.listen(port, protocol=protocol,
                            namespace={"in": "server", "out": "client", "through": "inner"}[way])
        self.start()
        for ufw, fwctl, packets in rows[part::3]:
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
                self.probe(*packets.split(", "))
                self.daemon.fwctl("--force", "reset")

    def test_rules(self):
        self.assert_rules(0)

    def test_more_rules(self):
        self.assert_rules(1)

    def test_the_other_rules(self):
        self.assert_rules(2)

    def test_other_commands(self):
        self.start()
        for ufw, fwctl, *_ in table("Other commands"):
            with self.subTest(fwctl):
                command = words(fwctl, "fwctl")
                self.assertEqual(command, words(ufw, "ufw"))
                self.assertTrue(self.daemon.fwctl(*command).stdout)

    def test_commands_that_change_what_passes(self):
        self.lab.forwarding()
        for port in (22, 80, 81):
            self.lab.listen(port)
        self.lab.listen(80, namespace="inner")
        commands = {" ".join(words(row[1], "fwctl")): words(row[1], "fwctl")
                    for row in table("Other commands")}
        left = {command for command in commands if not command.startswith(LOOKING)}
        policy = self.daemon.config / "policy.yaml"

        def run(command):
            left.remove(command)
            self.daemon.fwctl(*commands[command])

        policy.write_text("defaults: {incoming: deny, routed: deny}\n")
        self.start()
        self.probe("80/tcp open")
        run("enable")
        self.assert_all(("filtered", 80), ("filtered", 80, {"server": lab.INNER}))
        policy.write_text("defaults: {incoming: allow, routed: deny}\n")
        self.probe("80/tcp filtered")
        run("reload")
        self.probe("80/tcp open")
        run("default deny incoming")
        self.probe("80/tcp filtered")
        run("default allow routed")
        self.probe("through 80/tcp open")
        run("--dry-run allow 22")
        self.probe("22/tcp filtered")
        self.daemon.fwctl("allow", "Web Server")
        (self.daemon.config / "applications.d/web").write_text(PROFILE.replace("80,443", "81"))
        self.assert_all(("open", 80), ("filtered", 81))
        run("app update Web Server")
        self.assert_all(("filtered", 80), ("open", 81))
        run("disable")
        self.probe("22/tcp open")
        self.daemon.fwctl("enable")
        self.probe("22/tcp filtered")
        run("--force reset")
        self.probe("22/tcp open")
        self.assertEqual(left, set(), "every row has packets")

    def test_places_in_the_list(self):
        self.lab.forwarding()
        self.lab.listen(80)
        self.lab.listen(80, namespace="inner")
        self.start("defaults: {incoming: deny, routed: deny}\n")
        for way, route in (("", ()), ("through ", ("route",))):
            allow, deny = ((*route, verdict, "proto", "tcp", "from", "any", "to", "any", "port", "80")
                           for verdict in ("allow", "deny"))
            self.daemon.fwctl(*allow)
            self.probe(way + "80/tcp open")
            self.daemon.fwctl(*route, "insert", "1", *deny[len(route):])
            self.probe(way + "80/tcp filtered")
            self.daemon.fwctl("--force", "delete", "1")
            self.probe(way + "80/tcp open")
            self.daemon.fwctl(*route, "delete", *allow[len(route):])
            self.probe(way + "80/tcp filtered")


if __name__ == "__main__":
    lab.main(workers=4)
