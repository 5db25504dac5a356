"""The oracle for real processes: both ends are read with third-party drivers, and every edit that somebody was told had
been saved has to stand at both, or to have been replaced by one that had seen it, or to stand in a conflict or a dead letter.

The log knows of each edit the value that it saw. What stands now, and what stands in a conflict, is *accounted for*; so is
what an accounted value had seen, and so on. An acknowledged edit that is not accounted for was lost.
"""

from collections import defaultdict

from sync_traffic import KINDS, POLICIES

# Below it `newest` may not know who was first: whole seconds in change events, and what was measured.
ABOUT = 2.5


def plain(value):
    """A value of either end in one spelling."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    return f"{float(value):.2f}"


class Judge:
    def __init__(self, org, server, hub, log, org_keys=None, app_keys=None, policies=POLICIES):
        self.org, self.server, self.log, self.policies = org, server, log, policies
        self.wrong, self.excused = [], 0
        self.left, self.right = {}, {}
        # Which mark a key belongs to, for what is in no table any more.
        self.marks = {**{id: mark for mark, id in (org_keys or {}).items()}, **(app_keys or {})}
        self.conflicts = hub.conflicts()
        self.letters = hub.dead_letters()
        self.parents = [{}, {}]

    def say(self, text):
        self.wrong.append(text)

    def read(self):
        for kind, (table, (mark_field, mark_column), fields) in KINDS.items():
            self.left[kind], self.right[kind] = defaultdict(list), defaultdict(list)
            names = ", ".join(["Id", mark_field, "IsDeleted", *fields])
            for row in self.org.rows(f"SELECT {names} FROM {kind} WHERE {mark_field} != null", deleted=True):
                self.marks[row["Id"]] = row[mark_field]
                if not row["IsDeleted"]:
                    self.left[kind][row[mark_field]].append({"key": row["Id"], **{name: row[name] for name in fields}})
            with self.server.connect() as connection:
                cursor = connection.cursor()
                more = ", company" if kind == "Contact" else ""
                cursor.execute(f"SELECT id, {mark_column}, {', '.join(fields.values())}{more} FROM {table}")
                for key, mark, *values in cursor.fetchall():
                    self.marks[str(key)] = mark
                    row = {"key": str(key), **dict(zip(fields, values))}
                    if more:
                        row["company"] = values[-1]
                    self.right[kind][mark].append(row)
        self.parents = [
            {row["key"]: (mark, row["Name"]) for mark, rows in side["Account"].items() for row in rows} for side in (self.left, self.right)
        ]

    def judge(self):
        self.read()
        for kind in KINDS:
            self.pairs(kind)
        self.companies()
        accounted, records = self.in_conflicts()
        by_record = defaultdict(list)
        for edit in self.log.edits:
            by_record[edit.kind, edit.mark].append(edit)
        for (kind, mark), edits in by_record.items():
            self.record(kind, mark, edits, accounted, records)
        self.winners()
        return self.wrong

    def pairs(self, kind):
        """One and one, equal field by field."""
        left, right = self.left[kind], self.right[kind]
        for mark in left.keys() | right.keys():
            ours, theirs = left.get(mark, []), right.get(mark, [])
            if (len(ours), len(theirs)) != (1, 1):
                self.say(f"{kind} {mark}: {len(ours)} in the org, {len(theirs)} in the database {[r['key'] for r in ours + theirs]}")
                continue
            for name in KINDS[kind][2]:
                shown = [self.shown(name, ours[0], 0), self.shown(name, theirs[0], 1)]
                if shown[0] != shown[1]:
                    self.say(f"{kind} {mark} ({ours[0]['key']}, {theirs[0]['key']}) {name}: the org has {shown[0]!r}, the database {shown[1]!r}")

    def shown(self, name, row, side):
        if name != "AccountId":
            return plain(row[name])
        parent = row[name]
        return None if parent is None else self.parents[side].get(str(parent), (f"dangling {parent}",))[0]

    def companies(self):
        for mark, rows in self.right["Contact"].items():
            ours = self.left["Contact"].get(mark)
            parent = ours and ours[0]["AccountId"]
            wanted = self.parents[0].get(parent, (None, None))[1] if parent else None
            if rows[0]["company"] != wanted:
                self.say(f"Contact {mark}: company is {rows[0]['company']!r}, Account.Name {wanted!r}")

    def in_conflicts(self):
        """Values that stand in conflicts and dead letters, and the records with a conflict over their being there."""
        values, records = set(), defaultdict(set)
        for conflict in self.conflicts:
            values |= {plain(value) for value in conflict["values"]} - {None}
            for end in conflict["record"]:
                mark = self.marks.get(end["key"])
                if mark:
                    records[mark].add(conflict["field"][0] if conflict["field"] else conflict["kind"])
        for letter in self.letters:
            for end in letter["record"]:
                records[self.marks.get(end["key"])].add("dead letter")
        return values, records

    def record(self, kind, mark, edits, accounted, records):
        here = self.left[kind].get(mark) and self.right[kind].get(mark)
        if "dead letter" in records[mark]:
            self.excused += 1
            return
        if here:
            final = {name: self.shown(name, self.left[kind][mark][0], 0) for name in KINDS[kind][2]}
            self.came_back(kind, mark, edits, records)
            starts = [final]
        else:
            starts = self.went(kind, mark, edits)
        for name in KINDS[kind][2]:
            if name == "AccountId":
                self.reference(mark, edits, here and final[name], here, records)
            else:
                self.field(kind, mark, name, edits, [plain(start.get(name)) for start in starts], accounted)

    def came_back(self, kind, mark, edits, records):
        """A record that is there although somebody deleted it needs somebody who brought it back, or a conflict."""
        for gone in (edit for edit in edits if edit.what == "delete" and edit.done):
            back = any(edit.what == "undelete" and (edit.done or edit.began) >= gone.began for edit in edits)
            if not back and not records[mark] & {"delete", "severed"}:
                self.say(f"{kind} {mark} was deleted at {gone.side}, is there, and no conflict says why")

    def went(self, kind, mark, edits):
        """A record that is not there has to have been deleted, after it was brought back the last time."""
        gone = [edit for edit in edits if edit.what == "delete"]
        if not gone:
            made = [edit for edit in edits if edit.what == "create" and edit.done]
            if made:
                self.say(f"{kind} {mark} was made at {made[0].side} and is nowhere")
            return [{}]
        back = max((edit.began for edit in edits if edit.what == "undelete" and edit.done), default=0)
        if all(edit.done and edit.done < back for edit in gone):
            self.say(f"{kind} {mark} was brought back and is nowhere")
        if any(not edit.done for edit in gone):
            # What a delete saw that was never answered nobody knows: then nothing can be said of the values.
            return [edit.values for edit in edits]
        return [edit.saw for edit in gone]

    def field(self, kind, mark, name, edits, starts, accounted):
        writers = {plain(edit.values[name]): edit for edit in edits if name in edit.values}
        seen, open_ends = set(), [*starts, *(value for value in writers if value in accounted)]
        # An edit without an answer may have been there: what it saw nobody knows, so it accounts for what came before it.
        while open_ends:
            value = open_ends.pop()
            edit = writers.get(value)
            if value in seen or edit is None:
                continue
            seen.add(value)
            if edit.done:
                open_ends.append(plain(edit.saw.get(name)))
            else:
                open_ends += [other for other, older in writers.items() if older.began < edit.began]
        for start in starts:
            if start is not None and start not in writers:
                self.say(f"{kind} {mark} {name}: {start!r} stands there, which nobody wrote")
        for value, edit in writers.items():
            if edit.done and value not in seen:
                stands = ", ".join(map(repr, starts))
                self.say(f"{kind} {mark} {name}: {value!r} of {edit.side} ({edit.what}, saw {edit.saw.get(name)!r}) is lost; {stands} stands")

    def reference(self, mark, edits, final, here, records):
        """References are not unique: what stands has to be the last word of one end, or of nobody."""
        last = {}
        for edit in edits:
            if "AccountId" in edit.values:
                if edit.done:
                    last[edit.side] = [edit]
                else:
                    last.setdefault(edit.side, []).append(edit)
        words = {edit.values["AccountId"] for side in last.values() for edit in side}
        if not any(edit.done for side in last.values() for edit in side):
            # Nobody knows whether anybody has set it.
            words.add(None)
        if here and words and final not in words and "AccountId" not in records[mark]:
            self.say(f"Contact {mark} AccountId: {final!r} stands, the last words were {sorted(words, key=str)}")

    def winners(self):
        """Who won, by the policy of the field."""
        written = {}
        for edit in self.log.edits:
            for name, value in edit.values.items():
                if edit.done and name != "AccountId":
                    written[plain(value)] = edit
        for conflict in self.conflicts:
            if not conflict["field"] or conflict["kind"] not in ("edit", "late") or conflict["field"][0] not in self.policies:
                continue
            if conflict["rule"].startswith("overwritten by"):
                # It tells what happened; nobody had to choose.
                continue
            wanted = self.winner(conflict, written)
            if wanted and conflict["winner"] != wanted:
                self.say(f"conflict {conflict['id']} over {conflict['field'][0]} {conflict['values']}: won by {conflict['winner']}, not {wanted}")

    def winner(self, conflict, written):
        name, (left, right) = conflict["field"][0], map(plain, conflict["values"])
        policy = self.policies[name]
        if policy == "max" and left and right:
            return "crm" if float(left) > float(right) else "app"
        if policy == "newest":
            # Known from a row alone, an edit by the user who syncs has no time: then Salesforce wins.
            if None in conflict["times"]:
                return "crm"
            ours, theirs = written.get(left), written.get(right)
            if ours and theirs and abs(ours.done - theirs.done) > ABOUT:
                return "crm" if ours.done > theirs.done else "app"
            return None
        return {"salesforce_wins": "crm", "app_wins": "app"}.get(policy)
