//! Who the client is, where its credentials may go, and the one session that everything shares.

mod credentials;
mod hosts;
mod password;
mod session;

pub use credentials::Credentials;
pub(crate) use hosts::{Origin, TrustedHosts};
pub(crate) use password::Password;
pub(crate) use session::{Fixed, Granted, LogIn, Session, Sessions};

#[cfg(test)]
pub(crate) use session::testing;
