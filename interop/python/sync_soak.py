"""Two-way sync under fire: hub, org and databases are killed, a hub among three is frozen past its lease and goes on, Redis is
flushed and killed, while people edit both ends; then both ends are judged.

    sync_soak.py [--app postgres|mysql] [--state postgres|sqlite] [--kills N] [--takeovers N] [--changes N] [--round N] [--rate N] [--seed N]
                 [--figures FILE]

Runs in rounds, each on fresh servers and judged by itself. What was shown is kept in the figures file, so that a soak that was
stopped goes on where it was.
"""

import argparse
import json
import os
import random
import sys
import time
from datetime import date
from pathlib import Path

from sync_ground import Hub, MariaDb, Org, Postgres, Redis, ground, project, until, write_file
from sync_judge import Judge
from sync_traffic import SCHEMA, Log, Traffic, mappings

# Short enough that what a fault leaves behind is over within a round; the brakes are for people, not for machines that
# write the same record all day.
SETTINGS = {
    "lease": "3s",
    "landing": "15s",
    "echo_wait": "5s",
    "poll_every": "5s",
    "brake": {"writes": 1_000_000, "within": "10m"},
    "mass_delete": {"share": "100%", "rows": 1_000_000, "within": "10m"},
}
APPS = {"postgres": Postgres, "mysql": MariaDb}


class Stage:
    """Everything that runs in a round."""

    def __init__(self, folder, keep, app, state, hubs):
        self.state = keep(Postgres(folder, "state")) if state == "postgres" else None
        self.app = keep(APPS[app](folder, "app"))
        self.redis = keep(Redis(folder, "redis"))
        self.org = keep(Org(folder, "--cdc", "Account,Contact", "--project", project(folder, ["Account", "Contact"])))
        with self.app.connect() as connection:
            for statement in SCHEMA[app]:
                connection.cursor().execute(statement)
        url = self.state.url() if self.state else f"sqlite:{folder}/state.db"
        file = write_file(folder, self.org, self.app, url, mappings(), SETTINGS)
        cache = {"TOMBOLO_REDIS_URL": self.redis.url()}
        self.hubs = [keep(Hub(folder, file, number, **cache)) for number in range(hubs)]
        self.hub = self.hubs[0]

    def start(self):
        self.hub.start(ready=True)
        for hub in self.hubs[1:]:
            hub.start()


class Faults:
    """One thing after the other goes wrong, drawn from a seed."""

    def __init__(self, stage, dice, kills, takeovers):
        self.stage, self.dice = stage, dice
        self.plan = ["takeover"] * takeovers
        # A state in a file dies with its hub.
        victims = ("hub", "org", "app", "hub", "state" if stage.state else "hub", "redis")
        self.plan += [victims[number % len(victims)] for number in range(kills)]
        dice.shuffle(self.plan)
        self.done = {"kills": 0, "takeovers": 0, "flushes": 0}
        self.lacking = 0

    def run(self, pace):
        """All of the plan, one every so many seconds."""
        for what in self.plan:
            time.sleep(self.dice.uniform(0.3, 1.7) * pace)
            if what == "takeover":
                self.takeover()
            else:
                self.kill(what)

    def kill(self, what):
        if what == "hub":
            victim = self.dice.choice(self.stage.hubs)
        else:
            victim = getattr(self.stage, what)
        if what == "redis" and self.dice.random() < 0.5:
            victim.say("FLUSHALL")
            self.done["flushes"] += 1
            return
        victim.kill()
        time.sleep(self.dice.choice([0, 0.2, 1.0]))
        victim.start()
        self.revive()
        self.done["kills"] += 1

    def revive(self):
        """A hub that ended by itself is counted: it should wait for what is down."""
        for hub in self.stage.hubs:
            if not hub.alive():
                self.lacking += 1
                hub.start()

    def takeover(self):
        """Freezes who holds the work until another has it, and a while more, and lets it go on."""
        status = self.stage.hub.status()
        holder = next((hub for hub in self.stage.hubs if hub.alive() and str(hub.process.pid) in str(status.get("holder"))), None)
        if holder is None:
            holder = self.dice.choice(self.stage.hubs)
        epoch = status.get("epoch")
        holder.pause()
        try:
            until("a takeover", lambda: (self.stage.hub.status().get("epoch") or 0) > (epoch or 0), 30, 0.2)
            time.sleep(self.dice.uniform(0, 1))
            self.done["takeovers"] += 1
        finally:
            holder.go_on()


