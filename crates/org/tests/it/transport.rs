//! Sockets, certificates, the proxy, sizes, hosts.

use reqwest::{Certificate, Method, Proxy, Version};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tombolo_org::{OrgConfig, Storage, running, served_paths};

use crate::harness::{TestOrg, read};

fn trusting(org: &TestOrg) -> reqwest::ClientBuilder {
    let pem = std::fs::read(&org.ready().ca_cert).unwrap();
    reqwest::Client::builder().tls_certs_only([Certificate::from_pem(&pem).unwrap()])
}

/// Sends bytes as they are and reads until the org ends the connection or has answered.
async fn raw(org: &TestOrg, bytes: &[u8]) -> String {
    let address = org.ready().instance_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is no matter.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn https_speaks_both_versions_of_http() {
    let org = TestOrg::start().await;
    let client = trusting(&org).no_proxy().build().unwrap();
    let port = org.ready().https_url.rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost"] {
        let response = client.get(format!("https://{host}:{port}/services/data")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    }
    let old = trusting(&org).no_proxy().http1_only().build().unwrap();
    let response = old.get(format!("{}/services/data", org.ready().https_url)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_11));
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(stranger.get(format!("{}/services/data", org.ready().https_url)).send().await.is_err(), "untrusted");
    let plain2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let response = plain2.get(org.url("/services/data")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
}

#[tokio::test]
async fn the_proxy_leads_to_the_org() {
    let org = TestOrg::with(OrgConfig { proxy: Some(0), ..OrgConfig::default() }).await;
    let proxy = org.ready().proxy_url.clone().unwrap();
    let client = trusting(&org).proxy(Proxy::all(&proxy).unwrap()).build().unwrap();
    let form = "grant_type=password&client_id=tombolo-local&client_secret=tombolo-local-secret&username=admin%40tombolo.test&password=tombolo";
    let login = client.post("https://login.salesforce.com/services/oauth2/token");
    let answer = read(login.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["instance_url"], "https://tombolo.my.salesforce.com");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let limits = client.get("https://tombolo.my.salesforce.com/services/data/v66.0/limits").bearer_auth(token);
    assert_eq!(read(limits).await.status, 200);
    assert!(client.get("https://example.com/").send().await.is_err(), "it goes nowhere else");
    let address = proxy.strip_prefix("http://").unwrap();
    for (request, status) in [
        ("GET http://example.com/ HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
        ("CONNECT example.com:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 403"),
        ("CONNECT login.salesforce.com:22 HTTP/1.1\r\n\r\n", "HTTP/1.1 403"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status), "{request}: {answer}");
    }
}

#[tokio::test]
async fn without_a_proxy_salesforces_names_are_not_ours() {
    let org = TestOrg::start().await;
    for host in ["evil.example", "login.salesforce.com", "127.0.0.1.evil.example:80"] {
        let request = org.request(Method::GET, "/services/data").header("host", host);
        assert_eq!(read(request).await.status, 421, "{host}");
    }
    for host in ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:1"] {
        assert_eq!(read(org.request(Method::GET, "/services/data").header("host", host)).await.status, 200, "{host}");
    }
    for request in [
        "GET /services/data HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /services/data HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ] {
        assert!(raw(&org, request.as_bytes()).await.starts_with("HTTP/1.1 400"), "{request}");
    }
    let absolute = "GET http://evil.example/services/data HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(raw(&org, absolute.as_bytes()).await.starts_with("HTTP/1.1 421"));
    let named = OrgConfig { hosts: vec!["org.example".to_owned()], ..OrgConfig::default() };
    let named = TestOrg::with(named).await;
    let request = named.request(Method::GET, "/services/data").header("host", "org.example:7411");
    assert_eq!(read(request).await.status, 200);
}

#[tokio::test]
async fn what_is_too_large() {
    let org = TestOrg::start().await;
    let body = vec![b' '; 60 * 1024 * 1024];
    let request = org.request(Method::POST, "sobjects/Account").header("content-type", "application/json").body(body);
    let answer = read(request).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()[0]["errorCode"], "EXCEEDED_MAX_SIZE_REQUEST");
    let expecting = format!(
        "POST /services/data/v66.0/sobjects/Account HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 62914560\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        org.ready().access_token
    );
    assert!(raw(&org, expecting.as_bytes()).await.starts_with("HTTP/1.1 413"), "no body is waited for");
    let answer = org.get(&format!("sobjects/Account?x={}", "a".repeat(16_384))).await;
    assert_eq!(answer.status, 414);
    assert_eq!(answer.json()[0]["errorCode"], "URI_TOO_LONG");
    let request = org.request(Method::GET, "limits").header("x-long", "a".repeat(16_384));
    assert_eq!(read(request).await.status, 431);
    assert!(org.get(&format!("limits?x={}", "a".repeat(15_000))).await.status.is_success());
}

