// jsforce, unmodified, over plain http.
import { createRequire } from "node:module";
import { Checks, setting } from "./checks.mjs";

const require = createRequire(process.env.TOMBOLO_NODE_MODULES + "/");
const jsforce = require("jsforce");

const checks = new Checks("jsforce");
const instanceUrl = setting("TOMBOLO_INSTANCE_URL");
const conn = new jsforce.Connection({ instanceUrl, accessToken: setting("TOMBOLO_ACCESS_TOKEN"), version: "66.0" });

// Logins
const soap = new jsforce.Connection({ loginUrl: instanceUrl });
const info = await soap.login(setting("TOMBOLO_USERNAME"), setting("TOMBOLO_PASSWORD") + setting("TOMBOLO_SECURITY_TOKEN"));
checks.equal("SOAP login names the org", info.organizationId, setting("TOMBOLO_ORG_ID"));
checks.equal("SOAP login leads to this server", soap.instanceUrl, instanceUrl);
const oauth = new jsforce.Connection({
  oauth2: { loginUrl: instanceUrl, clientId: setting("TOMBOLO_CLIENT_ID"), clientSecret: setting("TOMBOLO_CLIENT_SECRET") },
});
const oauthInfo = await oauth.login(setting("TOMBOLO_USERNAME"), setting("TOMBOLO_PASSWORD") + setting("TOMBOLO_SECURITY_TOKEN"));
checks.equal("OAuth login names the user", oauthInfo.id, setting("TOMBOLO_USER_ID"));
const identity = await conn.identity();
checks.equal("identity", identity.username, setting("TOMBOLO_USERNAME"));
await checks.refused("wrong password", /INVALID_LOGIN/, () => new jsforce.Connection({ loginUrl: instanceUrl }).login(setting("TOMBOLO_USERNAME"), "wrong"));
await checks.refused("wrong password over OAuth", /authentication failure|invalid_grant/, () =>
  new jsforce.Connection({ oauth2: { loginUrl: instanceUrl, clientId: setting("TOMBOLO_CLIENT_ID"), clientSecret: setting("TOMBOLO_CLIENT_SECRET") } }).login(setting("TOMBOLO_USERNAME"), "wrong"),
);

// Describe
const global = await conn.describeGlobal();
checks.that("describe global", global.sobjects.some((o) => o.name === "Opportunity") && global.maxBatchSize === 200);
const account = await conn.describe("Account");
checks.that("describe", account.fields.some((f) => f.name === "Industry" && f.picklistValues.length > 5));
const versions = await conn.request("/services/data");
checks.that("versions", versions.some((v) => v.version === "66.0"));
checks.that("limits", (await conn.limits()).DailyApiRequests.Max > 0);
checks.that("usage is told with each answer", conn.limitInfo?.apiUsage?.used > 0, conn.limitInfo);

// A row's life
const made = await conn.sobject("Account").create({ Name: "jsforce Ltd", Industry: "Energy" });
checks.that("create", made.success && made.id.length === 18, made);
const row = await conn.sobject("Account").retrieve(made.id);
checks.equal("retrieve", [row.Name, row.Industry, row.attributes.type], ["jsforce Ltd", "Energy", "Account"]);
checks.that("update", (await conn.sobject("Account").update({ Id: made.id, Site: "north" })).success);
const found = await conn.sobject("Account").find({ Name: { $like: "JSFORCE%" } }, "Id, Site").limit(5);
checks.equal("find is blind to case", found.map((r) => r.Site), ["north"]);
checks.equal("count", await conn.sobject("Account").count({ Name: "jsforce Ltd" }), 1);

