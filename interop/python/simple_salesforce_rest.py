"""simple-salesforce, unmodified, over HTTPS with the org's CA."""

from datetime import datetime, timedelta, timezone

from checks import Checks, setting
from simple_salesforce import Salesforce, SalesforceLogin, format_soql

checks = Checks("simple-salesforce")
host = setting("TOMBOLO_HTTPS_URL").removeprefix("https://")
sf = Salesforce(instance=host, session_id=setting("TOMBOLO_ACCESS_TOKEN"), version="66.0")

# Discovery and describe
names = [o["name"] for o in sf.describe()["sobjects"]]
checks.that("describe global lists Account and Contact", {"Account", "Contact"} <= set(names))
described = sf.Account.describe()
checks.equal("describe names the object", described["name"], "Account")
checks.that("describe has fields", any(f["name"] == "BillingCity" for f in described["fields"]))
checks.that("limits are listed", "DailyApiRequests" in sf.limits())

# A row's life
made = sf.Account.create({"Name": "Interop Ltd", "BillingCity": "Bern", "NumberOfEmployees": 7, "AnnualRevenue": 12.0, "BillingLatitude": 46.9481})
checks.that("create answers with an Id", made["success"] and len(made["id"]) == 18 and made["errors"] == [], made)
row = sf.Account.get(made["id"])
checks.equal("get returns the text", row["Name"], "Interop Ltd")
checks.equal("get returns the compound", row["BillingAddress"]["city"], "Bern")
checks.equal("get returns nulls", row["Fax"], None)
checks.equal("get returns numbers", (row["NumberOfEmployees"], row["AnnualRevenue"], row["BillingLatitude"]), (7, 12.0, 46.9481))
checks.equal("update answers 204", sf.Account.update(made["id"], {"Phone": "123", "BillingCity": None}), 204)
row = sf.Account.get(made["id"][:15])
checks.equal("the 15-character Id reads the row", (row["Id"], row["Phone"], row["BillingCity"]), (made["id"], "123", None))
contact = sf.Contact.create({"LastName": "Muster", "FirstName": "Max", "AccountId": made["id"], "Email": "max@example.com"})
found = sf.query(f"SELECT Id, Name, Account.Name FROM Contact WHERE Id = '{contact['id']}'")
checks.equal("a query returns one row", found["totalSize"], 1)
checks.equal("a query follows the parent", found["records"][0]["Account"]["Name"], "Interop Ltd")
checks.equal("names are put together", found["records"][0]["Name"], "Max Muster")

# Aggregates, child sets, date literals, searches
counted = sf.query("SELECT Account.Name account, COUNT(Id) n, MAX(LastName) FROM Contact WHERE CreatedDate = TODAY AND Account.Name = 'Interop Ltd' GROUP BY Account.Name")["records"][0]
checks.equal("an aggregate has its aliases", [(k, v) for k, v in counted.items() if k != "attributes"], [("account", "Interop Ltd"), ("n", 1), ("expr0", "Muster")])
family = sf.query(f"SELECT (SELECT LastName FROM Contacts), (SELECT Id FROM Cases) FROM Account WHERE Id = '{made['id']}'")["records"][0]
checks.equal("a child set is a result, an empty one is null", (family["Contacts"]["totalSize"], family["Cases"]), (1, None))
checks.equal("no row is from yesterday", sf.query("SELECT COUNT() FROM Contact WHERE CreatedDate = YESTERDAY")["totalSize"], 0)
checks.equal("a quick search finds Ids", [r["Id"] for r in sf.quick_search("Muster")["searchRecords"]], [contact["id"]])
searched = sf.search("FIND {must* AND max} IN ALL FIELDS RETURNING Contact(LastName, Account.Name), Account(Id)")["searchRecords"]
checks.equal("a search finds rows and their parents", [(r["LastName"], r["Account"]["Name"]) for r in searched], [("Muster", "Interop Ltd")])
checks.refused("a search without a term", "MALFORMED_SEARCH", lambda: sf.search("FIND Muster"))

# Upsert by an external id
key = "Serial__c/S-1&ü"
checks.equal("upsert creates", sf.Machine__c.upsert(key, {"Name": "one"}), 201)
checks.equal("upsert updates", sf.Machine__c.upsert(key, {"Name": "two"}), 200)
checks.equal("get by external id", sf.Machine__c.get_by_custom_id("Serial__c", "S-1&ü")["Name"], "two")
checks.refused("no such external id", "NOT_FOUND", lambda: sf.Machine__c.get_by_custom_id("Serial__c", "S-2"))

