"""The programs fwctl is measured beside. Nothing is installed for it: an installed ufw would start a
firewall. What this machine lacks is fetched as Debian packages, unpacked below build/, and seen by
the bench alone, through overlays in its own mount namespace."""

import pathlib
import shutil
import subprocess
import sys

import lab

CACHE = lab.SOURCE / "build/bench/peers"

# Program → the packages it needs besides what every Debian has.
PACKAGES = {
    "nft": ("nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libgmp10", "libedit2",
            "libxtables12"),
    "iptables-restore": ("iptables", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnftnl11",
                         "libnetfilter-conntrack3", "libnfnetlink0"),
    "ufw": ("ufw", "iptables", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnftnl11",
            "libnetfilter-conntrack3", "libnfnetlink0"),
    "ipset": ("ipset", "libipset13", "libmnl0"),
}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def fetch(wanted):
    """Program → why it cannot be had, "" if it can. Needs the machine's network, so before
    lab.enter()."""
    missing = [program for program in wanted if not shutil.which(program, path=SYSTEM_PATH)]
    reasons = dict.fromkeys(wanted, "")
    for program in missing:
        try:
            _fetch(program)
        except subprocess.CalledProcessError as problem:
            said = problem.stderr.strip() or str(problem)
            reasons[program] = "could not be fetched: " + said.splitlines()[0]
        except (OSError, subprocess.SubprocessError) as problem:
            reasons[program] = f"could not be fetched: {problem}"
    return reasons


def installed(wanted):
    """The same without fetching anything."""
    return {program: "" if shutil.which(program, path=SYSTEM_PATH) else "not installed"
            for program in wanted}


def _fetch(program):
    """Unpacks what `program` needs and this machine lacks into CACHE/root, once."""
    stamp = CACHE / f"{program}.unpacked"
    if stamp.exists():
        return
    packages = [package for package in PACKAGES[program] if not _is_installed(package)]
    print(f"bench: fetching {program} ({', '.join(packages)})", file=sys.stderr)
    folder = CACHE / program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # As the user who runs this, not as apt's own, who may have no right to the folder.
    _run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
         *packages, cwd=folder)
    root = CACHE / "root"
    for archive in sorted(folder.glob("*.deb")):
        _run("dpkg", "-x", archive, root)
    _finish(root)
    stamp.touch()


def _is_installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package],
                          capture_output=True, text=True)
    return done.returncode == 0 and done.stdout == "installed"


def _run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True,
                          timeout=300, **options)


def _finish(root):
    """What the packages' installation would have done."""
    for name in ("lib", "sbin", "bin"):  # links into /usr on the machine
        if (root / name).is_dir():
            shutil.copytree(root / name, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(root / name)
    sbin = root / "usr/sbin"
    if (sbin / "xtables-nft-multi").exists():  # update-alternatives
        for family in ("iptables", "ip6tables"):
            for tool in ("", "-restore", "-save"):
                link = sbin / (family + tool)
                if not link.is_symlink():
                    link.symlink_to(f"{family}-nft{tool}")
    python = root / "usr/lib/python3/dist-packages"
    if python.is_dir():  # py3compile: otherwise ufw would be compiled anew each time it starts
        _run("/usr/bin/python3", "-m", "compileall", "-q", python)


def mount():
    """Lets this process and its children see what was unpacked. Also of a machine that has ufw, /etc is
    a copy from here on: ufw writes there."""
    lab.require_private()
    root = CACHE / "root"
    if (root / "usr").is_dir():
        lab.mount("-t", "overlay", "peers", "-o", f"ro,lowerdir={root}/usr:/usr", "/usr")
    changes = pathlib.Path("/run/bench")  # lab.enter() made /run our own
    for name in ("upper", "work"):
        (changes / name).mkdir(parents=True)
    below = f"{root}/etc:/etc" if (root / "etc").is_dir() else "/etc"
    lab.mount("-t", "overlay", "peers", "-o",
              f"lowerdir={below},upperdir={changes}/upper,workdir={changes}/work", "/etc")
