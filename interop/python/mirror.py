"""What `tombolo mirror` promises, judged from outside: the org is read by simple-salesforce, the database by its own
client, and every field of every row has to be equal.

    mirror.py real               the sample projects, edited while the mirror runs
    mirror.py hierarchy ROWS     a generated hierarchy
    mirror.py kills ROUNDS       kill -9 at random moments during 5,000 changes
    mirror.py expired            an expired replay position, with hard deletes inside the gap
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import psycopg
from checks import Checks, admin
from simple_salesforce import Salesforce

BINARY = os.environ["TOMBOLO_BINARY"]
SHARED = Path(os.environ.get("TOMBOLO_SHARED", "../shared"))
POSTGRES = os.environ.get("TOMBOLO_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/test")
# Change without touching the row.
VOLATILE = {"LastViewedDate", "LastReferencedDate", "LastActivityDate"}
WAIT = 90


class Org:
    """A local org in a process of its own."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "org", "serve", "--http", "0", "--https", "0", "--json", *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = json.loads(self.process.stdout.readline())
        os.environ["TOMBOLO_INSTANCE_URL"] = self.ready["instance_url"]
        os.environ["TOMBOLO_ADMIN_TOKEN"] = self.ready["admin_token"]
        os.environ["REQUESTS_CA_BUNDLE"] = self.ready["ca_cert"]
        host = self.ready["https_url"].removeprefix("https://")
        self.client = Salesforce(instance=host, session_id=self.ready["access_token"], version="66.0")

    def save(self, method, records):
        saved = self.client.restful("composite/sobjects", method=method, json={"allOrNone": False, "records": records})
        wrong = [s for s in saved if not s["success"]]
        assert not wrong, wrong[:3]
        return [s["id"] for s in saved]

    def make(self, name, rows):
        ids = []
        for at in range(0, len(rows), 200):
            ids += self.save("POST", [{"attributes": {"type": name}, **row} for row in rows[at : at + 200]])
        return ids

    def change(self, name, rows):
        for at in range(0, len(rows), 200):
            self.save("PATCH", [{"attributes": {"type": name}, **row} for row in rows[at : at + 200]])

    def delete(self, ids):
        for at in range(0, len(ids), 200):
            self.client.restful("composite/sobjects", method="DELETE", params={"ids": ",".join(ids[at : at + 200])})

    def soap(self, operation, ids):
        """undelete and emptyRecycleBin exist in SOAP only."""
        body = "".join(f"<n:ids>{id}</n:ids>" for id in ids)
        envelope = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:n="urn:partner.soap.sforce.com">'
            f"<e:Header><n:SessionHeader><n:sessionId>{self.ready['access_token']}</n:sessionId></n:SessionHeader></e:Header>"
            f"<e:Body><n:{operation}>{body}</n:{operation}></e:Body></e:Envelope>"
        )
        answer = self.client.session.post(
            self.ready["https_url"] + "/services/Soap/u/59.0",
            data=envelope,
            headers={"Content-Type": "text/xml", "SOAPAction": '""'},
        )
        assert answer.status_code == 200 and "<success>false" not in answer.text, answer.text

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Target:
    """A database to mirror into, fresh and gone at the end."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = tempfile.mkdtemp(prefix="mirror")
        self.name = f"mirror_{os.getpid()}_{random.randrange(10**9)}"
        if kind == "postgres":
            self.arguments = ["--to", POSTGRES, "--schema", self.name]
        else:
            self.arguments = ["--to", f"sqlite:{self.folder}/mirror.db"]

    def rows(self, name):
        if self.kind == "postgres":
            with psycopg.connect(POSTGRES) as connection:
                cursor = connection.execute(f'SELECT * FROM "{self.name}"."{name.lower()}"')
                columns = [c.name for c in cursor.description]
                return {row[columns.index("id")]: dict(zip(columns, row)) for row in cursor}
        connection = sqlite3.connect(f"file:{self.folder}/mirror.db?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            return {row["id"]: dict(row) for row in connection.execute(f'SELECT * FROM "{name.lower()}"')}
        finally:
            connection.close()

    def gaps(self):
        query = "SELECT count(*) FROM {}_tombolo_gaps"
        if self.kind == "postgres":
            with psycopg.connect(POSTGRES) as connection:
                return connection.execute(query.format(f'"{self.name}".')).fetchone()[0]
        connection = sqlite3.connect(f"{self.folder}/mirror.db", timeout=30)
        try:
            return connection.execute(query.format("")).fetchone()[0]
        finally:
            connection.close()

    def drop(self):
        if self.kind == "postgres":
            with psycopg.connect(POSTGRES) as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{self.name}" CASCADE')
        shutil.rmtree(self.folder, ignore_errors=True)


class Mirror:
    """`tombolo mirror` in a process of its own."""

    def __init__(self, org, target, objects, *arguments):
        self.command = [BINARY, "mirror", *objects, *target.arguments, *arguments]
        self.environment = {**os.environ, "SF_INSTANCE_URL": org.ready["instance_url"], "SF_ACCESS_TOKEN": org.ready["access_token"]}
        self.log = open(f"{target.folder}/mirror.log", "a+")
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def tail(self):
        self.log.seek(0)
        return self.log.read()[-1500:]


def column(field):
    return {"IsDeleted": "is_deleted", "SystemModstamp": "system_modstamp"}.get(field, field.lower())


def plain(value, kind):
    """A value of either side in one spelling."""
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if kind in ("double", "currency", "percent", "int"):
        return float(value)
    if kind == "datetime":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00").replace("+0000", "+00:00"))
        return moment.astimezone(timezone.utc).isoformat()
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value


def difference(org, target, name):
    """The first difference between the org and the database, or None."""
    described = [f for f in getattr(org.client, name).describe()["fields"] if f["type"] not in ("address", "location", "base64")]
    fields = [f for f in described if f["name"] not in VOLATILE]
    soql = f"SELECT {', '.join(f['name'] for f in fields)} FROM {name}"
    there = {r["Id"]: r for r in org.client.query_all(soql, include_deleted=True)["records"]}
    here = target.rows(name)
    alive = {id for id, row in there.items() if not row.get("IsDeleted")}
    extra = [id for id, row in here.items() if id not in alive and not plain(row.get("is_deleted"), "boolean")]
    missing = [id for id in alive if id not in here or plain(here[id].get("is_deleted"), "boolean")]
    if extra or missing:
        return f"{name}: {len(extra)} rows too many {extra[:2]}, {len(missing)} missing {missing[:2]}"
    # Rows in the recycle bin have to be equal too, where the mirror has them: those from before its start it leaves out.
    for id in there.keys() & here.keys():
        for field in fields:
            wanted, found = plain(there[id][field["name"]], field["type"]), plain(here[id][column(field["name"])], field["type"])
            if wanted != found:
                return f"{name} {id} {field['name']}: the org has {wanted!r}, the database {found!r}"
    return None


def settle(checks, what, org, target, objects, mirror=None):
    """Waits until both sides are equal, and says where they are not if they never are."""
    deadline = time.time() + WAIT
    while True:
        try:
            differences = [d for d in (difference(org, target, name) for name in objects) if d]
        except (sqlite3.Error, psycopg.Error) as error:
            differences = [str(error)]
        if not differences or time.time() > deadline:
            break
        time.sleep(0.3)
    shown = differences[:2] + ([mirror.tail()] if mirror and differences else [])
    checks.that(f"{what}: both sides are equal ({target.kind})", not differences, shown)


def edit(org, picked, random_source):
    """Edits, creates, deletes and undeletes of what is there."""
    for name, text in picked:
        ids = [r["Id"] for r in org.client.query_all(f"SELECT Id FROM {name} ORDER BY Id")["records"]]
        org.change(name, [{"Id": id, text: f"edited {random_source.randrange(1000)}"} for id in ids[::2]])
        made = org.make(name, [{text: f"made {i}"} for i in range(5)])
        org.delete(made[:3] + ids[1:2])
        org.soap("undelete", made[:1])


def real(checks):
    samples = SHARED / "data/sample_orgs"
    arguments = []
    for sample in ("dreamhouse-lwc", "ebikes-lwc"):
        arguments += ["--project", samples / sample, "--import", samples / sample / "data/sample-data-plan.json"]
    objects = ["Account", "Contact", "Broker__c", "Property__c", "Product__c", "Product_Family__c", "Order__c", "Order_Item__c"]
    for cdc in ("all", "none"):
        org = Org("--cdc", cdc, *arguments)
        for kind in ("sqlite", "postgres"):
            target = Target(kind)
            mirror = Mirror(org, target, objects)
            settle(checks, f"imported, change events {cdc}", org, target, objects, mirror)
            for _ in range(3):
                edit(org, [("Account", "Name"), ("Contact", "LastName"), ("Broker__c", "Title__c"), ("Property__c", "Name")], random.Random(7))
            settle(checks, f"edited while it ran, change events {cdc}", org, target, objects, mirror)
            checks.equal("the mirror ends when asked", mirror.stop(), 130)
            target.drop()
        org.stop()


def hierarchy(checks, rows):
    org = Org("--cdc", "Account,Contact")
    accounts = org.make("Account", [{"Name": f"A{i}", "AnnualRevenue": i * 1.25} for i in range(rows // 10)])
    org.change("Account", [{"Id": id, "ParentId": accounts[i // 10]} for i, id in enumerate(accounts) if i >= 10])
    org.make("Contact", [{"LastName": f"C{i}", "AccountId": accounts[i % len(accounts)], "Email": f"c{i}@example.com"} for i in range(rows - len(accounts))])
    for kind in ("postgres", "sqlite"):
        target = Target(kind)
        mirror = Mirror(org, target, ["Account", "Contact"], "--once", "--json")
        checks.equal("the mirror of the hierarchy ends by itself", mirror.process.wait(600), 0)
        report = json.loads(mirror.tail().strip().splitlines()[-1])
        checks.equal("and reports its rows", sum(o["rows"] for o in report["objects"]), rows)
        settle(checks, f"hierarchy of {rows}", org, target, ["Account", "Contact"], mirror)
        target.drop()
    org.stop()


def kills(checks, rounds, seed=None):
    seed = seed or random.randrange(10**6)
    print(f"  mirror kills: seed {seed}, {rounds} rounds")
    source = random.Random(seed)
    for kind in ("postgres", "sqlite"):
        org = Org("--cdc", "Account,Contact")
        accounts = org.make("Account", [{"Name": f"A{i}"} for i in range(200)])
        target = Target(kind)
        mirror = Mirror(org, target, ["Account", "Contact"])
        done = threading.Event()

        def write():
            changes, contacts = 0, []
            while changes < 5000:
                contacts += org.make("Contact", [{"LastName": f"C{changes + i}", "AccountId": source.choice(accounts)} for i in range(50)])
                org.change("Account", [{"Id": id, "Name": f"N{changes}"} for id in source.sample(accounts, 100)])
                gone = [contacts.pop(source.randrange(len(contacts))) for _ in range(20)]
                org.delete(gone)
                org.soap("undelete", gone[:5])
                changes += 175
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        for number in range((rounds + 1) // 2):
            # busy, cut, quiet by turns; quiet ones come when the writer is done
            if number % 3 == 1:
                admin("faults", {"kind": "drop_connections", "count": 2, "match": {"path": "/cometd"}})
            if number % 3 == 2:
                admin("faults", {"kind": "delay_events", "for": "5s"})
                admin("faults", {"kind": "duplicate_events", "for": "5s"})
            time.sleep(source.uniform(0.1, 2.5))
            mirror.kill()
            mirror.start()
        writer.join()
        checks.that("all changes were made", done.is_set())
        settle(checks, "killed while it was busy", org, target, ["Account", "Contact"], mirror)
        # Now the stream is quiet: what happens between this kill and the next start has to be found, too.
        mirror.kill()
        org.change("Account", [{"Id": id, "Name": "after the quiet"} for id in accounts[:50]])
        mirror.start()
        settle(checks, f"killed {rounds // 2} times", org, target, ["Account", "Contact"], mirror)
        mirror.stop()
        target.drop()
        org.stop()


def expired(checks):
    for kind in ("postgres", "sqlite"):
        org = Org("--cdc", "Account")
        ids = org.make("Account", [{"Name": f"A{i}"} for i in range(50)])
        target = Target(kind)
        mirror = Mirror(org, target, ["Account"])
        settle(checks, "before the gap", org, target, ["Account"], mirror)
        org.change("Account", [{"Id": ids[0], "Name": "heard"}])
        settle(checks, "a live change", org, target, ["Account"], mirror)
        mirror.kill()
        org.change("Account", [{"Id": id, "Name": "missed"} for id in ids[10:20]])
        org.delete(ids[20:30])
        org.soap("emptyRecycleBin", ids[20:25])
        admin("faults", {"kind": "expire_replay", "count": 1})
        mirror.start()
        settle(checks, "after an expired position", org, target, ["Account"], mirror)
        checks.that("a gap record says so", target.gaps() >= 1, target.gaps())
        mirror.stop()
        target.drop()
        org.stop()


def main():
    work, *numbers = sys.argv[1:]
    checks = Checks(f"mirror {' '.join(sys.argv[1:])}")
    {"real": real, "hierarchy": hierarchy, "kills": kills, "expired": expired}[work](checks, *map(int, numbers))
    checks.end()


main()
