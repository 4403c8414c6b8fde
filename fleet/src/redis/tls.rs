//! [`Certificates`]: whom to trust, and who we are, over TLS.

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::backend::BackendError;

/// In PEM.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    /// Whom to trust, instead of those whom the system does.
    pub(super) roots: Option<Vec<u8>>,
    /// Our certificate, with those between it and its root, and its key.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_none() && self.client.is_none()
    }

    /// # Errors
    /// What can't be read, or does not belong together. A key is not repeated.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        let mut store = RootCertStore::empty();
        if let Some(roots) = &self.roots {
            for root in chain(roots, "root certificates")? {
                store
                    .add(root)
                    .map_err(|error| refused("root certificates", &error.to_string()))?;
            }
        }
        let Some((certificate, key)) = &self.client else {
            return Ok(());
        };
        let certificate = chain(certificate, "client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| refused("client certificate's key", &error.to_string()))?;
        rustls::ClientConfig::builder()
            .with_root_certificates(store)
            .with_client_auth_cert(certificate, key)
            .map_err(|error| refused("client certificate and its key", &error.to_string()))?;
        Ok(())
    }

    pub(super) fn to_redis(&self) -> Option<TlsCertificates> {
        (!self.is_empty()).then(|| TlsCertificates {
            client_tls: self
                .client
                .clone()
                .map(|(client_cert, client_key)| ClientTlsConfig {
                    client_cert,
                    client_key,
                }),
            root_cert: self.roots.clone(),
        })
    }
}

fn chain(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, BackendError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refused(what, &error.to_string()))?;
    if chain.is_empty() {
        return Err(refused(what, "there is no certificate in the PEM text"));
    }
    Ok(chain)
}

fn refused(what: &str, why: &str) -> BackendError {
    BackendError::Refused(format!("the {what} can't be used: {why}"))
}
