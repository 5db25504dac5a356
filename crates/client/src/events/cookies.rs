//! The cookies of one CometD session. Each session has its own: the server ties a client to its cookie
//! (streaming.md 1.2), so two sessions that share one push each other out.

use http::{HeaderMap, HeaderValue, header};

#[derive(Debug, Clone, Default)]
pub(super) struct Cookies {
    list: Vec<Cookie>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Cookies {
    /// Takes over what an answer sets, and drops what it takes back. All goes to the one org anyway, so the domain
    /// plays no part.
    pub(super) fn store(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let pair = parts.next().and_then(|pair| pair.split_once('='));
            let Some((name, value)) = pair.filter(|(name, _)| !name.is_empty()) else { continue };
            let (mut path, mut expired) = ("/", false);
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                match key.to_ascii_lowercase().as_str() {
                    "path" if value.starts_with('/') => path = value,
                    "max-age" => expired = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                    _ => {}
                }
            }
            self.list.retain(|cookie| cookie.name != name || cookie.path != path);
            if !expired {
                self.list.push(Cookie { name: name.into(), value: value.into(), path: path.into() });
            }
        }
    }

    /// The header for a request to this path; `None` without cookies.
    pub(super) fn header(&self, path: &str) -> Option<HeaderValue> {
        let fits = |cookie: &&Cookie| {
            let prefix = cookie.path.trim_end_matches('/');
            path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        let pairs: Vec<String> = self.list.iter().filter(fits).map(|c| format!("{}={}", c.name, c.value)).collect();
        let mut value = HeaderValue::try_from(pairs.join("; ")).ok().filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Option<String> {
        let mut cookies = Cookies::default();
        for line in lines {
            let mut headers = HeaderMap::new();
            headers.append(header::SET_COOKIE, line.parse().unwrap());
            cookies.store(&headers);
        }
        cookies.header("/cometd/66.0").map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_sent_back() {
        for (lines, expect) in [
            (&[][..], None),
            (
                &["BAYEUX_BROWSER=abc;Path=/cometd/;Secure", "sfdc-stream=!x==; path=/"],
                Some("BAYEUX_BROWSER=abc; sfdc-stream=!x=="),
            ),
            (&["a=1; Path=/", "a=2; Path=/"], Some("a=2")),
            (&["a=1", "a=; Max-Age=0"], None),
            (&["a=1; Path=/services", "b=2; path=/com"], None),
            (&["nonsense", "=; ;"], None),
        ] {
            assert_eq!(after(lines).as_deref(), expect, "{lines:?}");
        }
    }
}
