//! The request that opens a session (rest.md 1.4).

use bytes::Bytes;
use http::{Method, Request, header};

use super::{path::encode_into, refused};
use crate::Result;

/// What the username-password flow sends.
pub(crate) struct Password<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) security_token: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a str,
}

pub(crate) fn password(login_url: &str, login: &Password<'_>) -> Result<Request<Bytes>> {
    let secret = format!("{}{}", login.password, login.security_token);
    let mut form = String::new();
    for (name, value) in [
        ("grant_type", "password"),
        ("client_id", login.client_id),
        ("client_secret", login.client_secret),
        ("username", login.username),
        ("password", &secret),
    ] {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        encode_into(&mut form, value);
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/services/oauth2/token", login_url.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    request.body(form.into()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};

    #[test]
    fn the_token_follows_the_password() {
        let login = Password {
            username: "a+b@example.com",
            password: "p&w =",
            security_token: "T0k",
            client_id: "id",
            client_secret: "s",
        };
        let request = password("https://login.salesforce.com/", &login).unwrap();
        let form =
            "grant_type=password&client_id=id&client_secret=s&username=a%2Bb%40example.com&password=p%26w%20%3DT0k";
        assert_eq!(show(&request), ("POST https://login.salesforce.com/services/oauth2/token".into(), form.into()));
    }
}
