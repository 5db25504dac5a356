//! The certificates of one run: a CA of its own, good for a fortnight and for the org's names only, and the server's.
//! The CA's key signs once and is forgotten; it never reaches a disk.

use std::{net::IpAddr, sync::Arc};

use jiff::{ToSpan, Zoned, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Days for which a run's certificates are good.
const DAYS: i32 = 14;

/// What a certificate is asked for.
pub(crate) struct Names {
    /// DNS names, `*.` allowed.
    pub(crate) dns: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

/// What a TLS listener needs, and what its clients need.
pub(crate) struct Certificates {
    /// The CA, for clients to trust: PEM.
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<rustls::ServerConfig>,
}

/// The certificates could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the certificate for HTTPS")]
pub(crate) enum CertificateError {
    Generate(#[from] rcgen::Error),
    Tls(#[from] rustls::Error),
}

impl Certificates {
    /// Makes a CA that is constrained to these names, and a server certificate for them.
    pub(crate) fn make(names: &Names) -> Result<Self, CertificateError> {
        let today = Zoned::now().with_time_zone(TimeZone::UTC).date();
        let ca = CertifiedIssuer::self_signed(ca_params(names, today), KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = leaf_params(names, today)?.signed_by(&key, &ca)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), ca.der().clone()], key)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { ca_pem: ca.pem(), server: Arc::new(server) })
    }
}

fn ca_params(names: &Names, today: Date) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject("Tombolo local org CA (this run only)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let dns = names.dns.iter().map(|name| GeneralSubtree::DnsName(name.trim_start_matches("*.").to_owned()));
    let ip = names.addresses.iter().map(|address| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, bits))
    });
    let permitted_subtrees = dns.chain(ip).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    set_validity(&mut params, today);
    params
}

fn leaf_params(names: &Names, today: Date) -> Result<CertificateParams, rcgen::Error> {
    let addresses = names.addresses.iter().map(IpAddr::to_string);
    let mut params = CertificateParams::new(names.dns.iter().cloned().chain(addresses).collect::<Vec<_>>())?;
    params.distinguished_name = subject("Tombolo local org");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, today);
    Ok(params)
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// From yesterday, for clocks that are behind, to a fortnight from now.
fn set_validity(params: &mut CertificateParams, today: Date) {
    let from = today.saturating_sub(1.day());
    let until = today.saturating_add(DAYS.days());
    let day =
        |date: Date| date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.not_before = day(from);
    params.not_after = day(until);
}
