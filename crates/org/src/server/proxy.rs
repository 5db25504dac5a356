//! A CONNECT proxy that leads `*.salesforce.com:443` to the org's HTTPS port and goes nowhere else,
//! for clients whose login hosts are fixed (metadata.md 7.1).

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};

/// A request head may be this long; CONNECT needs a fraction of it.
const MAX_HEAD: usize = 8192;
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves one client: its CONNECT, then bytes both ways until either side ends.
pub(crate) async fn serve(mut client: TcpStream, https: SocketAddr) -> io::Result<()> {
    let head = timeout(PATIENCE, read_head(&mut client)).await??;
    let Some((head, rest)) = head else {
        return refuse(&mut client, "431 Request Header Fields Too Large", "The request head is too long.").await;
    };
    let mut line = head.lines().next().unwrap_or_default().split_whitespace();
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    if method != "CONNECT" {
        return refuse(&mut client, "405 Method Not Allowed", "This proxy only does CONNECT.").await;
    }
    if !leads_to_salesforce(target) {
        let why = "This proxy leads only to *.salesforce.com:443, which is the local org.";
        return refuse(&mut client, "403 Forbidden", why).await;
    }
    let mut org = TcpStream::connect(https).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    org.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut org).await?;
    Ok(())
}

/// Whether a CONNECT target is one of Salesforce's hosts, on the TLS port.
fn leads_to_salesforce(target: &str) -> bool {
    target
        .rsplit_once(':')
        .filter(|(_, port)| *port == "443")
        .is_some_and(|(host, _)| host.to_ascii_lowercase().ends_with(".salesforce.com"))
}

/// The request head, and what came behind it; none when there is no end of it in sight.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read).into_owned(), rest)));
        }
        if read.len() >= MAX_HEAD {
            return Ok(None);
        }
        if client.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn refuse(client: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{why}\n"
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::leads_to_salesforce;

    #[test]
    fn it_leads_to_salesforce_only() {
        for target in ["login.salesforce.com:443", "a--b.sandbox.my.salesforce.com:443", "LOGIN.SALESFORCE.COM:443"] {
            assert!(leads_to_salesforce(target), "{target}");
        }
        for target in
            ["example.com:443", "login.salesforce.com:80", "login.salesforce.com", "evilsalesforce.com:443", ""]
        {
            assert!(!leads_to_salesforce(target), "{target}");
        }
    }
}
