"""What `fwctl explain` says is what packets meet: each answer is held against a probe."""

import json

import lab

SEEN_AS = {"allow": "open", "deny": "filtered", "reject": "refused"}
POLICY = f"""\
version: 1
defaults: {{incoming: deny, outgoing: allow, routed: reject}}
sets:
  friends: ["{lab.CLIENT[4]}", "{lab.CLIENT[6]}"]
  one-family: [192.0.2.0/24]
services:
  myapp: {{ports: [6000/tcp, 6100-6101/udp]}}
rules:
  - allow: 80/tcp
  - deny: [81/tcp, 53/udp]
  - reject: [82/tcp, 54/udp]
  - allow: 83/tcp
    interface: eth1
  - reject: 83/tcp
    interface: "eth*"
  - allow: 84
    from: "@friends"
  - reject: 84/tcp
    from: "{lab.CLIENT_TOO[4]}"
  - allow: 85/tcp
    from: "@one-family"
  - allow: myapp
    to: ["{lab.SERVER[4]}", "{lab.SERVER[6]}"]
  - deny: 90-99/tcp
    from-port: 1-1023
  - allow: 90-92/tcp
  - reject: 92-93/tcp
  - reject: 25/tcp
    direction: out
  - deny: 26/tcp
    direction: out
    interface: eth0
  - route deny in on eth0 out on eth1 81/tcp
  - route allow in on eth0 81-82/tcp
"""


