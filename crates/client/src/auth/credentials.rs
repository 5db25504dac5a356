//! The ways to log in.

use secrecy::SecretString;

/// How the client proves who it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// A session that someone else opened. It cannot be renewed: once expired, every call is
    /// [`SessionExpired`](crate::ErrorKind::SessionExpired).
    Token {
        /// The org's own address, `https://NAME.my.salesforce.com`.
        instance_url: String,
        /// The session id or access token.
        access_token: SecretString,
    },
    /// The username-password flow of a connected app.
    Password {
        /// `https://login.salesforce.com`, `https://test.salesforce.com` or the org's own address.
        login_url: String,
        /// The user.
        username: String,
        /// The password, without the security token.
        password: SecretString,
        /// The security token; empty where the address of the caller is trusted.
        security_token: SecretString,
        /// The consumer key of the connected app.
        client_id: String,
        /// The consumer secret of the connected app.
        client_secret: SecretString,
    },
}

impl Credentials {
    /// A session that someone else opened.
    pub fn token(instance_url: impl Into<String>, access_token: impl Into<String>) -> Self {
        Self::Token { instance_url: instance_url.into(), access_token: access_token.into().into() }
    }
}
