"""Salesforce's own CLI, unmodified, in a home of its own."""

import csv
import io
import json
import os
import subprocess
import tempfile
from pathlib import Path

from checks import Checks, setting

checks = Checks("sf")
bin_folder = Path(setting("TOMBOLO_MORE_MODULES")) / ".bin"
home = tempfile.TemporaryDirectory(prefix="sf")
environment = {k: v for k, v in os.environ.items() if not k.startswith(("SF_", "SFDX_", "XDG_"))}
environment |= {
    "HOME": home.name,
    "PATH": f"{bin_folder.resolve()}:{os.environ['PATH']}",
    "SF_ACCESS_TOKEN": setting("TOMBOLO_ACCESS_TOKEN"),
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
    "SF_DOMAIN_RETRY": "0",
    "SF_DISABLE_TELEMETRY": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_AUTOUPDATE_DISABLE": "true",
    "NO_COLOR": "1",
}


def sf(*arguments):
    command = [str(bin_folder / "node"), str(bin_folder / "sf"), *arguments]
    return subprocess.run(command, env=environment, cwd=home.name, capture_output=True, text=True, timeout=180)


def result(name, *arguments):
    """The result of a command, which has to succeed."""
    done = sf(*arguments, "--json")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"status": done.returncode, "message": done.stdout + done.stderr}
    checks.equal(name, (done.returncode, answer.get("message") if answer.get("status") else None), (0, None))
    return answer.get("result") or {}


def refused(name, code, *arguments):
    done = sf(*arguments, "--json")
    checks.that(name, done.returncode != 0 and code in done.stdout + done.stderr, done.stdout + done.stderr)


login = result("login", "org", "login", "access-token", "--instance-url", setting("TOMBOLO_INSTANCE_URL"), "--no-prompt", "--alias", "emu", "--set-default")
checks.equal("who is logged in", (login.get("username"), login.get("orgId")), (setting("TOMBOLO_USERNAME"), setting("TOMBOLO_ORG_ID")))
shown = result("org display", "org", "display", "-o", "emu")
checks.equal("connected", shown.get("connectedStatus"), "Connected")
listed = result("org list", "org", "list")
checks.that("listed", setting("TOMBOLO_ORG_ID") in json.dumps(listed), listed)
limits = result("org list limits", "org", "list", "limits", "-o", "emu")
checks.that("limits", any(limit.get("name") == "DailyApiRequests" for limit in limits), limits)
counts = result("record counts", "org", "list", "sobject", "record-counts", "--sobject", "User", "-o", "emu")
checks.that("counts", any(count.get("name") == "User" and count.get("count") == 1 for count in counts), counts)

made = result("create record", "data", "create", "record", "-s", "Account", "-v", "Name='Acme & Söhne' NumberOfEmployees=5 Site=x", "-o", "emu")
record = made.get("id", "")
row = result("get record", "data", "get", "record", "-s", "Account", "-i", record, "-o", "emu")
checks.equal("what was created", (row.get("Name"), row.get("NumberOfEmployees")), ("Acme & Söhne", 5))
by = result("get record by a field", "data", "get", "record", "-s", "Account", "-w", "Site=x", "-o", "emu")
checks.equal("the same", by.get("Id"), record)
result("update record", "data", "update", "record", "-s", "Account", "-i", record, "-v", "Site=y", "-o", "emu")
soql = f"SELECT Id, Name, Site, NumberOfEmployees, Owner.Name, CreatedDate FROM Account WHERE Id = '{record}'"
found = result("query as JSON", "data", "query", "-q", soql, "-o", "emu")
checks.equal("the row", [(r["Name"], r["Site"], r["Owner"]["Name"]) for r in found.get("records", [])], [("Acme & Söhne", "y", "Tombolo Admin")])
done = sf("data", "query", "-q", soql, "-r", "csv", "-o", "emu")
table = list(csv.DictReader(io.StringIO(done.stdout)))
checks.equal("query as CSV", [(r.get("Name"), r.get("Owner.Name"), r.get("NumberOfEmployees")) for r in table], [("Acme & Söhne", "Tombolo Admin", "5")])
done = sf("data", "query", "-q", soql, "-o", "emu")
checks.that("query for people", done.returncode == 0 and "Acme & Söhne" in done.stdout and "Tombolo Admin" in done.stdout and "Total number of records retrieved: 1" in done.stdout + done.stderr, done.stdout + done.stderr)
for soql, header in [
    ("SELECT COUNT(Id) FROM Account", "expr0"),
    ("SELECT Name, InstanceName FROM Organization", "InstanceName"),
    ("SELECT Name, (SELECT LastName FROM Contacts) FROM Account LIMIT 1", "Contacts"),
    ("SELECT COUNT() FROM Account", ""),
]:
    done = sf("data", "query", "-q", soql, "-r", "csv", "-o", "emu")
    checks.that(f"query as CSV: {soql}", done.returncode == 0 and (header in done.stdout or "COUNT(Id)" in done.stdout), done.stdout + done.stderr)
    done = sf("data", "query", "-q", soql, "-o", "emu")
    checks.that(f"query for people: {soql}", done.returncode == 0, done.stdout + done.stderr)
everything = result("deleted rows", "data", "query", "-q", "SELECT Id FROM Account", "--all-rows", "-o", "emu")
checks.that("deleted rows are found", everything.get("totalSize", 0) >= 1, everything)
described = result("describe", "sobject", "describe", "-s", "Machine__c", "-o", "emu")
checks.that("a custom field", any(f["name"] == "Serial__c" and f["externalId"] for f in described.get("fields", [])), described.get("name"))
for kind, name in (("all", "Account"), ("custom", "Machine__c"), ("standard", "Contact")):
    names = result(f"list {kind} objects", "sobject", "list", "-s", kind, "-o", "emu")
    checks.that(f"{kind} objects", name in names, names)
raw = sf("api", "request", "rest", "/services/data/v66.0/limits", "-o", "emu")
checks.that("api request rest", raw.returncode == 0 and "DailyApiRequests" in raw.stdout, raw.stdout + raw.stderr)
result("delete record", "data", "delete", "record", "-s", "Account", "-i", record, "-o", "emu")

refused("unknown object", "INVALID_TYPE", "data", "query", "-q", "SELECT Id FROM Nonsense", "-o", "emu")
refused("unknown field", "INVALID_FIELD", "data", "query", "-q", "SELECT Nonsense FROM Account", "-o", "emu")
refused("malformed query", "MALFORMED_QUERY", "data", "query", "-q", "SELECT FROM", "-o", "emu")
refused("required field", "REQUIRED_FIELD_MISSING", "data", "create", "record", "-s", "Account", "-v", "Site=x", "-o", "emu")
refused("deleted record", "ENTITY_IS_DELETED", "data", "get", "record", "-s", "Account", "-i", record, "-o", "emu")
refused("describe of an unknown object", "NOT_FOUND", "sobject", "describe", "-s", "Nonsense", "-o", "emu")
home.cleanup()
checks.end()
