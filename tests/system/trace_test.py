#!/usr/bin/env python3
"""fwctl trace: what the kernel does with real packets, in the words of the policy."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import unittest

import lab
from lab import CLIENT, CLIENT_TOO, INNER, SERVER

POLICY = """
version: 1
rules:
  - deny: 3000/tcp
  - deny: 9000-9010/udp
  - reject: 25/tcp
  - allow: [22/tcp, 80/tcp]
  - deny: 81/tcp
    from: [192.0.2.3, 2001:db8:1::3]
    log: true
  - limit: 82/tcp
    rate: 1/hour
    burst: 1
  - {deny: 4001/tcp, from: 192.0.2.0/28}
  - {allow: 4002/tcp, from: 192.0.2.2}
  - {allow: 4003/tcp, from: 192.0.2.3}
  - {deny: 4004/tcp, from: 192.0.2.2}
  - {deny: 4005-4007/tcp, from: 192.0.2.2}
  - {reject: 53/udp, direction: out, to: 192.0.2.2}
"""


DESCRIPTION = (lab.SOURCE / "daemon/protocol/org.fwctl.Firewall.varlink").read_text()


def described(name):
    """The members of a type of the interface description: those that must be there, and all."""
    body = re.search(rf"^type {name} \(\n(.*?)^\)", DESCRIPTION, re.M | re.S)[1]
    members = dict(re.findall(r"^  (\w+): (\??)", body, re.M))
    return {one for one, optional in members.items() if not optional}, set(members)


class Tracing:
    """A running `fwctl --json trace`, which the kernel looks for already."""

    def __init__(self, test, *words, text=False):
        self.test = test
        flags = [] if text else ["--json"]
        with lab.inside("server"):
            self.process = subprocess.Popen(
                [test.daemon.cli, "--socket", test.daemon.socket, "--color=never", *flags, "trace", *words],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        test.addCleanup(self.process.stdout.close)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        self._unread = b""
        self.first = self.line()

    def line(self):
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self.process.stdout], [], [], lab.PATIENCE)
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            self.test.assertTrue(more, "nothing comes")
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def next(self):
        return json.loads(self.line())

    def packet(self):
        packet = self.next()["trace"]
        for value, name in [(packet, "PacketTrace"), *((step, "TraceStep") for step in packet["steps"])]:
            needed, known = described(name)
            self.test.assertLessEqual(needed, value.keys(), name)
            self.test.assertLessEqual(value.keys(), known, name)
        return packet

    def lines(self):
        """All that comes until it ends."""
        return (self._unread + self.process.stdout.read()).decode().splitlines()


class Trace(lab.LabTest):
    def begin(self, policy=POLICY):
        self.start(policy)
        return self.daemon

    def trace(self, *words, **options):
        return Tracing(self, *words, **options)

    @staticmethod
    def send(port, protocol="tcp", family=4, source=None, to=None, **options):
        lab.probe(to or SERVER[family], port, protocol, wait=0.05, source=source, **options)

    def chains(self):
        """Those of ours that mark packets."""
        return [name for name in self.lab.nft("list", "chains", "inet").stdout.split() if name.startswith("trace-")]

    def handles(self):
        listing = self.lab.table("-a")
        return {int(line.rsplit(" ", 1)[1]) for line in listing.splitlines() if "# handle" in line}

    def decided(self, trace, port, protocol="tcp", **options):
        self.send(port, protocol, **options)
        packet = trace.packet()
        self.assertEqual(packet["destinationPort"], port)
        self.assertTrue({step["handle"] for step in packet["steps"] if step["kind"] == "rule"} <= self.handles())
        return packet["verdict"], packet.get("number"), packet["because"]

    def test_each_kind_of_rule_is_named(self):
        self.begin()
        self.lab.listen(22, 80, 81, 82, 4002, 4003)
        trace = self.trace("from", "192.0.2.0/24")
        self.assertEqual(json.loads(trace.first), {"seconds": 60})
        for expected, port, options in [
                (("deny", 1, "deny 3000/tcp"), 3000, {}),
                (("deny", 2, "deny 9000-9010/udp"), 9000, {"protocol": "udp"}),
                (("deny", 2, "deny 9000-9010/udp"), 9007, {"protocol": "udp"}),
                (("reject", 3, "reject 25/tcp"), 25, {}),
                (("allow", 4, "allow 22,80/tcp"), 80, {}),
                (("deny", 5, "deny log proto tcp from 192.0.2.3,2001:db8:1::3 to any port 81"), 81,
                 {"source": CLIENT_TOO[4]}),
                (("deny", None, "default"), 81, {}),
                (("allow", 6, "limit rate 1/hour burst 1 82/tcp"), 82, {}),
                (("reject", 6, "limit rate 1/hour burst 1 82/tcp"), 82, {}),
                (("deny", 7, "deny proto tcp from 192.0.2.0/28 to any port 4001"), 4001, {}),
                (("allow", 8, "allow proto tcp from 192.0.2.2 to any port 4002"), 4002, {}),
                (("deny", None, "default"), 4002, {"source": CLIENT_TOO[4]}),
                (("allow", 9, "allow proto tcp from 192.0.2.3 to any port 4003"), 4003,
                 {"source": CLIENT_TOO[4]}),
                (("deny", 11, "deny proto tcp from 192.0.2.2 to any port 4005-4007"), 4006, {})]:
            with self.subTest(port=port, **options):
                self.assertEqual(self.decided(trace, port, **options), expected)
        kinds = self.lab.table()
        for kind in ("map incoming-ports {", "map incoming-port-ranges {", "map incoming-ipv4-from-ports {",
                     "map incoming-ipv4-from-port-ranges {"):
            self.assertIn(kind, kinds, "or this test is about less than it says")

    def test_both_families_and_what_a_packet_is(self):
        self.begin()
        trace = self.trace("3000/tcp")
        for family in lab.FAMILIES:
            self.send(3000, family=family, source=CLIENT[family])
            packet = trace.packet()
            self.assertEqual((packet["protocol"], packet["source"], packet["destination"], packet["flags"]),
                             ("tcp", CLIENT[family], SERVER[family], "SYN"))
            self.assertEqual((packet["inInterface"], packet["outInterface"]), ("eth0", ""))
            self.assertEqual((packet["verdict"], packet["rule"], packet["line"], packet["cut"]),
                             ("deny", packet["steps"][-1]["rule"], 4, False))
            self.assertTrue(packet["file"].endswith("/policy.yaml"))
            self.assertRegex(packet["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            step = packet["steps"][-1]
            self.assertEqual((step["family"], step["table"], step["chain"], step["verdict"], step["effect"]),
                             ("inet", "fwctl", "incoming", "drop", "deny"))

    def test_for_people(self):
        self.begin()
        trace = self.trace("-n", "5", "tcp", "--all", text=True)
        self.assertEqual(trace.first, "Tracing for 60 seconds; Ctrl-C ends it.")
        self.send(3000)
        self.send(81, source=CLIENT_TOO[4])
        self.send(25)
        self.lab.listen(80)
        with lab.connect(SERVER[4], 80):
            text = [line.replace(str(self.daemon.config), "/etc/fwctl") for line in trace.lines()]
        when = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        for line, expected in zip(text, [
                rf"{when} tcp 192\.0\.2\.2:\d+ to 192\.0\.2\.1:3000 in eth0 SYN: denied",
                r"  denied by rule 1, deny 3000/tcp \(/etc/fwctl/policy.yaml:4, r\w+\)",
                rf"{when} tcp 192\.0\.2\.3:\d+ to 192\.0\.2\.1:81 in eth0 SYN: denied",
                r"  logged by rule 5, deny log proto tcp from .*",
                r"  denied by rule 5, deny log proto tcp from 192\.0\.2\.3,2001:db8:1::3 to any port 81 \(/etc.*",
                rf"{when} tcp 192\.0\.2\.2:\d+ to 192\.0\.2\.1:25 in eth0 SYN: rejected",
                r"  rejected by rule 3, reject 25/tcp \(/etc/fwctl/policy.yaml:6, r\w+\)",
                rf"{when} tcp 192\.0\.2\.2:\d+ to 192\.0\.2\.1:80 in eth0 SYN: allowed",
                r"  allowed by rule 4, allow 22,80/tcp \(/etc/fwctl/policy.yaml:7, r\w+\)",
                rf"{when} tcp 192\.0\.2\.2:\d+ to 192\.0\.2\.1:80 in eth0 ACK: allowed",
                r"  allowed by 'established', which is always there: .*",
                r"Ended: all packets that were asked for came\."], strict=True):
            self.assertRegex(line, f"^{expected}$")
        self.assertEqual(trace.process.wait(lab.PATIENCE), 0)

    def test_of_connections_only_the_beginning_unless_asked(self):
        self.begin()
        self.lab.listen(22)
        with lab.connect(SERVER[4], 22) as connection:
            short = self.trace("22/tcp")
            whole = self.trace("22/tcp", "--all")
            connection.sendall(b"x")
            packet = whole.packet()
            self.assertEqual((packet["verdict"], packet["rule"]), ("allow", "established"))
        self.send(22, source=CLIENT_TOO[4])
        self.assertEqual(short.packet()["source"], CLIENT_TOO[4])

    def test_what_is_always_there(self):
        self.begin()
        trace = self.trace("icmp", "echo")
        for family in lab.FAMILIES:
            self.assertTrue(lab.probe_ping(SERVER[family]))
            packet = trace.packet()
            self.assertEqual((packet["verdict"], packet["rule"]), ("allow", "echo"), family)
            self.assertNotIn("number", packet)
            self.assertTrue(packet["because"])
        trace = self.trace("tcp", "on", "lo")
        lab.probe("127.0.0.1", 99, namespace="server")
        self.assertEqual(trace.packet()["rule"], "loopback")

    def test_what_goes_out(self):
        self.begin()
        self.lab.listen(4000, namespace="client")
        trace = self.trace("out", "to", CLIENT[4])
        self.send(4000, to=CLIENT[4], namespace="server")
        packet = trace.packet()
        self.assertEqual((packet["verdict"], packet["because"], packet["outInterface"]), ("allow", "default", "eth0"))
        self.send(53, "udp", to=CLIENT[4], namespace="server")
        packet = trace.packet()
        self.assertEqual((packet["verdict"], packet["number"]), ("reject", 12))
        self.assertEqual(packet["steps"][-1]["chain"], "refuse")

    def test_forwards_and_what_is_routed(self):
        self.begin("version: 1\ndefaults: {routed: deny}\nforward:\n  - {port: 8080/tcp, to: '198.51.100.2:80'}\n"
                   "rules:\n  - {allow: 81/tcp, direction: routed}\n")
        self.lab.forwarding()
        self.lab.listen(80, 81, namespace="inner")
        trace = self.trace("tcp")
        people = self.trace("8080/tcp", "-n", "1", text=True)
        self.send(8080)
        self.assertIn("  sent on to 198.51.100.2:80 by forward 8080/tcp to", people.lines()[1])
        packet = trace.packet()
        self.assertEqual((packet["verdict"], packet["destination"], packet["destinationPort"]),
                         ("allow", SERVER[4], 8080))
        effects = [(step["effect"], step.get("because", "")) for step in packet["steps"] if step["effect"] != "none"]
        forward = "forward 8080/tcp to 198.51.100.2:80"
        self.assertEqual(effects, [("translate", forward), ("allow", forward)])
        self.assertEqual((packet["because"], packet["line"], packet["to"]), (forward, 4, "198.51.100.2:80"))
        routed = self.trace("routed", "out", "on", "eth1", "to", INNER[4])
        for port, expected in [(81, ("allow", 1)), (82, ("deny", None))]:
            self.send(port, to=INNER[4])
            for one in (trace, routed):
                packet = one.packet()
                self.assertEqual((packet["verdict"], packet.get("number")), expected)
                self.assertEqual((packet["inInterface"], packet["outInterface"]), ("eth0", "eth1"))

    def test_published_ports_of_containers(self):
        self.begin("version: 1\nrules:\n  - allow: 8080/tcp\n  - deny: 8090-8099/tcp\n")
        self.lab.forwarding()
        self.lab.listen(80, namespace="inner")
        self.lab.nft("-f", "-", input="table ip docker { chain p { type nat hook prerouting priority -100; "
                     "tcp dport { 8080, 8081, 8091 } dnat to 198.51.100.2:80; }; }")
        trace = self.trace("tcp", "from", CLIENT[4])
        for port, expected in [(8080, ("allow", 1)), (8091, ("deny", 2)), (8081, ("deny", None))]:
            self.send(port)
            packet = trace.packet()
            self.assertEqual((packet["verdict"], packet.get("number")), expected)
            self.assertIn("published", [step["chain"] for step in packet["steps"]])
            self.assertIn("docker", [step["table"] for step in packet["steps"]])

    def test_another_programs_word(self):
        self.begin()
        self.lab.listen(80)
        self.lab.nft("-f", "-", input="table ip other { chain late { type filter hook input priority 10; "
                     "tcp dport 80 counter drop; }; }")
        trace = self.trace("80/tcp")
        people = self.trace("80/tcp", "-n", "1", text=True)
        self.send(80)
        packet = trace.packet()
        self.assertEqual(packet["verdict"], "deny")
        self.assertNotIn("rule", packet)
        self.assertEqual([step["effect"] for step in packet["steps"] if step["effect"] != "none"], ["allow", "deny"])
        text = people.lines()
        self.assertIn("denied", text[0])
        self.assertIn("allowed by rule 4", text[1])
        self.assertEqual(text[2], "  another program's table ip other, chain late: drop")

    def test_what_no_rule_sees(self):
        self.begin(POLICY + "forward: [{port: 8080/tcp, to: '198.51.100.2:80'}]\n")  # its chain sees the packet
        trace = self.trace("from", CLIENT[4])
        self.send(80, to=INNER[4])  # this host does not forward
        packet = trace.packet()
        self.assertEqual((packet["verdict"], packet["destination"]), ("none", INNER[4]))
        self.assertNotIn("because", packet)

    def test_nothing_else_is_shown_and_it_ends(self):
        self.begin()
        trace = self.trace("3000/tcp", "from", CLIENT_TOO[4], "--for", "2s")
        self.send(3000)
        self.send(3001, source=CLIENT_TOO[4])
        self.send(3000, source=CLIENT_TOO[4])
        self.assertEqual(trace.packet()["source"], CLIENT_TOO[4])
        self.assertEqual(trace.next(), {"ended": "the time is over"})
        self.assertEqual(trace.process.wait(lab.PATIENCE), 0)
        self.assertEqual(self.chains(), [])

    def test_a_flood_is_held_down_in_the_kernel(self):
        self.begin()
        trace = self.trace("out", "udp", "to", CLIENT[4], "--for", "3s")
        with lab.inside("server"):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            for port in range(10000, 13000):
                sock.sendto(b"x", (CLIENT[4], port))
        got = len(trace.lines()) - 1
        self.assertGreater(got, 10)
        self.assertLess(got, 100)

    def test_who_leaves_leaves_nothing(self):
        self.begin()
        before = self.lab.table()
        for how in (signal.SIGINT, signal.SIGKILL):
            trace = self.trace("3000/tcp")
            self.assertEqual(len(self.chains()), 1)
            trace.process.send_signal(how)
            lab.until(lambda: not self.chains(), "the chain is gone")
        self.assertEqual(self.lab.table(), before)
        trace = self.trace("3000/tcp")
        self.daemon.stop()
        self.assertEqual(trace.process.wait(lab.PATIENCE), 1, trace.lines())
        self.assertEqual(self.lab.table(), before, "a daemon that is stopped takes it along")

    def test_what_a_killed_daemon_leaves_goes_with_the_next_start(self):
        self.begin()
        before = self.lab.table()
        self.trace("3000/tcp")
        self.daemon.kill()
        self.assertEqual(len(self.chains()), 1)
        self.daemon.start()
        self.assertEqual(self.lab.table(), before)
        self.assertEqual(self.daemon.call("Status")["problems"], [])

    def test_it_is_no_change_of_what_is_in_force(self):
        self.begin()
        before = self.daemon.call("Status")
        trace = self.trace("3000/tcp")
        self.assertEqual(self.daemon.call("Status"), before)
        self.assertIn("in force already", self.daemon.fwctl("reload").stdout)
        self.assertFalse(self.daemon.call("Enable")["outcome"]["changed"])
        trace.process.kill()
        lab.until(lambda: not self.chains(), "the chain is gone")
        self.assertEqual(self.daemon.call("Status"), before)
        self.assertIn("in force already", self.daemon.fwctl("reload").stdout)

    def test_the_policy_may_change_meanwhile(self):
        self.begin()
        self.lab.listen(5000)
        trace = self.trace("tcp")
        self.assertEqual(self.decided(trace, 5000), ("deny", None, "default"))
        self.daemon.fwctl("allow", "5000/tcp")
        self.assertEqual(self.decided(trace, 5000), ("allow", 13, "allow 5000/tcp"))
        self.daemon.fwctl("prepend", "deny", "from", CLIENT[4])
        self.assertEqual(self.decided(trace, 5000), ("deny", 1, f"deny from {CLIENT[4]}"))
        self.assertEqual(self.decided(trace, 5000, source=CLIENT_TOO[4]), ("allow", 14, "allow 5000/tcp"))
        self.assertEqual(len(self.chains()), 1)
        lab.until(lambda: self.lab.table().count("\tchain incoming") == 1, "what was replaced is collected")
        self.assertEqual(self.decided(trace, 5000), ("deny", 1, f"deny from {CLIENT[4]}"))
        self.daemon.fwctl("disable")
        self.assertEqual(trace.next(), {"ended": "the firewall is no longer in force"})
        self.assertEqual(self.lab.table(), "")

    def test_another_program_in_our_table_is_still_noticed(self):
        self.daemon.watch()
        self.begin()
        live = self.lab.ruleset()
        trace = self.trace("tcp")
        self.lab.nft("add", "rule", "inet", "fwctl", "incoming", "accept")
        lab.until(lambda: any("had changed table inet fwctl" in one
                              for one in self.daemon.call("Status")["problems"]), "it is noticed")
        self.assertEqual(self.decided(trace, 3000)[:2], ("deny", 1), "and the trace goes on")
        self.lab.nft("flush", "chain", "inet", "fwctl", self.chains()[0])
        self.assertEqual(trace.next(), {"ended": "another program changed table inet fwctl"})
        lab.until(lambda: self.lab.ruleset() == live, "all is as it was")
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.trace("tcp")
        self.assertIn("restored", " ".join(self.daemon.call("Status")["problems"]))

    def test_refusals(self):
        self.start()
        self.assertIn("not in force", self.daemon.fwctl("trace", "22/tcp", code=1).stderr)
        self.daemon.apply(POLICY)
        self.daemon.call("Enable")
        self.assertIn("nosuch", self.daemon.fwctl("trace", "nosuch", code=2).stderr)
        self.assertIn("mark", self.daemon.fwctl("trace", "tcp", "mark", "0x1", code=1).stderr)
        self.assertIn("span", self.daemon.fwctl("trace", "tcp", "--for", "soon", code=2).stderr)
        self.assertIn("600", self.daemon.fwctl("trace", "tcp", "--for", "11m", code=1).stderr)
        with self.assertRaisesRegex(lab.VarlinkError, "stream"):
            self.daemon.call("Trace")
        traces = [self.trace("tcp") for _ in range(4)]
        self.assertIn("4 traces", self.daemon.fwctl("trace", code=1).stderr)
        self.assertEqual(len(self.chains()), 4)
        for trace in traces:
            trace.process.kill()
        lab.until(lambda: not self.chains(), "they are gone")

    def test_several_at_once_show_the_same_packet(self):
        self.begin()
        traces = [self.trace("tcp"), self.trace("3000/tcp"), self.trace()]
        self.send(3000)
        found = [trace.packet() for trace in traces]
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])


if __name__ == "__main__":
    lab.main()
