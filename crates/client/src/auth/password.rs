//! The username-password flow (rest.md 1.4).

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::Response;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tower::ServiceExt as _;

use super::{Granted, LogIn, Origin, TrustedHosts};
use crate::{Error, ErrorKind, Result, request::login, stack::Stack};

/// Logs in with a user's password.
pub(crate) struct Password {
    pub(crate) network: Stack,
    pub(crate) trusted: TrustedHosts,
    pub(crate) login: Origin,
    pub(crate) username: String,
    pub(crate) password: SecretString,
    pub(crate) security_token: SecretString,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
}

impl LogIn for Password {
    fn log_in(&self) -> Pin<Box<dyn Future<Output = Result<Granted>> + Send + '_>> {
        Box::pin(async move {
            let request = login::password(
                &self.login.to_string(),
                &login::Password {
                    username: &self.username,
                    password: self.password.expose_secret(),
                    security_token: self.security_token.expose_secret(),
                    client_id: &self.client_id,
                    client_secret: self.client_secret.expose_secret(),
                },
            )?;
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let answer = self.network.clone().oneshot(request).await?;
            self.read(&answer).map_err(|error| error.with_request(&method, &uri))
        })
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    instance_url: String,
}

impl Password {
    fn read(&self, answer: &Response<Bytes>) -> Result<Granted> {
        if !answer.status().is_success() {
            return Err(refusal(answer, self.login.host()));
        }
        // The cause may quote the body, and with it the token: it stays out of the error.
        let token: Token = serde_json::from_slice(answer.body())
            .map_err(|_| Error::new(ErrorKind::Login, "the login was answered, but not with a session"))?;
        let instance = self.trusted.answered(&token.instance_url, &self.login)?;
        Ok(Granted { instance, access_token: token.access_token.into() })
    }
}

/// 400 and 401 are a refusal of these credentials; anything else is trouble on the way.
fn refusal(answer: &Response<Bytes>, path: &str) -> Error {
    let error = Error::from_answer(answer, path);
    match answer.status().as_u16() {
        400 | 401 | 403 | 404 => error.with_kind(ErrorKind::Login).with_message("the login was refused"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use tower::util::BoxCloneSyncService;

    use super::*;

    fn login(status: u16, body: &'static str) -> Password {
        let network = BoxCloneSyncService::new(tower::service_fn(move |_| async move {
            Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap())
        }));
        Password {
            network,
            trusted: TrustedHosts::default(),
            login: Origin::parse("https://login.salesforce.com").unwrap(),
            username: "u".into(),
            password: "secret-password".to_owned().into(),
            security_token: String::new().into(),
            client_id: "c".into(),
            client_secret: String::new().into(),
        }
    }

    #[tokio::test]
    async fn answers_of_the_token_endpoint() {
        let good = r#"{"access_token":"00D!x","instance_url":"https://acme.my.salesforce.com","token_type":"Bearer"}"#;
        let granted = login(200, good).log_in().await.unwrap();
        assert_eq!(granted.instance.to_string(), "https://acme.my.salesforce.com");
        assert_eq!(granted.access_token.expose_secret(), "00D!x");
        for (status, body, kind, code) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"authentication failure"}"#,
                ErrorKind::Login,
                "invalid_grant",
            ),
            (
                400,
                r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#,
                ErrorKind::Login,
                "invalid_client_id",
            ),
            (200, r#"{"access_token":"00D!x","instance_url":"https://evil.example"}"#, ErrorKind::Login, ""),
            (200, "<html>", ErrorKind::Login, ""),
            (200, r#"{"access_token":"00D!x"}"#, ErrorKind::Login, ""),
            (503, "down", ErrorKind::Unavailable, ""),
            (302, "", ErrorKind::Api, ""),
        ] {
            let error = login(status, body).log_in().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert_eq!(error.code().map_or("", |code| code.as_str()), code);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("00D!x") && !shown.contains("secret-password"), "{shown}");
        }
    }
}
