"""Each item of the baseline, on and off, judged by real packets."""

import random
import socket
import struct

import lab

POLICY = "version: 1\ndefaults: {{incoming: deny, outgoing: allow, routed: deny}}\nbaseline: {}\n" \
         "rules: [allow 80/tcp, \"allow proto icmp type 13\", \"allow proto icmpv6 type 139\"]\n"
# Of which the rules above speak. Connection tracking knows both as a beginning.
MARKER = {4: 13, 6: 139}
ERROR_ABOUT_NOTHING = bytes(40)
INVALID_FLAGS = 0x03  # SYN and FIN at once


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def message(kind, body):
    """With an identifier of its own: not of a connection that was let in before."""
    plain = struct.pack("!BBHHH", kind, 0, 0, random.randrange(1 << 16), 1) + body
    return plain[:2] + struct.pack("!H", checksum(plain)) + plain[4:]


class Baseline(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80)

    def switch(self, **items):
        """Puts in force a policy with these items on or off; returns the warnings."""
        text = ", ".join(f"{name.replace('_', '-')}: {str(on).lower()}" for name, on in items.items())
        policy = POLICY.format("{" + text + "}")
        if not self.daemon.alive():
            self.start(policy)
        return [warning["message"] for warning in self.daemon.apply(policy)["warnings"]]

    def arrives(self, family, kind, body=b""):
        """Whether ICMP of this type gets past the firewall: a message behind it always does."""
        af, protocol = ((socket.AF_INET, socket.IPPROTO_ICMP) if family == 4 else
                        (socket.AF_INET6, socket.IPPROTO_ICMPV6))
        with lab.inside("server"):
            receiver = socket.socket(af, socket.SOCK_RAW, protocol)
        with lab.inside("client"):
            sender = socket.socket(af, socket.SOCK_RAW, protocol)
        sender.bind((lab.CLIENT[family], 0))
        receiver.settimeout(lab.PATIENCE)
        with receiver, sender:
            for one in (message(kind, body), message(MARKER[family], b"")):
                sender.sendto(one, (lab.SERVER[family], 0))
            found = False
            while True:
                packet, (source, *_) = receiver.recvfrom(2048)
                if source != lab.CLIENT[family]:
                    continue
                seen = packet[(packet[0] & 15) * 4 if family == 4 else 0]
                found = found or seen == kind
                if seen == MARKER[family]:
                    return found

    def test_echo(self):
        for on in (True, False, True):
            self.assertEqual(self.switch(echo=on), [])
            for family, kind in ((4, 8), (6, 128)):
                self.assertEqual(self.arrives(family, kind), on)

    def test_icmp_errors(self):
        # Those about nothing known are invalid, unless that is off too.
        for on in (True, False):
            self.assertEqual(self.switch(invalid=False, icmp_errors=on), [])
            for family, kind in ((4, 3), (4, 11), (6, 1), (6, 4)):
                self.assertEqual(self.arrives(family, kind, ERROR_ABOUT_NOTHING), on, (family, kind))

    def test_errors_about_connections_are_established(self):
        self.switch(icmp_errors=False)
        self.assert_reach("refused", 9999, "udp", namespace="server", server=lab.CLIENT)

    def test_mld(self):
        for on in (True, False):
            self.assertEqual(self.switch(mld=on), [])
            self.assertEqual(self.arrives(6, 130, bytes(16)), on)

    def test_invalid(self):
        with lab.inside("client"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.addCleanup(sender.close)
        segment = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, INVALID_FLAGS, 1024, 0, 0)
        pseudo = (socket.inet_aton(lab.CLIENT[4]) + socket.inet_aton(lab.SERVER[4]) +
                  struct.pack("!BBH", 0, 6, len(segment)))
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        for on in (True, False):
            self.assertEqual(self.switch(invalid=on), [])
            counted = self.daemon.call("Status")["rules"][0]["packets"]
            sender.sendto(segment, (lab.SERVER[4], 0))
            self.assertFalse(self.arrives(4, 250))  # everything before has been judged
            now = self.daemon.call("Status")["rules"][0]["packets"]
            self.assertEqual(now - counted, 0 if on else 1)

    def test_dhcp_client(self):
        with lab.inside("server"):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind(("0.0.0.0", 68))
        with lab.inside("client"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind(("0.0.0.0", 67))
        receiver.settimeout(lab.PATIENCE)
        with receiver, sender:
            for on in (True, False):
                self.assertEqual(self.switch(dhcp_client=on), [])
                # From another address each time: a connection that was let in stays.
                sender.sendto(b"offer", (lab.SERVER[4] if on else lab.SERVER_ETH1[4], 68))
                if on:
                    self.assertEqual(receiver.recv(64), b"offer")
                    continue
                self.assertFalse(self.arrives(4, 250))
                receiver.setblocking(False)
                self.assertRaises(BlockingIOError, receiver.recv, 64)

    def test_loopback(self):
        here = {"server": {4: "127.0.0.1", 6: "::1"}, "namespace": "server"}
        self.lab.listen(81)
        self.assertEqual(self.switch(loopback=True), [])
        self.assert_reach("open", 81, **here)  # which no rule allows
        warnings = self.switch(loopback=False)
        self.assertEqual(len(warnings), 1)
        self.assertIn("without 'loopback', programs of this host", warnings[0])
        self.assert_all(("open", 80, here), ("filtered", 81, here))  # the first by its rule

    def test_neighbour_discovery(self):
        self.assertEqual(self.switch(neighbour_discovery=True), [])
        self.forget_neighbours()
        self.assert_reach("open", 80)
        warnings = self.switch(neighbour_discovery=False)
        self.assertEqual(len(warnings), 1)
        self.assertIn("without 'neighbour-discovery', IPv6 works only", warnings[0])
        self.forget_neighbours()
        self.assert_reach("open", 80, families=[4])
        self.assertIn(lab.probe(lab.SERVER[6], 80), ("filtered", "error: No route to host"))

    def forget_neighbours(self):
        for namespace in ("client", "server"):
            lab.run("ip", "-n", namespace, "neighbour", "flush", "all")

    def test_established_is_refused(self):
        self.switch()
        before = self.daemon.snapshot()
        with self.assertRaises(lab.VarlinkError) as refused:
            self.switch(established=False)
        self.assertEqual(refused.exception.name, "InvalidPolicy")
        self.assertEqual(self.daemon.snapshot(), before)
        self.switch(established=True)


if __name__ == "__main__":
    lab.main()
