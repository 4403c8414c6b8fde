//! [`RedisBackend`]: the schedule on a Redis or Valkey server.
//!
//! A limit is a hash, `apiqueue:3:{name}:state`, and a sorted set, `apiqueue:3:{name}:seen`, which the braces put into one hash
//! slot of a cluster. Each call is one script: one round trip, executed as a whole, with the server's clock. Both keys expire
//! a week after the last call, the last slot and the end of the last hold. Where one of them is missing, as after an eviction, both are made
//! anew, and nothing is granted for the caller's grace.

mod connect;
mod credentials;
mod keys;
mod link;
mod look;
mod meaning;
mod options;
mod pace;
mod script;
mod status;
mod target;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::backend::{self, Answer, Backend, BackendError, LimitState, Reply};
use crate::limit::FleetLimit;
pub use credentials::RedisCredentials;
use link::Link;
pub use options::RedisOptions;
use script::{Call, Script};
pub use status::RedisStatus;
use target::Target;

/// The schedule on a Redis or Valkey server, a primary that sentinels know, or a cluster.
///
/// A handle: clones share one connection, and one thread that serves it. The thread ends with the last of them. Calls can be
/// awaited on any executor.
///
/// # Servers
/// Redis 5.0 or later, 6.0 or later where there are users, and any Valkey. A server that runs no scripts, or is too old, is
/// refused with an error that says so. The rights that a user needs are `~apiqueue:*` and the commands of the crate's README,
/// `+select` where the URL names a database other than 0, and `+cluster|slots` in a cluster. Sentinels need none beside. The error
/// names what is missing.
///
/// # Keys and upgrades
/// The keys are `apiqueue:3:{NAME}:…`, with another beginning if [told](RedisOptions::key_prefix). The number is the version of what is
/// stored. Versions of this crate that store something else have another number, so that they cannot spoil each other's schedule.
/// But then **each number has a schedule of its own**: while hosts of both run, each of the two lets the whole rate through, and holds
/// and rates set by the one are not heard of by the other. Stop the hosts of the old version before those of the new one start, or
/// halve the rate meanwhile. The first call with the new number waits out the grace, as for a limit that nobody knows.
///
/// # When it goes wrong
/// A connection that breaks is made anew by the next call, which is none the worse for it if it broke before. One that can't be made, or
/// over which nothing is answered, is tried again 10 ms after the try began, and so on, doubling, up to a second. Where a server refuses
/// the credentials, the user's right to run scripts, or the certificate, it is 250 ms, doubling up to 10 s. Each pause is cut by up to a
/// half at random, so that the hosts of a fleet do not come back all at once. In a pause calls fail at once, with the error that began it.
/// One that is for credentials ends when their [provider](RedisOptions::credentials_from) has others. [`status`](Self::status) tells the
/// last error.
///
/// # Cancel safety
/// A call whose future is dropped is carried out all the same.
#[derive(Clone)]
pub struct RedisBackend {
    shared: Arc<Shared>,
}

struct Shared {
    work: Arc<Work>,
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
}

struct Work {
    link: Link,
    script: Script,
    /// How long keys are kept after their last use; zero for ever.
    keep: Duration,
}

impl RedisBackend {
    /// The limit of this name here, for [`Builder::shared`](apiqueue::Builder::shared): [`FleetLimit::new`].
    pub fn limit(&self, name: impl Into<String>) -> FleetLimit {
        FleetLimit::new(name, self.clone())
    }

    /// For a server at `url`:
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://user:password@host:6379/0` | user, password, port and database may be left out |
    /// | `rediss://…` | over TLS; needs the feature `tls` |
    /// | `redis+unix:///run/redis.sock?db=0&user=…&pass=…` | |
    /// | `redis-sentinel://user:password@host:26379,host:26379/service/0` | needs the feature `sentinel`. The user is the server's; sentinels are asked without one |
    /// | `redis-cluster://user:password@host:6379,host:6379` | some nodes of a cluster; needs the feature `cluster` |
    ///
    /// `valkey` and `valkeys` mean the same as `redis` and `rediss`, `rediss-sentinel` and `rediss-cluster` are over TLS. A
    /// password is percent-encoded. A database other than 0 takes the right to `+select` it.
    ///
    /// The connection is made by the first call, and made anew by the first call after it has broken.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the URL can't be used, or no thread could be started. A server that is away is not an
    /// error here.
    pub fn connect(url: &str) -> Result<Self, BackendError> {
        Self::connect_with(url, RedisOptions::default())
    }

    /// Like [`connect`](Self::connect), with other times, credentials, certificates or keys.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and [`BackendError::Refused`] with what of the options can't be used.
    pub fn connect_with(url: &str, options: RedisOptions) -> Result<Self, BackendError> {
        #[cfg(feature = "tls")]
        // Fails if the program has chosen one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let keep = options.keep;
        let link = Link::new(Target::parse(url)?, options)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // One: a connection knows by it whether a command was sent.
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("apiqueue-redis")
            .enable_all()
            .build()
            .map_err(|error| {
                BackendError::Refused(format!("no thread for the connection: {error}"))
            })?;
        let work = Arc::new(Work {
            link,
            script: Script::new(),
            keep,
        });
        let shared = Arc::new(Shared {
            work,
            runtime: Some(runtime),
        });
        Ok(Self { shared })
    }

    /// How many commands were sent so far. Those that make a connection do not count.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.shared.work.link.record.commands()
    }

    /// How the connection is doing: whether there is one, how many were made, and the last error. Does not block.
    #[must_use]
    pub fn status(&self) -> RedisStatus {
        self.shared.work.link.record.status()
    }

    /// Runs `work` on the thread of the connection.
    fn run<'a, T: Send + 'static>(
        &'a self,
        work: impl Future<Output = Result<T, BackendError>> + Send + 'static,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let Some(runtime) = &self.shared.runtime else {
                return Err(BackendError::Away("it was dropped".to_owned()));
            };
            let answer = runtime.spawn(work);
            answer
                .await
                .map_err(|error| BackendError::Away(error.to_string()))?
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A runtime that is dropped where it must not block panics.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend")
            .field("commands", &self.commands())
            .finish_non_exhaustive()
    }
}

impl Backend for RedisBackend {
    fn call<'a>(&'a self, limit: &'a str, call: backend::Call) -> Answer<'a, Reply> {
        let work = Arc::clone(&self.shared.work);
        let keys = work.link.keys.of(limit);
        let call = keys.map(|keys| Call::new(keys, work.keep, &call));
        self.run(async move { work.link.call(&work.script, call?, script::reply).await })
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        let work = Arc::clone(&self.shared.work);
        let keys = work.link.keys.of(limit);
        self.run(async move {
            let link = &work.link;
            let [time, state, seen] = look::commands(&keys?);
            let now = link.command(time, look::now).await?;
            let state = link.command(state, look::fields).await?;
            let seen = link.command(seen, look::members).await?;
            Ok(look::calendar(&state, seen).look(now))
        })
    }
}
