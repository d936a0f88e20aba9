"""How long a command takes, rounds in which every contestant has its turn, and what may be said of the
figures afterwards."""

import contextlib
import dataclasses
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

# Longest a single command may take, and the rounds of one comparison together, in seconds. A
# comparison that is late does fewer rounds, and the table says how many.
LONGEST_COMMAND = 300
LONGEST_COMPARISON = 600

CHANGES_THAT_LINGER = 1.2  # fwctld collects what a change replaced one second after it


class Failed(Exception):
    """A contestant could not do its work: its row says so, and the others go on."""


# What goes wrong when a contestant gets ready or has its turn.
PROBLEMS = (Failed, AssertionError, OSError, subprocess.SubprocessError)


@contextlib.contextmanager
def _running(command, directory=None):
    """The pid of `command`, a process group of its own; both outputs go to the file that is yielded."""
    command = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
        try:
            # By name: the bench's PATH is the system's, and what is on it was looked for before.
            pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setpgroup=0)
        except OSError as problem:
            raise Failed(f"{command[0]} does not start: {problem.strerror}") from None
        try:
            yield pid, output
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            raise


def _judge(command, status, output):
    if status == 0:
        return
    output.seek(0)
    said = output.read().decode(errors="replace").strip().splitlines() or ["nothing was said"]
    words = " ".join(str(word) for word in command)
    raise Failed(f"'{words[:60]}' ended with {os.waitstatus_to_exitcode(status)}: {said[0][:200]}")


def timed(*command):
    """Milliseconds from the start of the process to its exit. Raises Failed unless it ends with 0."""
    begin = time.perf_counter()
    with _running(command) as (pid, output):
        descriptor = os.pidfd_open(pid)
        try:
            if not select.select([descriptor], [], [], LONGEST_COMMAND)[0]:
                raise Failed(f"'{command[0]}' took longer than {LONGEST_COMMAND} s")
            _, status = os.waitpid(pid, 0)
            took = (time.perf_counter() - begin) * 1000
        finally:
            os.close(descriptor)
        _judge(command, status, output)
    return took


def peak_memory(*command):
    """The most memory the process ever held, in MB (10^6 bytes). What getrusage() says would include
    this process, whose copy it was before exec; so it is read until the process has gone."""
    peak = 0
    deadline = time.monotonic() + LONGEST_COMMAND
    with _running(command) as (pid, output):
        while (now := resident(pid)["VmHWM"]) is not None:
            peak = now
            time.sleep(0.0002)
            if time.monotonic() > deadline:
                raise Failed(f"'{command[0]}' took longer than {LONGEST_COMMAND} s")
        _, status = os.waitpid(pid, 0)
        _judge(command, status, output)
    return peak


def resident(pid):
    """VmRSS and VmHWM in MB (10^6 bytes); None when the process has ended."""
    found = {"VmRSS": None, "VmHWM": None}
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:
        for line in status:
            name = line.split(":")[0]
            if name in found:
                found[name] = int(line.split()[1]) * 1024 / 1e6
    return found


class Series:
    """What one contestant did in each round, or why there is nothing."""

    def __init__(self, problem="", failed=False):
        self.values = {}  # round → value
        self.problem = problem
        self.failed = failed

    def fail(self, problem):
        self.values, self.problem, self.failed = {}, problem, True

    def median(self):
        return statistics.median(self.values.values())

    def __bool__(self):
        return bool(self.values)


def missing(reason):
    """The series of a contestant that is not there."""
    return Series(problem=reason)


def pairs(one, other, ratio):
    """The ratio of each round that both took part in."""
    return [ratio(one.values[number], other.values[number])
            for number in sorted(one.values.keys() & other.values.keys())]


@dataclasses.dataclass
class Contestant:
    """`turn` takes the number of the round, does one piece of work and returns its figure. `check`
    takes how many turns there were, and raises Failed where the work was not done in truth."""
    turn: Callable[[int], float]
    check: Callable[[int], None] = lambda turns: None


def impossible(problem):
    """A contestant that could not get ready."""
    def turn(_):
        raise Failed(problem)
    return Contestant(turn)


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: {found} instead of {wanted}")


class Progress:
    """Says on standard error how far the bench is."""

    def __init__(self, stream=sys.stderr):
        self._stream = stream
        self._begin = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self._begin:5.0f} s] {text}", file=self._stream, flush=True)


def compare(title, contestants, rounds, progress):
    """Name → Series of `contestants` (name → Contestant). In each round every contestant has one turn,
    in an order that rotates; the first round warms up and does not count. A contestant that fails has
    no more turns, and what it did before does not count."""
    found = {name: Series() for name in contestants}
    names = list(contestants)
    turns = 0
    begin = time.monotonic()

    def attempt(name, work):
        try:
            return work()
        except PROBLEMS as problem:
            found[name].fail(str(problem)[:400])
            progress.say(f"{title}: {name} failed: {problem}")
            return None

    for number in range(rounds + 1):
        if number > 1 and time.monotonic() - begin > LONGEST_COMPARISON:
            progress.say(f"{title}: enough after {number - 1} rounds, this machine is slow")
            break
        progress.say(f"{title}: " + (f"round {number} of {rounds}" if number else "warming up"))
        turns += 1
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            if found[name].failed:
                continue
            value = attempt(name, lambda: contestants[name].turn(number))
            if number and value is not None:
                found[name].values[number] = value
    for name in names:
        if not found[name].failed:
            attempt(name, lambda: contestants[name].check(turns))
    return found
