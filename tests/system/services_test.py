"""Services of several ports, services.d, and ufw's application profiles, under packets."""

import os
import pathlib

import lab

SHOP = "shop: {ports: [8080/tcp, 9000-9001/udp], protocols: [esp], description: Web shop}\n"
PROFILES = """\
[Web Server]
title=Pages
description=Pages with and without TLS
ports=80,443/tcp|443/udp

[Broken]
title=A list without a protocol
description=Left out
ports=1,2
"""
# A folder of application profiles from ufw's own tests, where there is one to read.
UFWS_PROFILES = os.environ.get("FWCTL_UFW_PROFILES")


class Services(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.listen(80, 443, 8080, 8443, 8081)
        self.lab.listen(443, 8080, 9000, 9001, 9002, protocol="udp")
        self.write("services.d/shop.yaml", SHOP)
        self.write("applications.d/web", PROFILES)
        self.daemon.start()
        self.daemon.fwctl("enable")

    def write(self, name, text):
        path = self.daemon.config / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def assert_filtered_all(self, *ports, protocol="tcp"):
        for port in ports:
            self.assert_reach("filtered", port, protocol)

    def test_a_service_opens_all_of_its_ports_and_no_other(self):
        self.daemon.fwctl("allow", "shop")
        self.assert_reach("open", 8080)
        self.assert_reach("open", 9000, "udp")
        self.assert_reach("open", 9001, "udp")
        self.assert_filtered_all(8081, 80)
        self.assert_filtered_all(8080, 9002, protocol="udp")
        self.assertRegex(self.lab.ruleset(), r"meta l4proto (esp|50) counter accept")
        self.daemon.fwctl("delete", "allow", "shop")
        self.assert_reach("filtered", 8080)

    def test_a_profile_with_a_blank_in_its_name(self):
        self.daemon.fwctl("allow", "from", lab.CLIENT[4], "to", "any", "app", "web server")
        self.assert_reach("open", 80, families=[4])
        self.assert_reach("open", 443, families=[4])
        self.assert_reach("open", 443, "udp", families=[4])
        self.assert_reach("filtered", 8080, families=[4])
        self.assert_reach("filtered", 80, families=[6])
        self.assert_reach("filtered", 80, families=[4], source=lab.CLIENT_TOO)
        [rule] = self.daemon.json("status")["rules"]
        self.assertEqual(rule["text"], f"allow from {lab.CLIENT[4]} to any app 'web server'")
        self.assertFalse(self.daemon.json("allow", "from", lab.CLIENT[4], "to", "any", "app",
                                          "web server")["outcome"]["changed"])
        self.daemon.fwctl("allow", "Web Server")
        self.assert_reach("open", 80)

    def test_editing_a_profile_changes_nothing_until_update(self):
        self.daemon.fwctl("allow", "Web Server")
        self.write("applications.d/web", PROFILES.replace("80,443/tcp", "8443/tcp"))
        self.daemon.fwctl("allow", "8081/tcp")
        self.assert_reach("open", 80)
        self.assert_reach("filtered", 8443)
        self.assertIn("fwctl app update", self.daemon.fwctl("status").stdout)
        self.assertIn("On the host: 8443/tcp", self.daemon.fwctl("app", "info", "Web Server").stdout)

        rehearsed = self.daemon.fwctl("--dry-run", "app", "update", "Web Server").stdout
        self.assertIn("+ service Web Server 8443/tcp", rehearsed)
        self.assert_reach("open", 80)
        self.assertIn("- service Web Server 80/tcp",
                      self.daemon.fwctl("app", "update", "--add-new", "web server").stdout)
        self.assert_reach("open", 8443)
        self.assert_reach("open", 443, "udp")
        self.assert_filtered_all(80)
        self.assertIn("Nothing changed", self.daemon.fwctl("app", "update", "all").stdout)

    def test_a_profile_that_is_gone_still_counts_after_a_restart(self):
        self.daemon.fwctl("allow", "Web Server")
        before = self.lab.ruleset()
        (self.daemon.config / "applications.d/web").unlink()
        self.daemon.stop()
        self.lab.nft("delete", "table", "inet", "fwctl")
        self.daemon.start()
        self.assertEqual(self.lab.ruleset(), before)
        self.assert_reach("open", 443, "udp")
        self.assertIn("no longer on this host", self.daemon.fwctl("app", "info", "Web Server").stdout)
        done = self.daemon.fwctl("reload", code=1)
        self.assertIn("no service is called 'Web Server'", done.stderr)
        self.assert_reach("open", 80)

    def test_bad_profiles_are_said_and_harm_nothing(self):
        for words in (("reload",), ("check", self.daemon.config)):
            done = self.daemon.fwctl(*words)
            self.assertRegex(done.stdout + done.stderr,
                             r"applications\.d/web:9:7: warning: lists and ranges", words)
        self.assertNotIn("warning", self.daemon.fwctl("allow", "Web Server").stdout)
        done = self.daemon.fwctl("allow", "Broken", code=2)
        self.assertIn("no service is called 'Broken'", done.stderr)
        done = self.daemon.fwctl("allow", "Web Server/tcp", code=2)
        self.assertIn("leave 'tcp' out", done.stderr)

    def test_app_list_and_info(self):
        self.daemon.fwctl("allow", "web server")
        self.daemon.fwctl("deny", "wireguard")
        services = {entry["name"]: entry for entry in self.daemon.json("app", "list")["services"]}
        self.assertGreater(len(services), 100)
        self.assertNotIn("Broken", services)
        web = services["Web Server"]
        self.assertEqual(web["ports"], ["80/tcp", "443/tcp", "443/udp"])
        self.assertEqual((web["origin"], web["title"], web["rules"]), ("profile", "Pages", [1]))
        self.assertEqual((pathlib.Path(web["file"]).name, web["line"]), ("web", 1))
        shop = services["shop"]
        self.assertEqual(shop["ports"], ["8080/tcp", "9000-9001/udp", "esp"])
        self.assertEqual((shop["origin"], shop["description"]), ("policy", "Web shop"))
        self.assertEqual((services["wireguard"]["rules"], services["wireguard"]["ports"]),
                         ([2], ["51820/udp"]))
        listed = self.daemon.fwctl("app", "LIST").stdout
        self.assertRegex(listed, r"(?m)^Web Server +1 +\S+web:1 +80/tcp")
        self.assertRegex(listed, r"(?m)^samba +fwctl +137-138/udp, 139/tcp, 445/tcp$")
        info = self.daemon.fwctl("app", "info", "WEB server").stdout
        self.assertRegex(info, r"(?m)^Name: +Web Server\nTitle: +Pages\nDescription: +Pages with")
        self.assertRegex(info, r"(?m)^Rules: +1$")
        self.assertRegex(self.daemon.fwctl("app", "info", "ssh").stdout, r"(?m)^Ports: +22/tcp$")
        everything = self.daemon.fwctl("app", "info", "all").stdout
        self.assertEqual(everything.count("\nPorts:"), len(services))
        done = self.daemon.fwctl("app", "info", "shoop", code=1)
        self.assertIn("did you mean 'shop'?", done.stderr)

    def test_app_commands_that_have_no_meaning_here_say_so(self):
        before = self.daemon.snapshot()
        self.assertIn("always so", self.daemon.fwctl("app", "default", "skip").stdout)
        done = self.daemon.fwctl("app", "default", "allow", code=1)
        self.assertIn("say 'fwctl allow NAME'", done.stderr)
        self.daemon.fwctl("app", "update", "--add-new", "all", code=2)
        self.daemon.fwctl("app", "update", "--add-new", "Web Server")
        self.daemon.fwctl("app", "update", "Nothing", code=1)
        for words in (("app",), ("app", "lis"), ("app", "info"), ("app", "default"),
                      ("app", "default", "limit"), ("app", "update")):
            self.daemon.fwctl(*words, code=2)
        self.assertEqual(self.daemon.snapshot(), before)

    def _ufws_profiles(self):
        for file in pathlib.Path(UFWS_PROFILES).iterdir():
            self.write("applications.d/" + file.name, file.read_text())
        self.assertNotIn("applications.d/a", self.daemon.fwctl("reload").stdout)
        names = {entry["name"] for entry in self.daemon.json("app", "list")["services"]}
        self.assertLessEqual({"Apache", "Apache Full", "Dovecot Secure IMAP", "0verkill", "Samba",
                              "a aZ9 _-.+", "A aZ9 _-.+"}, names)
        self.assertFalse([name for name in names if "dpkg" in name or "rpm" in name])
        self.daemon.fwctl("allow", "Apache Full")
        self.assert_reach("open", 443)
        self.daemon.fwctl("allow", "to", "any", "app", "Samba", "from", "any", "app", "Bind9")
        self.daemon.fwctl("allow", "to", "any", "app", "Samba", "from", "any", "port", "http", code=2)

    if UFWS_PROFILES:
        test_profiles_of_ufw_are_readable_as_they_are = _ufws_profiles


if __name__ == "__main__":
    lab.main()
