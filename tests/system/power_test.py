"""The power goes at any moment: whatever the disk may then have kept, the host boots with what was
acknowledged, or with that and the change that was under way; and the kernel, the files, the store and what
the daemon says are one.

The life of a daemon is watched with strace. disk.py works out what a power loss behind each of its system
calls may leave, and a daemon is started on each such tree, with nothing in the kernel.
"""

import collections
import contextlib
import hashlib
import os
import pathlib
import random
import re
import signal
import time

import disk
import lab
import stored
from policies import FEW, MANY, NEW, OLD, SET_FILE, WITH_SET

# So many trees of each life, at most, are booted; 0: all, with writes torn at each byte.
MOST = int(os.environ.get("FWCTL_POWER_LOSSES", "60"))
SEED = int(os.environ.get("FWCTL_SEED", "0")) or random.randrange(1 << 32)

EDITED = "policy.d/more.yaml"
EDIT = "rules: [allow 8080/tcp]\n"

State = collections.namedtuple("State", "kernel policy enabled on_trial panic files")
# Something done to the daemon. `undone`: a boot takes it back. `answered`: it is a change, and is
# acknowledged.
Step = collections.namedtuple("Step", "name perform undone answered", defaults=[False, True])
# `bare`: nothing that was not synced is there.
Loss = collections.namedtuple("Loss", "where acknowledged bare tree")


def step(method, undone=False, **parameters):
    words = " ".join(str(value) for value in parameters.values())[:40].replace("\n", " ")
    return Step(f"{method} {words}".strip(), lambda daemon: daemon.call(method, **parameters), undone)


def settled(daemon):
    """The daemon syncs rules.yaml when it has had nothing to do for a second."""
    lab.until(lambda: stored.newest(daemon.state).settled, "it is settled")


def add(words, **how):
    return step("Add", rule=words.split(), **how)


def entry(address):
    return step("EditSet", action="add", name="a", addresses=[address])


# Somebody writes files, and the disk has had the time to get them.
def written(name, files):
    return Step(name, lambda daemon: daemon.write(files), answered=False)


ENABLE = step("Enable")
SETTLED = Step("settled", settled, answered=False)
# Until what it wrote is old enough that it may write into it in place.
AGED = Step("aged", lambda daemon: time.sleep(0.03), answered=False)
BY_HAND = {written(name, files): files for name, files in (
    ("by hand", {EDITED: EDIT}), ("few by hand", {"policy.yaml": WITH_SET, SET_FILE: FEW}),
    ("many by hand", {SET_FILE: MANY}))}
EDIT_BY_HAND, FEW_BY_HAND, MANY_BY_HAND = BY_HAND

LIVES = {
    "rules": (
        ENABLE, add("allow 25/tcp"), AGED, add("allow 443/tcp"), add("deny 444/tcp"), SETTLED,
        add("allow 445/tcp"), add("deny 446/tcp"), step("Delete", selection=["allow", "443/tcp"]),
        step("SetDefault", direction="routed", verdict="reject")),
    # Written in place into the middle: what stands behind moves.
    "sets": (
        ENABLE, entry("192.0.2.1"), entry("192.0.2.3"), add("allow 25/tcp"), AGED, entry("192.0.2.5"),
        entry("192.0.2.17"), SETTLED, entry("192.0.2.9"), AGED, entry("198.51.100.200"), add("deny 26/tcp")),
    # So many without a pause that those at the beginning are not kept.
    "crowds of rules": (
        ENABLE, add("allow 25/tcp"), add("allow 26/tcp"), SETTLED, step("Delete", selection=["allow", "25/tcp"]),
        *(one for port in range(1000, 1012)
          for one in (add(f"allow {port}/tcp"), step("Delete", selection=["allow", f"{port}/tcp"])))),
    "files": (
        ENABLE, add("allow 25/tcp"), step("Apply", policy=NEW), EDIT_BY_HAND, step("Reload"),
        add("deny 81/tcp"), step("Rollback"), step("Rollback", generation=2), step("Apply", policy=OLD),
        step("Rollback", generation=5)),
    # Stored while the kernel gets ready.
    "sets from files": (
        ENABLE, FEW_BY_HAND, step("Reload"), MANY_BY_HAND, step("Reload"), add("allow 25/tcp"),
        step("Rollback", generation=3)),
    "bans": (
        ENABLE, step("Ban", addresses=["203.0.113.9"]), step("Ban", addresses=["198.18.0.0/15", "2001:db8:9::1"]),
        step("Unban", addresses=["203.0.113.9"]), add("allow 25/tcp"), step("Ban", addresses=["203.0.113.7"]),
        step("Unban", addresses=["all"])),
    "panic": (
        ENABLE, step("Panic", on=True, allowLockout=True), add("allow 25/tcp"), step("Panic", on=False),
        step("Panic", on=True, confirm=3600, undone=True), step("Confirm"), step("Panic", on=False)),
    "trials": (
        ENABLE, add("allow 443/tcp", confirm=3600, undone=True), step("Confirm"),
        step("Apply", policy=NEW, confirm=3600, undone=True), step("Rollback"),
        add("allow 25/tcp", confirm=3600, undone=True), step("Rollback")),
    "switches": (
        ENABLE, add("allow 25/tcp"), step("Disable"), step("Enable"), step("Reset"), step("Enable"),
        add("allow 26/tcp"), step("Reset")),
}


