//! The sockets: HTTP, HTTPS and the proxy. What comes through them is `wire`'s business.

mod certificate;
mod connection;
mod proxy;
mod runtime_files;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

pub(crate) use certificate::{CertificateError, Certificates, Names};
pub(crate) use connection::Door;
pub use runtime_files::{RunningFile, running};
pub(crate) use runtime_files::{RuntimeFiles, write_private};

/// A TLS handshake takes no longer, or the client has other things in mind.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// After a failed accept, such as when the process has no files left.
const PAUSE: Duration = Duration::from_millis(50);

/// What stands behind a listener.
#[derive(Clone)]
pub(crate) enum Behind {
    Http(Door),
    Https(Door, TlsAcceptor),
    /// Leads to the HTTPS port.
    Proxy(SocketAddr),
}

/// Takes connections until the org stops, and waits for those it has.
pub(crate) async fn accept(listener: TcpListener, behind: Behind, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while !*shutdown.borrow() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(attend(stream, behind.clone(), shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(connection::FAREWELL, end).await.is_err() {
        tracing::debug!("connections that would not end were cut");
    }
}

async fn attend(stream: TcpStream, behind: Behind, mut shutdown: watch::Receiver<bool>) {
    // Answers are small and awaited.
    let attended: io::Result<()> = match stream.set_nodelay(true) {
        Err(error) => Err(error),
        Ok(()) => match behind {
            Behind::Http(door) => door.serve(stream, "http", shutdown).await,
            Behind::Https(door, acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => door.serve(stream, "https", shutdown).await,
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
            Behind::Proxy(https) => tokio::select! {
                served = proxy::serve(stream, https) => served,
                _ = shutdown.changed() => Ok(()),
            },
        },
    };
    if let Err(error) = attended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Binds, and tells where it ended up when any port would do.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A TLS listener's half that holds the certificate.
pub(crate) fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    TlsAcceptor::from(Arc::clone(&certificates.server))
}