#[tokio::test]
async fn bodies_are_packed_both_ways() {
    let org = TestOrg::start().await;
    // `{"Name":"Zipped"}`
    let packed = gzip(br#"{"Name":"Zipped"}"#);
    let request = org.request(Method::POST, "sobjects/Account").header("content-type", "application/json");
    let answer = read(request.header("content-encoding", "gzip").body(packed)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let request = plain.get(org.url("/services/data")).header("accept-encoding", "gzip, deflate");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["vary"], "accept-encoding");
    let response = plain.get(org.url("/services/data")).send().await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
    let broken = org.request(Method::POST, "sobjects/Account").header("content-encoding", "gzip").body("not packed");
    assert_eq!(read(broken).await.status, 400);
}

/// gzip without compressing: a stored block.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let length = u16::try_from(bytes.len()).unwrap();
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(bytes);
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

#[tokio::test]
async fn a_running_org_is_found_until_it_stops() {
    let org = TestOrg::start().await;
    let ready = org.ready().clone();
    let found = running().unwrap();
    let own =
        found.iter().find(|file| file.ready.org_id == ready.org_id && file.ready.instance_url == ready.instance_url);
    let own = own.expect("the org is found");
    assert_eq!(own.ready, ready);
    assert_eq!(ready.instance_url, format!("http://127.0.0.1:{}", own.port));
    assert!(ready.ca_cert.exists());
    org.org.stop().await;
    assert!(!ready.ca_cert.exists(), "files go with the org");
    assert!(running().unwrap().iter().all(|file| file.ready != ready));
    assert!(TcpStream::connect(ready.instance_url.strip_prefix("http://").unwrap()).await.is_err());
}

#[tokio::test]
async fn the_ready_line_is_in_order() {
    let org = TestOrg::with(OrgConfig { proxy: Some(0), ..OrgConfig::default() }).await;
    let line = serde_json::to_value(org.ready()).unwrap();
    let expected = "instance_url https_url proxy_url ca_cert username password security_token access_token client_id \
                    client_secret org_id user_id admin_token pid";
    assert_eq!(crate::harness::keys(&line).join(" "), expected);
    let token = org.ready().access_token.clone();
    let (id, secret) = token.split_once('!').unwrap();
    assert!(id.len() == 15 && id.starts_with("00D") && !secret.is_empty());
    assert!(!format!("{:?}", org.ready()).contains(secret), "secrets stay out of debug output");
    let plain = TestOrg::start().await;
    assert!(serde_json::to_value(plain.ready()).unwrap().get("proxy_url").is_none());
}

#[tokio::test]
async fn data_outlives_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = || OrgConfig { storage: Storage::Directory(folder.path().to_owned()), ..OrgConfig::default() };
    let org = TestOrg::with(config()).await;
    let id = org.create("Account", json!({ "Name": "Acme" })).await;
    let org_id = org.ready().org_id.clone();
    assert!(org.ready().ca_cert.starts_with(folder.path()));
    org.org.stop().await;
    let org = TestOrg::with(config()).await;
    assert_eq!(org.ready().org_id, org_id);
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.json()["Name"], "Acme");
}

#[tokio::test]
async fn configurations_that_make_no_sense() {
    use tombolo_org::{OrgError, RunningOrg};
    let nowhere = OrgConfig { http: None, https: None, ..OrgConfig::default() };
    assert!(matches!(RunningOrg::start(nowhere).await, Err(OrgError::Config(_))));
    let aimless = OrgConfig { https: None, proxy: Some(0), ..OrgConfig::default() };
    assert!(matches!(RunningOrg::start(aimless).await, Err(OrgError::Config(_))));
    let org = TestOrg::start().await;
    let port = org.ready().instance_url.rsplit(':').next().unwrap().parse().unwrap();
    let taken = OrgConfig { http: Some(port), ..OrgConfig::default() };
    assert!(matches!(RunningOrg::start(taken).await, Err(OrgError::Listen { .. })));
}

#[test]
fn the_served_paths_are_listed() {
    let paths = served_paths();
    assert!(paths.contains(&("GET", "/services/data", "the API versions; no session needed")));
    assert!(paths.len() > 40);
}
