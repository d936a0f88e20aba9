"""Every verdict and every feature of a rule, judged by real packets on both families."""

import socket
import struct

import lab


def policy(*rules, incoming="deny", outgoing="allow", routed="deny"):
    """A policy in YAML; each rule is the text of one list item."""
    lines = "".join(f"  - {rule}\n" for rule in rules) or "  []\n"
    return (f"version: 1\ndefaults: {{incoming: {incoming}, outgoing: {outgoing}, "
            f"routed: {routed}}}\nrules:\n{lines}")


class Verdicts(lab.LabTest):
    """What a rule does: let in, drop, turn away."""

    def setUp(self):
        super().setUp()
        self.lab.listen(80, 81)
        self.lab.listen(53, 54, protocol="udp")
        self.start(policy())

    def put(self, *rules, **defaults):
        self.daemon.apply(policy(*rules, **defaults))

    def test_defaults(self):
        for verdict, seen in (("deny", "filtered"), ("allow", "open"), ("reject", "refused")):
            self.put(incoming=verdict)
            self.assert_reach(seen, 80)
            self.assert_reach(seen, 53, "udp")

    def test_allow(self):
        self.put("allow: 80/tcp", "allow: 53/udp")
        self.assert_reach("open", 80)
        self.assert_reach("filtered", 81)
        self.assert_reach("open", 53, "udp")
        self.assert_reach("filtered", 54, "udp")

    def test_deny(self):
        self.put("deny: 80/tcp", "deny: 53/udp", incoming="allow")
        self.assert_reach("filtered", 80)
        self.assert_reach("open", 81)
        self.assert_reach("filtered", 53, "udp")
        self.assert_reach("open", 54, "udp")

    def test_reject_resets_tcp_and_answers_udp_with_unreachable(self):
        self.put("reject: 80/tcp", "reject: 53/udp", incoming="allow")
        self.assert_reach("refused", 80)
        self.assert_reach("open", 81)
        self.assert_reach("refused", 53, "udp")
        self.assert_reach("open", 54, "udp")
        # A reset, not an ICMP error: that is what nmap calls closed.
        for family in lab.FAMILIES:
            self.assertEqual(lab.nmap(lab.SERVER[family], [80]), {80: "closed"})

    def test_the_first_rule_that_matches_decides(self):
        self.put("deny: 80/tcp", "allow: 80/tcp", "allow: 81/tcp", "deny: 81/tcp")
        self.assert_reach("filtered", 80)
        self.assert_reach("open", 81)

    def test_the_command_line_says_the_same(self):
        self.put()
        self.daemon.fwctl("allow", "80/tcp")
        self.daemon.fwctl("reject", "53/udp")
        self.assert_reach("open", 80)
        self.assert_reach("refused", 53, "udp")
        self.assert_reach("filtered", 81)
        self.daemon.fwctl("insert", "1", "deny", "80/tcp")
        self.assert_reach("filtered", 80)
        self.daemon.fwctl("delete", "deny", "80/tcp")
        self.assert_reach("open", 80)
        self.daemon.fwctl("prepend", "deny", "80/tcp")
        self.assert_reach("filtered", 80)
        self.daemon.fwctl("delete", "1")
        self.assert_reach("open", 80)
        self.daemon.fwctl("reset")
        self.assertEqual(self.lab.ruleset(), "")
        self.daemon.fwctl("enable")
        self.assert_reach("filtered", 80)


