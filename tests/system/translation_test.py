"""Forwards and masquerades, judged by real packets on both families."""

import socket

import lab

# Nothing passes but by what a test adds.
CLOSED = "version: 1\ndefaults: {incoming: deny, outgoing: allow, routed: deny}\n"
FORWARDS = f"""\
forward:
  - port: 8080/tcp
    to: {lab.INNER[4]}:80
  - port: 8080/tcp
    to: "[{lab.INNER[6]}]:80"
"""
ROUTED_OUT = "rules:\n  - route allow in on eth1 out on eth0\n"


def bound(address, port=0):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.settimeout(lab.PATIENCE)
    return sock


class Translations(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.forwarding()
        self.lab.listen(80, namespace="inner")
        self.lab.listen(53, protocol="udp", namespace="inner")

    def assert_echo(self, connection):
        connection.sendall(b"still here")
        self.assertEqual(connection.recv(64), b"still here")

    def peer_of_inner(self, family):
        """Whom the client sees when inner connects to it, and the connection's two ends."""
        with lab.inside("client"):
            listener = bound(lab.CLIENT[family])
            listener.listen()
        self.addCleanup(listener.close)
        ours = lab.connect(*listener.getsockname()[:2], namespace="inner")
        self.addCleanup(ours.close)
        theirs, address = listener.accept()
        self.addCleanup(theirs.close)
        return address[0], ours, theirs


class Forwards(Translations):
    def test_a_port_of_this_host_leads_to_another(self):
        self.start(CLOSED)
        self.assert_reach("filtered", 8080)
        self.daemon.apply(CLOSED + FORWARDS)
        self.assert_reach("open", 8080)
        self.assert_reach("filtered", 80)
        self.assert_reach("filtered", 8081)
        self.assert_reach("filtered", 80, server=lab.INNER)  # not around the forward

    def test_udp_and_a_port_that_is_kept(self):
        self.start(CLOSED + f"forward:\n  - port: 53\n    to: {lab.INNER[4]}\n"
                            f"  - port: 5353/udp\n    to: \"[{lab.INNER[6]}]:53\"\n")
        self.assert_reach("open", 53, "udp", families=[4])
        self.assert_reach("refused", 53, families=[4])  # inner has nothing there
        self.assert_reach("filtered", 53, "udp", families=[6])
        self.assert_reach("open", 5353, "udp", families=[6])

    def test_ranges_keep_their_ports(self):
        self.start(CLOSED + f"forward:\n  - port: [70-80/tcp, 90/tcp]\n    to: {lab.INNER[4]}\n")
        self.assert_reach("open", 80, families=[4])
        self.assert_reach("refused", 70, families=[4])
        self.assert_reach("refused", 90, families=[4])
        self.assert_reach("filtered", 81, families=[4])
        self.assert_reach("filtered", 69, families=[4])
        self.assert_reach("filtered", 80, families=[4], server=lab.INNER)  # not around the forward

    def test_from_and_interface(self):
        self.start(CLOSED + f"""\
sets: {{peers: [{lab.CLIENT_TOO[4]}]}}
forward:
  - port: 8080/tcp
    to: {lab.INNER[4]}:80
    from: "@peers"
  - port: 8080/tcp
    to: "[{lab.INNER[6]}]:80"
    from: "!{lab.CLIENT[6]}"
  - port: 8081/tcp
    to: {lab.INNER[4]}:80
    interface: eth1
  - port: 8082/tcp
    to: {lab.INNER[4]}:80
    interface: [eth1, "et*"]
""")
        self.assert_reach("filtered", 8080, source=lab.CLIENT)
        self.assert_reach("open", 8080, source=lab.CLIENT_TOO)
        self.assert_reach("filtered", 8081, families=[4])
        self.assert_reach("open", 8082, families=[4])

    def test_the_rules_are_not_asked(self):
        self.start(CLOSED + "rules:\n  - deny: 8080/tcp\n  - route deny from any\n" + FORWARDS)
        self.assert_reach("open", 8080)

    def test_the_first_forward_counts(self):
        self.start(CLOSED + f"forward:\n  - port: 8080/tcp\n    to: {lab.INNER[4]}:81\n" +
                   FORWARDS.split("\n", 1)[1])
        self.assert_reach("refused", 8080, families=[4])

    def test_only_addresses_of_this_host(self):
        self.start(CLOSED.replace("routed: deny", "routed: allow") +
                   f"forward:\n  - port: 81/tcp\n    to: {lab.INNER[4]}:80\n"
                   f"  - port: 81/tcp\n    to: \"[{lab.INNER[6]}]:80\"\n")
        self.assert_reach("open", 81)
        self.assert_reach("refused", 81, server=lab.INNER)  # inner's own port 81

    def test_what_another_program_redirects_is_not_a_forward(self):
        self.start(CLOSED + FORWARDS)
        self.lab.nft("-f", "-", input=f"""
            table ip other {{
                chain to {{
                    type nat hook prerouting priority -101;
                    tcp dport 9999 dnat to {lab.INNER[4]}:80
                }}
            }}""")
        self.assert_reach("filtered", 9999, families=[4])
        self.assert_reach("open", 8080)

    def test_connections_outlive_changes(self):
        self.start(CLOSED + FORWARDS)
        connections = [lab.connect(lab.SERVER[family], 8080) for family in lab.FAMILIES]
        for policy in (CLOSED + FORWARDS + ROUTED_OUT, CLOSED + FORWARDS.replace(":80", ":81"),
                       CLOSED + "masquerade: wg0\n"):
            self.daemon.apply(policy)
            for connection in connections:
                self.assert_echo(connection)
        for connection in connections:
            connection.close()
        self.assert_reach("filtered", 8080)
        self.daemon.apply(CLOSED)
        self.assertNotIn("nat hook", self.lab.ruleset())

    def test_the_command_line(self):
        self.start(CLOSED)
        words = ("forward", "8080/tcp", "to", f"{lab.INNER[4]}:80", "on", "eth0")
        self.daemon.fwctl(*words, "comment", "the shop")
        self.assert_reach("open", 8080, families=[4])
        status = self.daemon.json("status")
        self.assertEqual(status["rules"], [])
        (one,) = status["translations"]
        self.assertEqual((one["text"], one["comment"], one["packets"]), (" ".join(words), "the shop", 1))
        self.assertIn(" ".join(words), self.daemon.fwctl("status").stdout)
        self.assertIn(f"fwctl {' '.join(words)} comment 'the shop'\n",
                      self.daemon.fwctl("show", "added").stdout)
        self.assertIn("already there", self.daemon.fwctl(*words).stdout)
        self.daemon.restart()
        self.assert_reach("open", 8080, families=[4])
        self.daemon.fwctl("delete", *words)
        self.assert_reach("filtered", 8080, families=[4])
        self.assertEqual(self.daemon.json("status")["translations"], [])
        refused = self.daemon.fwctl("forward", "8080/tcp", "to", "10.0.0.5:99999", code=2)
        self.assertIn("command:1:30: error: '99999' is not a port", refused.stderr)
        self.daemon.fwctl("insert", "1", *words, code=1)


class Masquerades(Translations):
    def test_the_peer_sees_this_host(self):
        self.start(CLOSED + ROUTED_OUT)
        for family in lab.FAMILIES:
            self.assertEqual(self.peer_of_inner(family)[0], lab.INNER[family])
        self.daemon.apply(CLOSED + ROUTED_OUT + "masquerade: eth0\n")
        for family in lab.FAMILIES:
            self.assertEqual(self.peer_of_inner(family)[0], lab.SERVER[family])

    def test_from_and_interface(self):
        self.start(CLOSED + ROUTED_OUT + f"masquerade:\n  - out-interface: eth0\n"
                                         f"    from: {lab.INNER[4]}/32\n  - eth1\n")
        self.assertEqual(self.peer_of_inner(4)[0], lab.SERVER[4])
        self.assertEqual(self.peer_of_inner(6)[0], lab.INNER[6])

    def test_lets_nothing_pass(self):
        self.start(CLOSED + "masquerade: eth0\n")
        self.lab.listen(7000, namespace="client")
        self.assert_reach("filtered", 7000, server=lab.CLIENT, namespace="inner")

    def test_connections_outlive_changes(self):
        self.start(CLOSED + ROUTED_OUT + "masquerade: eth0\n")
        ends = [self.peer_of_inner(family)[1:] for family in lab.FAMILIES]
        for policy in (CLOSED + FORWARDS, CLOSED + "masquerade: wg0\n",
                       CLOSED + ROUTED_OUT + "masquerade: [eth1, eth0]\n"):
            self.daemon.apply(policy)
            for ours, theirs in ends:
                ours.sendall(b"ask")
                self.assertEqual(theirs.recv(64), b"ask")
                theirs.sendall(b"answer")
                self.assertEqual(ours.recv(64), b"answer")

    def test_the_command_line(self):
        self.start(CLOSED + ROUTED_OUT)
        self.daemon.fwctl("masquerade", "out", "on", "eth0")
        self.assertEqual(self.peer_of_inner(4)[0], lab.SERVER[4])
        self.daemon.fwctl("delete", "masquerade", "out", "on", "eth0")
        self.assertEqual(self.peer_of_inner(4)[0], lab.INNER[4])


class WithoutForwarding(lab.LabTest):
    """The kernel passes nothing on: fwctl says so and leaves it as it is."""

    IPV4 = "net.ipv4.ip_forward"
    IPV6 = "net.ipv6.conf.all.forwarding"

    def setUp(self):
        super().setUp()
        for name in (self.IPV4, self.IPV6):
            lab.sysctl("server", name, 0)

    def named(self, texts):
        return [name for name in (self.IPV4, self.IPV6) if any(name in text for text in texts)]

    def problems(self):
        return self.named(self.daemon.call("Status")["problems"])

    def test_is_said(self):
        self.start(CLOSED)
        self.assertEqual(self.problems(), [])
        notes = self.daemon.apply(CLOSED + FORWARDS)["notes"]
        self.assertEqual(self.named(notes), [self.IPV4, self.IPV6])
        self.assertEqual(self.problems(), [self.IPV4, self.IPV6])
        lab.sysctl("server", self.IPV4, 1)
        self.assertEqual(self.problems(), [self.IPV6])
        self.assertIn(self.IPV6, self.daemon.fwctl("reload").stdout)
        self.daemon.apply(CLOSED + "masquerade: eth0\n")
        self.assertEqual(self.problems(), [])
        lab.sysctl("server", self.IPV4, 0)
        self.assertEqual(self.problems(), [self.IPV4])

    def test_is_said_of_rules_and_containers(self):
        self.start(CLOSED)
        self.assertEqual(self.daemon.fwctl("allow", "22/tcp").stdout.count(self.IPV4), 0)
        said = self.daemon.fwctl("route", "allow", "in", "on", "eth0").stdout
        self.assertIn("there are rules that let routed packets pass, but the kernel passes no IPv4 "
                      f"packets on: set {self.IPV4} to 1\n", said)
        self.assertEqual(self.problems(), [self.IPV4])
        self.assertIn("! there are rules", self.daemon.fwctl("status").stdout)
        self.daemon.fwctl("delete", "route", "allow", "in", "on", "eth0")
        self.assertEqual(self.problems(), [])
        lab.run("ip", "-n", "server", "link", "add", "docker0", "type", "veth", "peer", "name", "veth0")
        self.assertEqual(self.problems(), [self.IPV4])
        # What would be put in force is asked about, not what is.
        dry = self.daemon.fwctl("--dry-run", "apply", "-", input=CLOSED + "containers: deny\n").stdout
        self.assertNotIn("packets on", dry)
        self.daemon.apply(CLOSED + "containers: deny\n")
        self.assertEqual(self.problems(), [])
        for name in (self.IPV4, self.IPV6):
            with lab.inside("server"), open("/proc/sys/" + name.replace(".", "/")) as setting:
                self.assertEqual(setting.read(), "0\n")


if __name__ == "__main__":
    lab.main()