def play(app, state, kills, takeovers, changes, rate, seed):
    """A round: what was shown, and what was wrong."""
    dice = random.Random(seed)
    with ground() as (folder, keep):
        stage = Stage(folder, keep, app, state, 3 if takeovers else 1)
        stage.start()
        traffic = Traffic(stage.org, stage.app, Log(), seed, changes, rate).start()
        faults = Faults(stage, dice, kills, takeovers)
        try:
            faults.run(max(0.3, changes / rate / max(1, kills + takeovers)))
            traffic.join()
        finally:
            traffic.stop.set()
        log = traffic.log
        trouble = []
        try:
            stage.hub.quiet(180)
        except TimeoutError as error:
            trouble.append(f"{error}\n{stage.hub.tail()}")
        judge, wrong = settled(stage, traffic)
        trouble += wrong
        figures = {
            **faults.done,
            "changes": log.acknowledged(),
            "unanswered": sum(1 for edit in log.edits if not edit.done),
            "conflicts": len(judge.conflicts),
            "dead_letters": len(judge.letters),
            "restarted": faults.lacking,
        }
        if trouble and os.environ.get("TOMBOLO_KEEP"):
            (folder / "edits.json").write_text(json.dumps([edit.__dict__ for edit in log.edits], indent=0, default=str))
            tell_histories(folder, stage.hub, trouble, {**traffic.app.keys, **{mark: key for mark, key in traffic.org.ids.items()}})
    return figures, trouble


def settled(stage, traffic, seconds=90):
    """The verdict once both ends are as they should be, or when time is up: a stream that was cut is heard again only
    after a while, and nobody can ask for that from outside."""
    deadline = time.monotonic() + seconds
    while True:
        judge = Judge(stage.org, stage.app, stage.hub, traffic.log, traffic.org.ids, traffic.app.keys)
        wrong = judge.judge()
        if not wrong or time.monotonic() > deadline:
            return judge, wrong
        time.sleep(5)


def tell_histories(folder, hub, trouble, keys):
    """What the hub says of the records that something is wrong with, beside the rest of what is kept."""
    marks = {word.strip(":") for text in trouble for word in text.split() if word.strip(":") in keys}
    for mark in sorted(marks)[:20]:
        told = hub.ask("history", keys[mark])
        (folder / f"history-{mark}.json").write_text(json.dumps(told, indent=1))


def known(path, app):
    figures = json.loads(path.read_text()) if path.exists() else {}
    return figures, figures.setdefault(app, {"kills": 0, "takeovers": 0, "changes": 0, "rounds": 0})


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--app", choices=list(APPS), default="postgres")
    parser.add_argument("--state", choices=["postgres", "sqlite"], default="postgres", help="a file has one hub: no takeovers")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--takeovers", type=int, default=100)
    parser.add_argument("--changes", type=int, default=20_000)
    parser.add_argument("--round", type=int, default=2_000, help="changes in a round")
    parser.add_argument("--rate", type=float, default=60, help="changes a second, both ends together")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--figures", type=Path, default=None)
    return parser.parse_args()


def main():
    asked = arguments()
    if asked.state == "sqlite":
        asked.takeovers = 0
    name = asked.app if asked.state == "postgres" else f"{asked.app}, {asked.state}"
    all_figures, figures = known(asked.figures, name) if asked.figures else ({}, {"kills": 0, "takeovers": 0, "changes": 0, "rounds": 0})
    rounds = max(1, round(asked.changes / asked.round))
    while any(figures[name] < getattr(asked, name) for name in ("kills", "takeovers", "changes")):
        seed = asked.seed or random.randrange(10**6)
        began = time.monotonic()
        share = [max(0, -(-getattr(asked, name) // rounds)) for name in ("kills", "takeovers", "changes")]
        shown, trouble = play(asked.app, asked.state, *share, asked.rate, seed)
        for text in trouble[:12]:
            print(f"  {text}")
        told = ", ".join(f"{count} {what}" for what, count in shown.items() if count)
        print(f"  sync {name}, seed {seed}: {told}; {len(trouble)} wrong; {time.monotonic() - began:.0f} s", flush=True)
        if trouble:
            sys.exit(1)
        for what, count in shown.items():
            figures[what] = figures.get(what, 0) + count
        # Kills that fell on Redis and were flushes count as what they were.
        figures["kills"] += shown["flushes"]
        figures["rounds"] += 1
        figures["date"] = str(date.today())
        if asked.figures:
            asked.figures.parent.mkdir(parents=True, exist_ok=True)
            asked.figures.write_text(json.dumps(all_figures, indent=1))


if __name__ == "__main__":
    main()