// Aggregates, child sets, date literals
await conn.sobject("Contact").create({ LastName: "Jansen", AccountId: made.id });
const grouped = await conn.query(`SELECT Account.Name company, COUNT(Id) total, MAX(LastName) FROM Contact WHERE AccountId = '${made.id}' GROUP BY Account.Name`);
checks.equal("aliases name aggregates, expr0 the others", grouped.records, [
  { attributes: { type: "AggregateResult" }, company: "jsforce Ltd", total: 1, expr0: "Jansen" },
]);
const none = await conn.query("SELECT SUM(AnnualRevenue) revenue, COUNT(Id) rows FROM Account WHERE Name = 'nobody'");
checks.equal("the sum of nothing is null", [none.records[0].revenue, none.records[0].rows], [null, 0]);
const lonely = await conn.sobject("Account").create({ Name: "Lonely jsforce" });
const families = await conn
  .sobject("Account")
  .find({ Id: { $in: [made.id, lonely.id] } }, "Id, Name")
  .include("Contacts")
  .select("LastName")
  .end()
  .sort("Name");
checks.equal("a child set is a result of its own", [families[0].Contacts.totalSize, families[0].Contacts.done, families[0].Contacts.records[0].LastName], [1, true, "Jansen"]);
checks.equal("an empty child set is null", families[1].Contacts, null);
for (const [literal, expect] of [["= TODAY", 1], ["= THIS_MONTH", 1], ["= LAST_N_DAYS:1", 1], ["> YESTERDAY", 1], ["< TODAY", 0], ["= YESTERDAY", 0], ["= NEXT_N_DAYS:1", 0]]) {
  const today = await conn.query(`SELECT Id FROM Account WHERE Id = '${lonely.id}' AND CreatedDate ${literal}`);
  checks.equal(`a row of now is found by CreatedDate ${literal}`, today.totalSize, expect);
}
const literal = await conn.sobject("Account").find({ Id: lonely.id, CreatedDate: { $gte: jsforce.SfDate.YESTERDAY, $lte: jsforce.SfDate.NEXT_N_DAYS(2) } }, "Id");
checks.equal("SfDate writes date literals", literal.length, 1);

// Search
const searched = await conn.search('FIND {"lonely JSFORCE"} IN ALL FIELDS RETURNING Account(Id, Name), Contact(Id)');
checks.equal("a search finds a phrase, whatever its case", searched.searchRecords.map((r) => [r.attributes.type, r.Id, r.Name]), [["Account", lonely.id, "Lonely jsforce"]]);
const either = await conn.search("FIND {Jansen OR jsforce} RETURNING Contact(LastName), Account(Name ORDER BY Name)");
checks.equal("a search answers object by object", either.searchRecords.map((r) => r.LastName ?? r.Name), ["Jansen", "jsforce Ltd", "Lonely jsforce"]);
checks.equal("a search for nothing finds nothing", (await conn.search("FIND {xyzzyplugh} RETURNING Account(Id)")).searchRecords, []);