class Limits(lab.LabTest):
    """So many connections from each source, and no more."""

    def setUp(self):
        super().setUp()
        self.lab.listen(22, 80)
        self.start(policy("limit: 22/tcp", "limit: 80/tcp\n    rate: 1/hour\n    burst: 2"))

    def tries(self, port, count, family=4, **options):
        return [lab.probe(lab.SERVER[family], port, **options) for _ in range(count)]

    def test_six_at_once_then_refused(self):
        for family in lab.FAMILIES:
            self.assertEqual(self.tries(22, 8, family), ["open"] * 6 + ["refused"] * 2)

    def test_ports_and_status_say_that_they_let_in(self):
        ports = self.daemon.fwctl("ports").stdout
        self.assertRegex(ports, r"22/tcp .* anyone: rule 1, limit 22/tcp")
        self.assertRegex(self.daemon.fwctl("status").stdout, r"2 +limit 1/hour +80/tcp")

    def test_ones_own_rate(self):
        self.assertEqual(self.tries(80, 4), ["open"] * 2 + ["refused"] * 2)

    def test_each_rule_counts_for_itself(self):
        self.tries(80, 4)
        self.assertEqual(self.tries(22, 6), ["open"] * 6)

    def test_each_ipv4_source_counts_for_itself(self):
        self.tries(80, 4)
        self.assertEqual(self.tries(80, 2, source=lab.CLIENT_TOO[4]), ["open"] * 2)

    def test_ipv6_sources_of_one_64_count_together(self):
        self.assertEqual(self.tries(80, 2, 6), ["open"] * 2)
        self.assertEqual(self.tries(80, 1, 6, source=lab.CLIENT_TOO[6]), ["refused"])

    def test_it_fills_again(self):
        self.tries(22, 7)
        lab.until(lambda: self.tries(22, 1) == ["open"], "a token, after five seconds", 12)

    def test_another_change_forgets_nothing(self):
        self.tries(80, 2)
        self.daemon.fwctl("allow", "8080/tcp")
        self.daemon.restart()
        self.assertEqual(self.tries(80, 1), ["refused"])

    def test_what_is_established_is_not_limited(self):
        connection = lab.connect(lab.SERVER[4], 80)
        with connection:
            self.tries(80, 4)
            connection.sendall(b"still")
            self.assertEqual(connection.recv(16), b"still")


