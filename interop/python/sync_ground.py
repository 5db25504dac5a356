"""Ground for two-way sync to stand on: private database servers, a Redis, an org and hubs, each a process of its own in a
temporary folder, each of which can be killed and started again where it was.

Nothing here touches a server that was running before.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pymysql
from simple_salesforce import Salesforce

BINARY = os.environ.get("TOMBOLO_BINARY", "target/debug/tombolo")
SHARED = Path(os.environ.get("TOMBOLO_SHARED", "../shared"))
START = 60
# Straight to the org, whatever proxy the environment names.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, done, seconds=START, every=0.1):
    """Waits for a state; what was found last is told if it never comes."""
    deadline = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)


def children(pid):
    with contextlib.suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (thread / "children").read_text().split())


class Server:
    """A process that listens on a port of its own, and keeps it when it is started again."""

    user = None

    def __init__(self, folder, name):
        self.folder, self.name, self.process = Path(folder) / name, name, None
        self.folder.mkdir()
        if self.as_other():
            shutil.chown(self.folder, self.user, self.user)
        self.port = free_port()
        self.log = open(Path(folder) / f"{name}.log", "a")
        self.prepare()
        self.start()

    def as_other(self):
        return self.user is not None and os.geteuid() == 0

    def spawn(self, command, wait=False, **more):
        rights = {"user": self.user, "group": self.user, "extra_groups": []} if self.as_other() else {}
        run = subprocess.run if wait else subprocess.Popen
        return run(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.folder, **rights, **more)

    def prepare(self):
        """What is done once, before the first start."""

    def start(self):
        deadline = time.monotonic() + START
        while True:
            self.process = self.spawn(self.command())
            while self.process.poll() is None:
                if self.answers():
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.name} does not answer")
                time.sleep(0.05)
            # A server that was killed may hold its files for a moment.
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} ended: see {self.log.name}")
            time.sleep(0.2)

    def kill(self):
        orphans = list(children(self.process.pid))
        self.process.kill()
        self.process.wait()
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
        self.log.close()


def postgres_program(name):
    found = shutil.which(name) if shutil.which("initdb") else None
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return found or str(versions[-1])


class Postgres(Server):
    user = "postgres"
    scheme = "postgres"

    def prepare(self):
        self.spawn([postgres_program("initdb"), "-D", "data", "-A", "trust", "-U", "postgres", "-N", "--locale=C", "-E", "UTF8"], wait=True, check=True)

    def command(self):
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "max_connections": 200}
        return [postgres_program("postgres"), "-D", "data", *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))]

    def url(self, database="postgres", user="postgres"):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, user="postgres", database="postgres"):
        return psycopg.connect(self.url(database, user), autocommit=True, connect_timeout=5)

    def answers(self):
        with contextlib.suppress(psycopg.Error), self.connect():
            return True
        return False


class MariaDb(Server):
    user = "mysql"
    scheme = "mysql"

    def prepare(self):
        self.spawn(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db"],
            wait=True,
            check=True,
        )
        self.start()
        with self.connect(database=None) as connection:
            connection.cursor().execute("CREATE DATABASE app CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.kill()

    def command(self):
        return [
            "mariadbd",
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=2",
            "--character-set-server=utf8mb4",
            "--max-connections=200",
        ]

    def url(self, database="app", user="root"):
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, user="root", database="app"):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, database=database, autocommit=True, connect_timeout=5)

    def answers(self):
        with contextlib.suppress(pymysql.Error), self.connect(database=None):
            return True
        return False


class Redis(Server):
    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def say(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(200).decode()

    def answers(self):
        with contextlib.suppress(OSError):
            return "PONG" in self.say("PING")
        return False


FIELD = """<?xml version="1.0" encoding="UTF-8"?>
<CustomField xmlns="http://soap.sforce.com/2006/04/metadata">
    <fullName>App_Id__c</fullName><externalId>true</externalId><label>App Id</label>
    <length>64</length><type>Text</type><unique>true</unique><caseSensitive>false</caseSensitive>
