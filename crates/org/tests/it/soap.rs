//! SOAP, with envelopes as third parties write them.

use serde_json::json;

use crate::harness::{Answer, TestOrg, read};

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
