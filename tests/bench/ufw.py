"""ufw in the bench's own /etc (peers.mount() made it): its state is one for all namespaces, so only
one section's one size uses it at a time."""

import pathlib
import re
import shutil

import ground
import shapes

FOLDER = pathlib.Path("/etc/ufw")
TEMPLATES = pathlib.Path("/usr/share/ufw")
DEFAULTS = pathlib.Path("/etc/default/ufw")


def prepare(rules):
    """As after its installation, with `rules` added and not enabled yet."""
    for name in ("before", "before6", "after", "after6", "user", "user6"):
        shutil.copy(TEMPLATES / f"iptables/{name}.rules", FOLDER)
    for name in ("before.init", "after.init", "ufw.conf"):
        shutil.copy(TEMPLATES / name, FOLDER)
    # It would set kernel parameters of the machine that namespaces share.
    DEFAULTS.write_text(re.sub(r"^IPT_SYSCTL=.*$", "IPT_SYSCTL=", DEFAULTS.read_text(), flags=re.M))
    for family, name in ((4, "user.rules"), (6, "user6.rules")):
        path = FOLDER / name
        path.write_text(path.read_text().replace(
            "### RULES ###\n", "### RULES ###\n" + shapes.ufw(rules, family), 1))


def enable(namespace):
    """Milliseconds."""
    return ground.timed(namespace, "ufw", "--force", "enable")


def disable(namespace):
    ground.run(namespace, "ufw", "disable")


def loaded(namespace):
    """How many IPv4 rules its users' chain has in the kernel."""
    return ground.run(namespace, "iptables-save").stdout.count("-A ufw-user-input ")
