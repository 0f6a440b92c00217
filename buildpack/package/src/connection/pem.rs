//! Whether a text is the PEM that a peer needs. What is in it, the peer tells when it dials.

use rustls_pki_types::pem::{PemObject, SectionKind};

/// What a text has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// At least one certificate (Go's `CertPool.AppendCertsFromPEM`, `tls.X509KeyPair`).
    Certificate,
    /// A private key that no password protects (`tls.X509KeyPair`).
    Key,
}

/// What is wrong with a text that should be PEM. Reads on from the field's name; never shows the
/// text, which may be a key wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// `"a\\nb"` where `"a\nb"` was meant.
    #[error(
        "holds a backslash and an n where its lines should end: one backslash too many in the JSON"
    )]
    Escaped,
    /// All on one line, as `tr` and YAML make it.
    #[error("has its lines run together: in JSON each ends with `\\n`")]
    OneLine,
    /// A key where a certificate is due, or the other way round.
    #[error("holds PEM, but no {wanted}: it must have a `{label}`")]
    Other {
        /// What is due.
        wanted: &'static str,
        /// How that begins.
        label: &'static str,
    },
    /// A file's name, base64 alone, or half of it.
    #[error("is no PEM: it must be the text itself of a {wanted}, from `{label}` to its END line")]
    None {
        /// What is due.
        wanted: &'static str,
        /// How that begins.
        label: &'static str,
    },
}

impl Wanted {
    /// Checks a text that is not empty.
    pub(super) fn check(self, text: &str) -> Result<(), PemFault> {
        let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes());
        let kinds: Vec<SectionKind> = sections.flatten().map(|(kind, _)| kind).collect();
        if kinds.iter().any(|kind| self.is(*kind)) {
            return Ok(());
        }
        let (wanted, label) = self.words();
        let begins = text.contains("-----BEGIN ");
        Err(if begins && text.contains("\\n") {
            PemFault::Escaped
        } else if begins && !text.trim().contains('\n') {
            PemFault::OneLine
        } else if kinds.is_empty() {
            PemFault::None { wanted, label }
        } else {
            PemFault::Other { wanted, label }
        })
    }

    fn is(self, kind: SectionKind) -> bool {
        match self {
            Self::Certificate => kind == SectionKind::Certificate,
            Self::Key => matches!(
                kind,
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
            ),
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Certificate => ("certificate", "-----BEGIN CERTIFICATE-----"),
            Self::Key => ("private key without a password", "-----BEGIN PRIVATE KEY-----"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\nc2VjcmV0\n-----END {label}-----\n")
    }

    #[test]
    fn pem_of_the_right_kind() {
        let certificate = pem("CERTIFICATE");
        for text in [
            certificate.clone(),
            certificate.trim_end().to_owned(),
            certificate.replace('\n', "\r\n"),
            format!("Subject: somebody\n{certificate}{certificate}"),
            format!("{}{certificate}", pem("PRIVATE KEY")),
        ] {
            assert_eq!(Wanted::Certificate.check(&text), Ok(()), "{text}");
        }
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
            assert_eq!(Wanted::Key.check(&pem(label)), Ok(()), "{label}");
            let text = format!("{}{}", pem("EC PARAMETERS"), pem(label));
            assert_eq!(Wanted::Key.check(&text), Ok(()), "{label}");
        }
    }

    #[test]
    fn what_is_none_is_told_without_showing_it() {
        let certificate = pem("CERTIFICATE");
        for (text, told) in [
            (certificate.replace('\n', "\\n"), "holds a backslash and an n"),
            (certificate.replace('\n', " "), "has its lines run together"),
            (certificate.replace('\n', ""), "has its lines run together"),
            (pem("PRIVATE KEY"), "holds PEM, but no certificate"),
            ("/etc/secret.pem".to_owned(), "is no PEM"),
            ("c2VjcmV0".to_owned(), "is no PEM"),
            (certificate.replace("-----END", "END"), "is no PEM"),
            (certificate.replace("c2Vj", "secret!"), "is no PEM"),
            (pem("TRUSTED CERTIFICATE"), "is no PEM: it must be the text itself of a certificate"),
        ] {
            let fault = Wanted::Certificate.check(&text).unwrap_err().to_string();
            assert!(fault.starts_with(told), "{text}: {fault}");
            assert!(!fault.contains("c2Vj") && !fault.contains("secret"), "{fault}");
        }
        for (label, told) in [
            ("CERTIFICATE", "holds PEM, but no private key without a password"),
            ("ENCRYPTED PRIVATE KEY", "is no PEM: it must be the text itself of a private key wi"),
        ] {
            let fault = Wanted::Key.check(&pem(label)).unwrap_err().to_string();
            assert!(fault.starts_with(told), "{label}: {fault}");
        }
    }
}
