"""Many clients at once, and deaths at any moment: what was acknowledged is there, in the order of the
generations; the kernel, the files and what the daemon says are one."""

import collections
import os
import random
import re
import threading
import time

import lab

CLIENTS = 8
SECONDS = float(os.environ.get("FWCTL_CROWD_SECONDS", "6"))
DEATHS = int(os.environ.get("FWCTL_DEATHS", "25"))
SEED = int(os.environ.get("FWCTL_SEED", "0")) or random.randrange(1 << 32)

Done = collections.namedtuple("Done", "generation port added")


class Client(threading.Thread):
    """Allows ports of its own, and takes some back, until it is told to stop or the daemon is gone."""

    def __init__(self, daemon, ports, seed, stop):
        super().__init__()
        self.daemon_under_test = daemon
        self.ports = iter(ports)
        self.random = random.Random(seed)
        self.stop = stop
        self.done = []        # acknowledged, in order
        self.doubtful = None  # asked for and never answered
        self.refused = []

    def run(self):
        there = []
        try:
            with lab.Varlink(self.daemon_under_test.socket) as connection:
                while not self.stop.is_set():
                    adding = not there or self.random.random() < 0.7
                    port = next(self.ports) if adding else there.pop(self.random.randrange(len(there)))
                    words = ["allow", f"{port}/tcp"]
                    self.doubtful = Done(None, port, adding)
                    reply = (connection.call("Add", rule=words) if adding
                             else connection.call("Delete", selection=words))
                    self.doubtful = None
                    self.done.append(Done(reply["outcome"]["generation"], port, adding))
                    if adding:
                        there.append(port)
        except lab.VarlinkError as error:
            self.refused.append(str(error))
        except (OSError, StopIteration):
            pass


class Crowd(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.daemon.start()
        self.daemon.call("Enable")

    def clients(self, stop, ranges):
        return [Client(self.daemon, ports, self.random.random(), stop) for ports in ranges]

    def ports(self):
        """Of the policy, of the kernel, and of rules.yaml."""
        policy = {int(port) for port in re.findall(r"allow: (\d+)/tcp", self.daemon.policy())}
        kernel = {int(port) for port in re.findall(r"tcp \. (\d+) counter", self.lab.ruleset())}
        written = (self.daemon.config / "rules.yaml").read_text()
        return policy, kernel, {int(port) for port in re.findall(r"allow: (\d+)/tcp", written)}

    def assert_one_story(self, wanted, doubtful=()):
        """Exactly what is wanted, but for what nobody was told of."""
        policy, kernel, written = self.ports()
        self.assertEqual((kernel, written), (policy, policy), f"seed {SEED}")
        self.assertEqual(policy - doubtful_ports(doubtful), wanted - doubtful_ports(doubtful),
                         f"seed {SEED}")
        self.assertEqual(self.daemon.call("Status")["problems"], [])

    def assert_kept(self, newest):
        """The twenty generations up to that one, each of them."""
        kept = [entry["number"] for entry in self.daemon.json("history")["generations"]]
        self.assertEqual(kept, list(range(newest, newest - 20, -1)))

    def test_what_eight_clients_were_told_is_so(self):
        before = self.daemon.call("Status")["generation"]
        stop = threading.Event()
        crowd = self.clients(stop, (range(1_000 + number, 60_000, CLIENTS) for number in range(CLIENTS)))
        for one in crowd:
            one.start()
        time.sleep(SECONDS)
        stop.set()
        for one in crowd:
            one.join()
            self.assertEqual((one.refused, one.doubtful), ([], None))
            generations = [done.generation for done in one.done]
            self.assertEqual(generations, sorted(generations))
        done = sorted(done for one in crowd for done in one.done)
        self.assertGreater(len(done), CLIENTS * 5)
        self.assertEqual([one.generation for one in done],
                         list(range(before + 1, before + 1 + len(done))), "each has its generation")
        wanted = after(set(), done)
        self.assert_one_story(wanted)
        self.assert_kept(done[-1].generation)
        self.daemon.restart()
        self.assert_one_story(wanted)
        self.assert_kept(done[-1].generation)
        print(f"{CLIENTS} clients: {len(done)} changes in {SECONDS:g} s")

    def test_killed_at_any_moment(self):
        wanted = set()
        cut_short = 0
        for death in range(DEATHS):
            stop = threading.Event()
            first = 1_000 + death * 100
            crowd = self.clients(stop, (range(first, first + 50), range(first + 50, first + 100)))
            for one in crowd:
                one.start()
            time.sleep(self.random.random() * 0.05)
            self.daemon.kill()
            stop.set()
            for one in crowd:
                one.join()
                self.assertEqual(one.refused, [])
            wanted = after(wanted, sorted(done for one in crowd for done in one.done))
            doubtful = [one.doubtful for one in crowd if one.doubtful]
            cut_short += bool(doubtful)
            self.daemon.start()
            self.assert_one_story(wanted, doubtful)
            wanted = self.ports()[0]
        print(f"{DEATHS} deaths, {cut_short} while a change was under way")
        self.assertGreater(cut_short, DEATHS // 4)


def after(ports, changes):
    ports = set(ports)
    for one in changes:
        (ports.add if one.added else ports.remove)(one.port)
    return ports


def doubtful_ports(changes):
    return {one.port for one in changes}


if __name__ == "__main__":
    lab.main()
