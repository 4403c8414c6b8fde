//! [`RedisBackend`]: the schedule on a Redis or Valkey server.
//!
//! A limit is a hash, `apiqueue:{name}:state`, and a sorted set, `apiqueue:{name}:seen`, which the braces put into one hash
//! slot of a cluster. Each call is one script: one round trip, executed as a whole, with the server's clock. Both keys expire
//! a week after the last call, the last slot and the end of the last hold. Where one of them is missing, as after an eviction, both are made
//! anew, and nothing is granted for the caller's grace.

mod link;
mod look;
mod script;
mod target;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::runtime::Runtime;

use crate::backend::{Answer, Backend, BackendError, Call, LimitState, Reply};
use crate::limit::FleetLimit;
use link::Link;
use script::{Keys, Script};
use target::Target;

/// The schedule on a Redis or Valkey server, a primary that sentinels know, or a cluster.
///
/// A handle: clones share one connection, and one thread that serves it. The thread ends with the last of them. Calls can be
/// awaited on any executor.
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
}

/// How a [`RedisBackend`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisOptions {
    /// How long making a connection may take, name resolution and authentication included. One second by default.
    pub connect_timeout: Duration,
    /// How long an answer may take. One second by default. A connection without an answer for so long is given up.
    pub response_timeout: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }
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
    /// password is percent-encoded.
    ///
    /// The connection is made by the first call, and made anew by the first call after it has broken.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the URL can't be used, or no thread could be started. A server that is away is not an
    /// error here.
    pub fn connect(url: &str) -> Result<Self, BackendError> {
        Self::connect_with(url, RedisOptions::default())
    }

    /// Like [`connect`](Self::connect), with other times.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub fn connect_with(url: &str, options: RedisOptions) -> Result<Self, BackendError> {
        let target = Target::parse(url)?;
        #[cfg(feature = "tls")]
        // Fails if the program has chosen one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(1)
            .thread_name("apiqueue-redis")
            .enable_all()
            .build()
            .map_err(|error| {
                BackendError::Refused(format!("no thread for the connection: {error}"))
            })?;
        let link = Link::new(target, options.connect_timeout, options.response_timeout);
        let work = Arc::new(Work {
            link,
            script: Script::new(),
        });
        let shared = Arc::new(Shared {
            work,
            runtime: Some(runtime),
        });
        Ok(Self { shared })
    }

    /// How many commands were sent so far.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.shared.work.link.commands()
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
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        let call = Keys::of(limit).map(|keys| keys.with(&call));
        let work = Arc::clone(&self.shared.work);
        self.run(async move {
            let value = work.link.call(&work.script, call?).await?;
            script::reply(&value).ok_or_else(|| not_an_answer(&value))
        })
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        let keys = Keys::of(limit);
        let work = Arc::clone(&self.shared.work);
        self.run(async move {
            let keys = keys?;
            let mut answers = Vec::new();
            for command in look::commands(&keys) {
                answers.push(work.link.command(command).await?);
            }
            look::state(&answers).ok_or_else(|| not_an_answer(&Value::Array(answers)))
        })
    }
}

fn not_an_answer(value: &Value) -> BackendError {
    BackendError::Refused(format!("it answered {value:?}"))
}
