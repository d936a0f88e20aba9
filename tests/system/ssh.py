"""A real sshd in the server's namespace, and real ssh clients who come from the client's."""

import pathlib
import re
import shlex
import shutil
import subprocess

import lab

USER = "fwctl-admin"  # may become root by sudo, and exists in our mounts only


class Sshd:
    """Lets USER and root in, each with the one key that this makes. Needs a privileged lab."""

    def __init__(self, laboratory):
        lab.require_private()
        self.lab = laboratory
        self.directory = laboratory.directory / "ssh"
        self.directory.mkdir(mode=0o711)
        self._add_user()
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("host", "key"):
            lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name)
        (self.directory / "key.pub").chmod(0o644)
        config = self.directory / "config"
        config.write_text(f"""\
HostKey {self.directory}/host
AuthorizedKeysFile {self.directory}/key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
PrintMotd no
PrintLastLog no
UseDNS no
""")
        with lab.inside("server"), open(self.directory / "log", "ab") as log:
            self._server = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", shutil.which("sshd", path="/usr/sbin"), "-D", "-e",
                 "-f", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        laboratory._closing.callback(self.close)
        lab.until(lambda: lab.probe(lab.SERVER[4], 22) == "open", "sshd listens")

    def close(self):
        self._server.kill()
        self._server.wait()

    def _add_user(self):
        """In files of our own in the place of the machine's. What a shell reads at its start is nobody's."""
        users = (f"root:*:0:0::{self.directory}:/bin/sh\n{USER}:*:54321:54321::{self.directory}:/bin/sh\n"
                 + re.sub("^root:.*\n", "", pathlib.Path("/etc/passwd").read_text(), flags=re.M))
        groups = pathlib.Path("/etc/group").read_text() + f"{USER}:*:54321:\n"
        for path, text in (("/etc/passwd", users), ("/etc/group", groups)):
            copy = self.directory / pathlib.Path(path).name
            copy.write_text(text)
            lab.mount("--bind", copy, path)
        sudoers = self.directory / "sudoers"
        sudoers.write_text(f"Defaults !use_pty\n{USER} ALL=(ALL) NOPASSWD: ALL\nroot ALL=(ALL) ALL\n")
        sudoers.chmod(0o440)
        lab.mount("--bind", sudoers, "/etc/sudoers")

    def command(self, *words, family=4, user="root", source=lab.CLIENT, options=()):
        """What to start in the client's namespace so that `words` run on the server."""
        return ["ssh", "-F", "none", "-q", "-i", str(self.directory / "key"), "-b", source[family],
                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", *options,
                f"{user}@{lab.SERVER[family]}", shlex.join(map(str, words))]

    def run(self, *words, family=4, user="root", source=lab.CLIENT):
        """Commands of one user from one address share a connection, which saves shaking hands."""
        whose = {"family": family, "user": user, "source": source}
        path = self.directory / f"{user}-{source[family]}"
        if not path.exists():
            self._begin(self.command(options=("-N", "-M", "-S", path), **whose)[:-1])
            lab.until(path.exists, "the connection is there")
        with lab.inside("client"):
            return lab.run(*self.command(*words, options=("-S", path), **whose), check=False,
                           stdin=subprocess.DEVNULL)

    def _begin(self, command):
        """Starts it in the client's namespace, and ends it with the test."""
        with lab.inside("client"):
            started = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            started.kill()
            started.stdin.close()
            started.wait()

        self.lab._closing.callback(end)
        started.end = end
        return started

    def session(self, *words, **how):
        """One that goes on, with a terminal and a connection of its own. It has end()."""
        return self._begin(self.command(*words, options=("-tt",), **how))
