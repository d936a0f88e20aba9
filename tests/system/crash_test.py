"""Death and failure at every step of a change: afterwards the old or the new policy, nothing else.

strace attaches to the daemon and kills it at the n-th call of a system call, or makes that call fail,
for every call that the change was seen to make. Each call fails with one of the errors that it may fail
with, another one from call to call; with FWCTL_ERRORS=all, with each.
"""

import collections
import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess

import cut_test
import lab
from policies import FEW, MANY, NEW, OLD, SET_FILE, WITH_SET

# Calls between which the world differs, and calls whose failure a change has to survive.
FALLIBLE = """open openat openat2 creat write writev pwrite64 pwritev fsync fdatasync sync_file_range
    syncfs rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat mkdir mkdirat
    ftruncate fallocate fchmod fchown sendmsg sendto sendmmsg""".split()
WRITES = """pwrite64 write fsync fdatasync rename renameat renameat2 unlink unlinkat ftruncate
    sendmsg sendto""".split()
KILLABLE = FALLIBLE + "close read recvmsg recvfrom epoll_wait epoll_pwait".split()

# EINTR is no failure: it is done again.
ERRORS = {"send": ("ENOBUFS", "EPERM", "EINTR", "ENOMEM"), "": ("EIO", "ENOSPC", "EPERM", "EINTR", "EROFS")}
ALL_ERRORS = os.environ.get("FWCTL_ERRORS") == "all"


def errors_of(name):
    return ERRORS["send" if name.startswith("send") else ""]


Observed = collections.namedtuple("Observed", "kernel policy enabled on_trial files")
# `just_before`: also prepared, but anew each time, since it does not outlive a reboot.
Change = collections.namedtuple("Change", "name prepare perform survives_boot just_before",
                                defaults=[True, ()])


def panic(daemon, on=True):
    return daemon.call("Panic", on=on, allowLockout=True)


def trial(daemon):
    return daemon.call("Add", rule=["allow", "443/tcp"], confirm=3600)


def with_set(daemon, entries):
    daemon.write({SET_FILE: entries, "policy.yaml": WITH_SET})
    return daemon.call("Reload")


CHANGES = (
    Change("add", ("Enable",), lambda daemon: daemon.call("Add", rule=["allow", "443/tcp"])),
    # The short way: with a rule there, one more is written into rules.yaml where it goes.
    Change("append", ("Enable", "Add"), lambda daemon: daemon.call("Add", rule=["allow", "443/tcp"])),
    Change("apply", ("Enable",), lambda daemon: daemon.call("Apply", policy=NEW)),
    # Disk and kernel at once, in two threads.
    Change("growth", ("Enable", "Set"), lambda daemon: with_set(daemon, MANY)),
    Change("enable", (), lambda daemon: daemon.call("Enable")),
    Change("disable", ("Enable",), lambda daemon: daemon.call("Disable")),
    Change("reset", ("Enable", "Add"), lambda daemon: daemon.call("Reset")),
    Change("ban", ("Enable",), lambda daemon: daemon.call("Ban", addresses=["203.0.113.9"])),
    Change("unban", ("Enable", "Ban"), lambda daemon: daemon.call("Unban", addresses=["all"])),
    Change("panic on", ("Enable",), panic),
    Change("panic off", ("Enable", "Panic"), lambda daemon: panic(daemon, on=False)),
    Change("rollback", ("Enable", "Add", "Apply"), lambda daemon: daemon.call("Rollback")),
    Change("trial", ("Enable",), trial, survives_boot=False),
    Change("confirm", ("Enable",), lambda daemon: daemon.call("Confirm"),
           survives_boot=False, just_before=("Trial",)),
)


def named(name):
    return next(change for change in CHANGES if change.name == name)


PREPARATIONS = {
    "Enable": lambda daemon: daemon.call("Enable"),
    "Ban": lambda daemon: daemon.call("Ban", addresses=["203.0.113.9", "198.18.0.0/15"]),
    "Add": lambda daemon: daemon.call("Add", rule=["allow", "25/tcp"]),
    "Set": lambda daemon: with_set(daemon, FEW),
    "Apply": lambda daemon: daemon.call("Apply", policy=NEW),
    "Trial": trial,
    "Panic": panic,
}


