"""Bans under packets, the real clock, and everything that may befall the daemon and the kernel."""

import contextlib
import json
import socket
import subprocess
import threading
import time

import lab

POLICY = """\
version: 1
defaults: {incoming: deny, outgoing: allow, routed: allow}
rules: [allow 80, allow 7000/udp]
"""


class Bans(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80)
        self.lab.listen(80, protocol="udp")
        self.start(POLICY)

    def bans(self, *words):
        """Address → the whole entry."""
        return {ban["address"]: ban for ban in self.daemon.json("bans", *words)["bans"]}

    def elements(self):
        """Address or prefix → seconds until it ends by the kernel, None: never."""
        done = self.lab.nft("-j", "list", "table", "inet", "fwctl", check=False)
        out = {}
        for entry in json.loads(done.stdout)["nftables"] if done.returncode == 0 else ():
            name = entry.get("set", {}).get("name", "")
            if not name.startswith("banned/"):
                continue
            length = "/" + name.split("/")[2].split(".")[0] if name.count("/") == 2 else ""
            for element in entry["set"].get("elem", ()):
                element = element.get("elem", element) if isinstance(element, dict) else {"val": element}
                out[element["val"] + length] = element.get("expires")
        return out

    def assert_kernel_agrees(self):
        elements, bans = self.elements(), self.bans()
        self.assertEqual(elements.keys(), bans.keys())
        for address, left in elements.items():
            said = bans[address].get("secondsLeft")
            self.assertEqual(left is None, said is None, address)
            if left is not None:
                self.assertLessEqual(abs(left - said), 2, address)

    def assert_client(self, expected, *families):
        self.assert_reach(expected, 80, families=families or lab.FAMILIES, source=lab.CLIENT)

    def echoes(self, connection, wait=lab.SILENCE):
        """Whether what is sent on a connection comes back."""
        connection.settimeout(wait)
        try:
            connection.send(b"?")
            return connection.recv(16) != b""
        except OSError:
            return False

    def connection(self, family, **options):
        connection = lab.connect(lab.SERVER[family], 80, source=lab.CLIENT[family], **options)
        self.addCleanup(connection.close)
        self.assertTrue(self.echoes(connection, lab.PATIENCE))
        return connection

    def test_connections_end_at_once_and_new_ones_do_not_begin(self):
        running = {family: self.connection(family) for family in lab.FAMILIES}
        other = lab.connect(lab.SERVER[4], 80, source=lab.CLIENT_TOO[4])
        self.addCleanup(other.close)
        said = self.daemon.fwctl("ban", lab.CLIENT[4], lab.CLIENT[6], "for", "1h", "comment", "a test").stdout
        self.assertRegex(said, rf"\+ ban {lab.CLIENT[4]} until 20\S+ \(a test\)\n")
        for family, connection in running.items():
            self.assertFalse(self.echoes(connection), f"IPv{family}")
        self.assert_client("filtered")
        self.assert_reach("filtered", 80, "udp", source=lab.CLIENT)
        self.assertTrue(self.echoes(other, lab.PATIENCE))
        self.assert_reach("open", 80, source=lab.CLIENT_TOO)
        self.assert_kernel_agrees()
        ban = self.bans()[lab.CLIENT[4]]
        self.assertEqual((ban["uid"], ban["comment"], ban["from"]), (0, "a test", ""))
        self.assertGreater(self.daemon.json("bans")["packets"], 0)
        self.assertEqual(self.daemon.call("Status")["bans"], 2)
        self.daemon.fwctl("unban", lab.CLIENT[4], lab.CLIENT[6])
        self.assert_client("open")
        lab.until(lambda: not self.elements(), "what is empty goes")
        self.assertNotIn("banned/", self.lab.ruleset(), "it costs packets nothing any more")

    def test_what_this_host_sends_there_ends_too(self):
        self.lab.listen(7001, namespace="client")
        for family in lab.FAMILIES:
            with self.subTest(family=family):
                running = lab.connect(lab.CLIENT[family], 7001, namespace="server")
                self.addCleanup(running.close)
                self.assertTrue(self.echoes(running, lab.PATIENCE))
                received = self.arrivals("client", lab.CLIENT[family])
                self.daemon.fwctl("ban", lab.CLIENT[family])
                self.assertFalse(self.echoes(running))
                with lab.inside("server"), self.datagram(family) as sock:
                    with self.assertRaises(PermissionError):
                        sock.sendto(b"?", (lab.CLIENT[family], 7000))
                    sock.sendto(b"here", (lab.CLIENT_TOO[family], 7000))
                self.assertEqual(received(), [b"here"])
                self.assertEqual(lab.probe(lab.CLIENT[family], 7001, namespace="server"), "filtered")

    @staticmethod
    def datagram(family):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        if family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return sock

    def arrivals(self, namespace, address, port=7000):
        """A function that says which datagrams came, until one says "here" or none comes."""
        family = 6 if ":" in address else 4
        with lab.inside(namespace):
            sock = self.datagram(family)
        self.addCleanup(sock.close)
        sock.bind(("::" if family == 6 else "0.0.0.0", port))

        def received():
            out = []
            sock.settimeout(lab.SILENCE)
            with contextlib.suppress(TimeoutError):
                while not out or out[-1] != b"here":
                    out.append(sock.recv(64))
            return out
        return received

    def test_forwarded_connections_end_both_ways(self):
        self.lab.forwarding()
        self.lab.listen(80, namespace="inner")
        for family in lab.FAMILIES:
            with self.subTest(family=family):
                running = lab.connect(lab.INNER[family], 80, source=lab.CLIENT[family])
                self.addCleanup(running.close)
                self.assertTrue(self.echoes(running, lab.PATIENCE))
                inside, outside = self.arrivals("inner", lab.INNER[family]), self.arrivals("client", lab.CLIENT[family])
                self.daemon.fwctl("ban", lab.CLIENT[family])
                self.assertFalse(self.echoes(running))
                with lab.inside("client"), self.datagram(family) as sock:
                    sock.bind((lab.CLIENT[family], 0))
                    sock.sendto(b"banned", (lab.INNER[family], 7000))
                with lab.inside("inner"), self.datagram(family) as sock:
                    sock.sendto(b"to the banned", (lab.CLIENT[family], 7000))
                    sock.sendto(b"here", (lab.CLIENT_TOO[family], 7000))
                self.assertEqual(outside(), [b"here"])
                self.assertEqual(inside(), [])

    def test_prefixes(self):
        for family, prefix in ((4, "192.0.2.2/31"), (6, "2001:db8:1::2/127")):
            self.daemon.fwctl("ban", prefix, "for", "1h")
            for source in (lab.CLIENT, lab.CLIENT_TOO):
                self.assert_reach("filtered", 80, families=[family], source=source)
            # One of its addresses, until later than the rest, and the other way round.
            self.daemon.fwctl("ban", lab.CLIENT[family], "for", "2h")
            self.daemon.fwctl("unban", prefix)
            self.assert_reach("filtered", 80, families=[family], source=lab.CLIENT)
            self.assert_reach("open", 80, families=[family], source=lab.CLIENT_TOO)
        self.daemon.fwctl("ban", "192.0.2.2/31", "198.18.0.0/15", "2001:db8:9::/48", "10.0.0.0/8")
        self.assert_reach("filtered", 80, families=[4], source=lab.CLIENT_TOO)
        self.assert_kernel_agrees()
        said = self.daemon.fwctl("unban", lab.CLIENT_TOO[4]).stdout
        self.assertIn(f"{lab.CLIENT_TOO[4]} is part of 192.0.2.2/31, which is banned", said)
        self.daemon.fwctl("unban", "--all")
        self.assert_client("open")
        self.assertEqual(self.bans(), {})
        lab.until(lambda: not self.elements(), "what is empty goes")

    def test_the_kernel_ends_a_ban_without_the_daemon(self):
        self.daemon.fwctl("ban", lab.CLIENT[4], lab.CLIENT[6], "for", "3s")
        self.assert_client("filtered", 4)
        self.daemon.kill()
        lab.until(lambda: lab.probe(lab.SERVER[4], 80, source=lab.CLIENT[4], wait=0.2) == "open", "its end")
        self.assert_client("open")
        self.daemon.start()
        self.assertEqual((self.bans(), self.elements()), ({}, {}))
        self.daemon.fwctl("ban", lab.CLIENT[4], "for", "2s")
        lab.until(lambda: not self.bans() and not self.elements(), "kernel and daemon agree on the end")
        self.assertEqual(self.daemon.call("Status")["problems"], [], "an end is no change by somebody else")
        for _ in range(3):  # also where it is not certain whether the kernel has it still
            self.daemon.fwctl("ban", lab.CLIENT[4], "for", "1s")
            time.sleep(0.7)
        self.daemon.fwctl("ban", lab.CLIENT[4], "for", "1h")
        self.assert_client("filtered", 4)
        self.assert_kernel_agrees()

    def test_the_time_left_outlives_everything(self):
        self.daemon.fwctl("ban", lab.CLIENT[4], "198.18.0.0/15", "for", "1h")
        self.daemon.fwctl("ban", lab.CLIENT[6])
        since = self.bans()[lab.CLIENT[4]]["since"]
        time.sleep(1.1)

        def check(where):
            with self.subTest(where):
                self.assertEqual(set(self.elements()), {lab.CLIENT[4], lab.CLIENT[6], "198.18.0.0/15"})
                self.assertTrue(3500 < self.elements()[lab.CLIENT[4]] < 3600, self.elements())
                self.assert_kernel_agrees()
                self.assertEqual(self.bans()[lab.CLIENT[4]]["since"], since)
                self.assert_client("filtered", 4)
        self.daemon.restart()
        check("restart")
        self.daemon.kill()
        self.daemon.start()
        check("killed")
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.watch()  # for the damage below
        self.daemon.start()
        check("booted")
        self.daemon.fwctl("disable")
        self.assertEqual(self.lab.ruleset(), "")
        self.assert_client("open")
        self.daemon.fwctl("enable")
        check("disabled and enabled")
        self.daemon.apply("rules: [allow 80]\n")
        self.daemon.fwctl("rollback")
        check("another policy, and back")
        for damage in (["flush", "set", "inet", "fwctl", "banned/ipv4"],
                       ["flush", "chain", "inet", "fwctl", "banned/prerouting"],
                       ["delete", "table", "inet", "fwctl"]):
            self.lab.nft(*damage)
            self.daemon.fwctl("reload")
            check(" ".join(damage))
        self.lab.nft("add", "element", "inet", "fwctl", "banned/ipv4", "{ 192.0.2.3 }")
        self.daemon.fwctl("ban", "203.0.113.9")
        self.daemon.fwctl("unban", "203.0.113.9")
        check("an element too many")

    def test_nothing_gets_through_while_the_daemon_comes_and_goes(self):
        self.daemon.fwctl("ban", lab.CLIENT[4], "198.18.0.0/15")
        received = self.arrivals("server", lab.SERVER[4])
        stop = threading.Event()
        with lab.inside("client"):
            sock = self.datagram(4)
        self.addCleanup(sock.close)
        sock.bind((lab.CLIENT[4], 0))
        sent = 0

        def flood():
            nonlocal sent
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    sock.sendto(b"banned", (lab.SERVER[4], 7000))
                    sent += 1
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for number in range(10):
                self.daemon.kill()
                self.daemon.start()
                self.daemon.fwctl("ban", f"203.0.113.0/{24 + number % 8}", f"203.0.113.{number}")
                self.daemon.fwctl("deny", f"{1000 + number}/tcp")
                self.daemon.fwctl("unban", f"203.0.113.0/{24 + number % 8}")
        finally:
            stop.set()
            thread.join()
        with lab.inside("client"), self.datagram(4) as other:
            other.bind((lab.CLIENT_TOO[4], 0))
            other.sendto(b"here", (lab.SERVER[4], 7000))
        self.assertGreater(sent, 1000)
        self.assertEqual(received(), [b"here"])

    def test_saying_it_again(self):
        self.daemon.fwctl("ban", lab.CLIENT[4], "for", "1h")
        generation, files = self.daemon.call("Status")["generation"], self.daemon.files(self.daemon.state)
        for words in (["for", "30m"], ["for", "1s"]):
            outcome = self.daemon.json("ban", lab.CLIENT[4], *words)["outcome"]
            self.assertFalse(outcome["changed"])
            self.assertEqual(outcome["notes"], [f"banned already, for as long or longer: {lab.CLIENT[4]}"])
        self.assertEqual(self.daemon.files(self.daemon.state), files)
        rehearsal = self.daemon.json("--dry-run", "ban", lab.CLIENT[4])["outcome"]
        self.assertTrue(rehearsal["changed"])
        self.assertEqual(self.daemon.files(self.daemon.state), files)
        self.assertIn("now for longer", self.daemon.fwctl("ban", lab.CLIENT[4], "for", "2h").stdout)
        self.assertGreater(self.bans()[lab.CLIENT[4]]["secondsLeft"], 3600)
        self.daemon.fwctl("ban", lab.CLIENT[4], f"{lab.CLIENT[4]}/32", "comment", "jail")
        self.assertNotIn("until", self.bans()[lab.CLIENT[4]])
        self.assert_kernel_agrees()
        self.assertFalse(self.daemon.json("ban", lab.CLIENT[4], "for", "1h")["outcome"]["changed"])
        self.assertFalse(self.daemon.json("unban", lab.CLIENT_TOO[4])["outcome"]["changed"])
        left = self.daemon.json("unban", lab.CLIENT[4], "comment", "another")["outcome"]
        self.assertFalse(left["changed"])
        self.assertTrue(self.daemon.json("unban", "comment", "jail")["outcome"]["changed"])
        self.assertFalse(self.daemon.json("unban", "--all")["outcome"]["changed"])
        self.assertEqual(self.daemon.call("Status")["generation"], generation)

    def test_what_cannot_be_banned(self):
        before = self.daemon.snapshot()
        for address, why in (("127.0.0.1", "loopback"), ("127.0.0.0/8", "loopback"), ("::1", "loopback"),
                             ("::/0", "every address"), ("0.0.0.0/0", "every address"),
                             ("126.0.0.0/7", "loopback"), ("224.0.0.1", "multicast"), ("ff02::/16", "multicast"),
                             (lab.SERVER[4], "this host has an address"), ("192.0.2.0/24", lab.SERVER[4]),
                             (lab.SERVER_ETH1[6], "this host has an address")):
            refused = self.daemon.fwctl("ban", "203.0.113.9", address, code=1).stderr
            self.assertIn(why, refused)
        for words, why in ((["192.0.2.2-192.0.2.5"], "a ban is of an address or a prefix"),
                           (["nobody"], "command:1:5: error"), (["192.0.2.7", "for"], "is missing behind 'for'"),
                           (["192.0.2.7", "for", "2x"], "command:1:19: error"), (["for", "1h"], "say which addresses")):
            self.assertIn(why, self.daemon.fwctl("ban", *words, code=2).stderr)
        self.daemon.fwctl("unban", code=2)
        connection = self.connection(4)
        seat = {"from": lab.CLIENT[4], "fromPort": connection.getsockname()[1], "to": lab.SERVER[4], "toPort": 80}
        with self.assertRaises(lab.VarlinkError) as refused:
            self.daemon.call("Ban", addresses=["198.18.0.0/15", "192.0.2.2/31"], connections=[seat])
        self.assertEqual(refused.exception.name, "WouldLockOut")
        self.assertIn("192.0.2.2/31 is where you are", str(refused.exception))
        self.assertEqual(self.daemon.snapshot(), before)
        self.daemon.call("Ban", addresses=["192.0.2.2/31"], connections=[seat], allowLockout=True)
        self.assertFalse(self.echoes(connection))
        self.assertEqual(self.bans()["192.0.2.2/31"]["from"], lab.CLIENT[4])
        self.daemon.call("Unban", addresses=["all"])
        self.assert_client("open", 4)

    def test_while_nothing_is_enforced(self):
        self.daemon.fwctl("disable")
        said = self.daemon.fwctl("ban", lab.CLIENT[4], "for", "1h").stdout
        self.assertIn("Stored. The firewall is inactive", said)
        self.assertIn("begin to count with 'fwctl enable'", self.daemon.fwctl("bans").stdout)
        self.assert_client("open", 4)
        self.daemon.restart()
        self.daemon.fwctl("enable")
        self.assert_client("filtered", 4)

    def test_bans_are_told_of(self):
        self.daemon.fwctl("ban", "203.0.113.0/24", "for", "1h", "comment", "scans")
        said = self.daemon.fwctl("explain", "80/tcp", "from", "203.0.113.9").stdout
        self.assertIn("incoming 80/tcp over IPv4 from 203.0.113.9: denied\n", said)
        self.assertRegex(said, r"by the ban of 203.0.113.0/24 \(scans\), for 1h more")
        self.assertRegex(self.daemon.fwctl("explain", "80/tcp", "out", "to", "203.0.113.9").stdout, "denied\n")
        self.assertRegex(self.daemon.fwctl("explain", "80/tcp", "routed", "to", "203.0.113.9").stdout, "denied\n")
        said = self.daemon.fwctl("explain", "80/tcp").stdout
        self.assertRegex(said, r"\n  1 banned address: denied by 'fwctl bans'.*\n  anyone else: allowed by rule 1, ")
        self.assertNotIn("ban", self.daemon.fwctl("explain", "80/tcp", "from", "203.0.114.9").stdout)
        self.assertIn("Bans: 1 (", self.daemon.fwctl("status").stdout)
        self.assertRegex(self.daemon.fwctl("bans").stdout, r"203\.0\.113\.0/24 +1h +20\S+ \S+ UTC +root +scans\n")
        self.assertEqual(set(self.bans("203.0.113.77")), {"203.0.113.0/24"})
        self.assertEqual(self.bans("203.0.114.1"), {})
        with lab.inside("server"):
            trace = subprocess.Popen([self.daemon.cli, "--socket", self.daemon.socket, "--json", "trace",
                                      "--for", "10s", "-n", "1", "80/tcp"], stdout=subprocess.PIPE, text=True)
        self.daemon.fwctl("ban", lab.CLIENT[4])
        lab.until(lambda: '"seconds"' in trace.stdout.readline(), "the trace begins")
        lab.probe(lab.SERVER[4], 80, source=lab.CLIENT[4], wait=0.2)
        seen = json.loads(trace.stdout.readline())["trace"]
        trace.communicate()
        self.assertEqual((seen["verdict"], seen["rule"], seen["because"]), ("deny", "banned", "a ban ('fwctl bans')"))

    def test_a_hundred_thousand(self):
        many = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)]

        def fastest(first):
            """Seconds that a ban takes, from the request to the answer."""
            with lab.Varlink(self.daemon.socket) as varlink:
                took = []
                for number in range(20):
                    begin = time.monotonic()
                    varlink.call("Ban", addresses=[f"203.0.{first}.{number}", "for", "1h"])
                    took.append(time.monotonic() - begin)
                return min(took)
        few = fastest(113)
        self.daemon.call("Ban", addresses=[*many, "for", "1h"])
        there = fastest(114)
        print(f"a ban: {few * 1e3:.2f} ms, with 100,000 there {there * 1e3:.2f} ms")
        self.assertLess(there, 3 * few + 0.002)
        lab.until(lambda: len(self.elements()) == len(many) + 40, "all are there")
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        begin = time.monotonic()
        self.daemon.start()
        print(f"a start with them: {time.monotonic() - begin:.2f} s")
        self.assertEqual(self.daemon.call("Status")["bans"], len(many) + 40)
        # A hash table that still grows while it is listed leaves some out.
        lab.until(lambda: len(self.elements()) == len(many) + 40, "all are there")
        self.daemon.fwctl("ban", lab.CLIENT[4])
        self.assert_client("filtered", 4)
        self.daemon.fwctl("unban", "--all")
        self.assert_client("open", 4)
        self.daemon.fwctl("ban", "203.0.113.9")
        self.assertLess(sum(path.stat().st_size for path in self.daemon.state.glob("bans*")), 10_000_000)


if __name__ == "__main__":
    lab.main(2)
