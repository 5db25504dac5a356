"""What the Java clients do on the wire (EMP-Connector, Camel, Mule): the session without a scheme, the kind of message
in the path, one object or an array, several subscriptions in one request. No such client runs here without a JVM."""

import http.client
import json
import urllib.parse

from checks import Checks, setting

checks = Checks("Java-style CometD")
authority = urllib.parse.urlsplit(setting("TOMBOLO_INSTANCE_URL")).netloc
token = setting("TOMBOLO_ACCESS_TOKEN")
VERSION = "43.0"


class Session:
    """One connection with the cookies of its own, as a CometD session has."""

    def __init__(self, authorization=token, version=VERSION):
        self.connection = http.client.HTTPConnection(authority, timeout=150)
        self.authorization, self.version, self.cookies, self.id, self.number = authorization, version, {}, None, 0

    def post(self, step, body):
        headers = {"Authorization": self.authorization, "Content-Type": "application/json;charset=UTF-8"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        path = f"/cometd/{self.version}" + (f"/{step}" if step else "")
        self.connection.request("POST", path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, json.loads(answer.read())

    def message(self, channel, **more):
        self.number += 1
        return {"id": str(self.number), "channel": channel, **({"clientId": self.id} if self.id else {}), **more}

    def handshake(self, array=True):
        body = self.message(
            "/meta/handshake",
            version="1.0",
            minimumVersion="1.0",
            supportedConnectionTypes=["long-polling"],
            ext={"replay": True},
            advice={"timeout": 60000, "interval": 0},
        )
        status, answer = self.post("handshake", [body] if array else body)
        self.id = answer[0].get("clientId")
        return status, answer

    def connect(self, **more):
        return self.post("connect", [self.message("/meta/connect", connectionType="long-polling", **more)])

    def subscribe(self, *channels, replay):
        ext = {"replay": {channel.split("?")[0]: replay for channel in channels}}
        return self.post("subscribe", [self.message("/meta/subscribe", subscription=c, ext=ext) for c in channels])

    def events(self, count):
        found = []
        while len(found) < count:
            _, answer = self.connect()
            checks.that("the answer to the connect comes last", answer[-1]["channel"] == "/meta/connect", answer)
            found += [m for m in answer if not m["channel"].startswith("/meta/")]
        return found


def rest(method, path, body=None):
    connection = http.client.HTTPConnection(authority, timeout=30)
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    connection.request(method, "/services/data/v60.0/" + path, None if body is None else json.dumps(body), headers)
    return json.loads(connection.getresponse().read() or b"null")


ACCOUNT, CONTACT = "/data/AccountChangeEvent", "/data/ContactChangeEvent"
session = Session()
status, answer = session.handshake()
checks.equal("handshake", (status, answer[0]["successful"], answer[0]["id"]), (200, True, "1"))
checks.that("no advice with it", "advice" not in answer[0], answer)
checks.equal("replay is offered", answer[0]["ext"], {"replay": True, "payload.format": True})
checks.equal("one transport", answer[0]["supportedConnectionTypes"], ["long-polling"])
checks.that("cookies", {"BAYEUX_BROWSER", "t", "BrowserId"} <= set(session.cookies), session.cookies)
_, answer = session.connect()
checks.equal("the first connect comes back at once, with advice", answer[0]["advice"], {"interval": 0, "timeout": 110000, "reconnect": "retry"})
_, answer = session.subscribe(ACCOUNT, CONTACT, replay=-1)
checks.equal("bulk subscribe", [(m["subscription"], m["successful"]) for m in answer], [(ACCOUNT, True), (CONTACT, True)])
account = rest("POST", "sobjects/Account", {"Name": "emp"})["id"]
contact = rest("POST", "sobjects/Contact", {"LastName": "emp", "AccountId": account})["id"]
events = session.events(2)
checks.equal("both channels", [m["channel"] for m in events], [ACCOUNT, CONTACT])
first = events[0]["data"]["event"]["replayId"]
_, answer = session.connect(advice={"timeout": 0})
checks.equal("a connect that asks for no wait", [m["channel"] for m in answer], ["/meta/connect"])
_, answer = session.post("unsubscribe", [session.message("/meta/unsubscribe", subscription=CONTACT)])
checks.equal("unsubscribe", (answer[0]["subscription"], answer[0]["successful"]), (CONTACT, True))
_, answer = session.post("disconnect", [session.message("/meta/disconnect")])
checks.equal("disconnect", answer[0]["successful"], True)
_, answer = session.connect()
checks.equal("after which the client is unknown", (answer[0]["error"], answer[0]["advice"]["reconnect"]), ("403::Unknown client", "handshake"))

# A bare object instead of an array, another scheme, no step in the path; the replay id as text
for authorization in ("OAuth " + token, "Bearer " + token):
    session = Session(authorization, "60.0")
    checks.equal("a bare object", session.handshake(array=False)[1][0]["successful"], True)
    status, answer = session.post("", [session.message("/meta/subscribe", subscription=ACCOUNT, ext={"replay": {ACCOUNT: str(first - 1), "/data/Other": -1}}), session.message("/meta/connect", connectionType="long-polling")])
    while not any(m["channel"] == ACCOUNT for m in answer):
        answer += session.connect()[1]
    events = [m for m in answer if m["channel"] == ACCOUNT]
    checks.equal("replay after an id given as text", events[0]["data"]["event"]["replayId"], first)
    session.post("", session.message("/meta/disconnect"))

# Refusals
session = Session()
session.handshake()
_, answer = session.subscribe("/data/NonsenseChangeEvent", replay=-1)
checks.that("unknown channel", not answer[0]["successful"] and answer[0]["error"].startswith(("400", "403")), answer)
_, answer = session.subscribe(ACCOUNT, replay=10**12)
checks.equal("a replay id from the future", answer[0]["error"], f"400::The replayId {{{10**12}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.")
_, answer = Session("00D000000000000!nonsense").handshake()
checks.equal("no such session", (answer[0]["error"], answer[0]["ext"]["sfdc"]["failureReason"]), ("403::Handshake denied", "401::Authentication invalid"))
_, answer = Session(version="20.0").handshake()
checks.that("a version that is no more", "Unsupported API version" in answer[0]["error"], answer)
checks.equal("a body over 32,768 bytes", Session().post("handshake", [{"channel": "/meta/handshake", "ext": "x" * 40000}])[0], 413)
rest("DELETE", "sobjects/Contact/" + contact)
rest("DELETE", "sobjects/Account/" + account)
checks.end()
