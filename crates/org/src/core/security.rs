//! Who may come in: the user's password and security token, sessions and their end.
//! Knows no protocol: OAuth and SOAP are two doors to the same sessions.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tombolo_schema::Id;

use super::Core;

/// A session ends when it was not used for this long, as with Salesforce's default session policy.
pub(crate) const SESSION_TIMEOUT: SignedDuration = SignedDuration::from_hours(2);

/// The one connected app, for the OAuth flows.
pub(crate) const CLIENT_ID: &str = "tombolo-local";
pub(crate) const CLIENT_SECRET: &str = "tombolo-local-secret";
/// The password of the org's user; with a security token set, the token is written behind it.
pub(crate) const PASSWORD: &str = "tombolo";

/// Why a login or a token was refused. What a client is told is its protocol's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Unknown user, wrong password, wrong security token: which one is nobody's business.
    Credentials,
    /// The token is unknown, expired or revoked.
    Session,
}

/// Someone logged in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user_id: Id,
    /// The token itself, by which sessions are told apart. It must not reach a log.
    pub(crate) token: String,
    /// The how manieth session of the org it is.
    pub(crate) number: u64,
}

struct Held {
    number: u64,
    user_id: Id,
    last_used: Timestamp,
}

/// The sessions of an org and the one who may open more.
pub(crate) struct Security {
    org_id: Id,
    username: String,
    user_id: Id,
    security_token: String,
    state: Mutex<State>,
}

struct State {
    sessions: HashMap<String, Held>,
    opened: u64,
    /// Only with a seed: same seed, same tokens.
    random: Option<fastrand::Rng>,
}

impl Security {
    /// Nobody is logged in yet.
    pub(crate) fn new(org_id: Id, user_id: Id, username: &str, security_token: &str, seed: Option<u64>) -> Self {
        let random = seed.map(fastrand::Rng::with_seed);
        Self {
            org_id,
            username: username.to_owned(),
            user_id,
            security_token: security_token.to_owned(),
            state: Mutex::new(State { sessions: HashMap::new(), opened: 0, random }),
        }
    }

    /// Logs in by name and password, the security token written right behind the password.
    pub(crate) fn login(&self, username: &str, password: &str, now: Timestamp) -> Result<Session, Denied> {
        let expected = format!("{PASSWORD}{}", self.security_token);
        if !username.eq_ignore_ascii_case(&self.username) || password != expected {
            return Err(Denied::Credentials);
        }
        Ok(self.open(now))
    }

    /// The number of the session that was opened last.
    pub(crate) fn last_session(&self) -> u64 {
        self.state().opened
    }

    /// Opens a session of the org's user.
    pub(crate) fn open(&self, now: Timestamp) -> Session {
        let mut state = self.state();
        let secret = random_text(&mut state.random, 64);
        let token = format!("{}!{secret}", self.org_id.short());
        state.opened += 1;
        let number = state.opened;
        state.sessions.insert(token.clone(), Held { number, user_id: self.user_id, last_used: now });
        Session { user_id: self.user_id, token, number }
    }

    /// The session of a token, which thereby lives on.
    pub(crate) fn authenticate(&self, token: &str, now: Timestamp) -> Result<Session, Denied> {
        let mut state = self.state();
        let held = state.sessions.get_mut(token).ok_or(Denied::Session)?;
        if now.duration_since(held.last_used) > SESSION_TIMEOUT {
            state.sessions.remove(token);
            return Err(Denied::Session);
        }
        held.last_used = held.last_used.max(now);
        Ok(Session { user_id: held.user_id, token: token.to_owned(), number: held.number })
    }

    /// Lets a session live on that was in use all the time, however far the clock was set.
    pub(crate) fn keep_alive(&self, token: &str, now: Timestamp) {
        if let Some(held) = self.state().sessions.get_mut(token) {
            held.last_used = held.last_used.max(now);
        }
    }

    /// Whether there is such a session, be it in use or not.
    pub(crate) fn exists(&self, token: &str) -> bool {
        self.state().sessions.contains_key(token)
    }

    /// Ends a session; tells whether there was one.
    pub(crate) fn revoke(&self, token: &str) -> bool {
        self.state().sessions.remove(token).is_some()
    }

    /// Ends every session but this one, which is as if it had just been opened.
    pub(crate) fn reset(&self, keep: &str, now: Timestamp) {
        let mut state = self.state();
        state.sessions.clear();
        state.opened += 1;
        let number = state.opened;
        state.sessions.insert(keep.to_owned(), Held { number, user_id: self.user_id, last_used: now });
    }

    /// Text nobody can guess, of letters and digits: client Ids and the like.
    pub(crate) fn random_text(&self, length: usize) -> String {
        random_text(&mut self.state().random, length)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// What the org is called.
    pub(crate) fn org_name(&self) -> String {
        self.0.identity.org_name.clone()
    }
}

/// Letters and digits only: the `sf` CLI knows a token by `(00D\w{12,15})![.\w]*` (metadata.md 7.2).
fn random_text(random: &mut Option<fastrand::Rng>, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._";
    let mut bytes = vec![0u8; length];
    match random {
        Some(random) => random.fill(&mut bytes),
        None if aws_lc_rs::rand::fill(&mut bytes).is_ok() => {}
        // The system has no randomness left to give; the process's own is what remains.
        None => fastrand::fill(&mut bytes),
    }
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(token: &str, seed: Option<u64>) -> Security {
        let org = Id::from_number(*b"00D", 1);
        Security::new(org, Id::from_number(*b"005", 1), "admin@tombolo.test", token, seed)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_security_token_belongs_to_the_password() {
        for (token, username, password, expected) in [
            ("", "admin@tombolo.test", "tombolo", true),
            ("", "ADMIN@tombolo.test", "tombolo", true),
            ("", "admin@tombolo.test", "Tombolo", false),
            ("", "other@tombolo.test", "tombolo", false),
            ("XY", "admin@tombolo.test", "tomboloXY", true),
            ("XY", "admin@tombolo.test", "tombolo", false),
        ] {
            let result = security(token, None).login(username, password, at(0));
            assert_eq!(result.is_ok(), expected, "{token} {username} {password}");
        }
    }

    #[test]
    fn tokens_look_like_salesforces() {
        let token = security("", None).open(at(0)).token;
        let (org, secret) = token.split_once('!').unwrap();
        assert!(org.starts_with("00D") && org.len() == 15, "{org}");
        assert!(secret.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_'), "{secret}");
    }

    #[test]
    fn a_session_ends_by_disuse_and_by_revocation() {
        let security = security("", None);
        let session = security.open(at(0));
        assert!(security.authenticate(&session.token, at(7000)).is_ok());
        assert!(security.authenticate(&session.token, at(14_000)).is_ok(), "use prolongs it");
        assert_eq!(security.authenticate(&session.token, at(30_000)).unwrap_err(), Denied::Session);
        assert_eq!(security.authenticate(&session.token, at(30_001)).unwrap_err(), Denied::Session);
        let session = security.open(at(0));
        assert!(security.revoke(&session.token));
        assert!(!security.revoke(&session.token));
        assert!(security.authenticate(&session.token, at(1)).is_err());
    }

    #[test]
    fn same_seed_same_tokens() {
        let tokens = || {
            let security = security("", Some(7));
            [security.open(at(0)).token, security.open(at(0)).token]
        };
        assert_eq!(tokens(), tokens());
        let [first, second] = tokens();
        assert_ne!(first, second);
    }
}
