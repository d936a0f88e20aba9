"""A laboratory of its own: network namespaces this process made, the real programs, real packets.

    inner  198.51.100.2 --- eth1 server eth0 --- 192.0.2.2 and .3  client
           2001:db8:2::2          (.1, ::1)      2001:db8:1::2 and ::3

The server runs fwctld and the listeners; client and inner probe it. Everything ends with the process.
Nothing here can touch the machine's own network: enter() leaves it first, and whatever applies rules
asks require_private() before.
"""

import concurrent.futures
import contextlib
import ctypes
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FWCTL_BUILD", SOURCE / "build/release"))
FWCTLD = pathlib.Path(os.environ.get("FWCTLD", BUILD / "daemon/fwctld"))
BROKEN_FWCTLD = pathlib.Path(os.environ.get("BROKEN_FWCTLD", BUILD / "tests/system/broken_fwctld"))
FWCTL = pathlib.Path(os.environ.get("FWCTL", BUILD / "cli/fwctl"))
CHECK = BUILD / "cli/fwctl-check"
INTERFACE = "org.fwctl.Firewall"
SKIPPED = 77  # the exit code that ctest takes for "skipped"

SERVER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
CLIENT = {4: "192.0.2.2", 6: "2001:db8:1::2"}
CLIENT_TOO = {4: "192.0.2.3", 6: "2001:db8:1::3"}
SERVER_ETH1 = {4: "198.51.100.1", 6: "2001:db8:2::1"}
INNER = {4: "198.51.100.2", 6: "2001:db8:2::2"}
FAMILIES = (4, 6)

# Since when the kernel has tables that are one program's and outlive it.
OWNED_TABLES = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 9)

# How long an answer may take that must come, and how long nothing must come before it counts as none.
PATIENCE = 10.0
SILENCE = 0.8

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)
_outside = None  # the network namespace this process was started in
_entered = None  # the one it made


def _privileged():
    """Root as on a plain machine: containers often keep the capabilities for this from it."""
    status = pathlib.Path("/proc/self/status").read_text()
    held = int(re.search(r"^CapEff:\s*(\w+)", status, re.M)[1], 16)
    net_admin, net_raw, sys_admin = 12, 13, 21
    return os.geteuid() == 0 and all(held >> bit & 1 for bit in (net_admin, net_raw, sys_admin))


PRIVILEGED = _privileged()  # asked before we enter a user namespace, where everyone is root


def _checked(what, result):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _namespace():
    return os.readlink("/proc/thread-self/ns/net")