class Steps(lab.LabTest):
    def observe(self):
        """What is in force, as the kernel, the daemon and the files each tell it."""
        files = {path: content for path, content in self.daemon.files(self.daemon.config).items()
                 if path.endswith(".yaml")}
        status = self.daemon.call("Status")
        return Observed(self.lab.ruleset(), self.daemon.policy(), status["enabled"],
                        "trial" in status, files)

    def prepare(self, change):
        """The old policy, as a template to come back to."""
        self.just_before = change.just_before
        (self.daemon.config / "policy.yaml").write_text(OLD)
        self.daemon.start()
        for method in change.prepare:
            PREPARATIONS[method](self.daemon)
        self.daemon.stop()
        self.keep_files()

    def keep_files(self):
        """The stopped daemon's files, as the template to come back to."""
        self.template = self.lab.directory / "template"
        for directory in (self.daemon.config, self.daemon.state):
            shutil.copytree(directory, self.template / directory.name)

    def put_back(self):
        """As after a boot, with the template's files; the daemon is not started."""
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl", check=False)
        for directory in (self.daemon.config, self.daemon.state):
            shutil.rmtree(directory)
            shutil.copytree(self.template / directory.name, directory)

    def restore(self):
        self.put_back()
        self.daemon.start()
        for method in self.just_before:
            PREPARATIONS[method](self.daemon)

    @contextlib.contextmanager
    def strace(self, *options):
        """strace on the running daemon; yields the path of its output."""
        output = self.lab.directory / "strace.out"
        output.unlink(missing_ok=True)
        tracer = subprocess.Popen(
            ["strace", "-f", "-o", str(output), *options, "-p", str(self.daemon.process.pid)],
            stderr=subprocess.PIPE, text=True)
        try:
            line = tracer.stderr.readline()
            self.assertIn("attached", line)
            yield output
        finally:
            tracer.send_signal(signal.SIGINT)
            try:
                tracer.communicate(timeout=2)
            except subprocess.TimeoutExpired:
                # Where a daemon with two threads was killed, it may miss the end of one, and the
                # daemon then stays a zombie as long as it waits.
                tracer.kill()
                tracer.communicate()

    def steps(self, change, names):
        """(name, n) for each call of the change, in order; also sees what the change leads to. Of two
        threads each counts its own calls, as strace does, and the one that comes first is meant."""
        self.restore()
        self.old = self.observe()
        with self.strace() as output:
            change.perform(self.daemon)
            self.assertTrue(self.daemon.alive())
        self.new = self.observe()
        self.assertNotEqual(self.old, self.new)
        self.daemon.restart()
        self.assertEqual(self.observe(), self.new, "the new policy does not survive a restart")
        seen = collections.Counter()
        yielded = set()
        for line in output.read_text().splitlines():
            called = re.match(r"(\d+)\s+(\w+)\(", line)
            if called and called[2] in names:
                seen[called.groups()] += 1
                step = called[2], seen[called.groups()]
                if step not in yielded:
                    yielded.add(step)
                    yield step

    def assert_old_or_new(self, replied, where):
        """`replied` is what the caller was told: True done, False refused, None nothing."""
        found = self.observe()
        expected = {True: [self.new], False: [self.old], None: [self.old, self.new]}[replied]
        if found not in expected:
            self.assertEqual(found, expected[-1], where)

    def perform(self, change):
        try:
            change.perform(self.daemon)
            return True
        except lab.VarlinkError:
            return False
        except OSError:
            return None

    def at_every_step(self, change, names, faults):
        """Performs the change anew for each of its steps, with one of `faults(name)`, as strace takes
        them, at it; yields what the caller was told and where it happened."""
        self.prepare(change)
        turn = itertools.count()
        for name, n in list(self.steps(change, names)):
            choice = faults(name)
            for fault in choice if ALL_ERRORS else [choice[next(turn) % len(choice)]]:
                self.restore()
                with self.strace("-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={n}"):
                    replied = self.perform(change)
                yield replied, f"{change.name}: {fault} at {name} number {n}"


def killing(_):
    return ["signal=KILL"]


def failing(name):
    return [f"error={error}" for error in errors_of(name)]


