//! Requests that no friend would send: each is refused in the words of its protocol, and nothing breaks.

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{TestOrg, read};

const BASE: &str = "/services/data/v66.0";

/// A request as it goes over the wire; its sender has to be able to send it to the end.
async fn raw(org: &TestOrg, head: &str, body: &[u8]) -> (u16, String) {
    let address = org.ready().instance_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = head.replace("HOST", address).replace("TOKEN", &org.ready().access_token);
    let head = format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap_or_else(|error| panic!("{head}: {error}"));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let text = answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned());
    (status, text)
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
        .collect()
}

#[tokio::test]
async fn what_is_refused_unread_is_read_all_the_same() {
    let org = TestOrg::start().await;
    let body = vec![b'a'; 16 * 1024 * 1024];
    let authorized = "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json";
    for (head, status, code) in [
        (format!("POST {BASE}/sobjects/Account HTTP/1.1\r\nHost: HOST"), 401, "INVALID_AUTH_HEADER"),
        (format!("POST {BASE}/sobjects/Account HTTP/1.1\r\nHost: evil.example"), 421, "MISDIRECTED_REQUEST"),
        (format!("PUT {BASE}/sobjects/Account HTTP/1.1\r\n{authorized}"), 405, "METHOD_NOT_ALLOWED"),
        (format!("POST /services/data/v99.0/sobjects/Account HTTP/1.1\r\n{authorized}"), 404, "NOT_FOUND"),
        (format!("POST {BASE}/sobjects/%ff HTTP/1.1\r\n{authorized}"), 404, "NOT_FOUND"),
        (format!("POST {BASE}/{} HTTP/1.1\r\n{authorized}", "a".repeat(17_000)), 414, "URI_TOO_LONG"),
        (
            format!("POST {BASE}/sobjects/Account HTTP/1.1\r\n{authorized}\r\nContent-Encoding: br"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("POST /_tombolo/reset HTTP/1.1\r\nHost: HOST".to_owned(), 401, "INVALID_AUTH_HEADER"),
    ] {
        let (found, text) = raw(&org, &head, &body).await;
        assert_eq!(found, status, "{head}");
        let errors: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(errors[0]["errorCode"], code, "{head}");
    }
}

#[tokio::test]
async fn each_protocol_refuses_a_body_in_its_own_words() {
    let org = TestOrg::start().await;
    let large = vec![b'a'; 51 * 1024 * 1024];
    for (path, status, begins) in [
        ("/services/Soap/u/60.0", 413, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope"),
        (
            "/services/oauth2/token",
            413,
            r#"{"error":"invalid_request","error_description":"The request body is larger"#,
        ),
        ("/cometd/60.0", 413, r#"[{"error":"413::Maximum Request Size Exceeded""#),
    ] {
        let answer = read(org.request(Method::POST, path).body(large.clone())).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text.starts_with(begins), "{path}: {}", answer.text);
    }
    for (path, status, begins) in [
        ("/services/Soap/u/60.0", 500, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope"),
        ("/services/oauth2/token", 400, r#"{"error":"invalid_request""#),
        ("/cometd/60.0", 400, r#"[{"channel":"/meta/handshake","error":"400::The request body"#),
        ("sobjects/Account", 400, r#"[{"message":"The request body ended early or cannot be unpacked""#),
    ] {
        let request = org.request(Method::POST, path).header("content-encoding", "gzip").body("not packed");
        let answer = read(request).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text.starts_with(begins), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn encodings_of_a_body() {
    let org = TestOrg::start().await;
    let plain = br#"{"Name":"packed"}"#.to_vec();
    let deflated =
        vec![120, 156, 171, 86, 242, 75, 204, 77, 85, 178, 82, 42, 72, 76, 206, 78, 77, 81, 170, 5, 0, 49, 126, 5, 164];
    let marked = [&b"\xef\xbb\xbf"[..], &plain].concat();
    for (encoding, body, status) in [
        ("deflate", deflated, 201),
        ("identity", plain.clone(), 201),
        ("", marked, 201),
        ("br", plain.clone(), 415),
        ("gzip, gzip", plain, 415),
    ] {
        let mut request = org.request(Method::POST, "sobjects/Account").header("content-type", "application/json");
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        let answer = read(request.body(body)).await;
        assert_eq!(answer.status, status, "{encoding:?}: {}", answer.text);
    }
    let found = org.get("query?q=SELECT+COUNT()+FROM+Account+WHERE+Name='packed'").await;
    assert_eq!(found.json()["totalSize"], 3);
}

#[tokio::test]
async fn bodies_that_are_no_record() {
    let org = TestOrg::start().await;
    let deep = format!(r#"{{"Name":{}"#, "[".repeat(100_000));
    let nested = format!("{}1{}", r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    for body in [
        r#"{"Name":"#,
        r#"{"Name":"x"} x"#,
        r#"[{"Name":"x"}]"#,
        "\"x\"",
        "null",
        "1",
        " ",
        r#"{"Name":"a\ud800b"}"#,
        r#"{"Name":NaN}"#,
        r#"{"attributes":"x","Name":"x"}"#,
        r#"{"attributes":{"type":5},"Name":"x"}"#,
        r#"{"Name":{"a":1}}"#,
        r#"{"Name":["a"]}"#,
        r#"{"Name":"x","AnnualRevenue":1e999}"#,
        r#"{"Name":"x","NumberOfEmployees":1.5}"#,
        &deep,
        &nested,
    ] {
        let request = org.request(Method::POST, "sobjects/Account").header("content-type", "application/json");
        let answer = read(request.body(body.to_owned())).await;
        let shown = body.chars().take(60).collect::<String>();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
        assert_eq!(answer.json()[0]["errorCode"], "JSON_PARSER_ERROR", "{shown}: {}", answer.text);
        assert!(!answer.text.contains("struct"), "{shown}: {}", answer.text);
    }
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 0, "nothing half-written");
    let answer = org.post("sobjects/Account", &json!({ "Name": "x", "Nonsense": 1 })).await;
    assert_eq!((answer.status.as_u16(), &answer.json()[0]["errorCode"]), (400, &json!("INVALID_FIELD")));
}

#[tokio::test]
async fn no_answer_tells_of_the_store() {
    let org = TestOrg::start().await;
    for soql in [
        "DROP TABLE Account",
        "SELECT Id FROM Account WHERE Name = 'a' OR 1=1 --",
        "SELECT \"Id\" FROM Account",
        "SELECT Id FROM Account WHERE Name = \"x\"",
        "SELECT Id FROM sqlite_master",
        "SELECT rowid FROM Account",
        "SELECT Id\0 FROM Account",
        "SELECT Id FROM Account LIMIT 99999999999999999999",
        "SELECT Id FROM Account; DELETE FROM Account",
        &format!("SELECT Id FROM Account WHERE {}Name = 'x'{}", "(".repeat(1_000), ")".repeat(1_000)),
    ] {
        let answer = org.get(&format!("query?q={}", encoded(soql))).await;
        assert_eq!(answer.status, 400, "{soql}: {}", answer.text);
        let text = answer.text.to_lowercase();
        for word in ["sqlite", "no such", "syntax error", "prepare"] {
            assert!(
                !text.contains(word) || soql.to_lowercase().contains(word) || text.contains("no such column '"),
                "{soql}: {text}"
            );
        }
    }
    for soql in [
        "SELECT Id FROM Account WHERE Name = 'a\\'; DROP TABLE Account; --'",
        "SELECT Id FROM Account WHERE Name = 'a\0b'",
    ] {
        let answer = org.get(&format!("query?q={}", encoded(soql))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["totalSize"]), (200, &json!(0)), "{soql}");
    }
}
