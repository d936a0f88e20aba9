"""Tables of others, whatever they are called, come through every command byte for byte."""

import lab

FOREIGN = """
table inet filter {
    set admins {
        type ipv4_addr
        flags interval
        comment "theirs"
        elements = { 203.0.113.0/24 }
    }
    map ports {
        type inet_service : verdict
        elements = { 22 : accept, 3000 : drop }
    }
    counter seen { packets 7 bytes 700; }
    chain input {
        type filter hook input priority 10; policy accept;
        ip saddr @admins tcp dport 9999 counter packets 3 bytes 180 drop comment "theirs"
    }
    chain fwctl {
        tcp dport vmap @ports
    }
}
table inet fwctl2 {
    chain input {
        type filter hook input priority -5; policy accept;
    }
}
table ip fwctl {
    chain input {
        type filter hook input priority 5; policy accept;
    }
}
table ip6 fwctl {
    chain spare {
    }
}
table arp fwctl {
    chain spare {
    }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat
        tcp dport 8080 redirect to :80
    }
}
"""
TABLES = ("inet filter", "inet fwctl2", "ip fwctl", "ip6 fwctl", "arp fwctl", "ip nat")

POLICY = "version: 1\nrules:\n  - allow: [22/tcp, 80/tcp]\n  - reject: 25/tcp\n"


class ForeignTables(lab.LabTest):
    def listing(self):
        return {table: self.lab.nft("-a", "list", "table", *table.split()).stdout for table in TABLES}

    def test_every_command_leaves_them_alone(self):
        self.lab.nft("-f", "-", input=FOREIGN)
        file = self.lab.directory / "policy.yaml"
        file.write_text(POLICY)
        before = self.listing()
        self.daemon.start()
        for words in (("allow", "22/tcp"), ("deny", "3000/tcp"), ("enable",), ("reject", "25/tcp"),
                      ("insert", "1", "allow", "443/tcp"), ("prepend", "deny", "from", "203.0.113.9"),
                      ("default", "allow", "incoming"), ("delete", "deny", "3000/tcp"), ("reload",),
                      ("apply", file), ("reset",), ("disable",), ("enable",), ("status",), ("ports",),
                      ("show", "ruleset")):
            self.daemon.fwctl(*words)
            self.assertEqual(self.listing(), before, words)
        self.daemon.restart()
        self.assertEqual(self.listing(), before, "restart")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.listing(), before, "kill and start")
        self.daemon.fwctl("disable")
        self.assertEqual(self.listing(), before, "disable")

    def test_our_table_is_the_only_one_we_add(self):
        self.daemon.start()
        self.daemon.fwctl("enable")
        self.assertEqual(self.lab.nft("list", "tables").stdout, "table inet fwctl\n")
        self.daemon.fwctl("disable")
        self.assertEqual(self.lab.nft("list", "tables").stdout, "")


if __name__ == "__main__":
    lab.main()