</CustomField>
"""


def project(folder, objects):
    """SFDX source that gives objects the external id that the hub owns."""
    root = Path(folder) / "project"
    for name in objects:
        fields = root / "main/default/objects" / name / "fields"
        fields.mkdir(parents=True)
        (fields / "App_Id__c.field-meta.xml").write_text(FIELD)
    (root / "sfdx-project.json").write_text(json.dumps({"packageDirectories": [{"path": "main", "default": True}], "sourceApiVersion": "66.0"}))
    return root


class Org:
    """A local org that keeps its data when it is killed."""

    name = "org"

    def __init__(self, folder, *arguments, data=True):
        self.folder, self.http, self.https, self.process = Path(folder), free_port(), free_port(), None
        self.arguments = [*map(str, arguments), *(["--data", str(self.folder / "org")] if data else ["--memory"])]
        self.log = open(self.folder / "org.log", "a")
        self.start()

    def start(self):
        command = [BINARY, "org", "serve", "--http", self.http, "--https", self.https, "--limits", "unlimited", "--json", *self.arguments]
        self.process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the org did not start: {Path(self.log.name).read_text()[-800:]}")
        self.ready = json.loads(line)
        os.environ["REQUESTS_CA_BUNDLE"] = self.ready["ca_cert"]
        self.client = Salesforce(
            instance=self.ready["instance_url"].removeprefix("http://"), session_id=self.ready["access_token"], version="66.0"
        )
        self.client.base_url = self.client.base_url.replace("https://", "http://")
        self.client.session.trust_env = False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.kill()
        self.log.close()

    def admin(self, path, body=None, method=None):
        request = urllib.request.Request(
            f"{self.ready['instance_url']}/_tombolo/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Tombolo-Admin": self.ready["admin_token"], "Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        with DIRECT.open(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def restful(self, path, method="GET", **more):
        return self.client.restful(path, method=method, **more)

    def save(self, method, name, rows):
        """Rows by collections of 200; the Ids."""
        ids = []
        for at in range(0, len(rows), 200):
            records = [{"attributes": {"type": name}, **row} for row in rows[at : at + 200]]
            saved = self.restful("composite/sobjects", method, json={"allOrNone": False, "records": records})
            wrong = [one for one in saved if not one["success"]]
            if wrong:
                raise RuntimeError(str(wrong[:3]))
            ids += [one["id"] for one in saved]
        return ids

    def delete(self, ids):
        for at in range(0, len(ids), 200):
            self.restful("composite/sobjects", "DELETE", params={"ids": ",".join(ids[at : at + 200])})

    def rows(self, soql, deleted=False):
        """All pages. The client's own `query_more` insists on https."""
        found = self.client.query(soql, include_deleted=deleted)
        records = found["records"]
        while not found["done"]:
            found = self.restful(found["nextRecordsUrl"].partition("/v66.0/")[2])
            records += found["records"]
        return records

    def soap(self, operation, ids):
        """undelete and emptyRecycleBin exist in SOAP only."""
        body = "".join(f"<n:ids>{id}</n:ids>" for id in ids)
        envelope = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:n="urn:partner.soap.sforce.com">'
            f"<e:Header><n:SessionHeader><n:sessionId>{self.ready['access_token']}</n:sessionId></n:SessionHeader></e:Header>"
            f"<e:Body><n:{operation}>{body}</n:{operation}></e:Body></e:Envelope>"
        )
        answer = self.client.session.post(
            self.ready["instance_url"] + "/services/Soap/u/59.0",
            data=envelope,
            headers={"Content-Type": "text/xml", "SOAPAction": '""'},
            timeout=30,
        )
        return answer.status_code == 200 and "<success>false" not in answer.text


