#!/usr/bin/env python3
"""What rules log: read from the kernel by the daemon, told once, counted, and followed."""

import concurrent.futures
import json
import signal
import socket
import subprocess
import time
import unittest

import lab
from lab import CLIENT, CLIENT_TOO, SERVER

POLICY = """
version: 1
logging: %s
rules:
  - allow: 22/tcp
  - deny: 3000/tcp
    log: true
    comment: development
  - deny: 53/udp
    log: all
  - reject: 25/tcp
    log: true
"""


class Log(lab.LabTest):
    def begin(self, level="low"):
        self.start(POLICY % level)
        return self.daemon

    def entries(self, number=1):
        """What is logged, once there are so many entries."""
        def enough():
            found = self.daemon.call("Log")["entries"]
            return found if len(found) >= number else None
        return lab.until(enough, f"{number} log entries")

    @staticmethod
    def send(port, protocol="tcp", family=4, source=None, to=None):
        lab.probe(to or SERVER[family], port, protocol, wait=0.05,
                  source=source[family] if source else None)

    def test_a_packet_is_told_with_the_rule_that_decided(self):
        self.begin()
        for family in lab.FAMILIES:
            self.send(3000, family=family, source=CLIENT)
        for family, entry in zip(lab.FAMILIES, self.entries(2)):
            self.assertEqual((entry["verdict"], entry["protocol"], entry["traffic"], entry["flags"]),
                             ("deny", "tcp", "incoming", "SYN"))
            self.assertEqual((entry["source"], entry["destination"], entry["destinationPort"]),
                             (CLIENT[family], SERVER[family], 3000))
            self.assertEqual((entry["inInterface"], entry["outInterface"]), ("eth0", ""))
            self.assertRegex(entry["mac"], "^([0-9a-f]{2}:){5}[0-9a-f]{2}$")
            self.assertEqual((entry["because"], entry["number"], entry["line"]), ("deny log 3000/tcp", 2, 6))
            self.assertTrue(entry["file"].endswith("/policy.yaml"))
        text = self.daemon.fwctl("log").stdout.splitlines()
        self.assertEqual(len(text), 2)
        self.assertRegex(text[0], r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d deny   tcp 192\.0\.2\.2:\d+ to "
                                  r"192\.0\.2\.1:3000 in eth0 SYN, by rule 2, deny log 3000/tcp$")
        self.assertRegex(text[1], r"tcp \[2001:db8:1::2\]:\d+ to \[2001:db8:1::1\]:3000 in eth0")
        self.assertEqual(self.daemon.fwctl("log", "-n", "1").stdout.splitlines(), text[1:])
        self.assertEqual(len(self.daemon.json("log", "-n", "1")["entries"]), 1)

    def test_the_daemon_writes_it_in_a_form_that_tools_read(self):
        self.begin()
        self.send(3000)
        self.entries()
        self.assertRegex(self.daemon.log_text(),
                         r"(?m)\[fwctl deny r\w+\] IN=eth0 OUT= MAC=\S+ SRC=192\.0\.2\.2 DST=192\.0\.2\.1 "
                         r"LEN=\d+ TTL=64 PROTO=TCP SPT=\d+ DPT=3000 SYN$")

    def test_repeats_are_counted_not_told(self):
        self.begin()
        for _ in range(5):
            self.send(53, "udp")
        self.send(53, "udp", source=CLIENT_TOO)
        found = self.entries(2)
        self.assertEqual([(entry["source"], entry["count"]) for entry in found],
                         [(CLIENT[4], 1), (CLIENT_TOO[4], 1)])

    def test_what_only_a_default_decided_says_so(self):
        self.begin()
        self.send(4000)
        entry, = self.entries()
        self.assertEqual((entry["because"], entry["verdict"]), ("default", "deny"))
        self.assertNotIn("rule", entry)
        self.assertIn(", by the default\n", self.daemon.fwctl("log").stdout)

    def test_noise_is_silent_at_low_levels(self):
        def shout():
            with lab.inside("client"):
                noisy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with noisy:
                noisy.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                noisy.sendto(b"anyone?", ("192.0.2.255", 1900))

        self.begin()
        shout()
        self.send(4000)
        self.assertEqual([entry["destination"] for entry in self.entries()], [SERVER[4]])
        self.daemon.fwctl("logging", "high")
        shout()

        def denied():
            return [entry["destination"] for entry in self.daemon.call("Log")["entries"]
                    if entry["verdict"] == "deny" and entry.get("destinationPort") == 1900]

        lab.until(lambda: denied() == ["192.0.2.255"], "it is logged")

    def test_a_rule_that_is_gone_is_still_named(self):
        self.begin()
        self.send(3000)
        rule = self.entries()[0]["rule"]
        self.daemon.apply("version: 1\n")
        entry, = self.entries()
        self.assertEqual(entry["rule"], rule)
        self.assertNotIn("because", entry)
        self.assertIn(f", by {rule}, which is gone", self.daemon.fwctl("log").stdout)

    def follow(self, *words):
        with lab.inside("server"):
            process = subprocess.Popen(
                [self.daemon.cli, "--socket", self.daemon.socket, *words],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    @staticmethod
    def line(process):
        """The next one, if it comes in time."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.submit(process.stdout.readline)
            try:
                return found.result(lab.PATIENCE)
            except TimeoutError:
                process.kill()  # so that the reading ends
                raise AssertionError("nothing comes") from None

    def test_following(self):
        self.begin()
        self.send(3000)
        self.entries()
        people = self.follow("log", "-f")
        programs = self.follow("--json", "log", "-f", "-n", "0")
        self.assertIn(":3000", self.line(people))
        self.assertEqual(json.loads(self.line(programs)), {"entries": []})
        self.send(25)
        self.assertIn("reject", self.line(people))
        entry, = json.loads(self.line(programs))["entries"]
        self.assertEqual(entry["destinationPort"], 25)
        for process in (people, programs):
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(lab.PATIENCE), -signal.SIGINT)
        self.assertEqual(len(self.daemon.json("log")["entries"]), 2)

    def test_a_follower_who_does_not_read_costs_others_nothing(self):
        self.begin("high")
        with lab.Varlink(self.daemon.socket) as silent:
            silent.stream("Log", count=0)
            self.assertEqual(silent.receive(), {"parameters": {"entries": []}, "continues": True})
            with lab.inside("client"):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sock:
                for first in range(10000, 11000, 180):  # the daemon makes 200 entries a second at most
                    for port in range(first, first + 180):
                        sock.sendto(b"x", (SERVER[4], port))
                    time.sleep(1)
            self.assertEqual(self.daemon.call("Status")["enabled"], True)
            got = 0
            while "lost" not in (reply := silent.receive()["parameters"]):
                got += len(reply["entries"])
            self.assertGreater(got, 200)
            self.assertGreater(reply["lost"], 0)
            self.send(4000)
            ports = []
            while 4000 not in ports:
                ports += [one.get("destinationPort") for one in silent.receive()["parameters"]["entries"]]

    def test_one_reader_only_and_the_daemon_says_so(self):
        other = lab.Daemon(self.lab, name="other")
        self.daemon.watch()  # or there is no other
        self.begin()
        other.start()
        problem = other.call("Log")["problem"]
        self.assertIn("another program reads it", problem)
        self.assertIn("what rules log is not read", other.log_text())
        self.daemon.stop()
        self.assertNotIn("problem", other.call("Log"), "it tries again when it is asked")
        self.send(3000)
        lab.until(lambda: other.call("Log")["entries"], "the other one reads now")


if __name__ == "__main__":
    lab.main()