# Aggregates, child sets, date literals
grouped = sf.query(f"SELECT Account.Name company, COUNT(Id) total, MAX(LastName) FROM Contact WHERE AccountId = '{made['id']}' GROUP BY Account.Name")
row = dict(grouped["records"][0])
checks.equal("an aggregate says what it is", dict(row.pop("attributes")), {"type": "AggregateResult"})
checks.equal("aliases name aggregates, expr0 the others", row, {"company": "Interop Ltd", "total": 1, "expr0": "Muster"})
none = sf.query("SELECT SUM(AnnualRevenue) revenue, COUNT(Id) rows FROM Account WHERE Name = 'nobody'")
checks.equal("the sum of nothing is null", [none["records"][0][k] for k in ("revenue", "rows")], [None, 0])
checks.equal("COUNT() is the total", sf.query("SELECT COUNT() FROM Contact WHERE LastName = 'MUSTER'")["totalSize"], 1)
lonely = sf.Account.create({"Name": "Lonely Ltd"})["id"]
families = sf.query(f"SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Id IN ('{made['id']}', '{lonely}') ORDER BY Name")["records"]
children = families[0]["Contacts"]
checks.equal("a child set is a result of its own", (children["totalSize"], children["done"], [c["LastName"] for c in children["records"]]), (1, True, ["Muster"]))
checks.equal("an empty child set is null", families[1]["Contacts"], None)
for literal, expect in (("= TODAY", 1), ("= THIS_YEAR", 1), ("= LAST_N_DAYS:1", 1), ("> YESTERDAY", 1), ("< TODAY", 0), ("= YESTERDAY", 0), ("= NEXT_N_DAYS:1", 0), ("!= TODAY", 0)):
    soql = f"SELECT Id FROM Account WHERE Id = '{lonely}' AND CreatedDate {literal}"
    checks.equal(f"a row of now is found by CreatedDate {literal}", sf.query(soql)["totalSize"], expect)
checks.equal("format_soql's values find their row", sf.query(format_soql("SELECT Id FROM Account WHERE Name IN {}", ["Lonely Ltd", "O'Hara"]))["totalSize"], 1)

# Search
def searched(sosl):
    return [(r["attributes"]["type"], {k: v for k, v in r.items() if k != "attributes"}) for r in sf.search(sosl)["searchRecords"]]


checks.equal("a search finds a name, whatever its case", searched("FIND {LONELY} IN NAME FIELDS RETURNING Account(Id, Name)"), [("Account", {"Id": lonely, "Name": "Lonely Ltd"})])
checks.equal("a search goes by a part of a word", searched("FIND {Must*} IN ALL FIELDS RETURNING Contact(LastName WHERE Email != null), Account(Id)"), [("Contact", {"LastName": "Muster"})])
checks.equal("a search for nothing finds nothing", searched("FIND {xyzzyplugh} RETURNING Account(Id)"), [])
checks.that("quick_search tells Ids", lonely in [r["Id"] for r in sf.quick_search("Lonely")["searchRecords"]])
checks.refused("malformed search", "MALFORMED_SEARCH", lambda: sf.search("FIND Lonely RETURNING Account"))

# Deletion
start = datetime.now(timezone.utc) - timedelta(minutes=5)
end = datetime.now(timezone.utc) + timedelta(minutes=5)
checks.equal("delete answers 204", sf.Contact.delete(contact["id"]), 204)
checks.equal("a deleted row is hidden", sf.query(f"SELECT Id FROM Contact WHERE Id = '{contact['id']}'")["totalSize"], 0)
hidden = sf.query_all(f"SELECT Id, IsDeleted FROM Contact WHERE Id = '{contact['id']}'", include_deleted=True)
checks.equal("queryAll shows it", [r["IsDeleted"] for r in hidden["records"]], [True])
deleted = sf.Contact.deleted(start, end)
checks.that("getDeleted lists it", contact["id"] in [r["id"] for r in deleted["deletedRecords"]], deleted)
updated = sf.Account.updated(start, end)
checks.that("getUpdated lists the account", made["id"] in updated["ids"], updated)

# Collections, and paging through what they made
ids = []
for batch in range(25):
    records = [{"attributes": {"type": "Lead"}, "LastName": f"L{batch * 200 + i:05}", "Company": "Page"} for i in range(200)]
    saved = sf.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    ids += [s["id"] for s in saved if s["success"]]
