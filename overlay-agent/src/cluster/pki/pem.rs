//! PEM (RFC 7468): how certificates, requests and keys are written.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, pem::PemObject as _};
use zeroize::Zeroizing;

/// Characters on a line.
const LINE: usize = 64;

/// One section.
pub(super) fn section(label: &str, der: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(STANDARD.encode(der));
    // Nothing is copied while it grows, so that no piece of a key stays behind.
    let room = digits.len() + digits.len() / LINE + 2 * (label.len() + 20);
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// A certificate.
pub(super) fn certificate(der: &CertificateDer<'_>) -> String {
    String::clone(&section("CERTIFICATE", der))
}

/// A request for a certificate.
pub(super) fn request(der: &CertificateSigningRequestDer<'_>) -> String {
    String::clone(&section("CERTIFICATE REQUEST", der))
}

/// Every certificate of a text; other sections are passed over.
pub(super) fn read_certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .ok()
}

/// The first certificate of a text.
pub(super) fn read_certificate(text: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(text.as_bytes()).ok()
}

/// The first request of a text.
pub(super) fn read_request(text: &str) -> Option<CertificateSigningRequestDer<'static>> {
    CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).ok()
}
