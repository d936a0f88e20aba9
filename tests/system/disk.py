"""What a power loss may leave of files, worked out from the system calls that made them.

What was synced is there: the content of a file by its fsync or fdatasync, a name by the fsync of its
folder. That is all that POSIX promises, and less than most file systems do. Of what came later there may
be nothing, all, or any beginning, or a write without those before it; a write may be torn, or its bytes be
NUL where only the size got there; names and contents know nothing of each other, so that a renamed file may
be empty.
"""

import collections
import itertools
import os
import pathlib
import re

# For strace: the calls that this follows.
CALLS = """open,openat,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,rename,renameat,renameat2,link,
    linkat,symlink,symlinkat,unlink,unlinkat,fallocate,copy_file_range,sendfile,fsync,fdatasync,
    sendto,sendmsg""".replace("\n", "").replace(" ", "")
STRACE = ("-f", "-xx", "-s", "1000000", "-e", "trace=" + CALLS)
MOST_TOGETHER = 40  # contents of several unsynced files that are combined in every way

Call = collections.namedtuple("Call", "name arguments texts result")


def calls(output):
    """What strace saw, in order. Failed calls changed nothing and are left out."""
    begun = {}
    for line in output.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = begun.pop(pid) + rest[resumed.end():]
        call = re.match(r"(\w+)\((.*)\)\s+= (\d+)", rest)
        if call:
            texts = [bytes.fromhex(text.replace("\\x", "")) for text in re.findall(r'"((?:\\x\w\w)*)"', call[2])]
            yield Call(call[1], re.sub(r'"[^"]*"', '""', call[2]).split(", "), texts, int(call[3]))


