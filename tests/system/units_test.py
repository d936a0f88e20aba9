"""Units of systemd in rules, under packets: cgroups as systemd makes them, in a tree of our own.

The tree is a cgroup namespace: below a cgroup made for this test, which ends with it. What runs in the
tree are probes. systemd_test.py has the same with the real systemd.
"""

import atexit
import concurrent.futures
import ctypes
import os
import pathlib
import sys

import lab

PORTS = (80, 443)
TREE = pathlib.Path("/run/cgroup")
_CLONE_NEWCGROUP = 0x02000000
# Says what `address` `port` looks like to a process of the cgroup.
PROBE = """
import pathlib, socket, sys
cgroup, address, port, wait = sys.argv[1:]
pathlib.Path(cgroup, "cgroup.procs").write_text("0")
try:
    socket.create_connection((address, int(port)), float(wait)).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("filtered")
"""


def enter_tree():
    """A tree of cgroups of our own, mounted on TREE; False where this machine lets nobody make one."""
    lab.require_private()
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [pathlib.Path(words[4]) for words in mounts if "cgroup2" in words and words[3] == "/"]
    own = [line[3:] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()
           if line.startswith("0::")]
    if not found or not own or not os.access(found[0], os.W_OK):
        return False
    before = found[0] / own[0].lstrip("/")
    root = before / f"fwctl-units-{os.getpid()}"
    root.mkdir()

    def leave():
        (before / "cgroup.procs").write_text(str(os.getpid()))
        for path in sorted(root.glob("**/"), reverse=True):
            path.rmdir()

    atexit.register(leave)
    (root / "cgroup.procs").write_text(str(os.getpid()))
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWCGROUP) != 0:
        return False
    TREE.mkdir()
    lab.mount("-t", "cgroup2", "none", TREE)
    return True


