//! Forms sent as `multipart/form-data`, as far as they hold text.

/// The named text parts of a body; none if it is not what its Content-Type says.
pub(crate) fn text_parts(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let body = String::from_utf8_lossy(body);
    let delimiter = format!("--{boundary}");
    let mut sections = body.split(delimiter.as_str());
    sections.next()?;
    let mut parts = Vec::new();
    for section in sections {
        if section.starts_with("--") {
            return Some(parts);
        }
        let (head, content) = section.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value)
        })?;
        parts.push((parameter(disposition, "name")?, content.strip_suffix("\r\n").unwrap_or(content).to_owned()));
    }
    None
}

/// A parameter of a header value, with or without quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n\
                    --x\r\ncontent-disposition: form-data; name=b\r\nContent-Type: text/plain\r\n\r\n1\r\n2\r\n--x--\r\n";
        let parts = text_parts("multipart/form-data; boundary=x", body.as_bytes()).unwrap();
        assert_eq!(parts, [("grant_type".to_owned(), "password".to_owned()), ("b".to_owned(), "1\r\n2".to_owned())]);
        for (content_type, body) in [
            ("multipart/form-data", body),
            ("multipart/form-data; boundary=y", body),
            ("multipart/form-data; boundary=x", "--x\r\nno head"),
            ("multipart/form-data; boundary=x", ""),
        ] {
            assert_eq!(text_parts(content_type, body.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn any_body_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = text_parts("multipart/form-data; boundary=\"-\"", &body);
        }
    }
}
