"""aiosalesforce, unmodified, through the proxy: it takes no address but one of Salesforce's own."""

import asyncio
import os
import ssl

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth import SoapLogin
from checks import Checks, setting

checks = Checks("aiosalesforce")


def client(http, password=None, version="60.0"):
    auth = SoapLogin(setting("TOMBOLO_USERNAME"), password or setting("TOMBOLO_PASSWORD"), setting("TOMBOLO_SECURITY_TOKEN"))
    return Salesforce(http, "https://tombolo.my.salesforce.com", auth, version=version)


async def refused(name, code, work):
    try:
        found = await work
    except Exception as error:
        checks.that(name, code in f"{getattr(error, 'error_code', '')} {error}", repr(error))
    else:
        checks.that(name, False, found)


async def main():
    trust = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    async with httpx.AsyncClient(verify=trust, proxy=setting("TOMBOLO_PROXY_URL")) as http:
        sf = client(http)
        checks.that("limits", "DailyApiRequests" in await sf.get_limits())
        made = await sf.sobject.create("Account", {"Name": "aio", "NumberOfEmployees": 3})
        checks.equal("get", (await sf.sobject.get("Account", made))["NumberOfEmployees"], 3)
        checks.equal("get of some fields", sorted(await sf.sobject.get("Account", made, fields=["Name"])), ["Id", "Name", "attributes"])
        await sf.sobject.update("Account", made, {"Site": "west"})
        rows = [row async for row in sf.query(f"SELECT Site FROM Account WHERE Id = '{made}'")]
        checks.equal("query after update", [row["Site"] for row in rows], ["west"])
        first = await sf.sobject.upsert("Machine__c", "M-1", "Serial__c", {"Name": "one", "Account__c": made})
        second = await sf.sobject.upsert("Machine__c", "M-1", "Serial__c", {"Name": "two"})
        checks.equal("upsert creates, then updates", (first.created, second.created, first.id == second.id), (True, False, True))
        named = await sf.sobject.get("Machine__c", "M-1", "Serial__c")
        checks.equal("get by external id", (named["Name"], named["Account__c"]), ("two", made))
        await sf.sobject.delete("Machine__c", "M-1", "Serial__c")
        await refused("what is deleted is gone", "NOT_FOUND", sf.sobject.get("Machine__c", "M-1", "Serial__c"))
        for at in range(15):
            records = [{"attributes": {"type": "Lead"}, "LastName": f"A{at * 200 + i:05}", "Company": "aio"} for i in range(200)]
            url = f"{sf.base_url}/services/data/v{sf.version}/composite/sobjects"
            answer = await sf.request("POST", url, json={"allOrNone": True, "records": records})
            checks.that("collections", all(saved["success"] for saved in answer.json()))
        names = [row["LastName"] async for row in sf.query("SELECT LastName FROM Lead WHERE Company = 'aio' ORDER BY LastName")]
        checks.equal("pages of a query", names, [f"A{i:05}" for i in range(3000)])
        await sf.sobject.delete("Account", made)
        hidden = [row async for row in sf.query(f"SELECT IsDeleted FROM Account WHERE Id = '{made}'", include_all_records=True)]
        checks.equal("deleted rows on demand", [row["IsDeleted"] for row in hidden], [True])
        await refused("unknown object", "NOT_FOUND", sf.sobject.create("Nonsense", {"Name": "x"}))
        await refused("unknown field", "INVALID_FIELD", sf.sobject.create("Account", {"Name": "x", "Nonsense": 1}))
        await refused("required field", "REQUIRED_FIELD_MISSING", sf.sobject.create("Account", {"Site": "x"}))
        await refused("wrong password", "INVALID_LOGIN", client(http, password="wrong").get_limits())
        await refused("unserved version", "UNSUPPORTED_API_VERSION", client(http, version="70.0").get_limits())


asyncio.run(main())
checks.end()