def enter():
    """Leaves the machine's network for an empty one, and its mounts for private copies."""
    global _outside, _entered
    if _entered:
        return
    _outside = _namespace()
    flags = _CLONE_NEWNET | _CLONE_NEWNS
    ids = os.geteuid(), os.getegid()
    if not PRIVILEGED:
        flags |= _CLONE_NEWUSER
    _checked("unshare", _libc.unshare(flags))
    if flags & _CLONE_NEWUSER:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {ids[0]} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {ids[1]} 1")
    _checked("mount /", _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _checked("mount /run", _libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"))
    if os.statvfs("/proc/sys").f_flag & os.ST_RDONLY:  # in a container; ours alone is at stake
        _libc.mount(b"proc", b"/proc", b"proc", 0, None)
    _entered = _namespace()
    require_private()


def require_private():
    """Ends the program unless this thread is in a network namespace that belongs to the laboratory."""
    here = _namespace()
    try:
        machine = os.readlink("/proc/1/ns/net")
    except OSError:  # an ordinary user may not look
        machine = _outside
    if _entered is None or here in (_outside, machine):
        sys.exit("refusing to touch the network of this machine")


@contextlib.contextmanager
def inside(name):
    """What this thread opens or starts meanwhile lives in the namespace `name`."""
    require_private()
    with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{name}") as there:
        _checked("setns", _libc.setns(there.fileno(), _CLONE_NEWNET))
        try:
            require_private()
            yield
        finally:
            _checked("setns", _libc.setns(before.fileno(), _CLONE_NEWNET))


def run(*command, check=True, text=True, **options):
    options.setdefault("timeout", 120)
    done = subprocess.run([str(word) for word in command], text=text, capture_output=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def mount(*arguments):
    require_private()
    run("mount", *arguments)


def until(condition, what, seconds=PATIENCE):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


def sysctl(namespace, name, value):
    with inside(namespace), open("/proc/sys/" + name.replace(".", "/"), "w") as file:
        file.write(str(value))


def normalised(listing):
    """An nft listing with the elements of sets in one order: a hash set lists them in any."""

    def sort(block):
        elements = sorted(part.strip() for part in re.split(r",\s", block[1]))
        return "elements = { " + ", ".join(elements) + " }"

    return re.sub(r"elements = \{(.*?)\}", sort, listing, flags=re.S)


def live(listing):
    """What packets meet of our table: a change leaves what it replaced behind for a while (NAME.7 may
    stand beside NAME, and a base chain accept everything), and chain `generation` only says what is
    loaded."""
    blocks = {(kind == "chain", name): f"{kind} {name} {{\n{body}}}\n" for kind, name, body in
              re.findall(r"^\t(\w+) (\S+) \{[^\n]*\n(.*?)^\t\}", listing, flags=re.M | re.S)}
    queue = [key for key, text in blocks.items() if re.search(r"^\t\ttype \w+ hook ", text, re.M)
             and not re.search(r'^\t\taccept comment "retired"$', text, re.M)]
    reached = set()
    while queue:
        key = queue.pop()
        if key in reached or key not in blocks:
            continue
        reached.add(key)
        queue += [(True, name) for name in re.findall(r"(?:jump|goto) ([\w.-]+)", blocks[key])]
        queue += [(False, name) for name in re.findall(r"@([\w./-]+)", blocks[key])]
    text = "".join(blocks[key] for key in sorted(reached, key=lambda key: (key[0], key[1].split(".")[0])))
    for _, name in reached:
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", name.split(".")[0], text)
    return normalised(text)


class Lab:
    """The three namespaces, and a directory (mode 711) that goes away with them."""

    def __init__(self):
        enter()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="fwctl-lab-"))
        self.directory.chmod(0o711)
        self._closing = contextlib.ExitStack()
        self._closing.callback(shutil.rmtree, self.directory, ignore_errors=True)
        for name in ("server", "client", "inner"):
            run("ip", "netns", "add", name)
            self._closing.callback(run, "ip", "netns", "delete", name, check=False)
            for scope in ("all", "default"):
                with contextlib.suppress(OSError):  # read-only in some containers; it only saves time
                    sysctl(name, f"net.ipv6.conf.{scope}.accept_dad", 0)
        self._ip("server", "link add eth0 type veth peer name eth0 netns client",
                 "link add eth1 type veth peer name eth0 netns inner",
                 *self._addresses("eth0", SERVER), *self._addresses("eth1", SERVER_ETH1))
        self._ip("client", *self._addresses("eth0", CLIENT, CLIENT_TOO),
                 f"route add default via {SERVER[4]}", f"-6 route add default via {SERVER[6]}")
        self._ip("inner", *self._addresses("eth0", INNER),
                 f"route add default via {SERVER_ETH1[4]}",
                 f"-6 route add default via {SERVER_ETH1[6]}")
        self._echo = Echo()
        self._closing.callback(self._echo.close)
        until(lambda: probe_ping(SERVER[6], "client", wait=0.1), "the link comes up")

    def close(self):
        self._closing.close()

    @staticmethod
    def _addresses(device, *addresses):
        for pair in addresses:
            yield f"addr add {pair[4]}/24 dev {device}"
            yield f"addr add {pair[6]}/64 dev {device} nodad"
        yield "link set lo up"
        yield f"link set {device} up"

    @staticmethod
    def _ip(namespace, *commands):
        # `-6 route …` needs its flag before -batch, so such lines run by themselves.
        batch = "\n".join(line for line in commands if not line.startswith("-"))
        run("ip", "-n", namespace, "-batch", "-", input=batch)
        for line in commands:
            if line.startswith("-"):
                run("ip", "-n", namespace, *line.split())

    def listen(self, *ports, protocol="tcp", namespace="server", families=FAMILIES, address=None):
        """Echo services on real sockets, one for each family."""
        for port in ports:
            for family in families:
                with inside(namespace):
                    self._echo.add(family, protocol, port, address)

    def forwarding(self):
        sysctl("server", "net.ipv4.ip_forward", 1)
        sysctl("server", "net.ipv6.conf.all.forwarding", 1)

    def nft(self, *arguments, namespace="server", **options):
        with inside(namespace):
            return run("nft", *arguments, **options)

    def table(self, *options):
        """Our table as nft lists it, without counters and without whose it is; empty when there is none."""
        done = self.nft(*options, "-s", "list", "table", "inet", "fwctl", check=False)
        listing = re.sub(r"( #)? progname \S+", "", done.stdout, count=1)
        return re.sub(r"^\tflags (owner)?\n\n", "", listing, flags=re.M) if done.returncode == 0 else ""

    def ruleset(self):
        """What packets meet of our table; empty when there is none."""
        return live(self.table())


class Echo:
    """Serves any number of echo sockets, made by whoever adds them, from one thread."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._wake, waker = socket.socketpair()
        self._selector.register(waker, selectors.EVENT_READ, "wake")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, family, protocol, port, address=None):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        listener = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Answers leave from the address that was asked, whichever of several that is.
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        listener.bind((address or ("0.0.0.0" if family == 4 else "::"), port))
        if protocol == "tcp":
            listener.listen(128)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ,
                                "listener" if protocol == "tcp" else "datagrams")

    def close(self):
        self._wake.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                if key.data == "wake":
                    return
                with contextlib.suppress(OSError):
                    self._answer(key.fileobj, key.data)

    def _answer(self, sock, role):
        if role == "listener":
            connection, _ = sock.accept()
            self._selector.register(connection, selectors.EVENT_READ, "connection")
        elif role == "datagrams":
            data, control, _, sender = sock.recvmsg(2048, 128)
            sock.sendmsg([data], control, 0, sender)
        else:
            try:
                data = sock.recv(2048)
            except OSError:
                data = b""
            if data:
                sock.sendall(data)
            else:
                self._selector.unregister(sock)
                sock.close()


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port, namespace="client", source=None, wait=PATIENCE):
    """An established TCP connection."""
    with inside(namespace):
        sock = socket.socket(_family(address), socket.SOCK_STREAM)
    sock.settimeout(wait)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def probe(address, port, protocol="tcp", namespace="client", source=None, wait=SILENCE):
    """What a peer finds: open, refused (by reset or ICMP), or filtered (no answer)."""
    try:
        if protocol == "tcp":
            connect(address, port, namespace, source, wait).close()
            return "open"
        with inside(namespace):
            sock = socket.socket(_family(address), socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(wait)
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
            sock.send(b"probe")
            sock.recv(64)
            return "open"
    except (ConnectionRefusedError, ConnectionResetError):
        return "refused"
    except (TimeoutError, PermissionError):  # the latter is how a dropped packet of one's own looks
        return "filtered"
    except OSError as error:
        return f"error: {error.strerror}"


def probe_ping(address, namespace="client", wait=SILENCE):
    """Whether an ICMP echo request is answered."""
    v6 = ":" in address
    with inside(namespace):
        sock = socket.socket(_family(address), socket.SOCK_RAW,
                             socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
    identifier = os.getpid() & 0xFFFF
    body = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, identifier, 1)
    if not v6:
        total = sum(struct.unpack("!4H", body))
        total = (total & 0xFFFF) + (total >> 16)
        body = struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, identifier, 1)
    answer = 129 if v6 else 0
    deadline = time.monotonic() + wait
    with sock:
        try:
            sock.sendto(body, (address, 0))
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                packet = sock.recv(2048)
                packet = packet if v6 else packet[(packet[0] & 15) * 4:]
                if packet[0] == answer and struct.unpack("!H", packet[4:6])[0] == identifier:
                    return True
        except OSError:
            pass
    return False


def nmap(address, ports, namespace="client"):
    """Port → open, closed or filtered, as nmap's SYN scan sees it."""
    command = ["nmap", "-n", "-Pn", "-sS", "-p", ",".join(map(str, ports)), "-oX", "-"]
    with inside(namespace):
        done = run(*command, *(["-6"] if ":" in address else []), address)
    tree = xml.etree.ElementTree.fromstring(done.stdout)
    return {int(port.get("portid")): port.find("state").get("state") for port in tree.iter("port")}


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name}: {parameters}")
        self.name = name
        self.parameters = parameters


