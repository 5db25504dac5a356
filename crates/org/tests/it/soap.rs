//! SOAP, with envelopes as third parties write them.

use serde_json::json;

use crate::{
    cometd::{Bayeux, header},
    harness::{Answer, TestOrg, read},
};

const JSFORCE: &str = r#"<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header/><se:Body><login xmlns="urn:partner.soap.sforce.com"><username>USER</username><password>PASSWORD</password></login></se:Body></se:Envelope>"#;
const SIMPLE_SALESFORCE: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
<env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">
  <env:Header><urn:CallOptions><urn:client>simple</urn:client><urn:defaultNamespace>sf</urn:defaultNamespace></urn:CallOptions></env:Header>
  <env:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>USER</n1:username><n1:password>PASSWORD</n1:password></n1:login></env:Body>
</env:Envelope>"#;

async fn soap(org: &TestOrg, path: &str, envelope: &str) -> Answer {
    let request = org.http.post(org.url(path)).header("content-type", "text/xml").header("soapaction", "\"\"");
    read(request.body(envelope.to_owned())).await
}

fn login(template: &str, password: &str) -> String {
    template.replace("USER", "admin@tombolo.test").replace("PASSWORD", password)
}

/// The text of the first element of this name, as clients with regular expressions find it.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

async fn operate(org: &TestOrg, body: &str) -> Answer {
    let token = &org.ready().access_token;
    let envelope = format!(
        r#"<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns0="urn:partner.soap.sforce.com"><soap-env:Header><ns0:SessionHeader><ns0:sessionId>{token}</ns0:sessionId></ns0:SessionHeader></soap-env:Header><soap-env:Body>{body}</soap-env:Body></soap-env:Envelope>"#
    );
    soap(org, "/services/Soap/u/66.0", &envelope).await
}

#[tokio::test]
async fn both_clients_log_in() {
    let org = TestOrg::start().await;
    for (path, template, dialect) in [
        ("/services/Soap/u/50.0", JSFORCE, 'u'),
        ("/services/Soap/u/59.0/", SIMPLE_SALESFORCE, 'u'),
        ("/services/Soap/c/64.0", JSFORCE, 'c'),
    ] {
        let answer = soap(&org, path, &login(template, "tombolo")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "text/xml;charset=UTF-8");
        let instance = &org.ready().instance_url;
        assert!(element(&answer.text, "serverUrl").starts_with(&format!("{instance}/services/Soap/{dialect}/")));
        assert_eq!(element(&answer.text, "organizationId"), org.ready().org_id);
        assert_eq!(element(&answer.text, "userName"), "admin@tombolo.test");
        let token = element(&answer.text, "sessionId");
        let limits = org.http.get(org.url("/services/data/v66.0/limits")).bearer_auth(token);
        assert_eq!(read(limits).await.status, 200);
    }
}

#[tokio::test]
async fn logins_are_refused() {
    let org = TestOrg::start().await;
    let answer = soap(&org, "/services/Soap/u/59.0", &login(SIMPLE_SALESFORCE, "wrong")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(element(&answer.text, "faultcode"), "sf:INVALID_LOGIN");
    let message = "Invalid username, password, security token; or user locked out.";
    assert_eq!(element(&answer.text, "faultstring"), format!("INVALID_LOGIN: {message}"));
    assert_eq!(element(&answer.text, "sf:exceptionCode"), "INVALID_LOGIN");
    assert_eq!(element(&answer.text, "sf:exceptionMessage"), message);
    for version in ["65.0", "68.0", "30.0", "99.0", "x"] {
        let answer = soap(&org, &format!("/services/Soap/u/{version}"), &login(JSFORCE, "tombolo")).await;
        assert_eq!(answer.status, 500, "{version}");
        assert_eq!(element(&answer.text, "sf:exceptionCode"), "UNSUPPORTED_API_VERSION", "{version}");
    }
    for envelope in ["", "<a/>", "<login/>", "{}", "<!DOCTYPE x><a/>"] {
        let answer = soap(&org, "/services/Soap/u/59.0", envelope).await;
        assert_eq!(answer.status, 500, "{envelope}");
        assert_eq!(element(&answer.text, "faultcode"), "soapenv:Client", "{envelope}");
    }
}

#[tokio::test]
async fn the_recycle_bin() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "Acme & Sons" })).await;
    org.delete(&format!("sobjects/Account/{id}")).await;
    let undelete = format!("<ns0:undelete><ns0:ids>{id}</ns0:ids><ns0:ids>001000000000000AAA</ns0:ids></ns0:undelete>");
    let answer = operate(&org, &undelete).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer.text.contains(&format!(
            "<undeleteResponse><result><id>{id}</id><success>true</success></result><result><errors>"
        )),
        "{}",
        answer.text
    );
    assert_eq!(element(&answer.text, "statusCode"), "UNDELETE_FAILED");
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.status, 200);
    org.delete(&format!("sobjects/Account/{id}")).await;
    let answer = operate(&org, &format!("<ns0:emptyRecycleBin><ns0:ids>{id}</ns0:ids></ns0:emptyRecycleBin>")).await;
    assert!(answer.text.contains("<emptyRecycleBinResponse><result><id>"), "{}", answer.text);
    let answer = operate(&org, &undelete).await;
    assert!(!answer.text.contains("<success>true</success>"), "{}", answer.text);
    assert!(answer.text.contains("<limitInfo><current>"), "counted: {}", answer.text);
}

