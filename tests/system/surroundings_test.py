"""Names in rules that only the running host explains, under packets: users, groups, wan and hosts."""

import pathlib
import re
import socket
import struct
import sys
import threading
import time
import unittest

import lab

PORTS = (80, 443)
# Says what `address` `port` looks like to whoever runs it.
PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("filtered")
"""


def probe_as(user, address, port, group=None, wait=lab.PATIENCE):
    with lab.inside("server"):
        done = lab.run("setpriv", "--reuid", user, "--regid", group or user, "--clear-groups",
                       sys.executable, "-c", PROBE, address, port, wait)
    return done.stdout.strip()


@unittest.skipUnless(lab.PRIVILEGED, "only root can be other users")
class Accounts(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(*PORTS, namespace="client")
        # A file of accounts of our own, in mounts of our own.
        self.accounts = {name: self.lab.directory / name for name in ("passwd", "group")}
        for name, file in self.accounts.items():
            text = pathlib.Path("/etc", name).read_text()
            file.write_text(text + {"passwd": "mailer:x:7001:7001::/:/bin/false\n",
                                    "group": "mailer:x:7001:\noutside:x:7002:\n"}[name])
            file.chmod(0o644)
            lab.mount("--bind", file, f"/etc/{name}")
            self.addCleanup(lab.run, "umount", f"/etc/{name}", check=False)

    def assert_user(self, expected, user, port, **options):
        wait = lab.SILENCE if expected == "filtered" else lab.PATIENCE
        for family in lab.FAMILIES:
            found = probe_as(user, lab.CLIENT[family], port, wait=wait, **options)
            self.assertEqual(found, expected, f"port {port} as {user} over IPv{family}")

    def test_a_user_is_kept_from_going_out(self):
        self.start("version: 1\n")
        self.daemon.fwctl("deny", "out", "user", "mailer")
        self.assert_user("filtered", 7001, 80)
        self.assert_user("open", 7003, 80)
        self.assertTrue(lab.probe_ping(lab.SERVER[4]), "the kernel's own answers have no user")

    def test_only_a_user_and_a_group_may_go_out(self):
        self.start("version: 1\ndefaults: {outgoing: reject}\n")
        self.daemon.fwctl("allow", "out", "to", "any", "port", "443", "proto", "tcp", "user", "mailer")
        self.daemon.fwctl("allow", "out", "80/tcp", "group", "outside")
        self.assert_user("open", 7001, 443)
        self.assert_user("refused", 7001, 80)
        self.assert_user("refused", 7003, 443)
        self.assert_user("open", 7003, 80, group=7002)
        self.assert_user("refused", 7003, 80)
        said = self.daemon.fwctl("explain", "443/tcp", "out", "user", "mailer").stdout
        self.assertIn("allowed", said)
        said = self.daemon.fwctl("explain", "443/tcp", "out", "user", "root").stdout
        self.assertIn("rejected", said)
        self.assertIn("other user", said)
        self.assertIn("as user mailer", self.daemon.fwctl("explain", "443/tcp", "out").stdout)

    def test_a_name_that_is_unknown_or_misplaced_is_refused(self):
        self.start("version: 1\n")
        before = self.daemon.snapshot()
        done = self.daemon.fwctl("deny", "out", "user", "mialer", code=2)
        self.assertIn("command:1:15: error: no user of this host is called 'mialer', did you mean "
                      "'mailer'?", done.stderr)
        done = self.daemon.fwctl("deny", "22/tcp", "user", "mailer", code=2)
        self.assertIn("outgoing rules", done.stderr)
        done = self.daemon.fwctl("explain", "80/tcp", "out", "group", "outsid", code=2)
        self.assertIn("did you mean 'outside'?", done.stderr)
        self.assertEqual(self.daemon.snapshot(), before)
        policy = self.daemon.config / "bad.yaml"
        policy.write_text("rules: [deny out user mialer]\n")
        done = self.daemon.fwctl("check", policy, code=1)
        self.assertIn("bad.yaml:1:23: error: no user of this host is called 'mialer'", done.stderr)

    def test_check_says_what_it_leaves_to_the_daemon(self):
        self.daemon.start()
        policy = self.daemon.config / "away.yaml"
        # Whether the second is hidden depends on what wan is: the daemon says, when it is one of these.
        policy.write_text("rules: [allow in on eth0 22/tcp, \"deny in on eth0,wan 22/tcp\", "
                          "\"allow from host:home.example.org to any port 22\"]\n")
        done = self.daemon.fwctl("check", policy)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout, "Valid: 3 rules in 1 file.\nNot looked up here, but by fwctld when "
                         "the policy is put in force: wan, host:home.example.org\n")
        self.assertEqual(self.daemon.json("check", policy)["notLookedUp"],
                         ["wan", "host:home.example.org"])
        policy.write_text("rules: [allow 22/tcp]\n")
        self.assertEqual(self.daemon.json("check", policy)["notLookedUp"], [])
        self.assertEqual(self.daemon.fwctl("check", policy).stdout, "Valid: 1 rule in 1 file.\n")

    def test_a_name_keeps_its_number_until_reload_and_at_a_start_nobody_is_asked(self):
        (self.daemon.config / "policy.yaml").write_text("rules: [deny out user mailer]\n")
        self.daemon.start()
        self.daemon.fwctl("enable")
        before = self.lab.ruleset()
        passwd = self.accounts["passwd"]
        with_mailer = passwd.read_text()
        passwd.write_text(with_mailer.replace("mailer:x:7001", "mailer:x:7005"))
        self.assertIn("this host changed - user mailer 7001", self.daemon.fwctl("status").stdout)
        passwd.write_text("root:x:0:0::/:/bin/sh\n")
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_user("filtered", 7001, 80)
        done = self.daemon.fwctl("reload", code=1)
        self.assertIn("policy.yaml:1:23: error: no user of this host is called 'mailer'", done.stderr)
        self.assert_user("filtered", 7001, 80)
        passwd.write_text(with_mailer.replace("mailer:x:7001", "mailer:x:7005"))
        done = self.daemon.fwctl("reload")
        self.assertIn("- user mailer 7001\n+ user mailer 7005", done.stdout)
        self.assert_user("open", 7001, 80)
        self.assert_user("filtered", 7005, 80)


class Wan(lab.LabTest):
    """eth0 leads to the client, eth1 to inner; each once has the default route."""

    def setUp(self):
        super().setUp()
        self.lab.listen(80)

    def route(self, *words, code=True):
        with lab.inside("server"):
            lab.run("ip", *words, check=code)

    def assert_blocked(self, client, inner):
        def found():
            return [lab.probe(address, 80, namespace=namespace, wait=lab.SILENCE)
                    for address, namespace in ((lab.SERVER[4], "client"), (lab.SERVER_ETH1[6], "inner"))]
        expected = ["filtered" if blocked else "open" for blocked in (client, inner)]
        lab.until(lambda: found() == expected, f"client and inner find {expected}")

    def test_wan_follows_the_default_routes(self):
        self.start("version: 1\ndefaults: {incoming: allow}\nrules: [deny in on wan 80/tcp]\n")
        self.assertIn("no default route", self.daemon.fwctl("status").stdout)
        done = self.daemon.fwctl("allow", "in", "on", "wan", "81/tcp")
        self.assertIn("warning: matches nothing while there is no default route", done.stdout + done.stderr)
        self.assert_blocked(client=False, inner=False)
        self.route("route", "add", "default", "via", lab.CLIENT[4])
        self.assert_blocked(client=True, inner=False)
        self.assertNotIn("no default route", self.daemon.fwctl("status").stdout)
        self.route("-6", "route", "add", "default", "via", lab.INNER[6])
        self.assert_blocked(client=True, inner=True)
        self.route("route", "delete", "default")
        self.assert_blocked(client=False, inner=True)
        self.assertIn("denied", self.daemon.fwctl("explain", "80/tcp", "on", "wan").stdout)

    def test_a_change_of_routes_while_the_daemon_is_down_is_seen_at_its_start(self):
        self.route("route", "add", "default", "via", lab.CLIENT[4])
        self.start("version: 1\ndefaults: {incoming: allow}\nrules: [deny in on wan 80/tcp]\n")
        self.assert_blocked(client=True, inner=False)
        self.daemon.stop()
        self.route("route", "replace", "default", "via", lab.INNER[4])
        self.assert_blocked(client=True, inner=False)
        self.daemon.start()
        self.assert_blocked(client=False, inner=True)

    def test_a_real_interface_called_wan_is_meant(self):
        self.route("route", "add", "default", "via", lab.CLIENT[4])
        self.start("version: 1\ndefaults: {incoming: allow}\nrules: [deny in on wan 80/tcp]\n")
        self.assert_blocked(client=True, inner=False)
        self.route("link", "set", "eth1", "down")
        self.route("link", "set", "eth1", "name", "wan")
        self.route("link", "set", "wan", "up")
        self.route("addr", "replace", f"{lab.SERVER_ETH1[6]}/64", "dev", "wan", "nodad")
        self.assert_blocked(client=False, inner=True)

    def test_routes_that_lead_nowhere_are_none(self):
        self.start("version: 1\nrules: [deny in on wan 80/tcp]\n")
        self.route("-6", "route", "add", "unreachable", "default", "metric", "9999")
        self.route("route", "add", "default", "via", lab.CLIENT[4], "table", "99")
        self.route("route", "add", "blackhole", "default", "metric", "9999")
        self.assertIn("no default route", self.daemon.fwctl("status").stdout)
        self.daemon.fwctl("allow", "99/tcp")
        self.assertIn("no default route", self.daemon.fwctl("status").stdout)
        self.route("route", "add", "default", "metric", "5",
                   "nexthop", "via", lab.CLIENT[4], "nexthop", "via", lab.INNER[4])
        lab.until(lambda: '"eth1"' in self.lab.ruleset() and '"eth0"' in self.lab.ruleset(),
                  "both next hops are wan")


class Names:
    """A DNS server on the server's own loopback that says what it is told to."""

    def __init__(self):
        self.addresses = {}  # by name; a missing one is answered with SERVFAIL
        self.silent = False
        with lab.inside("server"):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(512)
            except OSError:
                return
            if not self.silent:
                self._socket.sendto(self._answer(question), peer)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind, = struct.unpack("!H", question[at + 1:at + 3])
        asked = question[12:at + 5]
        addresses = self.addresses.get(".".join(labels).lower())
        if addresses is None:
            return question[:2] + struct.pack("!5H", 0x8182, 1, 0, 0, 0) + asked
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        records = [socket.inet_pton(family, one) for one in addresses
                   if family is not None and (":" in one) == (kind == 28)]
        return (question[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0) + asked
                + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(one)) + one
                           for one in records))


