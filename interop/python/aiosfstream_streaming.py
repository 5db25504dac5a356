"""aiosfstream-ng over plain http; only the address of its login is set, for which it has no other way than a subclass."""

import asyncio
import json
import logging
import urllib.request

from aiosfstream_ng import Client, PasswordAuthenticator, ReplayOption
from aiosfstream_ng.exceptions import AuthenticationError, ServerError
from checks import Checks, setting

checks = Checks("aiosfstream-ng")
# It leaves its last poll to be collected as garbage, of which asyncio would tell at length.
logging.getLogger("asyncio").disabled = True
base = setting("TOMBOLO_INSTANCE_URL")
CHANNEL = "/data/AccountChangeEvent"


class Login(PasswordAuthenticator):
    @property
    def _token_url(self):
        return base + "/services/oauth2/token"


def login(password=None):
    password = password or setting("TOMBOLO_PASSWORD") + setting("TOMBOLO_SECURITY_TOKEN")
    return Login(setting("TOMBOLO_CLIENT_ID"), setting("TOMBOLO_CLIENT_SECRET"), setting("TOMBOLO_USERNAME"), password)


def rest(method, path, body=None):
    request = urllib.request.Request(base + "/services/data/v60.0/" + path, method=method)
    request.add_header("Authorization", "Bearer " + setting("TOMBOLO_ACCESS_TOKEN"))
    request.add_header("Content-Type", "application/json")
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, data, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


async def take(client, count):
    return [await asyncio.wait_for(client.receive(), 30) for _ in range(count)]


def kinds(events):
    return [event["data"]["payload"]["ChangeEventHeader"]["changeType"] for event in events]


async def main():
    marks = {}
    async with Client(login(), replay=marks) as client:
        await client.subscribe(CHANNEL)
        made = await asyncio.to_thread(rest, "POST", "sobjects/Account", {"Name": "aiosf"})
        await asyncio.to_thread(rest, "PATCH", "sobjects/Account/" + made["id"], {"Site": "x"})
        events = await take(client, 2)
        checks.equal("events arrive in order", kinds(events), ["CREATE", "UPDATE"])
        created = events[0]["data"]["event"]["replayId"]
        await asyncio.to_thread(rest, "DELETE", "sobjects/Account/" + made["id"])
        checks.equal("and go on", kinds(await take(client, 1)), ["DELETE"])
    async with Client(login(), replay=ReplayOption.ALL_EVENTS) as client:
        await client.subscribe(CHANNEL)
        seen = []
        while created not in seen:
            seen += [event["data"]["event"]["replayId"] for event in await take(client, 1)]
        checks.that("all that is kept is replayed in order", seen == sorted(seen), seen)
        await client.unsubscribe(CHANNEL)
    try:
        async with Client(login()) as client:
            await client.subscribe("/data/NonsenseChangeEvent")
        checks.that("unknown channel", False)
    except ServerError as error:
        checks.that("unknown channel", "doesn't exist" in str(error) or "denied" in str(error), str(error))
    try:
        async with Client(login("wrong")):
            checks.that("wrong password", False)
    except AuthenticationError as error:
        checks.that("wrong password", "authentication failure" in str(error), str(error))


asyncio.run(main())
checks.end()