class Varlink:
    """One connection, spoken by hand, so that tests can also say what no client would."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self._pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, **parameters):
        self._say({"parameters": parameters}, method)

    def stream(self, method, **parameters):
        """As send(), of a method that goes on behind its first reply."""
        self._say({"parameters": parameters, "more": True}, method)

    def _say(self, call, method):
        call["method"] = method if "." in method else f"{INTERFACE}.{method}"
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        """The next reply as it stands; None when the peer closed."""
        while b"\0" not in self._pending:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._pending += data
        message, self._pending = self._pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        reply = self.receive()
        if reply is None:
            raise ConnectionError("the daemon closed the connection")
        if "error" in reply:
            raise VarlinkError(reply["error"].removeprefix(INTERFACE + "."),
                               reply.get("parameters") or {})
        return reply.get("parameters") or {}


class Daemon:
    """The real fwctld in the server's namespace, or another, with directories of its own."""

    def __init__(self, lab, namespace="server", name=""):
        """A second one in the same laboratory needs a `name`."""
        self.lab = lab
        self.namespace = namespace
        directory = lab.directory / name
        directory.mkdir(mode=0o711, exist_ok=True)
        self.config = directory / "config"
        self.state = directory / "state"
        self.socket = directory / "fwctl.sock"
        self.log = directory / "fwctld.log"
        self.process = None
        self.program = FWCTLD
        self.cli = lab.directory / "fwctl"
        self.config.mkdir()
        self.state.mkdir()
        self._fault = lab.directory / "fault"
        lab._closing.callback(self.kill)

    def fault(self, fault):
        """What goes wrong from now on, as tests/system/broken_fwctld.cpp lists it. Call it before
        start() too, with "" for nothing yet: the real daemon has no faults."""
        self.program = BROKEN_FWCTLD
        self._fault.write_text(fault)

    def watch(self):
        """Other programs may change our table, and are put right: as on kernels that keep nobody out of it.
        From the next start on."""
        (self.config / "daemon.yaml").write_text("version: 1\nprotection: watching\n")

    def start(self, *prefix, wait=True):
        """Returns once the daemon said READY=1. `prefix` is put before its command line."""
        require_private()
        if not self.cli.exists():  # a copy that users without a right to the build directory can run
            for program, copy in ((FWCTL, self.cli), (CHECK, self.cli.with_name(CHECK.name))):
                shutil.copy(program, copy)
                copy.chmod(0o755)
        path = self.lab.directory / "notify"
        path.unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(path))
        notify.settimeout(0.02)
        command = ["setpriv", "--pdeathsig", "KILL", *prefix, self.program, "--config", self.config,
                   "--state", self.state, "--socket", self.socket]
        with inside(self.namespace), open(self.log, "ab") as log, notify:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(path), "FWCTL_FAULT": str(self._fault)})
            if wait:
                until(lambda: self._ready(notify), "fwctld says it is ready", 60)
        return self

    def _ready(self, notify):
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"fwctld ended with {code}:\n{self.log_text()}")
        with contextlib.suppress(TimeoutError):
            return b"READY=1" in notify.recv(4096)
        return False

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def _end(self, how):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        return code

    def stop(self):
        return self._end(signal.SIGTERM)

    def kill(self):
        return self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def write(self, files):
        """`files`: path in its configuration → text."""
        for name, text in files.items():
            path = self.config / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def fwctl(self, *words, code=0, **options):
        """Runs the command line; `code` is the exit code it must give (None: any)."""
        with inside(self.namespace):
            done = run(self.cli, "--socket", self.socket, "--color=never", *words, check=False,
                       stdin=subprocess.DEVNULL if "input" not in options else None, **options)
        if code is not None and done.returncode != code:
            raise AssertionError(f"fwctl {' '.join(map(str, words))} ended with {done.returncode}, "
                                 f"not {code}:\n{done.stdout}{done.stderr}\n{self.log_text()}")
        return done

    def json(self, *words, **options):
        return json.loads(self.fwctl("--json", *words, **options).stdout)

    def call(self, method, **parameters):
        with Varlink(self.socket) as connection:
            return connection.call(method, **parameters)

    def apply(self, policy):
        """Makes `policy` (YAML) the policy in force."""
        return self.call("Apply", policy=policy)["outcome"]

    def policy(self):
        return self.call("Show", what="policy")["text"]

    def files(self, *directories):
        """Relative path → content, of the configuration and the state directory. Without the note
        that files are safe on disk, which comes a second after a change, and without the zeros over
        which it and the next line are written."""
        settled = re.compile(rb'^[0-9a-f]{16} \{"settled":\d+\}\n', re.MULTILINE)

        def content(path):
            found = settled.sub(b"", path.read_bytes())
            return found.rstrip(b"\0") if path.name.startswith("changes-") else found
        return {str(path.relative_to(self.lab.directory)): content(path)
                for directory in directories or (self.config, self.state)
                for path in sorted(directory.rglob("*")) if path.is_file()}

    def snapshot(self):
        """All that must not have changed when a change was refused."""
        status = self.call("Status")
        return {"kernel": self.lab.ruleset(), "files": self.files(), "policy": self.policy(),
                "generation": status["generation"], "enabled": status["enabled"],
                "rules": [(rule["id"], rule["text"]) for rule in status["rules"]]}


