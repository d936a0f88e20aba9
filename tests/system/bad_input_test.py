"""What peers, disks and kernels do wrong: each gets its error, nothing changes, others are served."""

import contextlib
import json
import random
import re
import select
import socket
import subprocess
import unittest

import lab

POLICY = """\
version: 1
defaults: {incoming: deny, outgoing: allow, routed: deny}
rules:
  - allow: 22/tcp
"""
NOBODY = 65534


class BadInput(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.start(POLICY)
        self.before = self.daemon.snapshot()
        self.pid = self.daemon.process.pid

    def assert_untouched(self):
        self.assertTrue(self.daemon.alive(), self.daemon.log_text())
        self.assertEqual(self.daemon.snapshot(), self.before)

    def raw(self, timeout=30.0):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(timeout)
        peer.connect(str(self.daemon.socket))
        self.addCleanup(peer.close)
        return peer

    def answer(self, data):
        """What the daemon says to `data` and a closed writing side: replies, until it closes."""
        peer = self.raw()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := peer.recv(65536):
                received += chunk
        return [json.loads(message) for message in received.split(b"\0") if message]

    def assert_refused(self, data, *errors):
        """Closed without a word, or one error reply (of those named, if any)."""
        replies = self.answer(data)
        for reply in replies:
            self.assertIn("error", reply)
            if errors:
                self.assertIn(reply["error"].rpartition(".")[2], errors)
        self.assert_untouched()
        return replies


class Messages(BadInput):
    def test_binary_garbage(self):
        chance = random.Random(1)
        for size in (1, 10, 1000, 100_000):
            self.assert_refused(chance.randbytes(size) + b"\0")
        self.assert_refused(b"\0" * 1000)
        self.assert_refused(b"\xff\xfe\x00" * 1000)
        self.assert_refused(b'{"method": "org.fwctl.Firewall.Status\xc3"}\0')

    def test_half_a_json(self):
        self.assert_refused(b'{"method": "org.fwctl.Firewall.Disable"')
        self.assert_refused(b'{"method": "org.fwctl.Firewall.Disable"\0')
        self.assert_refused(b'{"method": "org.fwctl.Firewall.Disable"}')  # the NUL never came

    def test_json_that_is_no_call(self):
        for text in (b"null", b"[]", b"3", b'"x"', b"{}", b'{"method": 3}', b'{"method": null}',
                     b'{"method": ""}', b'{"method": "Status"}',
                     b'{"method": "org.fwctl.Firewall.Status", "parameters": []}',
                     b'{"method": "org.fwctl.Firewall.Status", "more": "yes"}'):
            with self.subTest(text=text):
                self.assert_refused(text + b"\0")

    def test_calls_that_make_no_sense(self):
        for method, parameters, error in (
                ("org.example.Other.Status", {}, {"InterfaceNotFound", "MethodNotFound"}),
                ("org.fwctl.Firewall.Nothing", {}, {"MethodNotFound"}),
                ("org.fwctl.Firewall.Add", {}, {"InvalidParameter"}),
                ("org.fwctl.Firewall.Add", {"rule": "allow 22"}, {"InvalidParameter"}),
                ("org.fwctl.Firewall.Add", {"rule": [22]}, {"InvalidParameter"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "22"], "position": "1"},
                 {"InvalidParameter"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "22"], "position": -1},
                 {"InvalidParameter", "Refused"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "22"], "position": 2 ** 63 - 1},
                 {"InvalidParameter", "Refused"}),
                ("org.fwctl.Firewall.Add", {"rule": []}, {"InvalidParameter", "InvalidPolicy", "Refused"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "65536/tcp"]}, {"InvalidPolicy"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "22/tcp\0; drop"]}, {"InvalidPolicy"}),
                ("org.fwctl.Firewall.Add", {"rule": ["allow", "22/tcp", "comment", "x" * 100_000]},
                 {"InvalidPolicy", "TooLarge", "Refused"}),
                ("org.fwctl.Firewall.Delete", {"selection": [["1"]]}, {"InvalidParameter"}),
                ("org.fwctl.Firewall.SetDefault", {"direction": "up", "verdict": "deny"},
                 {"InvalidParameter", "Refused", "InvalidPolicy"}),
                ("org.fwctl.Firewall.SetDefault", {"direction": "incoming", "verdict": "maybe"},
                 {"InvalidParameter", "Refused", "InvalidPolicy"}),
                ("org.fwctl.Firewall.Show", {"what": "/etc/shadow"},
                 {"InvalidParameter", "Refused"}),
                ("org.fwctl.Firewall.Apply", {"policy": None}, {"InvalidParameter"}),
                ("org.fwctl.Firewall.Apply", {"policy": "x", "name": 3}, {"InvalidParameter"})):
            with self.subTest(method=method, parameters=str(parameters)[:80]):
                with self.assertRaises(lab.VarlinkError) as caught:
                    self.daemon.call(method, **parameters)
                self.assertIn(caught.exception.name.rpartition(".")[2], error)
                self.assert_untouched()

    def test_100_megabytes_of_json(self):
        self.assert_refused(b'{"method": "org.fwctl.Firewall.Apply", "parameters": {"policy": "' +
                            b"x" * (100 << 20) + b'"}}\0', "TooLarge")
        with open(f"/proc/{self.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        self.assertLess(peak, 400 << 10, "kB of memory at the peak")

    def test_10_000_levels_of_nesting(self):
        call = b'{"method": "org.fwctl.Firewall.Apply", "parameters": {"policy": %s}}\0'
        self.assert_refused(call % (b"[" * 10_000 + b"]" * 10_000))
        self.assert_refused(call % (b'{"a":' * 10_000 + b"1" + b"}" * 10_000))
        self.assert_refused(call % (b"[" * 10_000))

    def test_policies_that_are_too_deep_or_grow_without_bound(self):
        aliases = "version: 1\na0: &a0 [x]\n" + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30))
        for policy in ("[" * 10_000, "{a: " * 10_000, "- " * 10_000, aliases, "\0", "\x07: 1",
                       "version: 1\nrules:\n" + "  - allow: 22/tcp\n    from: nowhere\n" * 2000):
            with self.assertRaises(lab.VarlinkError) as caught:
                self.daemon.call("Apply", policy=policy)
            self.assertEqual(caught.exception.name, "InvalidPolicy")
            self.assertTrue(caught.exception.parameters["diagnostics"])
            self.assert_untouched()

    def test_many_calls_in_one_packet_are_answered_in_order(self):
        with lab.Varlink(self.daemon.socket) as connection:
            for turn in range(50):
                connection.send("Status" if turn % 2 else "Show", **({} if turn % 2 else {"what": "policy"}))
            for turn in range(50):
                self.assertIn("rules" if turn % 2 else "text", connection.receive()["parameters"])


