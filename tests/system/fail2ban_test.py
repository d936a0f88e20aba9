"""The real fail2ban of Debian, with the action that is installed for it, and an attacker's packets."""

import contextlib
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

import lab

ACTION = lab.SOURCE / "systemd/fail2ban-action.conf"
SERVER = pathlib.Path("/usr/bin/fail2ban-server")
CLIENT = pathlib.Path("/usr/bin/fail2ban-client")

FILTER = """\
[Definition]
failregex = ^refused <HOST>$
datepattern = {NONE}
"""
JAIL = """\
[lab]
enabled = true
filter = lab
logpath = %s
backend = polling
maxretry = 2
bantime = %s
usedns = no
action = fwctl[fwctl="%s --socket %s"]
"""
SETTINGS = """\
[Definition]
loglevel = INFO
allowipv6 = auto
logtarget = STDOUT
syslogsocket = auto
socket = %(directory)s/socket
pidfile = %(directory)s/pid
dbfile = %(directory)s/bans.sqlite3
dbpurgeage = 1d
dbmaxmatches = 10
"""


class Fail2ban(lab.LabTest):
    def setUp(self):
        super().setUp()
        if not SERVER.exists():
            raise unittest.SkipTest("fail2ban is not installed")
        self.lab.listen(80)
        self.start("rules: [allow 80]\n")
        self.directory = self.lab.directory / "fail2ban"
        for name in ("action.d", "filter.d"):
            (self.directory / name).mkdir(parents=True)
        shutil.copy(ACTION, self.directory / "action.d/fwctl.conf")
        (self.directory / "filter.d/lab.conf").write_text(FILTER)
        (self.directory / "fail2ban.conf").write_text(SETTINGS % {"directory": self.directory})
        self.watched = self.directory / "watched.log"
        self.watched.write_text("")
        self.output = self.directory / "fail2ban.log"
        self.process = None
        self.addCleanup(self.stop_fail2ban)

    def start_fail2ban(self, bantime="1h"):
        (self.directory / "jail.conf").write_text(
            JAIL % (self.watched, bantime, self.daemon.cli, self.daemon.socket))
        with lab.inside("server"), open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "/usr/bin/python3", SERVER, "-f", "-c", self.directory, "start"],
                stdout=output, stderr=output)
        lab.until(lambda: "pong" in self.client("ping", check=False).stdout, "fail2ban answers")
        lab.until(lambda: "lab" in self.client("status").stdout, "the jail is there")

    def stop_fail2ban(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.process = None

    def client(self, *words, **options):
        with lab.inside("server"):
            return lab.run("/usr/bin/python3", CLIENT, "-c", self.directory, *words, **options)

    def attack(self, *addresses):
        with open(self.watched, "a") as file:
            for address in addresses:
                file.write(f"refused {address}\n" * 2)

    def bans(self):
        return {ban["address"]: ban for ban in self.daemon.json("bans")["bans"]}

    def remembered(self):
        with contextlib.closing(sqlite3.connect(self.directory / "bans.sqlite3")) as database:
            return [address for address, in database.execute("SELECT ip FROM bans")]

    def until_banned(self, *addresses):
        try:
            lab.until(lambda: set(addresses) == set(self.bans()), f"banned: {addresses}")
        except AssertionError:
            print(f"--- fail2ban's log\n{self.output.read_text()[-4000:]}", file=sys.stderr)
            raise

    def assert_no_errors(self):
        text = self.output.read_text()
        self.assertNotIn("ERROR", text)
        self.assertNotIn("WARNING", text.replace("WARNING New database created", ""))

    def test_an_attacker_is_banned_and_let_in_again(self):
        self.start_fail2ban()
        running = lab.connect(lab.SERVER[4], 80, source=lab.CLIENT[4])
        self.addCleanup(running.close)
        self.attack(lab.CLIENT[4], lab.CLIENT[6])
        self.until_banned(lab.CLIENT[4], lab.CLIENT[6])
        self.assert_reach("filtered", 80, source=lab.CLIENT)
        self.assert_reach("open", 80, source=lab.CLIENT_TOO)
        running.settimeout(lab.SILENCE)
        with self.assertRaises(TimeoutError):
            running.send(b"?")
            running.recv(1)
        ban = self.bans()[lab.CLIENT[6]]
        self.assertEqual(ban["comment"], "fail2ban lab")
        self.assertTrue(3500 < ban["secondsLeft"] <= 3600, ban)
        # What somebody else banned stays his.
        self.daemon.fwctl("ban", "203.0.113.9", lab.CLIENT_TOO[4])
        self.client("set", "lab", "unbanip", lab.CLIENT[4])
        self.assert_reach("open", 80, families=[4], source=lab.CLIENT)
        self.assert_reach("filtered", 80, families=[6], source=lab.CLIENT)
        self.client("set", "lab", "banip", lab.CLIENT_TOO[4])
        self.client("set", "lab", "unbanip", lab.CLIENT_TOO[4])
        self.client("unban", "--all")
        self.until_banned("203.0.113.9", lab.CLIENT_TOO[4])
        self.assert_reach("open", 80, families=[6], source=lab.CLIENT)
        self.assert_no_errors()

    def test_a_restart_bans_again_what_it_knows(self):
        self.start_fail2ban()
        self.attack(lab.CLIENT[4])
        self.until_banned(lab.CLIENT[4])
        # It notes what it bans a moment later.
        lab.until(lambda: self.remembered() == [lab.CLIENT[4]], "fail2ban has written it down")
        self.process.kill()  # so that it lifts nothing
        self.process.wait()
        (self.directory / "socket").unlink()
        self.daemon.restart()
        self.until_banned(lab.CLIENT[4])
        self.start_fail2ban()
        lab.until(lambda: "Restore Ban " + lab.CLIENT[4] in self.output.read_text(), "it bans again")
        self.until_banned(lab.CLIENT[4])
        self.stop_fail2ban()
        self.assertEqual(self.bans(), {}, "stopped, it lifts its bans")
        self.start_fail2ban()
        self.until_banned(lab.CLIENT[4])
        self.assert_reach("filtered", 80, families=[4], source=lab.CLIENT)
        self.assert_no_errors()

    def test_for_a_moment_and_for_ever(self):
        self.start_fail2ban("3")
        self.attack(lab.CLIENT[4])
        self.until_banned(lab.CLIENT[4])
        self.until_banned()
        lab.until(lambda: "Unban " + lab.CLIENT[4] in self.output.read_text(), "fail2ban lifts what has ended")
        self.client("set", "lab", "bantime", "-1")
        self.attack(lab.CLIENT[4])
        self.until_banned(lab.CLIENT[4])
        self.assertNotIn("until", self.bans()[lab.CLIENT[4]])
        self.assert_no_errors()


if __name__ == "__main__":
    lab.main(3)