class LabTest(unittest.TestCase):
    """A fresh laboratory and a fresh daemon (not started) for each test."""

    maxDiff = None

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.daemon = Daemon(self.lab)
        self.addCleanup(self._show_log)

    def _show_log(self):
        if not self._outcome.success:
            print(f"--- fwctld's log of {self.id()}\n{self.daemon.log_text()[-4000:]}", file=sys.stderr)

    def start(self, policy=None):
        """A running daemon with `policy` in force."""
        self.daemon.start()
        if policy is not None:
            self.daemon.apply(policy)
            self.daemon.call("Enable")
        return self.daemon

    def assert_reach(self, expected, port, protocol="tcp", families=FAMILIES, **options):
        """What a peer finds on each of these families; for the options, see _reach()."""
        self.assert_all((expected, port, protocol, {"families": families, **options}))

    def assert_all(self, *wanted):
        """Several of what assert_reach() takes, (expected, port, protocol, options), asked at once: what
        is filtered takes its time."""
        probes = []
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for expected, port, *more in wanted:
                protocol = more[0] if more and isinstance(more[0], str) else "tcp"
                options = dict(more[-1]) if more and isinstance(more[-1], dict) else {}
                for family in options.pop("families", FAMILIES):
                    found = pool.submit(self._reach, family, expected, port, protocol, **options)
                    probes.append((found, expected, f"{protocol} port {port} over IPv{family}"))
        for found, expected, what in probes:
            self.assertEqual(found.result(), expected, what)

    @staticmethod
    def _reach(family, expected, port, protocol, server=SERVER, source=None, **options):
        """`server` and `source` have an address of each family."""
        return probe(server[family], port, protocol, wait=SILENCE if expected == "filtered" else PATIENCE,
                     source=source[family] if source else None, **options)


def _tests(suite):
    """The names of all tests in it, as the command line takes them."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test.id().removeprefix("__main__.")


def _share_out(workers):
    """Each test in a process of its own, which has a laboratory of its own; so many at once."""
    def one(name):
        return subprocess.run([sys.executable, "-B", sys.argv[0], name], stderr=subprocess.STDOUT,
                              stdout=subprocess.PIPE, text=True)

    codes = set()
    names = list(_tests(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for done in pool.map(one, names):
            print(done.stdout, flush=True)
            codes.add(done.returncode)
    print(f"{len(names)} tests, {workers} at once: codes {sorted(codes)}")
    return next((code for code in codes if code not in (0, SKIPPED)), SKIPPED if SKIPPED in codes else 0)


def main(workers=1):
    """Runs the tests of the calling module in namespaces of their own. `workers`: so many at once, where
    they mostly wait and disturb nothing that is measured."""
    if workers > 1 and len(sys.argv) == 1:
        sys.exit(_share_out(workers))
    enter()
    program = unittest.main(exit=False, verbosity=2)
    if program.result.wasSuccessful() and program.result.skipped:
        sys.exit(SKIPPED)
    sys.exit(not program.result.wasSuccessful())