class Features(lab.LabTest):
    """What a rule can speak of."""

    def setUp(self):
        super().setUp()
        self.start(policy())

    def put(self, *rules, **defaults):
        self.daemon.apply(policy(*rules, **defaults))

    def test_a_port_without_protocol_is_tcp_and_udp(self):
        self.lab.listen(53)
        self.lab.listen(53, protocol="udp")
        self.put("allow: 53")
        self.assert_reach("open", 53)
        self.assert_reach("open", 53, "udp")

    def test_a_port_of_one_protocol_is_not_the_other(self):
        self.lab.listen(53)
        self.lab.listen(53, protocol="udp")
        self.put("allow: 53/tcp")
        self.assert_reach("open", 53)
        self.assert_reach("filtered", 53, "udp")

    def test_list_of_ports(self):
        self.lab.listen(80, 443, 8080, 8081)
        self.put("allow: [80/tcp, 443/tcp]", "allow: 8080,9090/tcp")
        for port in (80, 443, 8080):
            self.assert_reach("open", port)
        self.assert_reach("filtered", 8081)

    def test_range_of_ports(self):
        self.lab.listen(5999, 6000, 6003, 6007, 6008)
        self.put("allow: 6000-6007/tcp")
        for port in (6000, 6003, 6007):
            self.assert_reach("open", port)
        for port in (5999, 6008):
            self.assert_reach("filtered", port)

    def test_range_as_ufw_writes_it(self):
        self.lab.listen(5999, 6000, 6007, 6008, protocol="udp")
        self.daemon.fwctl("allow", "6000:6007/udp")
        for port in (6000, 6007):
            self.assert_reach("open", port, "udp")
        for port in (5999, 6008):
            self.assert_reach("filtered", port, "udp")

    def test_overlapping_ranges_keep_their_order(self):
        self.lab.listen(6000, 6005, 6010, 6015)
        self.put("deny: 6005/tcp", "allow: 6000-6010/tcp", "reject: 6000-6020/tcp")
        self.assert_reach("open", 6000)
        self.assert_reach("filtered", 6005)
        self.assert_reach("open", 6010)
        self.assert_reach("refused", 6015)

    def test_service_name(self):
        self.lab.listen(22, 80)
        self.put("allow: ssh")
        self.assert_reach("open", 22)
        self.assert_reach("filtered", 80)

    def test_protocol_alone(self):
        self.lab.listen(80)
        self.lab.listen(80, protocol="udp")
        self.daemon.fwctl("allow", "proto", "udp", "from", "any")
        self.assert_reach("open", 80, "udp")
        self.assert_reach("filtered", 80)

    def test_from_an_address(self):
        self.lab.listen(80)
        for family in lab.FAMILIES:
            self.put(f"{{allow: 80/tcp, from: \"{lab.CLIENT[family]}\"}}")
            self.assert_reach("open", 80, families=[family], source=lab.CLIENT)
            self.assert_reach("filtered", 80, families=[family], source=lab.CLIENT_TOO)
            self.assert_reach("filtered", 80, families=[10 - family], source=lab.CLIENT)

    def test_from_a_prefix_of_each_family(self):
        self.lab.listen(80)
        self.put('{allow: 80/tcp, from: [192.0.2.0/31, 192.0.2.2/32, "2001:db8:1::2/128"]}')
        self.assert_reach("open", 80, source=lab.CLIENT)
        self.assert_reach("filtered", 80, source=lab.CLIENT_TOO)
        self.put('{deny: 80/tcp, from: [192.0.2.0/24, "2001:db8:1::/64"]}', "allow: 80/tcp")
        self.assert_reach("filtered", 80)
        self.assert_reach("open", 80, namespace="inner")

    def test_to_an_address(self):
        self.lab.listen(80)
        self.put(f'{{allow: 80/tcp, to: ["{lab.SERVER[4]}", "{lab.SERVER[6]}"]}}')
        self.assert_reach("open", 80)
        self.assert_reach("filtered", 80, namespace="inner", server=lab.SERVER_ETH1)

    def test_from_and_to_in_the_command_line(self):
        self.lab.listen(80)
        self.daemon.fwctl("allow", "proto", "tcp", "from", lab.CLIENT[4], "to", lab.SERVER[4],
                          "port", "80")
        self.assert_reach("open", 80, families=[4], source=lab.CLIENT)
        self.assert_reach("filtered", 80, families=[4], source=lab.CLIENT_TOO)
        self.assert_reach("filtered", 80, families=[6])

    def test_interface(self):
        self.lab.listen(80)
        self.put("{allow: 80/tcp, interface: eth1}")
        self.assert_reach("open", 80, namespace="inner", server=lab.SERVER_ETH1)
        self.assert_reach("filtered", 80)

    def test_all_addresses_but_one(self):
        self.lab.listen(80, 81)
        self.put(f"allow: 80/tcp\n    from: '!{lab.CLIENT[4]}'",
                 f"allow: 81/tcp\n    from: '!{lab.CLIENT_TOO[4]}'")
        self.assertEqual(lab.probe(lab.SERVER[4], 80), "filtered")
        self.assertEqual(lab.probe(lab.SERVER[4], 81), "open")
        self.assertEqual(lab.probe(lab.SERVER[4], 80, source=lab.CLIENT_TOO[4]), "open")
        self.assertEqual(lab.probe(lab.SERVER[4], 81, source=lab.CLIENT_TOO[4]), "filtered")
        self.assert_reach("open", 80, families=(6,))

    def test_interface_in_the_command_line(self):
        self.lab.listen(80)
        self.daemon.fwctl("allow", "in", "on", "eth0", "to", "any", "port", "80", "proto", "tcp")
        self.assert_reach("open", 80)
        self.assert_reach("filtered", 80, namespace="inner", server=lab.SERVER_ETH1)

    def test_interface_pattern(self):
        self.lab.listen(80, 81)
        self.put('{allow: 80/tcp, interface: ["eth*"]}', '{allow: 81/tcp, interface: ["wg*"]}')
        self.assert_reach("open", 80)
        self.assert_reach("open", 80, namespace="inner", server=lab.SERVER_ETH1)
        self.assert_reach("filtered", 81)

    def test_outgoing_deny_and_reject(self):
        self.lab.listen(25, 26, 27, namespace="client")
        self.put("{deny: 25/tcp, direction: out}", "{reject: 26/tcp, direction: out}")
        outwards = {"namespace": "server", "server": lab.CLIENT}
        self.assert_reach("filtered", 25, **outwards)
        self.assert_reach("refused", 26, **outwards)
        self.assert_reach("open", 27, **outwards)

    def test_outgoing_default_deny(self):
        self.lab.listen(80)
        self.lab.listen(443, 25, namespace="client")
        self.put("allow: 80/tcp", "{allow: 443/tcp, direction: out}", outgoing="deny")
        outwards = {"namespace": "server", "server": lab.CLIENT}
        self.assert_reach("open", 443, **outwards)
        self.assert_reach("filtered", 25, **outwards)
        # Answers to what was let in still leave.
        self.assert_reach("open", 80)

    def test_a_rule_that_logs_judges_the_same_and_has_its_log_statement(self):
        self.lab.listen(80, 81)
        self.put("{deny: 80/tcp, log: true}", "{allow: 81/tcp, log: true}", incoming="allow")
        self.assert_reach("filtered", 80)
        self.assert_reach("open", 81)
        self.assertRegex(self.lab.ruleset(), r"log prefix ")

    def test_a_comment_changes_no_verdict(self):
        self.lab.listen(80)
        self.daemon.fwctl("allow", "80/tcp", "comment", 'it\'s "nginx" {} ; drop')
        self.assert_reach("open", 80)
        self.daemon.restart()
        self.assert_reach("open", 80)

    def test_each_rule_counts_its_hits(self):
        self.lab.listen(80, 81)
        self.put("allow: 80/tcp", "allow: 81/tcp", "deny: 82/tcp")
        for _ in range(3):
            self.assert_reach("open", 80)
        self.assert_reach("filtered", 82, families=[4])
        packets = {rule["what"]: rule["packets"] for rule in self.daemon.call("Status")["rules"]}
        self.assertEqual(packets["80/tcp"], 6)
        self.assertEqual(packets["81/tcp"], 0)
        self.assertGreaterEqual(packets["82/tcp"], 1)


