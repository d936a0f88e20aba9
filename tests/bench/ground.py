"""Where it all happens: namespaces and a folder that the bench made, and that go away with it."""

import contextlib
import pathlib
import shutil
import tempfile

import lab
import measure
import shapes

# The ends of a cable between two namespaces; in each pair the same.
SERVER_ADDRESS, CLIENT_ADDRESS = "10.66.0.1", shapes.LAST_SOURCE


class Ground:
    """Namespaces by name. The folder is on a disk: /tmp may be memory, where a sync costs nothing."""

    def __init__(self):
        lab.require_private()
        self._closing = contextlib.ExitStack()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="fwctl-bench-", dir="/var/tmp"))
        self.directory.chmod(0o711)
        self._closing.callback(shutil.rmtree, self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.close()

    @contextlib.contextmanager
    def part(self):
        """What is made meanwhile goes away at its end."""
        outer, self._closing = self._closing, contextlib.ExitStack()
        try:
            yield self
        finally:
            self._closing.close()
            self._closing = outer

    def namespace(self, name):
        lab.run("ip", "netns", "add", name)
        self._closing.callback(lab.run, "ip", "netns", "delete", name, check=False)
        lab.run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def pair(self, name):
        """Two namespaces joined by a cable: (server, client)."""
        server, client = self.namespace(name), self.namespace(f"{name}-client")
        lab.run("ip", "-n", server, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0",
                "netns", client)
        for namespace, address in ((server, SERVER_ADDRESS), (client, CLIENT_ADDRESS)):
            lab.run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            lab.run("ip", "-n", namespace, "link", "set", "eth0", "up")
        return server, client

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        self._closing.callback(path.unlink, missing_ok=True)
        return path

    def fwctl(self, namespace, files=None):
        return Fwctl(self, namespace, files or {})


class Fwctl:
    """A daemon of its own, enabled, in `namespace`. `files`: path in its configuration → text."""

    def __init__(self, ground, namespace, files):
        self.directory = ground.directory / f"fwctl-{namespace}"
        self._closing = ground._closing  # lab.Daemon asks for both
        self.directory.mkdir()
        ground._closing.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.namespace = namespace
        self.daemon = lab.Daemon(self, namespace)
        self.daemon.write(files)
        self.daemon.start()
        self.daemon.fwctl("enable")

    @contextlib.contextmanager
    def awake(self):
        """The daemon runs meanwhile, and not in the turns of others: the kernel tells those who listen, in
        whatever namespace, of each element and rule that is loaded, and who loads them pays for it."""
        if not self.daemon.alive():
            self.daemon.start()
        try:
            yield
        finally:
            self.daemon.stop()

    def timed(self, *words):
        with lab.inside(self.namespace):
            return measure.timed(self.daemon.cli, "--socket", self.daemon.socket, *words)

    def resident(self):
        return measure.resident(self.daemon.process.pid)

    def rules(self):
        """How many rules are in force."""
        status = self.daemon.call("Status")
        return len(status["rules"]) if status["enabled"] else 0


def timed(namespace, *command):
    """A peer's turn."""
    with lab.inside(namespace):
        return measure.timed(*command)


def run(namespace, *command, **options):
    """What a peer needs before or between its turns."""
    with lab.inside(namespace):
        return lab.run(*command, timeout=measure.LONGEST_COMMAND, **options)