def next_answer(steps, done):
    """So many steps are done when the next change is."""
    while done < len(steps) and not steps[done].answered:
        done += 1
    return min(done + 1, len(steps))


class PowerLoss(lab.LabTest):
    def observe(self):
        files = {path: content for path, content in self.daemon.files(self.daemon.config).items()
                 if not path.endswith(".new")}
        if files.get("config/rules.yaml") == b"":
            del files["config/rules.yaml"]  # is as good as none
        status = self.daemon.call("Status")
        return State(self.lab.ruleset(), self.daemon.policy(), status["enabled"], "trial" in status,
                     "panic" in status, files)

    @contextlib.contextmanager
    def watched(self):
        """The daemon is started, with strace before it; what comes out is what strace saw."""
        output = self.lab.directory / "strace.out"
        self.daemon.start("strace", "-o", str(output), *disk.STRACE, "setpriv", "--pdeathsig", "KILL")
        seen = []
        yield seen
        tracer = self.daemon.process.pid
        children = pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text()
        os.kill(int(children.split()[0]), signal.SIGTERM)
        self.daemon.process.wait(lab.PATIENCE)
        seen += disk.calls(output.read_text())

    def live(self, steps, new=()):
        """The states between the steps, and all that a power loss in between may leave. `new`: folders
        that have only been made."""
        before = disk.Disk(self.daemon.config, self.daemon.state, new=new)
        states = []
        with self.watched() as seen:
            states.append(self.observe())
            for one in steps:
                one.perform(self.daemon)
                states.append(self.observe())
        return states, list(self.losses(before, seen, steps))

    def losses(self, there, seen, steps):
        done = 0  # steps, up to the last that was acknowledged
        for nth, call in enumerate(seen):
            if call.name in ("sendto", "sendmsg"):
                if b'"outcome"' not in b"".join(call.texts):
                    continue
                done = next_answer(steps, done)
                if done < len(steps):
                    for path, text in BY_HAND.get(steps[done], {}).items():
                        there.write(self.daemon.config / path, text.encode())
            if not there.follow(call):
                continue
            change = steps[next_answer(steps, done) - 1].name if steps else "at a start"
            where = f"{change}, behind {call.name}, number {nth} of all calls"
            for which, tree in enumerate(there.losses(MOST == 0)):
                yield Loss(where, done, which == 0, tree)
        self.assertEqual(next_answer(steps, done), len(steps), "strace did not see every answer")

    def boot(self, tree):
        """On what the power loss left, with nothing in the kernel."""
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl", check=False)
        for folder in (self.daemon.config, self.daemon.state):
            for path in folder.rglob("*"):
                if path.is_file():
                    path.unlink()
        for path, content in tree.items():
            path.write_bytes(content)
        self.daemon.start()

    def assert_one_generation(self, found, where):
        """In the kernel, in the store, in the files and in what the daemon says."""
        status = self.daemon.call("Status")
        newest = stored.newest(self.daemon.state)
        self.assertEqual(newest.number, status["generation"], where)
        marked = re.search(r'comment "generation (\d+) ', self.lab.table())
        self.assertEqual(marked and int(marked[1]), status["generation"] if found.kernel else None, where)
        if found.kernel or found.enabled:
            self.assertTrue(found.kernel and (found.enabled or found.panic), where)
        self.assertEqual(found.files.get("config/rules.yaml", b"").decode(), newest.added, where)
        left = [str(path) for folder in (self.daemon.config, self.daemon.state) for path in folder.rglob("*")
                if path.name.endswith(".new") or path.name == "pending"]
        self.assertEqual(left, [], where)
        self.assertNotIn("damaged", str(status["problems"]), where)  # what was never stored is none

    @staticmethod
    def choose(trees, bare):
        """Not more than are to be booted: of half of them only what was synced is there."""
        if MOST == 0 or len(trees) <= MOST:
            return list(trees)
        chance = random.Random(SEED)
        first = chance.sample(bare, min(len(bare), MOST // 2))
        rest = [key for key in trees if key not in set(first)]
        return first + chance.sample(rest, MOST - len(first))

    def begin(self):
        (self.daemon.config / "policy.yaml").write_text(OLD)
        (self.daemon.config / "policy.d").mkdir()

    def lose_power_in(self, name):
        self.begin()
        steps = LIVES[name]
        states, losses = self.live(steps, new=[self.daemon.state])
        booted = []
        for at, state in enumerate(states):
            undone = at > 0 and steps[at - 1].undone
            booted.append(booted[-1] if undone else state)
        self.boot_on_all(name, steps, booted, losses)

    def boot_on_all(self, name, steps, booted, losses):
        """`booted`: what a boot makes of the state before each step, and behind the last."""
        trees = {}
        expected = collections.defaultdict(dict)  # of each tree, by what was acknowledged
        bare = {}
        for loss in losses:
            key = hashlib.sha256(repr(sorted(loss.tree.items())).encode()).digest()
            trees.setdefault(key, loss.tree)
            expected[key].setdefault(loss.acknowledged, f"{name}: {loss.where}; seed {SEED}")
            if loss.bare:
                bare[key] = True
        chosen = self.choose(trees, list(bare))
        for key in chosen:
            self.boot(trees[key])
            found = self.observe()
            for done, where in expected[key].items():
                self.assert_among(found, booted[done:next_answer(steps, done) + 1], where)
            self.assert_one_generation(found, where)
        print(f"{name}: {len(chosen)} boots on what {len(losses)} power losses leave, {len(trees)} different "
              f"trees, in {len(steps)} steps")

    def assert_among(self, found, allowed, where):
        for state in allowed:
            more = {path: content for path, content in found.files.items()
                    if path not in state.files and re.search(r"\.yaml\.\d{8}-", path)}
            files = {path: content for path, content in found.files.items() if path not in more}
            if found._replace(files=files) == state:
                return
        self.assertEqual(found, allowed[-1], where)

    def test_a_start_that_undoes_a_trial(self):
        self.begin()
        self.daemon.start()
        for one in (ENABLE, add("allow 25/tcp")):
            one.perform(self.daemon)
        wanted = self.observe()
        self.daemon.call("Apply", policy=NEW, confirm=3600)
        self.daemon.write({EDITED: EDIT})
        self.daemon.kill()
        self.lab.nft("delete", "table", "inet", "fwctl")
        states, losses = self.live(())
        self.assertEqual(states, [wanted._replace(files={**wanted.files, "config/" + EDITED: EDIT.encode()})])
        self.boot_on_all("a start", (), states, losses)


def _add_tests():
    for name in LIVES:
        def test(self, name=name):
            self.lose_power_in(name)

        setattr(PowerLoss, f"test_the_power_goes_while_{name.replace(' ', '_')}_change", test)


_add_tests()

if __name__ == "__main__":
    lab.main(2)