class AlwaysThere(lab.LabTest):
    """What no rule has to say."""

    def setUp(self):
        super().setUp()
        self.start(policy())

    def test_echo_is_answered(self):
        for family in lab.FAMILIES:
            self.assertTrue(lab.probe_ping(lab.SERVER[family], wait=lab.PATIENCE), f"IPv{family}")

    def test_loopback_is_free(self):
        self.lab.listen(80)
        self.assert_reach("open", 80, namespace="server", server={4: "127.0.0.1", 6: "::1"})
        self.assert_reach("open", 80, namespace="server")

    def test_neighbours_find_each_other(self):
        self.lab.listen(80)
        self.daemon.apply(policy("allow: 80/tcp"))
        for name in ("client", "server"):
            lab.run("ip", "-n", name, "neigh", "flush", "dev", "eth0")
        self.assert_reach("open", 80)
        for name in ("client", "server"):
            lab.run("ip", "-n", name, "neigh", "flush", "dev", "eth0")
        self.assert_reach("filtered", 81)
        for family in lab.FAMILIES:
            known = lab.run("ip", "-n", "client", "neigh", "show", lab.SERVER[family], "dev",
                            "eth0").stdout
            self.assertIn("lladdr", known, f"IPv{family}")

    def test_answers_to_our_own_connections_come_in(self):
        self.lab.listen(443, namespace="client")
        self.lab.listen(53, protocol="udp", namespace="client")
        outwards = {"namespace": "server", "server": lab.CLIENT}
        self.assert_reach("open", 443, **outwards)
        self.assert_reach("open", 53, "udp", **outwards)
        self.assert_reach("refused", 54, "udp", **outwards)  # the ICMP error is related

    def test_an_established_connection_survives_the_denial_of_its_port(self):
        self.lab.listen(80)
        self.daemon.apply(policy("allow: 80/tcp"))
        for family in lab.FAMILIES:
            with lab.connect(lab.SERVER[family], 80) as connection:
                connection.sendall(b"before")
                self.assertEqual(connection.recv(64), b"before")
                self.daemon.apply(policy("deny: 80/tcp"))
                self.assert_reach("filtered", 80, families=[family])
                connection.sendall(b"after")
                self.assertEqual(connection.recv(64), b"after")
            self.daemon.apply(policy("allow: 80/tcp"))

    def test_an_established_connection_survives_a_restart_and_enable(self):
        self.lab.listen(80)
        self.daemon.fwctl("disable")
        with lab.connect(lab.SERVER[4], 80) as connection:
            connection.sendall(b"before")
            self.assertEqual(connection.recv(64), b"before")
            self.daemon.fwctl("allow", "80/tcp")
            self.daemon.fwctl("enable")
            self.daemon.restart()
            connection.sendall(b"after")
            self.assertEqual(connection.recv(64), b"after")

    def test_what_belongs_to_no_connection_is_dropped_even_on_an_allowed_port(self):
        self.daemon.apply(policy("allow: 81/tcp"))
        # A lone segment with FIN, URG and PSH is no connection's; without a firewall it is answered.
        self.assertEqual(self._stray_segment(81), "silence")
        self.daemon.fwctl("disable")
        self.assertEqual(self._stray_segment(81), "reset")

    @staticmethod
    def _stray_segment(port):
        source, target = lab.CLIENT[4], lab.SERVER[4]
        segment = struct.pack("!HHLLBBHHH", 40000, port, 1, 0, 5 << 4, 0x29, 1024, 0, 0)
        pseudo = (socket.inet_aton(source) + socket.inet_aton(target) +
                  struct.pack("!BBH", 0, 6, len(segment)))
        total = sum(struct.unpack(f"!{(len(pseudo) + len(segment)) // 2}H", pseudo + segment))
        total = (total >> 16) + (total & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        segment = segment[:16] + struct.pack("!H", ~total & 0xFFFF) + segment[18:]
        with lab.inside("client"):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        with raw:
            raw.settimeout(lab.SILENCE)
            raw.sendto(segment, (target, 0))
            try:
                while True:
                    answer = raw.recv(256)[20:]
                    if struct.unpack("!HH", answer[:4]) == (port, 40000):
                        return "reset" if answer[13] & 4 else "other"
            except TimeoutError:
                return "silence"


class Routed(lab.LabTest):
    """What passes through from one network to another."""

    def test_default_for_routed(self):
        self.lab.forwarding()
        self.lab.listen(80, namespace="inner")
        through = {"namespace": "client", "server": lab.INNER}
        self.daemon.start()
        self.assert_reach("open", 80, **through)
        for verdict, seen in (("deny", "filtered"), ("allow", "open"), ("reject", "refused")):
            self.daemon.apply(policy(incoming="deny", routed=verdict))
            self.daemon.call("Enable")
            self.assert_reach(seen, 80, **through)

    def test_incoming_rules_do_not_speak_of_what_is_routed(self):
        self.lab.forwarding()
        self.lab.listen(80, namespace="inner")
        self.lab.listen(80)
        self.start(policy("allow: 80/tcp"))
        self.assert_reach("open", 80)
        self.assert_reach("filtered", 80, server=lab.INNER)


if __name__ == "__main__":
    lab.main()