checks.equal("collections insert 5,000 rows", len(set(ids)), 5000)
rows = sf.query_all("SELECT Id, LastName FROM Lead WHERE Company = 'Page' ORDER BY LastName")
checks.equal("paging returns each row once, in order", [r["Id"] for r in rows["records"]], ids)
checks.equal("the total is the whole", rows["totalSize"], 5000)
checks.equal("iterating pages sees the same", sum(1 for _ in sf.query_all_iter("SELECT Id FROM Lead WHERE Company = 'Page'")), 5000)
first = sf.query("SELECT Id FROM Lead WHERE Company = 'Page'")
checks.that("the first page names the next", not first["done"] and "-2000" in first["nextRecordsUrl"], first.get("nextRecordsUrl"))
second = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
checks.equal("the next page has as many", len(second["records"]), 2000)
mixed = sf.restful(
    "composite/sobjects",
    method="POST",
    json={"allOrNone": True, "records": [{"attributes": {"type": "Lead"}, "LastName": "ok", "Company": "x"}, {"attributes": {"type": "Lead"}}]},
)
checks.equal("allOrNone undoes the good one", [s["success"] for s in mixed], [False, False])
checks.equal("and says why", mixed[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK")
partial = sf.restful(
    "composite/sobjects",
    method="PATCH",
    json={"allOrNone": False, "records": [{"attributes": {"type": "Lead"}, "id": ids[0], "City": "Basel"}, {"attributes": {"type": "Lead"}, "id": ids[1], "Email": "nonsense"}]},
)
checks.equal("an update can succeed in part", [s["success"] for s in partial], [True, False])
several = sf.restful("composite/sobjects/Lead", method="POST", json={"ids": [ids[0], "00Q000000000000AAA", ids[1]], "fields": ["City"]})
checks.equal("retrieve keeps the order and fills holes with null", [r and r["City"] for r in several], ["Basel", None, None])
gone = sf.restful("composite/sobjects", params={"ids": ",".join(ids[:200]), "allOrNone": "false"}, method="DELETE")
checks.equal("collections delete", {s["success"] for s in gone}, {True})

# Composite: several requests in one call
def part(method, path, reference, body=None, **headers):
    request = {"method": method, "url": f"/services/data/v66.0/{path}", "referenceId": reference}
    return request | ({"body": body} if body else {}) | ({"httpHeaders": headers} if headers else {})


def composite(*parts, all_or_none=False):
    answer = sf.restful("composite", method="POST", json={"allOrNone": all_or_none, "compositeRequest": list(parts)})
    return {a["referenceId"]: a for a in answer["compositeResponse"]}


answers = composite(
    part("POST", "sobjects/Account", "acme", {"Name": "Composite Ltd"}),
    part("POST", "sobjects/Contact", "ann", {"LastName": "Ann", "AccountId": "@{acme.id}"}),
    part("GET", "query?q=SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Id = '@{acme.id}'", "found"),
    part("PATCH", "sobjects/Contact/@{ann.id}", "late", {"Title": "x"}, **{"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}),
    part("POST", "sobjects/Contact", "nobody", {}),
    part("DELETE", "sobjects/Contact/@{nobody.id}", "halted"),
)
checks.equal("each part has its status", [a["httpStatusCode"] for a in answers.values()], [201, 201, 200, 412, 400, 400])
checks.equal("a later part takes from an earlier one", answers["found"]["body"]["records"][0]["Contacts"]["records"][0]["LastName"], "Ann")
checks.equal("an unmet condition has no body", answers["late"]["body"], None)
checks.equal("what depends on a failure is halted", answers["halted"]["body"][0]["errorCode"], "PROCESSING_HALTED")
before = sf.query("SELECT COUNT() FROM Account")["totalSize"]
answers = composite(part("POST", "sobjects/Account", "good", {"Name": "x"}), part("POST", "sobjects/Account", "bad", {"Phone": "1"}), all_or_none=True)
checks.equal("all or none: the cause is told", answers["bad"]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING")
checks.equal("all or none: the others are undone", answers["good"]["body"][0]["errorCode"], "PROCESSING_HALTED")
checks.equal("all or none: nothing is left", sf.query("SELECT COUNT() FROM Account")["totalSize"], before)
large = [{"records": [{"attributes": {"type": "Lead"}, "LastName": f"C{i}", "Company": "Comp"} for i in range(200)]} for _ in range(5)]
answers = composite(*(part("POST", "composite/sobjects", f"c{i}", body) for i, body in enumerate(large)))
checks.equal("five collections of 200", sum(r["success"] for a in answers.values() for r in a["body"]), 1000)
tree = {"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Tree", "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "Leaf"}]}}]}
planted = sf.restful("composite/tree/Account", method="POST", json=tree)
checks.equal("a tree is made", [r["referenceId"] for r in planted["results"]], ["a", "c"])
batch = sf.restful("composite/batch", method="POST", json={"batchRequests": [{"method": "GET", "url": f"v66.0/sobjects/Account/{made['id']}?fields=Name"}]})
checks.equal("a batch is answered", (batch["hasErrors"], batch["results"][0]["statusCode"], batch["results"][0]["result"]["Name"]), (False, 200, "Interop Ltd"))

# Errors
checks.refused("unknown object", "NOT_FOUND", lambda: sf.Nonsense__c.describe())
checks.refused("unknown object in a query", "INVALID_TYPE", lambda: sf.query("SELECT Id FROM Nonsense"))
checks.refused("unknown field in a query", "INVALID_FIELD", lambda: sf.query("SELECT Nonsense FROM Account"))
checks.refused("malformed query", "MALFORMED_QUERY", lambda: sf.query("SELECT FROM Account"))
checks.refused("AND mixed with OR", "MALFORMED_QUERY", lambda: sf.query("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'"))
checks.refused("bad Id in a filter", "INVALID_QUERY_FILTER_OPERATOR", lambda: sf.query("SELECT Id FROM Account WHERE Id = 'somethingwonky'"))
checks.refused("missing required field", "REQUIRED_FIELD_MISSING", lambda: sf.Account.create({}))
checks.refused("unknown field", "INVALID_FIELD", lambda: sf.Account.create({"Name": "x", "Nonsense": 1}))
checks.refused("read-only field", "INVALID_FIELD_FOR_INSERT_UPDATE", lambda: sf.Account.create({"Name": "x", "IsDeleted": True}))
checks.refused("text too long", "STRING_TOO_LONG", lambda: sf.Account.create({"Name": "x" * 256}))
checks.refused("no e-mail address", "INVALID_EMAIL_ADDRESS", lambda: sf.Contact.create({"LastName": "x", "Email": "nonsense"}))
checks.refused("no date", "JSON_PARSER_ERROR", lambda: sf.Contact.create({"LastName": "x", "Birthdate": "yesterday"}))
checks.refused("malformed Id", "MALFORMED_ID", lambda: sf.Contact.create({"LastName": "x", "AccountId": "123"}))
checks.refused("deleting twice", "ENTITY_IS_DELETED", lambda: sf.Contact.delete(contact["id"]))
checks.refused("unknown Id", "NOT_FOUND", lambda: sf.Account.get("001000000000000AAA"))
checks.refused("unserved version", "NOT_FOUND", lambda: Salesforce(instance=host, session_id=setting("TOMBOLO_ACCESS_TOKEN"), version="99.0").Account.describe())
checks.refused("expired session", "INVALID_SESSION_ID", lambda: Salesforce(instance=host, session_id="00D000000000000!nonsense", version="66.0").limits())

# The password login goes to login.salesforce.com, which the proxy leads here.
session_id, instance = SalesforceLogin(
    username=setting("TOMBOLO_USERNAME"),
    password=setting("TOMBOLO_PASSWORD"),
    security_token=setting("TOMBOLO_SECURITY_TOKEN"),
    proxies={"https": setting("TOMBOLO_PROXY_URL")},
    sf_version="59.0",
)
checks.equal("login names the instance", instance, "tombolo.my.salesforce.com")
through = Salesforce(instance=instance, session_id=session_id, proxies={"https": setting("TOMBOLO_PROXY_URL")})
checks.equal("the session works through the proxy", through.query("SELECT COUNT() FROM Account")["totalSize"] > 0, True)
checks.refused(
    "wrong password",
    "INVALID_LOGIN",
    lambda: SalesforceLogin(
        username=setting("TOMBOLO_USERNAME"),
        password="wrong",
        security_token="",
        proxies={"https": setting("TOMBOLO_PROXY_URL")},
    ),
)
oauth_id, oauth_instance = SalesforceLogin(
    username=setting("TOMBOLO_USERNAME"),
    password=setting("TOMBOLO_PASSWORD") + setting("TOMBOLO_SECURITY_TOKEN"),
    consumer_key=setting("TOMBOLO_CLIENT_ID"),
    consumer_secret=setting("TOMBOLO_CLIENT_SECRET"),
    proxies={"https": setting("TOMBOLO_PROXY_URL")},
)
checks.that("the OAuth password flow gives a session", "!" in oauth_id and oauth_instance == instance, (oauth_instance,))
checks.end()
