//! [`RedisOptions`]: how a server is reached.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::credentials::{Provider, RedisCredentials, Source};
use super::keys::{DEFAULT_PREFIX, KeySpace};
#[cfg(feature = "tls")]
use super::tls::Certificates;
use crate::backend::BackendError;

/// How a [`RedisBackend`](crate::RedisBackend) is reached, for [`connect_with`](crate::RedisBackend::connect_with), which says what
/// can't be used. `Debug` shows no secret.
///
/// ```
/// use std::time::Duration;
/// use apiqueue_fleet::{RedisBackend, RedisCredentials, RedisOptions};
///
/// # fn token() -> Result<String, std::io::Error> { Ok("t".to_owned()) }
/// let options = RedisOptions::new()
///     .connect_timeout(Duration::from_millis(500))
///     .key_prefix("scanners")
///     .credentials_from(|| Ok(RedisCredentials::new("scanner", token()?)));
/// let redis = RedisBackend::connect_with("redis://127.0.0.1/", options)?;
/// # Ok::<(), apiqueue_fleet::BackendError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) keep: Duration,
    prefix: String,
    credentials: Credentials,
    #[cfg(feature = "tls")]
    pub(super) certificates: Certificates,
}

#[derive(Clone)]
enum Credentials {
    OfTheUrl,
    Given(RedisCredentials),
    From(Provider),
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);

impl RedisOptions {
    /// A second for a connection and for an answer, keys that begin with `apiqueue`, and what the URL says.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            keep: WEEK,
            prefix: DEFAULT_PREFIX.to_owned(),
            credentials: Credentials::OfTheUrl,
            #[cfg(feature = "tls")]
            certificates: Certificates::default(),
        }
    }

    /// How long making a connection may take, name resolution, TLS and authentication included: 1 ms to an hour, a second unless
    /// told. A node of a cluster has half of it, so that one that says nothing does not hide the others.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an answer may take: 1 ms to an hour, a second unless told. A connection without an answer for so long is given up.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Keeps the keys of a limit for ever, and not for a week after their last use: a server whose `maxmemory-policy` is one of the `volatile-…`
    /// ones evicts keys that expire, and no others. A user with few rights needs `+persist` for it.
    #[must_use]
    pub fn keep_forever(mut self) -> Self {
        self.keep = Duration::ZERO;
        self
    }

    /// What the names of all keys begin with, `apiqueue` unless told: the keys are `PREFIX:2:{NAME}:…`. 1 to 100 printable ASCII
    /// characters, without braces, brackets, quotes, `*`, `?` and backslashes. Hosts that share a limit need the same.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Who connects, instead of whom the URL names.
    #[must_use]
    pub fn credentials(mut self, credentials: RedisCredentials) -> Self {
        self.credentials = Credentials::Given(credentials);
        self
    }

    /// Who connects, asked for at each new connection: for passwords that are changed, and tokens that expire. Instead of whom the
    /// URL names.
    ///
    /// While the server refuses the credentials, the provider is asked at each call, and a connection is tried at once when it gives
    /// others than those refused: it should answer from memory. It may block, in a thread of its own, for as long as the
    /// [`connect_timeout`](Self::connect_timeout), which begins anew with its answer; what comes later is used for the next attempt. An error, a panic or no answer
    /// means that the backend is away.
    ///
    /// A connection that is live stays as it is when the credentials change: the server took them when it was made. It lasts until
    /// the server ends it, as Redis does where a user is deleted and managed services do some time after a token has expired; the
    /// next call then connects with what the provider gives by now. The nodes of a cluster are all connected to with what the first
    /// was.
    #[must_use]
    pub fn credentials_from(
        mut self,
        provider: impl Fn() -> Result<RedisCredentials, Box<dyn Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.credentials = Credentials::From(Arc::new(provider));
        self
    }

    /// Whom to trust over TLS, instead of the authorities that the system trusts: one or more certificates, in PEM.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.roots = Some(pem.into());
        self
    }

    /// Who this client is, over TLS (mTLS): its certificate, followed by those between it and its authority if there are any, and its
    /// private key, both in PEM. Read once: another certificate takes another backend.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.certificates.client = Some((certificate_pem.into(), key_pem.into()));
        self
    }

    /// # Errors
    /// What can't be used.
    pub(super) fn check(&self) -> Result<KeySpace, BackendError> {
        for (what, span) in [
            ("connect timeout", self.connect_timeout),
            ("response timeout", self.response_timeout),
        ] {
            if !(SHORTEST..=LONGEST).contains(&span) {
                return Err(BackendError::Refused(format!(
                    "a {what} of {span:?} is not in {SHORTEST:?}..={LONGEST:?}"
                )));
            }
        }
        #[cfg(feature = "tls")]
        self.certificates.check()?;
        KeySpace::new(&self.prefix)
    }

    /// With those of the URL.
    pub(super) fn source(&self, of_the_url: Option<RedisCredentials>) -> Source {
        match &self.credentials {
            Credentials::OfTheUrl => Source::Fixed(of_the_url),
            Credentials::Given(credentials) => Source::Fixed(Some(credentials.clone())),
            Credentials::From(provider) => Source::Provider {
                ask: Arc::clone(provider),
                late: tokio::sync::Mutex::default(),
            },
        }
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("RedisOptions");
        all.field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("key_prefix", &self.prefix);
        match &self.credentials {
            Credentials::OfTheUrl => {}
            Credentials::Given(credentials) => drop(all.field("credentials", credentials)),
            Credentials::From(_) => drop(all.field("credentials_from", &"a provider")),
        }
        #[cfg(feature = "tls")]
        {
            let roots = self.certificates.roots.as_ref().map(|_| "given");
            let client = self.certificates.client.as_ref().map(|_| "given");
            all.field("root_certificates", &roots)
                .field("client_certificate", &client);
        }
        all.finish()
    }
}