#[tokio::test]
async fn other_operations() {
    let org = TestOrg::start().await;
    let answer = operate(&org, "<ns0:getServerTimestamp/>").await;
    assert!(element(&answer.text, "timestamp").ends_with('Z'));
    let answer = operate(&org, "<ns0:getUserInfo/>").await;
    assert_eq!(element(&answer.text, "userId"), org.ready().user_id);
    let answer = operate(&org, "<ns0:nonsense/>").await;
    assert!(element(&answer.text, "faultstring").contains("{urn:partner.soap.sforce.com}nonsense"));
    assert_eq!(operate(&org, "<ns0:logout/>").await.status, 200);
    let answer = operate(&org, "<ns0:getUserInfo/>").await;
    assert_eq!(element(&answer.text, "sf:exceptionCode"), "INVALID_SESSION_ID");
    assert!(answer.text.contains("Invalid Session ID found in SessionHeader: Illegal Session"));
}

#[tokio::test]
async fn contacts_are_merged() {
    let org = TestOrg::with_events(&["Contact", "Case"]).await;
    let master = org.create("Contact", json!({ "LastName": "Master", "Phone": "1", "Fax": "2" })).await;
    let other = org.create("Contact", json!({ "LastName": "Other" })).await;
    let third = org.create("Contact", json!({ "LastName": "Third", "ReportsToId": other })).await;
    let case = org.create("Case", json!({ "ContactId": other })).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    let merge = format!(
        "<ns0:merge><ns0:request><ns0:masterRecord xmlns:s='urn:sobject.partner.soap.sforce.com'><s:type>Contact</s:type>\
         <s:fieldsToNull>Fax</s:fieldsToNull><s:Id>{master}</s:Id><s:Title>Dr</s:Title></ns0:masterRecord>\
         <ns0:recordToMergeIds>{other}</ns0:recordToMergeIds></ns0:request></ns0:merge>"
    );
    let answer = operate(&org, &merge).await;
    assert_eq!(element(&answer.text, "success"), "true", "{}", answer.text);
    assert_eq!((element(&answer.text, "id"), element(&answer.text, "mergedRecordIds")), (&*master, &*other));
    assert!(
        [&case, &third].iter().all(|id| answer.text.contains(&format!("<updatedRelatedIds>{id}</updatedRelatedIds>")))
    );
    let kept = org.get(&format!("sobjects/Contact/{master}")).await.json();
    assert_eq!((&kept["Title"], &kept["Fax"], &kept["Phone"]), (&json!("Dr"), &json!(null), &json!("1")));
    assert_eq!(org.get(&format!("sobjects/Case/{case}")).await.json()["ContactId"], *master);
    assert_eq!(org.get(&format!("sobjects/Contact/{third}")).await.json()["ReportsToId"], *master);
    let soql = format!("queryAll?q=SELECT+MasterRecordId,IsDeleted+FROM+Contact+WHERE+Id='{other}'");
    let gone = org.get(&soql).await.json();
    assert_eq!(
        (&gone["records"][0]["MasterRecordId"], &gone["records"][0]["IsDeleted"]),
        (&json!(master), &json!(true))
    );
    let events = client.events(4).await;
    let mut told: Vec<_> = events
        .iter()
        .map(|e| (header(e)["recordIds"][0].as_str().unwrap(), header(e)["changeType"].as_str().unwrap()))
        .collect();
    assert!(events.iter().all(|e| header(e)["transactionKey"] == header(&events[0])["transactionKey"]));
    told.sort_unstable();
    let mut expected = [(&*master, "UPDATE"), (&*other, "DELETE"), (&*third, "UPDATE"), (&*case, "UPDATE")];
    expected.sort_unstable();
    assert_eq!(told, expected);

    let again = operate(&org, &merge).await;
    assert_eq!(element(&again.text, "statusCode"), "ENTITY_IS_DELETED");
    operate(&org, &format!("<ns0:undelete><ns0:ids>{other}</ns0:ids></ns0:undelete>")).await;
    assert_eq!(org.get(&format!("sobjects/Contact/{other}")).await.json()["MasterRecordId"], json!(null));
}

