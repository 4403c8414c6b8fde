//! [`Paced`]: what makes a configuration of the SDK go through queues.

use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use apiqueue::{Registry, Route};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_runtime_api::client::identity::{ResolveCachedIdentity, SharedIdentityCache};
use aws_smithy_runtime_api::shared::IntoShared;
use aws_types::SdkConfig;

use crate::attempt::Attempt;
use crate::client::PacedHttpClient;
use crate::granted::Granted;
use crate::identity::PacedIdentityCache;

/// Lets every attempt that the SDK makes take its turn in the queue of its service, region and operation. Clones share the queues.
///
/// [`config`](Self::config) is all that most programs need. It puts a [`PacedIdentityCache`] into a configuration, where attempts wait
/// before they are signed, and a [`PacedHttpClient`], which sends them.
///
/// These requests have no turn when they come to the HTTP client, and wait there, signed already where they are:
///
/// | requests | why |
/// |---|---|
/// | those of credential providers, where the configuration's loader was given a [`PacedHttpClient`] | they have an identity cache of their own |
/// | S3 Express | it keeps its sessions in a cache of its own |
/// | those whose identity is of a kind that is not the SDK's | it can't be copied |
/// | those of a client whose own configuration sets an `identity_cache` | that one is asked instead |
///
/// Presigning sends nothing, and takes no turn.
///
/// # Cancel safety
/// Dropping the SDK's future leaves the line and costs nobody a turn. An attempt that had its turn and is dropped before it is sent
/// gives that back.
#[derive(Clone)]
pub struct Paced {
    route: Route<Attempt>,
    granted: Granted,
    attempt_timeout: Option<Duration>,
}

impl Paced {
    /// By queues whose keys are `service/region/operation`, such as `ec2/eu-west-1/DescribeSnapshots`.
    #[must_use]
    pub fn new(registry: Registry<String>) -> Self {
        Self::keyed(registry, Attempt::key)
    }

    /// By queues whose keys are of your own making.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry};
    /// use apiqueue_aws::{Attempt, Paced};
    ///
    /// // One queue for all operations of a service.
    /// let limits = Limits::new(Limit::None).set("route53", Limit::rate(Rate::per_second(4)?));
    /// let paced = Paced::keyed(Registry::from(limits), |attempt: &Attempt| attempt.service.clone());
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    #[must_use]
    pub fn keyed<K>(
        registry: Registry<K>,
        key: impl Fn(&Attempt) -> K + Send + Sync + 'static,
    ) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        Self::routed(Route::keyed(registry, key))
    }

    /// By this route, which says what answers do: hold, follow, charge. Or through this one [`ApiQueue`](apiqueue::ApiQueue).
    ///
    /// An error answer whose code the SDK takes for throttling counts as one with status 429.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use apiqueue::{Limit, Limits, Rate, Registry, Route, Throttled};
    /// use apiqueue_aws::{Attempt, Paced};
    ///
    /// let limits = Limits::new(Limit::None).set("ec2/*/Describe*", Limit::rate(Rate::per_second(9)?));
    /// let route = Route::keyed(Registry::from(limits), Attempt::key)
    ///     .hold(Throttled::default().without_hint(Duration::from_secs(2)));
    /// let paced = Paced::routed(route);
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    #[must_use]
    pub fn routed(route: impl Into<Route<Attempt>>) -> Self {
        Self {
            route: route.into(),
            granted: Granted::default(),
            attempt_timeout: None,
        }
    }

    /// How long an attempt may take from its turn to the head of its answer. An attempt that takes longer fails with a timeout, which
    /// the SDK retries. Default: [`config`](Self::config) takes the configuration's own.
    ///
    /// The SDK's `operation_attempt_timeout` begins before the attempt's turn, and so counts the wait in line.
    #[must_use]
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        Self {
            attempt_timeout: Some(timeout),
            ..self
        }
    }

    /// The same configuration with its HTTP client and identity cache paced, for the clients of all services.
    ///
    /// Its `operation_attempt_timeout` becomes [`attempt_timeout`](Self::attempt_timeout), so that it does not count the wait in line,
    /// unless that is set already. One that a service's own configuration sets does count it.
    ///
    /// # Errors
    /// [`NoHttpClient`] where the configuration names none, as then each service would make one of its own.
    pub fn config(&self, config: &SdkConfig) -> Result<SdkConfig, NoHttpClient> {
        let http = config.http_client().ok_or(NoHttpClient)?;
        let identities = config.identity_cache();
        let identities = identities.unwrap_or_else(|| IdentityCache::lazy().build());
        let timeouts = config.timeout_config().cloned();
        let of_attempt = timeouts
            .as_ref()
            .and_then(|it| it.operation_attempt_timeout());
        let timeouts = timeouts.map(|it| {
            let builder = it.to_builder();
            // Said to be off, since one that is not said at all may be taken from elsewhere.
            builder.disable_operation_attempt_timeout().build()
        });
        let paced = Self {
            attempt_timeout: self.attempt_timeout.or(of_attempt),
            ..self.clone()
        };
        let mut builder = config
            .to_builder()
            .http_client(paced.http_client(http))
            .identity_cache(paced.identity_cache(identities));
        builder.set_timeout_config(timeouts);
        Ok(builder.build())
    }

    /// The HTTP client alone, for configurations that are built by hand. Attempts wait before they are signed only where the identity
    /// cache is one of this same [`Paced`], or of a clone.
    #[must_use]
    pub fn http_client(&self, inner: impl HttpClient + 'static) -> PacedHttpClient {
        let (route, granted) = (self.route.clone(), self.granted.clone());
        PacedHttpClient::new(inner.into_shared(), route, granted, self.attempt_timeout)
    }

    /// The identity cache alone, before `inner`, which is `aws_config::identity::IdentityCache::lazy().build()` unless you have another.
    #[must_use]
    pub fn identity_cache(
        &self,
        inner: impl ResolveCachedIdentity + 'static,
    ) -> PacedIdentityCache {
        let inner: SharedIdentityCache = inner.into_shared();
        PacedIdentityCache::new(inner, self.route.clone(), self.granted.clone())
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced")
            .field("route", &self.route)
            .field("attempt_timeout", &self.attempt_timeout)
            .finish_non_exhaustive()
    }
}

/// A configuration of the SDK names no HTTP client that could be paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHttpClient;

impl fmt::Display for NoHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the SDK's configuration has no HTTP client to pace: give its loader one with http_client(…), such as that of aws-smithy-http-client",
        )
    }
}

impl Error for NoHttpClient {}