class Units(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(*PORTS, namespace="client")
        self.addCleanup(self.stop)

    def begin(self, *path):
        """What systemd does first when it starts a unit, in these slices."""
        unit = TREE.joinpath(*path)
        unit.mkdir(parents=True)
        return unit

    def stop(self, top=TREE):
        """Ends a unit or slice, or all of them."""
        for path in sorted((path for path in top.glob("**/") if path != TREE), reverse=True):
            # The kernel may still be busy with the last process.
            lab.until(lambda path=path: self._gone(path), f"{path} is empty")

    @staticmethod
    def _gone(path):
        try:
            path.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True

    def in_force(self, unit, name):
        """Waits until the kernel has the cgroup, or none. nft shows the path of one that is there."""
        wanted = f"/{unit.relative_to(TREE)}\"" if unit else None

        def look():
            found = self.lab.nft("list", "set", "inet", "fwctl", self.set_of(name)).stdout
            return (wanted in found) if wanted else "elements" not in found

        return lab.until(look, f"{name} is {wanted}")

    def set_of(self, name):
        sets = self.lab.nft("list", "sets", "table", "inet", "fwctl").stdout.split()
        return next(word for word in reversed(sets) if word.startswith(f"unit/{name}"))

    def assert_probes(self, *wanted):
        """Of (expected, cgroup, port), all at once."""
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            probes = [(pool.submit(self._probe, expected, unit, port, family), expected,
                       f"port {port} from {unit} over IPv{family}")
                      for expected, unit, port in wanted for family in lab.FAMILIES]
        for found, expected, what in probes:
            self.assertEqual(found.result(), expected, what)

    @staticmethod
    def _probe(expected, unit, port, family):
        wait = lab.SILENCE if expected == "filtered" else lab.PATIENCE
        with lab.inside("server"):
            done = lab.run(sys.executable, "-S", "-c", PROBE, unit, lab.CLIENT[family], port, wait)
        return done.stdout.strip()

    def test_a_unit_is_kept_from_going_out_after_each_start(self):
        self.start("version: 1\n")
        said = self.daemon.fwctl("deny", "out", "unit", "worker").stdout
        self.assertIn("worker.service does not run: no packet matches 'unit worker.service' until it does",
                      said)
        generation = self.daemon.json("status")["generation"]
        other = self.begin("system.slice", "other.service")
        for _ in range(3):
            unit = self.begin("system.slice", "worker.service")
            self.in_force(unit, "worker")
            self.assert_probes(("filtered", unit, 80), ("open", other, 80), ("open", TREE, 80))
            self.stop(unit)
            self.in_force(None, "worker")
        status = self.daemon.json("status")
        self.assertEqual(status["generation"], generation, "a start is no change of the policy")
        self.assertEqual(status["problems"], [])

    def test_only_a_unit_may_go_out(self):
        self.start("version: 1\ndefaults: {outgoing: reject}\n")
        unit = self.begin("system.slice", "worker.service")
        said = self.daemon.fwctl("allow", "out", "unit", "worker", "to", "any", "port", "80").stdout
        self.assertNotIn("does not run", said)
        for _ in range(2):
            self.in_force(unit, "worker")
            self.assert_probes(("open", unit, 80), ("refused", unit, 443), ("refused", TREE, 80))
            self.stop(unit)
            unit = self.begin("system.slice", "worker.service")

    def test_a_unit_is_found_in_any_slice(self):
        self.start("version: 1\ndefaults: {outgoing: reject}\n")
        self.daemon.fwctl("allow", "out", "unit", "worker.service")
        for slices in (("apps.slice", "apps-front.slice"), ("apps.slice",), (), ("system.slice",)):
            unit = self.begin(*slices, "worker.service")
            self.in_force(unit, "worker")
            self.assert_probes(("open", unit, 80), ("refused", TREE, 80))
            self.stop(unit)

    def test_a_slice_is_all_that_is_in_it(self):
        self.start("version: 1\n")
        self.daemon.fwctl("deny", "out", "unit", "apps.slice")
        one = self.begin("apps.slice", "one.service")
        two = self.begin("apps.slice", "apps-front.slice", "two.service", "payload")
        other = self.begin("system.slice", "two.service")
        self.in_force(TREE / "apps.slice", "apps")
        self.assert_probes(("filtered", one, 80), ("filtered", two, 80), ("open", other, 80))

    def test_what_a_service_makes_below_it_is_no_unit(self):
        self.start("version: 1\n")
        self.daemon.fwctl("deny", "out", "unit", "worker")
        inner = self.begin("system.slice", "container.service", "system.slice", "worker.service")
        unit = self.begin("system.slice", "worker.service")
        self.in_force(unit, "worker")
        self.assert_probes(("filtered", unit, 80), ("open", inner, 80))

    def test_a_start_of_the_daemon_finds_them_anew(self):
        self.start("version: 1\n")
        unit = self.begin("system.slice", "system-getty.slice", "getty@tty1.service")
        self.daemon.fwctl("deny", "out", "unit", "getty@tty1")
        self.in_force(unit, "getty")
        self.daemon.kill()
        self.stop(unit)
        unit = self.begin("system.slice", "system-getty.slice", "getty@tty1.service")
        self.daemon.start()
        self.assert_probes(("filtered", unit, 80), ("open", TREE, 80))

    def test_explain_knows_them_by_name(self):
        self.start("version: 1\ndefaults: {outgoing: deny}\n")
        self.begin("apps.slice", "worker.service")
        self.daemon.fwctl("allow", "out", "unit", "apps.slice")
        self.daemon.fwctl("allow", "out", "443/tcp", "unit", "cron")
        said = self.daemon.fwctl("explain", "80/tcp", "out", "unit", "worker").stdout
        self.assertIn("allowed\n  by rule 1, allow out unit apps.slice", said)
        said = self.daemon.fwctl("explain", "80/tcp", "out", "unit", "cron.service").stdout
        self.assertIn("denied", said)
        self.assertIn("as unit apps.slice", self.daemon.fwctl("explain", "80/tcp", "out").stdout)
        done = self.daemon.fwctl("trace", "80/tcp", "out", "unit", "cron", code=2)
        self.assertIn("'cron.service' does not run", done.stderr)

    def test_what_cannot_be_a_unit_is_refused(self):
        self.start("version: 1\n")
        before = self.daemon.snapshot()
        for unit, why in (("getty@", "is a template"), ("a b", "is not the name of a unit"),
                          ("-.slice", "leave 'unit' out"), ("apt.timer", "has no processes")):
            self.assertIn(why, self.daemon.fwctl("deny", "out", "unit", unit, code=2).stderr)
        self.assertIn("outgoing rules", self.daemon.fwctl("deny", "22/tcp", "unit", "a", code=2).stderr)
        self.assertEqual(self.daemon.snapshot(), before)


if __name__ == "__main__":
    lab.enter()
    if not enter_tree():
        print("nobody may make cgroups here")
        sys.exit(lab.SKIPPED)
    lab.main()
