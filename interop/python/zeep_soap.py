"""zeep, unmodified, over plain http: SOAP with a schema, which minds names, order and namespaces of every element."""

import os
from pathlib import Path

import requests
from checks import Checks, setting
from zeep import Client

checks = Checks("zeep")
# A partner WSDL that came with jsforce; the service's address in it is Salesforce's own.
wsdl = Path(os.environ["TOMBOLO_NODE_MODULES"]) / "jsforce/src/api/soap/wsdl.xml"
client = Client(str(wsdl))
base = setting("TOMBOLO_INSTANCE_URL")
username, password = setting("TOMBOLO_USERNAME"), setting("TOMBOLO_PASSWORD") + setting("TOMBOLO_SECURITY_TOKEN")


def service(address):
    return client.create_service("{urn:partner.soap.sforce.com}SoapBinding", address)


def fault(name, code, work):
    """The fault has to carry its code in Salesforce's own namespace."""
    try:
        found = work()
    except Exception as error:
        checks.equal(name, getattr(error, "code", repr(error)), code)
    else:
        checks.that(name, False, found)


door = service(base + "/services/Soap/u/60.0")
login = door.login(username, password)
checks.equal("login names the user", login.userId, setting("TOMBOLO_USER_ID"))
checks.equal("login names the org", login.userInfo.organizationId, setting("TOMBOLO_ORG_ID"))
checks.that("login leads to this server", login.serverUrl.startswith(base + "/services/Soap/u/60.0"), login.serverUrl)
checks.that("the metadata address, too", login.metadataServerUrl.startswith(base + "/services/Soap/m/60.0"))
checks.equal("the password lives", login.passwordExpired, False)
checks.equal("the user's settings", (login.userInfo.userTimeZone, login.userInfo.userLocale), ("GMT", "en_US"))
checks.that("the session lasts", login.userInfo.sessionSecondsValid > 0)

inside = service(login.serverUrl)
session = {"SessionHeader": {"sessionId": login.sessionId}}
info = inside.getUserInfo(_soapheaders=session)
info = getattr(getattr(info, "body", info), "result", info)
checks.equal("getUserInfo", info.userName, username)
stamp = inside.getServerTimestamp(_soapheaders=session)
stamp = getattr(getattr(stamp, "body", stamp), "result", stamp)
checks.that("getServerTimestamp", stamp.timestamp.tzinfo is not None, stamp)


def results(answer):
    """zeep puts an answer that has SOAP headers, too, into an envelope of its own."""
    return answer.body.result if hasattr(answer, "body") else answer


def rest(method, path, body=None):
    headers = {"Authorization": f"Bearer {login.sessionId}"}
    answer = requests.request(method, base + "/services/data/v60.0/" + path, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


ids = [rest("POST", "sobjects/Lead", {"LastName": f"Z{i}", "Company": "zeep"})["id"] for i in range(2)]
for lead in ids:
    rest("DELETE", f"sobjects/Lead/{lead}")
back = results(inside.undelete([ids[0], "00Q000000000000AAA"], _soapheaders=session))
checks.equal("undelete brings back what is there", [r.success for r in back], [True, False])
checks.that("and says why not", back[1].errors and back[1].errors[0].statusCode and back[1].errors[0].message, back)
checks.equal("the row is back", rest("GET", f"sobjects/Lead/{ids[0]}?fields=LastName")["LastName"], "Z0")
purged = results(inside.emptyRecycleBin([ids[1]], _soapheaders=session))
checks.equal("emptyRecycleBin", [(r.id, r.success) for r in purged], [(ids[1], True)])
again = results(inside.undelete([ids[1]], _soapheaders=session))
checks.equal("what is purged stays away", [r.success for r in again], [False])

sobject = client.get_type("{urn:sobject.partner.soap.sforce.com}sObject")
kept, gone = (rest("POST", "sobjects/Lead", {"LastName": f"M{i}", "Company": "zeep"})["id"] for i in range(2))
request = {"masterRecord": sobject(type="Lead", Id=kept), "recordToMergeIds": [gone]}
joined = results(inside.merge([request], _soapheaders=session))
checks.equal("merge", [(r.id, r.success, r.mergedRecordIds) for r in joined], [(kept, True, [gone])])
master = rest("GET", f"queryAll?q=SELECT MasterRecordId FROM Lead WHERE Id = '{gone}'")["records"][0]["MasterRecordId"]
checks.equal("the one that went names the one that stayed", master, kept)

fault("wrong password", "sf:INVALID_LOGIN", lambda: door.login(username, "wrong"))
fault("no session", "sf:INVALID_SESSION_ID", lambda: inside.getUserInfo(_soapheaders={"SessionHeader": {"sessionId": "00Dx!y"}}))
fault("no login in 65.0", "sf:UNSUPPORTED_API_VERSION", lambda: service(base + "/services/Soap/u/65.0").login(username, password))
fault("too many ids", "sf:EXCEEDED_ID_LIMIT", lambda: inside.undelete([ids[0]] * 201, _soapheaders=session))
inside.logout(_soapheaders=session)
fault("a session ends with logout", "sf:INVALID_SESSION_ID", lambda: inside.getUserInfo(_soapheaders=session))
checks.end()