class Killed(Steps):
    def kill_everywhere(self, change, reboot=False):
        steps = killed = 0
        for replied, where in self.at_every_step(change, KILLABLE, killing):
            steps += 1
            killed += not self.daemon.alive()
            self.daemon.kill()
            self.assertIn(self.lab.ruleset(), (self.old.kernel, self.new.kernel), where)
            if reboot:
                self.lab.nft("delete", "table", "inet", "fwctl", check=False)
            self.daemon.start()
            self.assert_old_or_new(replied, where)
        print(f"{change.name}: {killed} deaths at {steps} steps")
        self.assertGreater(killed, steps * 3 // 4)


class Undone(Steps):
    """What nobody confirmed goes, whatever befalls the start that undoes it."""

    def prepare_overdue(self):
        (self.daemon.config / "policy.yaml").write_text(OLD)
        self.daemon.start()
        self.daemon.call("Enable")
        (self.daemon.config / "policy.d").mkdir()
        self.wanted = self.observe()
        (self.daemon.config / "policy.yaml").write_text(NEW)
        (self.daemon.config / "policy.d/more.yaml").write_text("rules: [deny 22/tcp]\n")
        self.daemon.call("Reload", confirm=3600)
        self.assertNotEqual(self.observe(), self.wanted)
        self.daemon.kill()
        self.keep_files()

    def start_traced(self, *options, **how):
        # Without its tracer it would run on.
        self.daemon.start("strace", "-f", "-o", str(self.lab.directory / "strace.out"), *options,
                          "setpriv", "--pdeathsig", "KILL", **how)

    def test_killed_at_every_write_of_the_start_that_undoes(self):
        self.prepare_overdue()
        self.put_back()
        self.start_traced()
        self.assertEqual(self.observe(), self.wanted)
        self.daemon.kill()
        seen = collections.Counter(
            called[1] for line in (self.lab.directory / "strace.out").read_text().splitlines()
            if (called := re.match(r"\d+\s+(\w+)\(", line)) and called[1] in WRITES)
        deaths = 0
        for name, times in seen.items():
            for n in range(1, times + 1):
                self.put_back()
                self.start_traced("-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={n}",
                                  wait=False)
                deaths += lab.until(self.died_or_ready, "it dies or starts") == "died"
                self.daemon.kill()
                self.daemon.start()
                self.assertEqual(self.observe(), self.wanted, f"killed at {name} number {n}")
        print(f"undone at a start: {deaths} deaths at {sum(seen.values())} writes")
        self.assertGreater(deaths, sum(seen.values()) * 3 // 4)

    def died_or_ready(self):
        if not self.daemon.alive():
            return "died"
        try:
            self.daemon.call("Status")
            return "ready"
        except OSError:
            return None


class Failed(Steps):
    def fail_everywhere(self, change):
        steps = refused = 0
        for replied, where in self.at_every_step(change, FALLIBLE, failing):
            steps += 1
            refused += replied is False
            self.assertTrue(self.daemon.alive(), where)
            self.assert_old_or_new(replied, where)
            self.daemon.restart()
            self.assert_old_or_new(replied, where + ", after a restart")
        print(f"{change.name}: {refused} refusals at {steps} failures")
        self.assertGreater(refused, 0)


class CutShort(Steps):
    """A cut that dies or fails anywhere leaves no connection that it would not find any more, though the
    server keeps talking; and nothing else is touched."""

    PORT = 3000
    CUT = Change("cut", ("Enable",), lambda daemon: daemon.call("Cut"))

    def setUp(self):
        super().setUp()
        cut_test.Talker(self.lab, self.PORT)

    def restore(self):
        super().restore()
        connection = lab.connect(lab.SERVER[4], self.PORT)
        self.addCleanup(connection.close)
        self.assertTrue(cut_test.hears(connection))
        self.daemon.call("Add", rule=["deny", f"{self.PORT}/tcp"], position=1)
        self.connection = connection

    def hears(self, wait=0.1):
        try:
            return cut_test.hears(self.connection, wait)
        except ConnectionResetError:
            return False

    def cut_short(self, names, faults):
        (self.daemon.config / "policy.yaml").write_text(OLD.replace("deny: 3000", "allow: 3000"))
        self.daemon.start()
        self.daemon.call("Enable")
        self.daemon.stop()
        self.keep_files()
        self.just_before = ()
        self.restore()
        untouched = self.observe()
        self.assertTrue(self.hears(), "a deny ends no connection")
        with self.strace() as output:
            self.assertEqual(self.daemon.call("Cut")["ended"], 1)
        seen = collections.Counter(
            called[1] for line in output.read_text().splitlines()
            if (called := re.match(r"\d+\s+(\w+)\(", line)) and called[1] in names)
        steps = cut_off = 0
        for name, times in seen.items():
            for n in range(1, times + 1):
                choice = faults(name)
                fault = choice[steps % len(choice)]
                where = f"cut: {fault} at {name} number {n}"
                self.restore()
                with self.strace("-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={n}"):
                    replied = self.perform(self.CUT)
                steps += 1
                cut_off += not replied
                # The server says something meanwhile, which connection tracking sees.
                self.assertFalse(self.hears() and replied, where)
                if not self.daemon.alive():
                    self.daemon.kill()
                    self.daemon.start()
                self.assertEqual(self.observe(), untouched, where)
                self.daemon.call("Cut")
                self.assertFalse(self.hears(), where)
        print(f"cut: {cut_off} of {steps} cut short")
        self.assertGreater(cut_off, steps // 4)

    def test_killed_at_every_step_of_cut(self):
        self.cut_short(KILLABLE, killing)

    def test_a_failure_at_every_step_of_cut(self):
        self.cut_short(FALLIBLE + ["recvmsg", "socket"], failing)


class Synced(Steps):
    def test_done_is_said_when_the_change_is_on_disk(self):
        change = named("add")
        self.prepare(change)
        self.restore()
        calls = "pwrite64,fdatasync,sendto,sendmsg"
        with self.strace("-s", "400", "-e", f"trace={calls}") as output:
            self.assertTrue(self.perform(change))
        calls = output.read_text().splitlines()

        def first(pattern):
            return next(at for at, call in enumerate(calls) if re.search(pattern, call))

        stored = first(r'pwrite64\(\d+, "[0-9a-f]{16} \{.*allow: 443')
        synced = first(r"fdatasync\(\d+\) += 0")
        committed = first("nlmsg_type=0x10 ")  # NFNL_MSG_BATCH_BEGIN
        said = first(r'\\"parameters\\"')
        self.assertEqual([stored, synced, committed, said], sorted([stored, synced, committed, said]))


    def test_what_is_loaded_meanwhile_counts_when_the_change_is_on_disk(self):
        change = named("growth")
        self.prepare(change)
        self.restore()
        with self.strace("-s", "400", "-e", "trace=fsync,sendto,sendmsg") as output:
            self.assertTrue(self.perform(change))
        calls = output.read_text().splitlines()
        batches = [at for at, call in enumerate(calls) if "nlmsg_type=0x10 " in call and "sendto(" in call]
        synced = [at for at, call in enumerate(calls) if re.search(r"fsync(\(\d+| resumed>)\) += 0", call)]
        self.assertEqual(len({call.split()[0] for call in calls}), 2, "threads")
        self.assertEqual(len(batches), 2)
        self.assertLess(synced[-1], batches[-1])


class CanFail(Steps):
    """The same measurement sees a change that says done and isn't on disk."""

    def test_renames_that_only_pretend(self):
        change = named("apply")
        self.prepare(change)
        list(self.steps(change, KILLABLE))
        self.restore()
        names = "rename,renameat,renameat2"
        with self.strace("-e", f"trace={names}", "-e", f"inject={names}:retval=0"):
            self.assertTrue(self.perform(change))
        self.lose_power()
        with self.assertRaises(AssertionError):
            self.assert_old_or_new(True, "pretended")

    def test_a_line_that_was_not_synced(self):
        change = named("add")
        self.prepare(change)
        list(self.steps(change, KILLABLE))
        self.restore()
        before = {path: path.read_bytes() for path in self.daemon.state.glob("changes-*")}
        self.assertTrue(self.perform(change))
        self.assertTrue(any(path.read_bytes() != content for path, content in before.items()))
        for path, content in before.items():
            path.write_bytes(content)
        self.lose_power()
        with self.assertRaises(AssertionError):
            self.assert_old_or_new(True, "lost")

    def lose_power(self):
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()


def _add_tests():
    for change in CHANGES:
        def killed(self, change=change):
            self.kill_everywhere(change)

        def rebooted(self, change=change):
            self.kill_everywhere(change, reboot=True)

        def failed(self, change=change):
            self.fail_everywhere(change)

        name = change.name.replace(" ", "_")
        setattr(Killed, f"test_killed_at_every_step_of_{name}", killed)
        if change.survives_boot:
            setattr(Killed, f"test_rebooted_at_every_step_of_{name}", rebooted)
        setattr(Failed, f"test_a_failure_at_every_step_of_{name}", failed)


_add_tests()

if __name__ == "__main__":
    lab.main(2)