// Collections and paging
const ids = [];
for (let batch = 0; batch < 25; batch++) {
  const records = Array.from({ length: 200 }, (_, i) => ({ LastName: `J${String(batch * 200 + i).padStart(5, "0")}`, Company: "jsforce" }));
  for (const saved of await conn.sobject("Lead").create(records)) if (saved.success) ids.push(saved.id);
}
checks.equal("collections insert 5,000 rows", new Set(ids).size, 5000);
const all = await conn.query("SELECT Id FROM Lead WHERE Company = 'jsforce' ORDER BY LastName", { autoFetch: true, maxFetch: 10000 });
checks.equal("autoFetch pages through all", [all.totalSize, all.records.length], [5000, 5000]);
checks.equal("each row once, in order", all.records.map((r) => r.Id).join(), ids.join());
const page = await conn.query("SELECT Id FROM Lead WHERE Company = 'jsforce'");
const next = await conn.queryMore(page.nextRecordsUrl);
checks.equal("queryMore", [page.done, next.records.length], [false, 2000]);
const several = await conn.sobject("Lead").retrieve(ids.slice(0, 3));
checks.equal("retrieve many", several.map((r) => r.Id), ids.slice(0, 3));
const changed = await conn.sobject("Lead").update(ids.slice(0, 3).map((Id) => ({ Id, City: "Chur" })));
checks.that("update many", changed.every((r) => r.success), changed);
const gone = await conn.sobject("Lead").destroy(ids.slice(0, 3));
checks.that("destroy many", gone.every((r) => r.success), gone);
const partly = await conn.sobject("Lead").create([{ LastName: "a", Company: "b" }, { Company: "b" }]);
checks.equal("create many can succeed in part", partly.map((r) => r.success), [true, false]);
checks.equal("and says what failed", partly[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
await checks.refused("more than 200 in a request", /EXCEEDED_ID_LIMIT/, () =>
  conn.requestPost("/composite/sobjects", { allOrNone: false, records: Array.from({ length: 201 }, () => ({ attributes: { type: "Lead" }, LastName: "x", Company: "y" })) }),
);
const since = new Date(Date.now() - 5 * 60_000);
const until = new Date(Date.now() + 5 * 60_000);
const deleted = await conn.deleted("Lead", since.toISOString(), until.toISOString());
checks.that("deleted", deleted.deletedRecords.some((r) => r.id === ids[0]), deleted);

// Composite: several requests in one call
const part = (method, path, referenceId, body, httpHeaders) => ({ method, url: `/services/data/v66.0/${path}`, referenceId, ...(body && { body }), ...(httpHeaders && { httpHeaders }) });
const composite = async (compositeRequest, allOrNone = false) => (await conn.requestPost("/composite", { allOrNone, compositeRequest })).compositeResponse;
const chained = await composite([
  part("POST", "sobjects/Account", "acme", { Name: "Composite Ltd" }, { "Sforce-Call-Options": "client=interop" }),
  part("POST", "sobjects/Contact", "ann", { LastName: "Ann", AccountId: "@{acme.id}" }),
  part("GET", "sobjects/Contact/@{ann.id}?fields=LastName,AccountId", "row"),
  part("GET", "sobjects/Contact/@{nobody.id}", "lost"),
]);
checks.equal("each part has its status", chained.map((a) => a.httpStatusCode), [201, 201, 200, 400]);
checks.equal("a later part takes from an earlier one", chained[2].body.AccountId, chained[0].body.id);
checks.equal("Location is told", chained[0].httpHeaders.Location, `/services/data/v66.0/sobjects/Account/${chained[0].body.id}`);
const undone = await composite([part("DELETE", `sobjects/Contact/${chained[1].body.id}`, "gone"), part("POST", "sobjects/Account", "bad", {}), ], true);
checks.equal("all or none keeps the cause", undone.map((a) => a.body[0].errorCode), ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]);
checks.equal("and undoes the rest", (await conn.sobject("Contact").retrieve(chained[1].body.id)).LastName, "Ann");
await checks.refused("more than 25 parts", /LIMIT_EXCEEDED|400/, () => composite(Array.from({ length: 26 }, (_, i) => part("GET", "sobjects", `r${i}`))));

// Converting, which only SOAP can. Merging is zeep's to judge: jsforce calls the request by a name that the WSDL has not.
const lead = await conn.sobject("Lead").create({ LastName: "Convert", Company: "Converted Ltd" });
const convertedLead = await conn.soap.convertLead({ leadId: lead.id, convertedStatus: "Closed - Converted" });
checks.that("convertLead", convertedLead.success && convertedLead.accountId.startsWith("001") && convertedLead.opportunityId.startsWith("006"), convertedLead);
await checks.refused("a converted lead is closed", /CANNOT_UPDATE_CONVERTED_LEAD/, () => conn.sobject("Lead").update({ Id: lead.id, City: "Bern" }));

// Errors
const refused = (name, code, work) => checks.refused(name, code, work);
await refused("unknown object", /NOT_FOUND/, () => conn.sobject("Nonsense__c").retrieve(made.id));
await refused("unknown type in a query", /INVALID_TYPE/, () => conn.query("SELECT Id FROM Nonsense"));
await refused("unknown field", /INVALID_FIELD/, () => conn.query("SELECT Nonsense FROM Account"));
await refused("malformed query", /MALFORMED_QUERY/, () => conn.query("SELECT Id FROM Account WHERE"));
await refused("required field", /REQUIRED_FIELD_MISSING/, () => conn.sobject("Account").create({}));
await refused("restricted or malformed values", /JSON_PARSER_ERROR|INVALID_TYPE_ON_FIELD/, () => conn.sobject("Account").create({ Name: "x", NumberOfEmployees: "many" }));
await refused("row that is gone", /ENTITY_IS_DELETED|NOT_FOUND/, () => conn.sobject("Lead").destroy(ids[0]));
await refused("dead locator", /INVALID_QUERY_LOCATOR/, () => conn.queryMore("/services/data/v66.0/query/01g000000000000AAA-2000"));
await refused("expired session", /INVALID_SESSION_ID/, () => new jsforce.Connection({ instanceUrl, accessToken: "00D000000000000!x", version: "66.0" }).query("SELECT Id FROM Account"));

// Upsert by an external id
const machine = await conn.sobject("Machine__c").upsert({ Serial__c: "J-1", Name: "one", Account__c: made.id }, "Serial__c");
const changedMachine = await conn.sobject("Machine__c").upsert({ Serial__c: "J-1", Name: "two" }, "Serial__c");
checks.equal("upsert creates, then updates", [machine.created, changedMachine.created, machine.id === changedMachine.id], [true, false, true]);
const machines = await conn.sobject("Machine__c").upsert([{ Serial__c: "J-1", Name: "three" }, { Serial__c: "J-2", Name: "new" }, { Serial__c: "J-3", Account__c: "001000000000000AAA" }], "Serial__c");
checks.equal("upsert many", machines.map((r) => [r.success, Boolean(r.created)]), [[true, false], [true, true], [false, false]]);
const linked = await conn.sobject("Machine__c").create({ Name: "child", Account__r: { attributes: { type: "Account" }, Id: made.id } }).catch((error) => error);
checks.that("a parent is named by an external id only", linked.errorCode === undefined || /INVALID_FIELD|NOT_FOUND/.test(linked.errorCode), String(linked));
const children = await conn.query(`SELECT Name, (SELECT Serial__c FROM Machines__r WHERE Serial__c != null) FROM Account WHERE Id = '${made.id}'`);
checks.equal("children in a query", children.records[0].Machines__r.records[0].Serial__c, "J-1");

// Aggregates, empty child sets, date literals, searches
const counted = await conn.query(`SELECT Account__c a, COUNT(Id) n, MAX(Name) FROM Machine__c WHERE Serial__c = 'J-1' AND CreatedDate = TODAY GROUP BY Account__c`);
checks.equal("an aggregate has its aliases", [counted.records[0].a, counted.records[0].n, counted.records[0].expr0], [made.id, 1, "three"]);
const childless = await conn.query(`SELECT Id, (SELECT Id FROM Cases) FROM Account WHERE Id = '${made.id}'`);
checks.equal("an empty child set is null", childless.records[0].Cases, null);
checks.equal("no row is from yesterday", (await conn.query("SELECT COUNT() FROM Account WHERE CreatedDate = YESTERDAY")).totalSize, 0);
await conn.sobject("Lead").create({ LastName: "Sought-Soughtson", Company: "Search", Email: "sought@example.com" });
const sought = await conn.search("FIND {soughts*} IN NAME FIELDS RETURNING Lead(LastName, Company), Account(Id)");
checks.equal("a search finds rows", sought.searchRecords.map((r) => [r.attributes.type, r.LastName, r.Company]), [["Lead", "Sought-Soughtson", "Search"]]);
await refused("a search without a term", /MALFORMED_SEARCH/, () => conn.search("FIND sought"));
checks.end();
