"""What the scripts here share: a check has a name, prints one line when it fails, and the script ends with a count."""

import json
import os
import sys
import urllib.request


class Checks:
    def __init__(self, client):
        self.client = client
        self.passed = 0
        self.failed = 0

    def that(self, name, condition, shown=None):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"  {self.client}: {name}: FAILED {'' if shown is None else repr(shown)[:600]}")

    def equal(self, name, found, wanted):
        self.that(name, found == wanted, f"found {found!r}, wanted {wanted!r}")

    def refused(self, name, code, work):
        """The work has to be refused with this error code."""
        try:
            found = work()
        except Exception as error:  # each client has its own classes; the code stands in the text of all
            self.that(name, code in str(error), str(error))
        else:
            self.that(name, False, f"was accepted: {found!r}")

    def end(self):
        print(f"  {self.client}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def setting(name):
    return os.environ[name]


def admin(path, body):
    """Asks the org's admin interface, which no Salesforce client knows of."""
    request = urllib.request.Request(
        setting("TOMBOLO_INSTANCE_URL") + "/_tombolo/" + path,
        data=json.dumps(body).encode(),
        headers={"X-Tombolo-Admin": setting("TOMBOLO_ADMIN_TOKEN"), "Content-Type": "application/json"},
        method="POST",
    )
    # Straight to the org, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")