#[tokio::test]
async fn leads_are_converted() {
    let org = TestOrg::with_events(&["Lead", "Account", "Contact", "Opportunity"]).await;
    let lead =
        json!({ "LastName": "Lee", "FirstName": "Ann", "Company": "Acme", "Email": "a@example.com", "City": "Oslo" });
    let lead = org.create("Lead", lead).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    let convert = |status: &str| {
        format!(
            "<ns0:convertLead><ns0:leadConverts><ns0:convertedStatus>{status}</ns0:convertedStatus>\
             <ns0:leadId>{lead}</ns0:leadId></ns0:leadConverts></ns0:convertLead>"
        )
    };
    assert_eq!(element(&operate(&org, &convert("Open")).await.text, "statusCode"), "INVALID_STATUS");
    let answer = operate(&org, &convert("Closed - Converted")).await;
    assert_eq!(element(&answer.text, "success"), "true", "{}", answer.text);
    assert_eq!(element(&answer.text, "leadId"), lead);
    let (account, contact) = (element(&answer.text, "accountId"), element(&answer.text, "contactId"));
    let opportunity = element(&answer.text, "opportunityId");
    let row = org.get(&format!("sobjects/Lead/{lead}")).await.json();
    assert_eq!((&row["IsConverted"], &row["Status"]), (&json!(true), &json!("Closed - Converted")));
    assert_eq!((&row["ConvertedAccountId"], &row["ConvertedContactId"]), (&json!(account), &json!(contact)));
    assert_eq!(row["ConvertedOpportunityId"], opportunity);
    let row = org.get(&format!("sobjects/Contact/{contact}")).await.json();
    assert_eq!(
        (&row["Name"], &row["AccountId"], &row["MailingCity"]),
        (&json!("Ann Lee"), &json!(account), &json!("Oslo"))
    );
    assert_eq!(org.get(&format!("sobjects/Opportunity/{opportunity}")).await.json()["Name"], "Acme-");
    let events = client.events(4).await;
    let told: Vec<_> = events
        .iter()
        .map(|e| {
            (
                header(e)["entityName"].as_str().unwrap(),
                header(e)["changeType"].as_str().unwrap(),
                header(e)["sequenceNumber"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected =
        [("Account", "CREATE", 1), ("Contact", "CREATE", 2), ("Opportunity", "CREATE", 3), ("Lead", "UPDATE", 4)];
    assert_eq!(told, expected);
    let refused = org.patch(&format!("sobjects/Lead/{lead}"), &json!({ "City": "Bergen" })).await;
    let expected = json!([{ "message": "cannot reference converted lead", "errorCode": "CANNOT_UPDATE_CONVERTED_LEAD", "fields": [] }]);
    assert_eq!((refused.status.as_u16(), refused.json()), (400, expected));
    assert_eq!(
        element(&operate(&org, &convert("Closed - Converted")).await.text, "statusCode"),
        "CANNOT_UPDATE_CONVERTED_LEAD"
    );
}

#[tokio::test]
async fn the_client_is_the_origin_of_its_changes() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    let by = |method, path: &str, body: serde_json::Value| {
        let request = org.request(method, path).header("sforce-call-options", "client=tombolo.1.2.3");
        read(request.header("content-type", "application/json").body(body.to_string()))
    };
    use reqwest::Method;
    let made = by(Method::POST, "sobjects/Account", json!({ "Name": "A" })).await.json();
    let id = made["id"].as_str().unwrap();
    by(Method::PATCH, &format!("sobjects/Account/{id}"), json!({ "Name": "B" })).await;
    let records = json!({ "records": [{ "attributes": { "type": "Account" }, "id": id, "Name": "C" }] });
    by(Method::PATCH, "composite/sobjects", records).await;
    by(Method::DELETE, &format!("sobjects/Account/{id}"), json!({})).await;
    let token = &org.ready().access_token;
    let envelope = format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><e:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader><CallOptions><client>tombolo.1.2.3</client></CallOptions></e:Header><e:Body><undelete><ids>{id}</ids></undelete></e:Body></e:Envelope>"#
    );
    soap(&org, "/services/Soap/u/66.0", &envelope).await;
    let events = client.events(5).await;
    let origins: Vec<_> = events.iter().map(|event| header(event)["changeOrigin"].as_str().unwrap()).collect();
    let origin = |api| format!("com/salesforce/api/{api}/66.0;client=tombolo.1.2.3");
    assert_eq!(origins, ["rest", "rest", "rest", "rest", "soap"].map(origin));
}