class Peers(BadInput):
    def test_a_silent_peer_costs_others_nothing(self):
        silent = self.raw()
        half = self.raw()
        half.sendall(b'{"method": "org.fwctl')
        self.assert_untouched()
        self.daemon.fwctl("status")
        self.assertEqual(select.select([silent], [], [], 0)[0], [], "the silent peer was disturbed")

    def test_a_peer_that_never_reads_costs_others_nothing(self):
        deaf = self.raw(timeout=0.2)
        call = b'{"method": "org.fwctl.Firewall.Show", "parameters": {"what": "policy"}}\0'
        with contextlib.suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
            for _ in range(10_000):
                deaf.sendall(call * 10)
        self.assert_untouched()

    def test_a_peer_that_writes_a_byte_at_a_time_is_served(self):
        slow = self.raw()
        for byte in b'{"method": "org.fwctl.Firewall.Status"}\0':
            slow.sendall(bytes([byte]))
        self.assertIn(b'"rules"', slow.recv(65536))

    def test_a_peer_that_leaves_at_once(self):
        for _ in range(300):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.connect(str(self.daemon.socket))
                peer.sendall(b'{"method": "org.fwctl.Firewall.Status"}\0')
        self.assert_untouched()

    def crowd(self, size, **options):
        """Starts a process that holds `size` silent connections; returns how many it got."""
        code = ("import socket,sys\n"
                "held=[]\n"
                f"for _ in range({size}):\n"
                "    peer=socket.socket(socket.AF_UNIX)\n"
                "    peer.setblocking(False)\n"
                "    held.append(peer)\n"
                "    try: peer.connect(sys.argv[1])\n"
                "    except BlockingIOError: pass\n"
                "print(len(held),flush=True)\n"
                "sys.stdin.read()\n")
        process = subprocess.Popen(["/usr/bin/python3", "-c", code, str(self.daemon.socket)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   cwd="/", **options)
        self.addCleanup(process.communicate)
        self.assertEqual(int(process.stdout.readline()), size)
        return process

    def test_500_silent_peers_of_ours_at_once(self):
        crowd = self.crowd(500)
        self.daemon.fwctl("status")
        self.daemon.json("ports")
        crowd.communicate()
        self.assert_untouched()

    @unittest.skipUnless(lab.PRIVILEGED, "needs a second user")
    def test_500_silent_peers_of_someone_else_do_not_lock_root_out(self):
        self.crowd(500, user=NOBODY, group=NOBODY, extra_groups=[])
        self.daemon.fwctl("status")
        self.assert_untouched()

    def test_500_peers_with_a_question_each(self):
        call = b'{"method": "org.fwctl.Firewall.Status"}\0'
        answered = 0
        poll = select.epoll()
        peers = {}
        for _ in range(500):
            peer = self.raw()
            peers[peer.fileno()] = peer
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.sendall(call)
            poll.register(peer, select.EPOLLIN)
        while peers:
            events = poll.poll(lab.PATIENCE)
            self.assertTrue(events, f"{len(peers)} peers got neither an answer nor an end")
            for descriptor, _ in events:
                peer = peers.pop(descriptor)
                poll.unregister(peer)
                with contextlib.suppress(ConnectionResetError):
                    answered += b'"rules"' in peer.recv(1 << 20)
                peer.close()
        self.assertGreaterEqual(answered, 64)
        self.assert_untouched()


@unittest.skipUnless(lab.PRIVILEGED, "needs a second user")
class Rights(BadInput):
    CHANGES = (("allow", "80/tcp"), ("prepend", "deny", "80/tcp"), ("delete", "1"), ("disable",),
               ("enable",), ("default", "allow", "incoming"), ("reload",), ("reset",))

    def nobody(self, *words):
        return self.daemon.fwctl(*words, code=3, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")

    def test_a_user_without_rights_changes_nothing(self):
        for words in self.CHANGES:
            with self.subTest(words=words):
                self.assertTrue(self.nobody(*words).stderr.strip())
                self.assert_untouched()

    def test_a_user_without_rights_sees_nothing(self):
        for words in (("status",), ("ports",), ("show", "policy"), ("diff",)):
            with self.subTest(words=words):
                self.nobody(*words)
        self.assert_untouched()

    def test_the_error_names_the_method_and_the_role(self):
        self.nobody("status")
        code = ("import socket,sys\n"
                "peer=socket.socket(socket.AF_UNIX)\n"
                "peer.connect(sys.argv[1])\n"
                "peer.sendall(b'{\"method\": \"org.fwctl.Firewall.Disable\"}\\0')\n"
                "print(peer.recv(65536).rstrip(b'\\0').decode())\n")
        reply = json.loads(lab.run("/usr/bin/python3", "-c", code, self.daemon.socket, user=NOBODY,
                                   group=NOBODY, extra_groups=[], cwd="/").stdout)
        self.assertEqual(reply["error"], "org.fwctl.Firewall.PermissionDenied")
        self.assertIn("Disable", reply["parameters"]["method"])
        self.assertTrue(reply["parameters"]["role"])
        self.assert_untouched()

    def test_a_large_request_of_such_a_user_is_refused_early(self):
        code = ("import socket,sys\n"
                "peer=socket.socket(socket.AF_UNIX)\n"
                "peer.connect(sys.argv[1])\n"
                "try: peer.sendall(b'{\"method\": \"' + b'x' * (8 << 20))\n"
                "except OSError: print('cut off')\n"
                "peer.settimeout(20)\n"
                "try: print(peer.recv(65536).rstrip(b'\\0').decode() or 'closed')\n"
                "except ConnectionResetError: print('closed')\n")
        done = lab.run("/usr/bin/python3", "-c", code, self.daemon.socket, user=NOBODY, group=NOBODY,
                       extra_groups=[], cwd="/")
        self.assertRegex(done.stdout, "cut off|closed|TooLarge")
        self.assert_untouched()


class KernelRefusesOneRule(lab.LabTest):
    """The real kernel refuses one object of a batch, as it would a rule it does not know how to do."""

    RULES = (("allow", "80/tcp"), ("deny", "from", "192.0.2.9", "to", "any", "port", "25"),
             ("reject", "6000:6007/udp"), ("allow", "out", "log", "53/udp"))

    def setUp(self):
        super().setUp()
        self.daemon.fault("")
        self.start(POLICY)

    def refuse(self, rule_id):
        """Until the next call the kernel refuses what comes of that rule."""
        self.daemon.fault(f"refuse {rule_id}")
        self.before = self.daemon.snapshot()

    def assert_refused(self, *words, where, caret):
        done = self.daemon.fwctl(*words, code=1)
        self.assertIn(where, done.stderr)
        self.assertIn("refused", done.stderr)
        self.assertIn(caret, done.stderr)
        self.assertEqual(self.daemon.snapshot(), self.before)
        self.assertTrue(self.daemon.alive())

    def test_a_typed_rule(self):
        for words in self.RULES:
            with self.subTest(words=words):
                rule_id = self.id_of(words)
                self.refuse(rule_id)
                self.assert_refused(*words, where="rules.yaml:", caret="^")
                self.daemon.fault("")
                self.daemon.fwctl(*words)
                self.assertIn(rule_id, [rule["id"] for rule in self.daemon.call("Status")["rules"]])

    def id_of(self, words):
        """The id that the rule gets, found by adding it for a moment."""
        known = {rule["id"] for rule in self.daemon.call("Status")["rules"]}
        self.daemon.fwctl(*words)
        added = [rule["id"] for rule in self.daemon.call("Status")["rules"] if rule["id"] not in known]
        self.daemon.fwctl("delete", *words)
        self.assertEqual(len(added), 1)
        return added[0]

    def test_a_file(self):
        drop_in = self.daemon.config / "policy.d" / "10-web.yaml"
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text("rules:\n  - allow: 80/tcp\n  - deny: 443/tcp\n")
        self.refuse(self.id_of(("deny", "443/tcp")))
        self.assert_refused("reload", where="10-web.yaml:3:", caret="- deny: 443/tcp\n")
        self.daemon.fault("")
        self.daemon.fwctl("reload")
        self.assertEqual(len(self.daemon.call("Status")["rules"]), 3)

    def test_enabling(self):
        rule_id = self.daemon.call("Status")["rules"][0]["id"]
        self.daemon.fwctl("disable")
        self.refuse(rule_id)
        self.assert_refused("enable", where="policy.yaml:4:", caret="^")
        self.assertEqual(self.lab.ruleset(), "")


class Disks(lab.LabTest):
    """Directories that cannot be written: the change is refused and undone everywhere."""

    CHANGES = (("allow", "80/tcp"), ("default", "allow", "incoming"), ("disable",))

    def refuse_all(self, *, also=()):
        before = self.daemon.snapshot()
        for words in self.CHANGES + also:
            with self.subTest(words=words):
                done = self.daemon.fwctl(*words, code=1)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(self.daemon.snapshot(), before)
                self.assertTrue(self.daemon.alive())
        with self.assertRaises(lab.VarlinkError):
            self.daemon.apply(POLICY.replace("22", "23"))
        self.assertEqual(self.daemon.snapshot(), before)

    def full(self, directory):
        lab.mount("-t", "tmpfs", "-o", "size=512k,mode=755", "tmpfs", directory)
        self.addCleanup(lab.run, "umount", "-l", directory, check=False)
        self.start(POLICY)
        filler = directory / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        self.refuse_all()
        filler.unlink()
        self.daemon.fwctl("allow", "80/tcp")
        self.assertIn("80", self.lab.ruleset())

    def test_a_full_disk_below_the_state(self):
        self.full(self.daemon.state)

    def read_only(self, directory):
        self.start(POLICY)
        lab.mount("--bind", directory, directory)
        self.addCleanup(lab.run, "umount", "-l", directory, check=False)
        lab.mount("-o", "remount,bind,ro", directory)
        self.refuse_all()
        lab.run("umount", "-l", directory)
        self.daemon.fwctl("allow", "80/tcp")
        self.assertIn("80", self.lab.ruleset())

    def test_a_read_only_state_directory(self):
        self.read_only(self.daemon.state)


class ConfigDisks(Disks):
    """The same below the configuration; what is kept in the state alone may go on."""

    CHANGES = (("allow", "80/tcp"), ("prepend", "deny", "80/tcp"))
    test_a_full_disk_below_the_state = None
    test_a_read_only_state_directory = None

    def test_a_full_disk_below_the_configuration(self):
        self.full(self.daemon.config)

    def test_a_read_only_configuration_directory(self):
        self.read_only(self.daemon.config)


class Kernels(lab.LabTest):
    """A kernel that does not do what the daemon expects."""

    def test_a_daemon_without_the_capability_says_so_and_is_not_ready(self):
        with self.assertRaisesRegex(AssertionError, "fwctld ended with [1-9]"):
            self.daemon.start("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
        self.assertIn("not permitted", self.daemon.log_text())

    def edits(self):
        """What another program may do to our table, as nft commands, a list each."""
        chains = re.findall(r"^chain (\S+)", self.lab.ruleset(), re.M)
        maps = re.findall(r"^map (\S+)", self.lab.ruleset(), re.M)
        yield ["add chain inet fwctl strangers"]
        yield ["add set inet fwctl strange { type ipv4_addr; }"]
        yield ["add counter inet fwctl strange"]
        yield ["add map inet fwctl strange { type ipv4_addr : mark; }"]
        yield ["add chain inet fwctl strangers { type filter hook input priority -10; policy drop; }"]
        for chain in chains:
            yield [f"insert rule inet fwctl {chain} counter accept"]
            yield [f"flush chain inet fwctl {chain}"]
            yield ["add set inet fwctl strange { type ipv4_addr; }",
                   f"add rule inet fwctl {chain} ip saddr @strange drop"]
        for chain in set(chains) - {"input", "forward", "output"}:
            # The next change cannot remove what it replaces: something else refers to it.
            yield ["add chain inet fwctl strangers", f"add rule inet fwctl strangers jump {chain}"]
        for name in maps:
            yield [f"flush map inet fwctl {name}"]
        # The element that the change under test adds.
        yield ["add element inet fwctl incoming-ports { tcp . 80 : drop }"]
        yield ["flush table inet fwctl"]
        yield ["delete table inet fwctl"]
        yield ["add table ip fwctl", "add chain ip fwctl input", "add table inet fwctl2"]

    def test_a_change_on_a_table_that_others_edited(self):
        """Done or refused whole, and after a restart exactly the policy is in force again."""
        target = POLICY.replace("22/tcp", "[22/tcp, 80/tcp, 6000-6007/udp]")
        self.daemon.watch()
        self.start(target)
        meant = self.lab.ruleset()
        self.daemon.apply(POLICY)
        without = self.lab.ruleset()
        for commands in self.edits():
            with self.subTest(edit=commands):
                for command in commands:
                    self.lab.nft(*command.split(), check=False)
                before = self.daemon.snapshot(), self.lab.table()
                try:
                    self.daemon.apply(target)
                    expected = meant
                except lab.VarlinkError as error:
                    self.assertIn(error.name, ("KernelRefused", "Failed"))
                    self.assertEqual((self.daemon.snapshot(), self.lab.table()), before)
                    expected = without
                self.assertTrue(self.daemon.alive())
                self.daemon.restart()
                self.assertEqual(self.lab.ruleset(), expected)
            self.daemon.call("Disable")
            self.daemon.apply(POLICY)
            self.daemon.call("Enable")


if __name__ == "__main__":
    lab.main()