class Hub:
    """`tombolo up`, and what the other commands say of the same file."""

    def __init__(self, folder, file, number=0, **environment):
        self.file, self.name, self.process = str(file), f"hub{number}", None
        self.environment = {**os.environ, **environment}
        self.log = open(Path(folder) / f"{self.name}.log", "a+")
        self.paused = False

    def start(self, ready=False):
        self.process = subprocess.Popen(
            [BINARY, "up", "-c", self.file, "--json"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )
        if ready:
            heard, _, _ = select.select([self.process.stdout], [], [], START)
            line = self.process.stdout.readline() if heard else b"nothing"
            if b'"ready"' not in line:
                raise RuntimeError(f"{self.name} is not ready: {line} {self.tail()}")
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def stop(self):
        if self.alive():
            if self.paused:
                self.go_on()
            self.process.send_signal(signal.SIGINT)
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return None

    def memory(self):
        """Resident memory, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu(self):
        """Seconds of CPU so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, *words):
        """A command over the same file; its JSON. What a server that is down answers is an error like any other."""
        done = subprocess.run([BINARY, *words, "-c", self.file, "--json"], env=self.environment, capture_output=True, text=True, timeout=60)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            return {"error": {"message": f"exit {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}"}}

    def status(self):
        return self.ask("status")

    def conflicts(self):
        return self.ask("conflicts", "--limit", "1000000").get("conflicts", [])

    def dead_letters(self):
        return self.ask("dead-letters", "--limit", "1000000").get("dead_letters", [])

    def tail(self, count=1500):
        self.log.flush()
        return Path(self.log.name).read_text()[-count:]

    def quiet(self, seconds=120, steady=1.5):
        """Waits until nothing waits, no job and no gap is open, and nothing moves any more; the last status."""
        deadline, last, since = time.monotonic() + seconds, None, time.monotonic()
        while time.monotonic() < deadline:
            status = self.status()
            still = {key: status.get(key) for key in ("waiting", "mappings", "jobs", "gaps")}
            if still != last:
                last, since = still, time.monotonic()
            settled = status.get("waiting") == 0 and not status.get("jobs") and not status.get("gaps")
            started = all(mapping["state"] not in ("loading", "not started") for mapping in status.get("mappings", [{"state": "loading"}]))
            if settled and started and time.monotonic() - since >= steady:
                return status
            time.sleep(0.2)
        raise TimeoutError(f"never quiet: {json.dumps(status)[:1500]}")


def connection(server_or_file):
    if isinstance(server_or_file, (str, Path)):
        return {"system": "sqlite", "url": f"sqlite:{server_or_file}"}
    return {"system": server_or_file.scheme, "url": server_or_file.url()}


def salesforce(org):
    return {
        "system": "salesforce",
        "auth": {
            "flow": "password",
            "login_url": org.ready["instance_url"],
            "username": org.ready["username"],
            "password": org.ready["password"],
            "security_token": org.ready["security_token"],
            "client_id": org.ready["client_id"],
            "client_secret": org.ready["client_secret"],
        },
    }


def write_file(folder, org, app, state, mappings, settings=None):
    """`tombolo.yaml`. JSON is YAML."""
    file = Path(folder) / "tombolo.yaml"
    file.write_text(
        json.dumps(
            {
                "state": state,
                "connections": {"crm": salesforce(org), "app": connection(app)},
                "mappings": mappings,
                "settings": settings or {},
                "budget": {"share": "100%", "reserve": "10%"},
            },
            indent=1,
        )
    )
    return file


@contextlib.contextmanager
def ground():
    """A folder that goes, with everything that was started in it."""
    folder = Path(tempfile.mkdtemp(prefix="tombolo-sync-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        keep = os.environ.get("TOMBOLO_KEEP")
        stack.callback(lambda: print(f"  kept: {folder}") if keep else shutil.rmtree(folder, ignore_errors=True))
        yield folder, lambda made: (stack.callback(made.stop), made)[1]
