//! The request that takes records out of the recycle bin: only SOAP can (metadata.md 4).

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use quick_xml::escape::escape;
use tombolo_schema::ApiVersion;

use super::{Repeat, SessionInBody, bare, path::Path, writing};
use crate::Result;

/// The most records in one call.
pub(crate) const MAX_IDS: usize = 200;

/// The last version of the API that all orgs answer SOAP in.
const NEWEST: ApiVersion = ApiVersion::new(64);

/// The session id is put in by the stack: a request is a value without secrets.
pub(crate) fn undelete(version: ApiVersion, ids: &[&str], call_tag: Option<&str>) -> Result<Request<Bytes>> {
    let mut header = format!("<SessionHeader><sessionId>{}</sessionId></SessionHeader>", SessionInBody::PLACE);
    if let Some(tag) = call_tag {
        header.push_str(&format!("<CallOptions><client>{}</client></CallOptions>", escape(tag)));
    }
    let ids: String = ids.iter().map(|id| format!("<ids>{}</ids>", escape(*id))).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:partner.soap.sforce.com\">\
         <soapenv:Header>{header}</soapenv:Header><soapenv:Body><undelete>{ids}</undelete></soapenv:Body>\
         </soapenv:Envelope>"
    );
    let path = Path::verbatim(&format!("/services/Soap/u/{}", version.min(NEWEST)));
    let mut request = writing(bare(Method::POST, path, Repeat::Never))?;
    *request.body_mut() = body.into();
    request.extensions_mut().insert(SessionInBody);
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=UTF-8"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/xml"));
    headers.insert("soapaction", HeaderValue::from_static("\"\""));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};

    #[test]
    fn an_envelope_without_secrets() {
        for (version, path) in [(66, "/services/Soap/u/64.0"), (59, "/services/Soap/u/59.0")] {
            let request = undelete(ApiVersion::new(version), &["003A", "<&>"], Some("tombolo.7.3.1")).unwrap();
            let (line, body) = show(&request);
            assert_eq!(line, format!("POST {path}"));
            for part in [
                "<SessionHeader><sessionId><session/></sessionId></SessionHeader>",
                "<CallOptions><client>tombolo.7.3.1</client></CallOptions>",
                "<undelete><ids>003A</ids><ids>&lt;&amp;&gt;</ids></undelete>",
            ] {
                assert!(body.contains(part), "{body}");
            }
            assert_eq!(body.matches(SessionInBody::PLACE).count(), 1);
            assert_eq!(request.headers()["content-type"], "text/xml; charset=UTF-8");
        }
        let bare = undelete(ApiVersion::new(66), &["003A"], None).unwrap();
        assert!(!show(&bare).1.contains("CallOptions"));
    }
}