class Explain(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80, 81, 82, 83, 84, 85, 86, 90, 92, 93, 6000)
        self.lab.listen(53, 54, 55, 84, 6100, 6101, protocol="udp")
        self.lab.listen(25, 26, 27, namespace="client")
        self.start(POLICY)

    def verdict(self, *question):
        """The only answer, which may not depend on anything."""
        reply = self.daemon.json("explain", *question)
        self.assertTrue(reply["enabled"])
        self.assertEqual(len(reply["explanations"]), 1, json.dumps(reply, indent=1))
        access = reply["explanations"][0]["access"]
        self.assertEqual(len(access), 1, f"{question}: {access}")
        return access[0]["verdict"]

    def assert_agrees(self, port, protocol="tcp", namespace="client", source=lab.CLIENT,
                      server=lab.SERVER, interface="eth0", families=lab.FAMILIES):
        """Asks, then probes; returns what was seen by family."""
        seen = {}
        for family in families:
            verdict = self.verdict(f"{port}/{protocol}", "from", source[family], "port",
                                   "32768-60999", "to", server[family], "on", interface)
            expected = SEEN_AS[verdict]
            found = lab.probe(server[family], port, protocol, namespace=namespace,
                              source=source[family],
                              wait=lab.SILENCE if expected == "filtered" else lab.PATIENCE)
            self.assertEqual(found, expected, f"{protocol} port {port} over IPv{family}")
            seen[family] = found
        return seen

    def test_from_a_host(self):
        seen = set()
        for port in (80, 81, 82, 83, 84, 85, 86, 90, 92, 93, 6000):
            for source in (lab.CLIENT, lab.CLIENT_TOO):
                seen.update(self.assert_agrees(port, source=source).values())
        for port in (53, 54, 55, 84, 6100, 6101):
            seen.update(self.assert_agrees(port, "udp").values())
        self.assertEqual(seen, {"open", "filtered", "refused"})

    def test_families_may_differ(self):
        self.assertEqual(self.assert_agrees(85), {4: "open", 6: "filtered"})
        self.assertEqual(self.assert_agrees(84, source=lab.CLIENT_TOO),
                         {4: "refused", 6: "filtered"})

    def test_on_another_interface(self):
        there = {"namespace": "inner", "source": lab.INNER, "server": lab.SERVER_ETH1,
                 "interface": "eth1"}
        self.assertEqual(self.assert_agrees(83, **there), {4: "open", 6: "open"})
        self.assertEqual(self.assert_agrees(83), {4: "refused", 6: "refused"})
        for port in (80, 84, 6000):
            self.assert_agrees(port, **there)

    def test_from_a_low_port(self):
        for family in lab.FAMILIES:
            verdict = self.verdict("90/tcp", "from", lab.CLIENT[family], "port", "1000", "on", "eth0")
            self.assertEqual(verdict, "deny")
            with self.assertRaises(TimeoutError), lab.inside("client"):
                kind = lab.socket.AF_INET if family == 4 else lab.socket.AF_INET6
                with lab.socket.socket(kind) as sock:
                    sock.settimeout(lab.SILENCE)
                    sock.bind((lab.CLIENT[family], 1000))
                    sock.connect((lab.SERVER[family], 90))

    def test_echo(self):
        for words in (("icmp", "echo"), ("icmp", "8"), ("icmpv6", "128")):
            self.assertEqual(self.verdict(*words), "allow")
        for family in lab.FAMILIES:
            self.assertTrue(lab.probe_ping(lab.SERVER[family], wait=lab.PATIENCE))

    def test_outgoing(self):
        for port, seen in ((25, "refused"), (26, "filtered"), (27, "open")):
            for family in lab.FAMILIES:
                verdict = self.verdict(f"{port}/tcp", "out", "to", lab.CLIENT[family], "on", "eth0")
                self.assertEqual(SEEN_AS[verdict], seen)
            self.assert_reach(seen, port, namespace="server", server=lab.CLIENT)

    def test_loopback(self):
        self.assertEqual(self.verdict("86/tcp", "from", "127.0.0.1"), "allow")
        self.assertEqual(self.verdict("86/tcp", "to", "::1"), "allow")
        self.assert_reach("open", 86, namespace="server", server={4: "127.0.0.1", 6: "::1"})

    def test_routed(self):
        self.lab.forwarding()
        self.lab.listen(80, 81, 82, namespace="inner")
        for port in (80, 81, 82):
            seen = SEEN_AS[self.verdict(f"{port}/tcp", "routed", "in", "on", "eth0", "out", "on",
                                        "eth1")]
            self.assert_reach(seen, port, server=lab.INNER)
            self.assertEqual(seen, {80: "refused", 81: "filtered", 82: "open"}[port])

    def test_what_a_forward_sends_on(self):
        self.lab.forwarding()
        self.lab.listen(80, 90, namespace="inner")
        self.daemon.apply(POLICY + f"""\
forward:
  - port: 81/tcp
    to: {lab.INNER[4]}:80
    from: {lab.CLIENT[4]}
  - port: 90-99/tcp
    to: {lab.INNER[6]}
""")
        def sent_on(port, family, source):
            reply = self.daemon.json("explain", f"{port}/tcp", "from", source[family], "port",
                                     "32768-60999", "on", "eth0")
            (explanation,) = reply["explanations"]
            self.assertEqual(len(explanation["access"]), 1)
            found = lab.probe(lab.SERVER[family], port, source=source[family])
            self.assertEqual(found, SEEN_AS[explanation["access"][0]["verdict"]], f"{port}, {source}")
            return explanation["access"][0].get("to"), found
        here = lab.CLIENT, lab.CLIENT_TOO
        self.assertEqual([sent_on(81, 4, source) for source in here],
                         [(f"{lab.INNER[4]}:80", "open"), (None, "filtered")])
        self.assertEqual(sent_on(81, 6, lab.CLIENT), (None, "filtered"))
        self.assertEqual(sent_on(90, 6, lab.CLIENT), (lab.INNER[6], "open"))
        self.assertEqual(sent_on(90, 4, lab.CLIENT), (None, "open"))
        text = self.daemon.fwctl("explain", "81/tcp", "from", lab.CLIENT[4], "on", "eth0").stdout
        self.assertIn(f"sent on to {lab.INNER[4]}:80\n  by forward 81/tcp to {lab.INNER[4]}:80 from "
                      f"{lab.CLIENT[4]} ({self.daemon.config}/policy.yaml:{POLICY.count(chr(10)) + 2}, f",
                      text)
        # A packet that goes there by itself is for the rules, one that a forward has sent there is not.
        text = self.daemon.fwctl("explain", "80/tcp", "routed", "on", "eth0", "from", lab.CLIENT[4], "to",
                                 lab.INNER[4]).stdout
        self.assertIn(": rejected\n", text)
        self.assertIn("before the rules passes what is sent there by forward 81/tcp to ", text)
        self.assertEqual(lab.probe(lab.INNER[4], 80), "refused")

    def test_ports_lists_what_a_forward_sends_on(self):
        self.assertEqual(self.daemon.json("ports")["forwards"], [])
        self.daemon.fwctl("forward", "8080/tcp", "to", f"{lab.INNER[4]}:80", "from", lab.CLIENT[4])
        reply = self.daemon.json("ports")
        (forward,) = reply["forwards"]
        self.assertEqual((forward["ports"], forward["protocol"], forward["to"]),
                         ("8080", "tcp", f"{lab.INNER[4]}:80"))
        self.assertEqual([(entry["sources"], entry["verdict"], entry.get("to"))
                          for entry in forward["access"]],
                         [(lab.CLIENT[4], "allow", forward["to"]), ("anyone", "deny", None)])
        (row,) = [line for line in self.daemon.fwctl("ports").stdout.splitlines() if "(forward)" in line]
        self.assertRegex(row, rf"8080/tcp +to {lab.INNER[4]}:80 +\(forward\) +{lab.CLIENT[4]}: forward ")
        # A program that listens on the port does not get what is sent on.
        self.daemon.fwctl("forward", "86/tcp", "to", f"{lab.INNER[4]}:80")
        listening = [socket for socket in self.daemon.json("ports")["sockets"] if socket["port"] == 86]
        self.assertEqual({"to" in socket["access"][0] for socket in listening if ":" not in
                          socket["address"]}, {True})
        self.daemon.fwctl("disable")
        self.assertEqual(self.daemon.json("ports")["forwards"], [])

    def test_for_anyone_each_source_is_answered(self):
        reply = self.daemon.json("explain", "84/tcp", "on", "eth0")
        found = {(packets["family"], entry["sources"]): entry["verdict"]
                 for explanation in reply["explanations"] for packets in explanation["packets"]
                 for entry in explanation["access"]}
        self.assertEqual(found, {
            ("ipv4", "@friends"): "allow", ("ipv4", lab.CLIENT_TOO[4]): "reject",
            ("ipv4", "anyone"): "deny", ("ipv6", "@friends"): "allow", ("ipv6", "anyone"): "deny"})
        for family, source, verdict in ((4, lab.CLIENT, "allow"), (4, lab.CLIENT_TOO, "reject"),
                                        (6, lab.CLIENT, "allow"), (6, lab.CLIENT_TOO, "deny")):
            self.assert_reach(SEEN_AS[verdict], 84, families=[family], source=source)

    def test_the_rule_and_its_place(self):
        access = self.daemon.json("explain", "82/tcp")["explanations"][0]["access"][0]
        rule = self.daemon.call("Status")["rules"][2]
        self.assertEqual({key: access[key] for key in ("number", "file", "line", "because")},
                         {"number": 3, "file": rule["file"], "line": rule["line"],
                          "because": rule["text"]})
        self.assertEqual(access["rule"], rule["id"])
        lines = POLICY.splitlines()
        self.assertIn("reject: [82/tcp, 54/udp]", lines[access["line"] - 1])
        text = self.daemon.fwctl("explain", "82/tcp").stdout
        self.assertIn("over IPv4 and IPv6 from anyone: rejected\n  by rule 3, ", text)
        self.assertIn("    rule 1, allow 80/tcp: other port\n", text)

    def test_inactive(self):
        self.daemon.fwctl("disable")
        reply = self.daemon.json("explain", "81/tcp")
        self.assertFalse(reply["enabled"])
        self.assertEqual(reply["explanations"][0]["access"][0]["verdict"], "deny")
        self.assertIn("The firewall is inactive", self.daemon.fwctl("explain", "81/tcp").stdout)
        self.assertIn("would be denied", self.daemon.fwctl("explain", "81/tcp").stdout)
        self.assert_reach("open", 81)

    def test_exit_codes(self):
        for port in (80, 81, 82):
            self.daemon.fwctl("explain", str(port), code=0)
        for words in ((), ("from", "192.0.2.2"), ("nosuchservice",), ("80", "from", "192.0.2")):
            done = self.daemon.fwctl("explain", *words, code=2)
            self.assertIn("command:1:", done.stderr)
        self.assertIn("WHAT", self.daemon.fwctl("explain", "--help").stdout)


if __name__ == "__main__":
    lab.main()
