"""The judge, judged: what it has to let pass, and what it has to find, each as a history of edits with its end."""

from contextlib import contextmanager

from checks import Checks
from sync_judge import Judge
from sync_traffic import CONTACT, Edit, Log


class Ends:
    """Both ends and the hub, as they stand when everything is over: contacts, each with its mark."""

    def __init__(self, left, right, conflicts=(), letters=()):
        self.left, self.right, self.told, self.refused = left, right, list(conflicts), list(letters)
        self.kind = None

    # The org
    def rows(self, soql, deleted=False):
        if "FROM Contact" not in soql:
            return []
        blank = dict.fromkeys(CONTACT)
        return [{"Id": f"003{mark}", "Department": mark, "IsDeleted": False, **blank, **values} for mark, values in self.left]

    # The database
    @contextmanager
    def connect(self):
        yield self

    def cursor(self):
        return self

    def execute(self, statement):
        self.kind = statement

    def fetchall(self):
        if "FROM contacts" not in self.kind:
            return []
        names = list(CONTACT)
        return [(f"9{mark}", mark, *(values.get(name) for name in names), None) for mark, values in self.right]

    # The hub
    def conflicts(self):
        return self.told

    def dead_letters(self):
        return self.refused


def edit(side, what, at, saw=None, mark="m", done=True, **values):
    return Edit(side, "Contact", mark, what, values, at, dict.fromkeys(CONTACT) | (saw or {}), at + 0.01 if done else None)


def conflict(field, left, right, winner, kind="edit", rule=""):
    keys = [{"key": "003m"}, {"key": "9m"}]
    return {"id": "1", "record": keys, "field": field and [field, CONTACT[field]], "values": [left, right], "times": [None, None], "winner": winner, "kind": kind, "rule": rule}


MADE = edit("s", "create", 1, LastName="s1")
FIRST = edit("s", "update", 2, {"LastName": "s1"}, LastName="s2")
SECOND = edit("d", "update", 3, {"LastName": "s2"}, LastName="d3")
BLIND = edit("d", "update", 3, {"LastName": "s1"}, LastName="d3")
GONE = edit("d", "delete", 4, {"LastName": "s2"})
CHILD = edit("d", "update", 2, done=False, AccountId="as1")
OTHER = edit("s", "update", 3, AccountId="as2")
LATE = edit("s", "update", 5, {"LastName": "s2"}, LastName="s5")


def both(*shown):
    rows = [("m", {"LastName": value}) for value in shown]
    return [rows, rows]


# What, the edits, both ends, conflicts, and the word in which the judge has to speak; None if it has to be silent.
HISTORIES = [
    ("each saw the one before", [MADE, FIRST, SECOND], both("d3"), [], None),
    ("overwritten unseen", [MADE, FIRST, BLIND], both("d3"), [], "lost"),
    ("overwritten unseen, and told", [MADE, FIRST, BLIND], both("s2"), [conflict("LastName", "s2", "d3", "crm")], None),
    ("the policy not kept", [MADE, FIRST, BLIND], both("d3"), [conflict("LastName", "s2", "d3", "app")], "won by"),
    ("an old value came back", [MADE, FIRST], both("s1"), [], "lost"),
    ("a value that nobody wrote", [MADE], both("x"), [], "nobody wrote"),
    ("doubled", [MADE], both("s1", "s1"), [], "2 in the org"),
    ("only at one end", [MADE], [both("s1")[0], []], [], "0 in the database"),
    ("unequal", [MADE, FIRST], [both("s2")[0], both("s1")[0]], [], "the org has"),
    ("made and nowhere", [MADE], both(), [], "is nowhere"),
    ("deleted, having been seen", [MADE, FIRST, GONE], both(), [], None),
    ("an edit deleted unseen", [MADE, FIRST, GONE, LATE], both(), [], "lost"),
    ("an edit deleted unseen, and told", [MADE, FIRST, GONE, LATE], both(), [conflict("LastName", "s5", None, "app", "delete")], None),
    ("a delete undone, and told", [MADE, FIRST, GONE, LATE], both("s5"), [conflict(None, None, None, "crm", "delete")], None),
    ("a delete undone in silence", [MADE, FIRST, GONE], both("s2"), [], "no conflict says why"),
    ("brought back", [MADE, FIRST, GONE, edit("s", "undelete", 6)], both("s2"), [], None),
    ("brought back and nowhere", [MADE, FIRST, GONE, edit("s", "undelete", 6)], both(), [], "brought back"),
    ("an edit that nobody answered stands", [MADE, edit("s", "update", 2, done=False, LastName="s2")], both("s2"), [], None),
    ("an edit that nobody answered does not", [MADE, edit("s", "update", 2, done=False, LastName="s2")], both("s1"), [], None),
    ("a reference that nobody answered is not set", [MADE, CHILD], both("s1"), [], None),
    ("one that was answered is not set either", [MADE, CHILD, OTHER], both("s1"), [], "AccountId"),
    (
        "overwritten before the policy could choose, and told",
        [MADE, FIRST, BLIND, edit("s", "update", 5, {"LastName": "d3"}, LastName="s5")],
        both("s5"),
        [conflict("LastName", "s2", "d3", "app", "late", "overwritten by a write of ours; what came after that stands")],
        None,
    ),
    (
        "a late conflict that the policy decided otherwise",
        [MADE, FIRST, BLIND],
        both("d3"),
        [conflict("LastName", "s2", "d3", "app", "late", "app wins")],
        "won by",
    ),
]


def main():
    checks = Checks("judge of sync")
    for what, edits, (left, right), conflicts, word in HISTORIES:
        ends, log = Ends(left, right, conflicts), Log()
        log.edits = list(edits)
        found = Judge(ends, ends, ends, log).judge()
        if word is None:
            checks.equal(f"{what}: silent", found, [])
        else:
            checks.that(f"{what}: found", any(word in text for text in found), found)
    checks.end()


if __name__ == "__main__":
    main()