class File:
    def __init__(self, safe=b""):
        self.safe = safe
        self.writes = []  # since it was synced: offset and bytes, or offset and None to end it there

    def now(self, writes=None):
        content = self.safe
        for offset, data in self.writes if writes is None else writes:
            content = content[:offset].ljust(offset, b"\0") + (
                b"" if data is None else data + content[offset + len(data):])
        return content

    def sync(self):
        self.safe, self.writes = self.now(), []

    def contents(self, thorough):
        """All it may have after a power loss, without doubles. First what was synced, then all."""
        found = [self.safe, self.now()]
        sizes = []  # what is left of the writes where only the size of each got there
        for at, (offset, data) in enumerate(self.writes):
            before = self.writes[:at]
            found.append(self.now(before))
            if data:
                size = len(data.rstrip(b"\0")) or len(data)  # the rest is there to make the file longer
                for cut in range(1, len(data)) if thorough else sorted({1, size // 2, size - 1}):
                    found.append(self.now(before + [(offset, data[:cut])]))
                there = self.there(before, offset, data)
                half = size // 2
                found.append(self.now(before + [(offset, there)]))  # the size alone
                found.append(self.now(before + [(offset, there[:half] + data[half:])]))
                found.append(self.now(sizes + [(offset, data)]))  # this one alone
            sizes.append((offset, data and self.there(sizes, offset, data)))
        return list(dict.fromkeys(found))

    def there(self, before, offset, data):
        """What stands behind the writes `before` where `data` is to."""
        return self.now(before)[offset:offset + len(data)].ljust(len(data), b"\0")


class Disk:
    def __init__(self, *folders, new=()):
        """`folders` as they stand are safe, but for the names of those that are `new`."""
        self.folders = folders
        self.new = set(new)
        self.safe = {}  # path: File
        self.changes = {}  # folder: what happened to its names since it was synced
        self.open = {}
        for folder in folders:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    self.write(path, path.read_bytes())

    def write(self, path, content):
        """What somebody else wrote, long ago."""
        self.safe[pathlib.Path(path)] = File(content)

    def names(self, done=None):
        """Path: File, with the first `done[folder]` changes of its names; None: all."""
        names = dict(self.safe)
        for folder, changes in self.changes.items():
            for gone, come, file in changes[:None if done is None else done[folder]]:
                names.pop(gone, None)
                if come:
                    names[come] = file
        return names

    def follow(self, call):
        """Whether it made a difference to what a power loss leaves."""
        name, arguments, texts, result = call
        paths = [pathlib.Path(text.decode(errors="replace")) for text in texts]
        if name in ("open", "openat", "creat"):
            return self._open(paths[0], arguments, result)
        if name in ("fsync", "fdatasync"):
            return self._sync(self.open.get(int(arguments[0])))
        if name in ("unlink", "unlinkat"):
            return self._ours(paths[0]) and self._change(paths[0], None, None)
        if name.startswith("rename"):
            return self._ours(paths[1]) and self._change(paths[0], paths[1], self.names()[paths[0]])
        if name in ("write", "pwrite64", "ftruncate"):
            return self._write(name, self.open.get(int(arguments[0])), arguments, texts, result)
        if name not in ("sendto", "sendmsg") and (
                any(map(self._ours, paths)) or arguments[0].isdigit() and int(arguments[0]) in self.open):
            raise ValueError(f"this knows nothing of {name}")
        return True

    def _ours(self, path):
        return any(path.is_relative_to(folder) for folder in self.folders)

    def _change(self, gone, come, file):
        where = (come or gone).parent
        if gone and come and gone.parent != come.parent:
            raise ValueError("renamed into another folder, which this knows nothing of")
        self.changes.setdefault(where, []).append((gone, come, file))
        return True

    def _open(self, path, arguments, descriptor):
        self.open.pop(descriptor, None)
        path = pathlib.Path(os.path.normpath(path))
        if any(path == folder.parent for folder in self.new):
            self.open[descriptor] = path
        if not self._ours(path):
            return False
        if path.is_dir():
            self.open[descriptor] = path
            return False
        file = self.names().get(path)
        changes = False
        if file is None and "O_CREAT" in " ".join(arguments):
            file = File()
            changes = self._change(None, path, file)
        elif file is not None and "O_TRUNC" in " ".join(arguments):
            file.writes.append((0, None))
            changes = True
        if file is not None:
            self.open[descriptor] = file
        return changes

    @staticmethod
    def _write(name, file, arguments, texts, result):
        if file is None:
            return False
        if name == "ftruncate":
            size = int(arguments[1])
            padding = size - len(file.now())
            file.writes.append((size, None) if padding <= 0 else (size - padding, b"\0" * padding))
        elif name == "write":
            raise ValueError("a write at no offset, which this knows nothing of")
        else:
            file.writes.append((int(arguments[-1]), texts[0][:result]))
        return True

    def _sync(self, opened):
        """Leaves fewer ways than there were; but what was acknowledged may be more."""
        self.new = {folder for folder in self.new if folder.parent != opened}
        if isinstance(opened, File):
            opened.sync()
        elif opened is not None and opened in self.changes:
            self.safe = self.names({folder: len(changes) if folder == opened else 0
                                    for folder, changes in self.changes.items()})
            del self.changes[opened]
        return opened is not None

    def losses(self, thorough=False):
        """Each tree that the power going now may leave, as path: content; often the same again."""
        for tree in self._losses(thorough):
            yield tree
            if self.new:
                yield {path: content for path, content in tree.items()
                       if not any(path.is_relative_to(folder) for folder in self.new)}

    def _losses(self, thorough):
        prefixes = [[(folder, count) for count in range(len(changes) + 1)]
                    for folder, changes in self.changes.items()]
        for done in itertools.product(*prefixes):
            names = self.names(dict(done))
            unsynced = [(path, file.contents(thorough)) for path, file in names.items() if file.writes]
            tree = {path: file.safe for path, file in names.items()}
            for contents in combined([contents for _, contents in unsynced]):
                yield {**tree, **{path: content for (path, _), content in zip(unsynced, contents)}}


def combined(contents):
    """One content of each: in every way where that is not too many, else each with the first and with the
    second of all the others."""
    ways = 1
    for some in contents:
        ways *= len(some)
    if ways <= MOST_TOGETHER:
        yield from itertools.product(*contents)
        return
    for others in (0, 1):
        rest = [some[min(others, len(some) - 1)] for some in contents]
        for at, some in enumerate(contents):
            for content in some:
                yield rest[:at] + [content] + rest[at + 1:]
