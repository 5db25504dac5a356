//! The session that all calls share. However many find it expired, one of them logs in.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use secrecy::SecretString;
use tokio::sync::Mutex;

use super::Origin;
use crate::{Error, ErrorKind, Result};

/// An open session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) instance: Origin,
    pub(crate) access_token: SecretString,
    /// Which login it came from.
    number: u64,
}

/// What a login gives.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) instance: Origin,
    pub(crate) access_token: SecretString,
}

/// A way to open a session.
pub(crate) trait LogIn: Send + Sync {
    fn log_in(&self) -> Pin<Box<dyn Future<Output = Result<Granted>> + Send + '_>>;
}

/// A session that someone else opened: given out once, since there is no way to get another.
#[derive(Debug)]
pub(crate) struct Fixed {
    instance: Origin,
    access_token: SecretString,
    given: AtomicBool,
}

impl Fixed {
    pub(crate) fn new(instance: Origin, access_token: SecretString) -> Self {
        Self { instance, access_token, given: AtomicBool::new(false) }
    }
}

impl LogIn for Fixed {
    fn log_in(&self) -> Pin<Box<dyn Future<Output = Result<Granted>> + Send + '_>> {
        let granted = if self.given.swap(true, Ordering::Relaxed) {
            let message = "the session has expired, and a bare token cannot be renewed";
            Err(Error::new(ErrorKind::SessionExpired, message))
        } else {
            Ok(Granted { instance: self.instance.clone(), access_token: self.access_token.clone() })
        };
        Box::pin(async { granted })
    }
}

/// The current session, and the way to the next.
pub(crate) struct Sessions {
    login: Box<dyn LogIn>,
    /// Logins that have ended, well or badly. Whoever waited while one ended need not make another.
    ended: AtomicU64,
    last: Mutex<Option<Result<Arc<Session>>>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("logins", &self.ended).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn new(login: Box<dyn LogIn>) -> Self {
        Self { login, ended: AtomicU64::new(0), last: Mutex::new(None) }
    }

    /// The session, opened if there is none.
    pub(crate) async fn current(&self) -> Result<Arc<Session>> {
        self.other_than(None).await
    }

    /// The session after `stale`, unless another call has opened it already.
    pub(crate) async fn renew(&self, stale: &Session) -> Result<Arc<Session>> {
        self.other_than(Some(stale.number)).await
    }

    async fn other_than(&self, stale: Option<u64>) -> Result<Arc<Session>> {
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        match &*last {
            Some(Ok(session)) if stale != Some(session.number) => return Ok(session.clone()),
            // It failed while this call waited: the next try would be a hundred logins with a wrong password.
            Some(Err(error)) if self.ended.load(Ordering::Acquire) != ended_before => return Err(error.clone()),
            Some(_) | None => {}
        }
        let number = self.ended.load(Ordering::Acquire) + 1;
        let result = self.login.log_in().await;
        let opened = result.map_err(Error::into_unsent).map(|granted| {
            Arc::new(Session { instance: granted.instance, access_token: granted.access_token, number })
        });
        *last = Some(opened.clone());
        self.ended.store(number, Ordering::Release);
        opened
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Gives `token-1`, `token-2`… and counts.
    #[derive(Debug, Default)]
    pub(crate) struct Counting {
        count: AtomicU32,
        refuse: AtomicBool,
    }

    impl Counting {
        pub(crate) fn count(&self) -> u32 {
            self.count.load(Ordering::Relaxed)
        }

        pub(crate) fn refuse(&self) {
            self.refuse.store(true, Ordering::Relaxed);
        }
    }

    impl LogIn for Arc<Counting> {
        fn log_in(&self) -> Pin<Box<dyn Future<Output = Result<Granted>> + Send + '_>> {
            Box::pin(async move {
                let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::task::yield_now().await;
                if self.refuse.load(Ordering::Relaxed) {
                    return Err(Error::new(ErrorKind::Login, "refused").mark_sent());
                }
                let instance = Origin::parse("http://127.0.0.1:1").unwrap();
                Ok(Granted { instance, access_token: format!("token-{count}").into() })
            })
        }
    }

    pub(crate) fn sessions(login: Arc<Counting>) -> Arc<Sessions> {
        Arc::new(Sessions::new(Box::new(login)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::{testing::*, *};

    #[tokio::test]
    async fn many_callers_one_login() {
        let login = Arc::new(Counting::default());
        let sessions = sessions(login.clone());
        let all = join_all((0..100).map(|_| sessions.current())).await;
        assert!(all.iter().all(|session| session.as_ref().unwrap().number == 1));
        let stale = sessions.current().await.unwrap();
        let all = join_all((0..100).map(|_| sessions.renew(&stale))).await;
        assert!(all.iter().all(|session| session.as_ref().unwrap().number == 2));
        assert_eq!(login.count(), 2);
    }

    #[tokio::test]
    async fn many_callers_share_a_refusal_too() {
        let login = Arc::new(Counting::default());
        login.refuse();
        let sessions = sessions(login.clone());
        for error in join_all((0..100).map(|_| sessions.current())).await {
            let error = error.unwrap_err();
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Login, false));
        }
        assert_eq!(login.count(), 1);
        assert!(sessions.current().await.is_err());
        assert_eq!(login.count(), 2, "a later call tries again");
    }

    #[tokio::test]
    async fn a_login_that_was_given_up_does_not_block_the_next() {
        let login = Arc::new(Counting::default());
        let sessions = sessions(login.clone());
        drop(futures_util::poll!(Box::pin(sessions.current())));
        assert_eq!(sessions.current().await.unwrap().number, 1);
    }

    #[tokio::test]
    async fn a_bare_token_is_given_once() {
        let origin = Origin::parse("https://acme.my.salesforce.com").unwrap();
        let sessions = Sessions::new(Box::new(Fixed::new(origin, "00D!x".to_owned().into())));
        let first = sessions.current().await.unwrap();
        for _ in 0..2 {
            assert_eq!(sessions.renew(&first).await.unwrap_err().kind(), ErrorKind::SessionExpired);
        }
        assert_eq!(sessions.current().await.unwrap_err().kind(), ErrorKind::SessionExpired);
        assert!(!format!("{first:?}").contains("00D!x"));
    }
}