class Hosts(lab.LabTest):
    NAME = "home.example.org"

    def setUp(self):
        super().setUp()
        self.lab.listen(80)
        for path, text in (("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"),
                           ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
                           ("/etc/hosts", "127.0.0.1 localhost\n")):
            file = self.lab.directory / pathlib.Path(path).name
            file.write_text(text)
            target = pathlib.Path(path).resolve()
            lab.mount("--bind", file, target)
            self.addCleanup(lab.run, "umount", target, check=False)
        self.names = Names()
        self.addCleanup(self.names.close)

    def both(self, addresses):
        return [addresses[4], addresses[6]]

    def assert_open_to(self, *sources):
        def found():
            return [source for source in (lab.CLIENT, lab.CLIENT_TOO)
                    if all(lab.probe(lab.SERVER[family], 80, source=source[family], wait=0.3) == "open"
                           for family in lab.FAMILIES)]
        lab.until(lambda: found() == list(sources), f"open to {sources} alone")

    def test_a_host_is_let_in_by_its_name_and_followed(self):
        self.names.addresses[self.NAME] = self.both(lab.CLIENT)
        self.start("version: 1\n")
        self.daemon.fwctl("allow", "from", "host:" + self.NAME, "to", "any", "port", "80")
        self.assert_open_to(lab.CLIENT)
        self.assertIn("host/home_example_org-ipv6", self.lab.ruleset())
        self.assertIn("allow from host:home.example.org", self.daemon.fwctl("show", "added").stdout)
        self.names.addresses[self.NAME] = self.both(lab.CLIENT_TOO)
        self.daemon.fwctl("reload")
        self.assert_open_to(lab.CLIENT_TOO)

    def test_a_new_address_is_a_new_element_and_no_new_rule(self):
        self.names.addresses[self.NAME] = [lab.CLIENT[4]]
        self.start("version: 1\n")
        self.daemon.fwctl("allow", "from", "host:" + self.NAME)
        lab.until(lambda: lab.CLIENT[4] in self.lab.ruleset(), "the name is resolved")
        chains = re.findall(r"chain incoming\S*", self.lab.table())
        self.names.addresses[self.NAME] = [lab.CLIENT_TOO[4]]
        self.daemon.fwctl("reload")
        lab.until(lambda: lab.CLIENT_TOO[4] in self.lab.ruleset(), "the new answer is in force")
        self.assertLessEqual(set(re.findall(r"chain incoming\S*", self.lab.table())), set(chains))
        self.assertNotIn(lab.CLIENT[4] + " ", self.lab.ruleset())

    def test_old_answers_hold_without_dns_and_across_a_reboot(self):
        self.names.addresses[self.NAME] = self.both(lab.CLIENT)
        (self.daemon.config / "policy.yaml").write_text(
            f"rules:\n  - allow: 80\n    from: host:{self.NAME}\n")
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.assert_open_to(lab.CLIENT)
        del self.names.addresses[self.NAME]
        self.daemon.fwctl("reload")
        self.assert_open_to(lab.CLIENT)
        self.names.silent = True
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(lab.probe(lab.SERVER[4], 80, source=lab.CLIENT[4]), "open", "at once")
        self.assertNotIn("resolved", self.daemon.fwctl("status").stdout)

    def test_a_name_that_has_no_address_matches_nobody_and_nobody_waits(self):
        self.names.silent = True
        self.start("version: 1\n")
        begun = time.monotonic()
        done = self.daemon.fwctl("allow", "from", "host:" + self.NAME)
        self.assertIn("has no address yet", done.stdout + done.stderr)
        status = self.daemon.fwctl("status").stdout
        self.assertLess(time.monotonic() - begun, 1.5, "commands wait for the resolver")
        self.assertIn("host:home.example.org has not been resolved yet", status)
        self.assert_open_to()
        # Whoever asks DNS outlives the daemon for a while, and must not own its table.
        asking = pathlib.Path(f"/proc/{self.daemon.process.pid}/task/{self.daemon.process.pid}/children")
        (child,) = lab.until(lambda: asking.read_text().split(), "the resolver asks")
        self.daemon.kill()
        self.daemon.start()
        self.assertTrue(pathlib.Path(f"/proc/{child}").exists())
        if lab.OWNED_TABLES:
            self.assertEqual(self.daemon.call("Status")["protection"], {"by": "kernel"})
        self.names.silent = False
        self.names.addresses[self.NAME] = self.both(lab.CLIENT)
        # The network has come up: that is when names are asked for again.
        with lab.inside("server"):
            lab.run("ip", "route", "add", "203.0.113.0/24", "via", lab.CLIENT[4])
        self.assert_open_to(lab.CLIENT)
        self.assertNotIn("resolved", self.daemon.fwctl("status").stdout)


if __name__ == "__main__":
    lab.main()
