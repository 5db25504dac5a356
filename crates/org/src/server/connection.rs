//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::wire::{App, gate};

/// Requests that run when the org stops have this long to finish.
pub(super) const FAREWELL: Duration = Duration::from_secs(3);
/// Room for a head that is too long, so that it can be refused in words (rest.md 2.1).
const MAX_HEAD: usize = 128 * 1024;

/// The way from a connection to the org.
#[derive(Clone)]
pub(crate) struct Door {
    app: Arc<App>,
    router: Router,
}

impl Door {
    pub(crate) fn new(app: Arc<App>, router: Router) -> Self {
        Self { app, router }
    }

    /// Serves a connection until it ends or the org stops.
    pub(super) async fn serve<S>(
        &self,
        stream: S,
        scheme: &'static str,
        mut shutdown: watch::Receiver<bool>,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service =
            service_fn(move |request| gate::serve(Arc::clone(&self.app), self.router.clone(), scheme, request));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().max_buf_size(MAX_HEAD).timer(TokioTimer::new());
        builder.http2().max_header_list_size(MAX_HEAD as u32).timer(TokioTimer::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            served = connection.as_mut() => return served.map_err(io::Error::other),
            _ = shutdown.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.map_err(io::Error::other)
    }
}
