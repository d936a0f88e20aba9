"""Connections that go on although the policy would not let them begin: counted, offered, ended, with a
server that keeps talking, whose next segment would begin them anew from the other side."""

import contextlib
import socket
import threading
import unittest

import lab
import ssh


class Talker:
    """A server that says something to everybody every few milliseconds."""

    def __init__(self, laboratory, port, namespace="server"):
        self._over = threading.Event()
        self._threads = []
        self._sockets = []
        for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            with lab.inside(namespace):
                listener = socket.socket(kind, socket.SOCK_STREAM)
            if family == 6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", port))
            listener.listen()
            self._sockets.append(listener)
            self._start(self._accept, listener)
        laboratory._closing.callback(self.close)

    def _start(self, what, *arguments):
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                connection, _ = listener.accept()
                self._sockets.append(connection)
                self._start(self._talk, connection)

    def _talk(self, connection):
        with contextlib.suppress(OSError):
            while not self._over.wait(0.005):
                connection.send(b"still here ")

    def close(self):
        self._over.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)


def hears(connection, wait=lab.PATIENCE):
    """Whether something that was said from now on comes. What came before is read away."""
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while connection.recv(65536):
            pass
    connection.settimeout(wait)
    try:
        return len(connection.recv(64)) > 0
    except TimeoutError:
        return False


class Cut(lab.LabTest):
    def setUp(self):
        super().setUp()
        Talker(self.lab, 3000)
        self.daemon.start()
        self.daemon.fwctl("allow", "3000,22/tcp")
        self.daemon.fwctl("enable")

    def connect(self, family=4, source=lab.CLIENT, server=lab.SERVER, port=3000):
        connection = lab.connect(server[family], port, source=source[family])
        self.addCleanup(connection.close)
        self.assertTrue(hears(connection))
        return connection

    def assert_reset(self, connection):
        def reset():
            try:
                return connection.recv(65536) == b""
            except ConnectionResetError:
                return True
        connection.settimeout(lab.PATIENCE)
        lab.until(reset, "the connection is reset")

    def test_a_deny_says_what_goes_on_and_cut_ends_it(self):
        for family in lab.FAMILIES:
            connection = self.connect(family)
            said = self.daemon.fwctl("prepend", "deny", "3000/tcp").stdout
            self.assertIn("Still there: 1 connection that would not be let begin any more; "
                          "'fwctl cut --denied' ends it.", said)
            self.assertTrue(hears(connection), "an established connection outlives a deny")
            self.assertIn("This would end 1 connection.", self.daemon.fwctl("--dry-run", "cut", "--denied").stdout)
            self.assertTrue(hears(connection))
            self.assertEqual(self.daemon.fwctl("cut", "--denied").stdout, "Ended: 1 connection.\n")
            self.assert_reset(connection)
            self.assertEqual(self.daemon.fwctl("cut", "--denied").stdout, "Ended: 0 connections.\n")
            self.daemon.fwctl("delete", "1")
            self.connect(family).close()

    def test_at_once(self):
        there = [self.connect(family) for family in lab.FAMILIES]
        other = self.connect(source=lab.CLIENT_TOO)
        outcome = self.daemon.json("--cut", "prepend", "deny", "from", lab.CLIENT[4])["outcome"]
        self.assertEqual(outcome["flowing"], 1)
        self.assert_reset(there[0])
        self.assertTrue(hears(there[1]) and hears(other))
        self.assertIn("Ended: 2 connections.", self.daemon.fwctl("prepend", "deny", "3000/tcp", "--cut").stdout)
        self.assert_reset(there[1])
        self.assert_reset(other)

    def test_those_that_are_named(self):
        mine, other = self.connect(), self.connect(source=lab.CLIENT_TOO)
        self.assertEqual(self.daemon.fwctl("cut", "from", lab.CLIENT_TOO[4]).stdout, "Ended: 1 connection.\n")
        self.assert_reset(other)
        self.daemon.fwctl("cut", "3001/tcp")
        self.daemon.fwctl("cut", "out", "3000/tcp")
        self.daemon.fwctl("cut", "3000/tcp", "on", "eth1")
        self.assertTrue(hears(mine))
        self.daemon.fwctl("cut", "3000/tcp", "on", "eth0")
        self.assert_reset(mine)
        self.connect(source=lab.CLIENT_TOO)
        for wrong in ([], ["--denied", "22/tcp"], ["prot"], ["from"]):
            self.daemon.fwctl("cut", *wrong, code=2)

    def test_what_cannot_keep_out_is_not_looked_at(self):
        self.connect()
        self.assertNotIn("flowing", self.daemon.json("allow", "81/tcp")["outcome"])
        self.assertEqual(self.daemon.json("deny", "81/tcp")["outcome"]["flowing"], 0)
        self.assertNotIn("Still there", self.daemon.fwctl("deny", "82/tcp").stdout)
        self.assertNotIn("flowing", self.daemon.json("--dry-run", "prepend", "deny", "3000/tcp")["outcome"])

    def test_what_passes_through(self):
        self.lab.forwarding()
        Talker(self.lab, 3000, "inner")
        self.daemon.fwctl("route", "allow", "proto", "tcp", "to", lab.INNER[4], "port", "3000")
        connection = self.connect(server=lab.INNER)
        said = self.daemon.fwctl("delete", "route", "allow", "proto", "tcp", "to", lab.INNER[4], "port", "3000").stdout
        self.assertIn("Still there: 1 connection", said)
        self.assertTrue(hears(connection))
        self.daemon.fwctl("cut", "--denied")
        self.assertFalse(hears(connection, lab.SILENCE))

    @unittest.skipUnless(lab.PRIVILEGED, "sshd needs root")
    def test_the_callers_own_is_spared(self):
        sshd = ssh.Sshd(self.lab)
        command = [self.daemon.cli, "--socket", self.daemon.socket, "--color=never"]
        other = sshd.session("sleep", "4321", source=lab.CLIENT_TOO)
        lab.until(lambda: "sleep 4321" in lab.run("ps", "-eo", "args").stdout.splitlines(), "he is there")
        done = sshd.run(*command, "prepend", "deny", "22/tcp", "--allow-lockout", "--cut")
        self.assertIn("Ended: 1 connection.", done.stdout)
        lab.until(lambda: other.poll() is not None, "the other's connection ends")
        done = sshd.run(*command, "cut", "22/tcp")
        self.assertEqual(done.stdout, "Ended: 0 connections. Yours is spared ('--allow-lockout' ends it, too).\n")
        self.assertEqual(sshd.run(*command, "cut", "22/tcp", "--allow-lockout").returncode, 255)
        self.assert_reach("filtered", 22, families=[4])


if __name__ == "__main__":
    lab.main(3)
