//! [`Link`]: one connection for all calls, made anew by the next call after it has failed.
//!
//! Not the redis crate's `ConnectionManager`: that one goes on with a connection whose server has become a read-only replica,
//! or from which nothing comes any more because a box on the way has forgotten it; and it can't ask sentinels again.
//!
//! | the server's answer | then |
//! |---|---|
//! | `NOSCRIPT` | the script's text is sent |
//! | `MOVED` (cluster), `READONLY` (it was demoted) | nothing was done: sent again, over a new connection in the latter case |
//! | `CLUSTERDOWN`, `LOADING`, `MASTERDOWN`, `ASK`, `TRYAGAIN` | the backend is away |
//! | none in time, or the connection broke | the backend is away, the connection is dropped; never sent again |
//! | any other error | refused |

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::script::{Call, Script};
use super::target::Target;
use crate::backend::BackendError;

/// How often a command goes out that was not executed.
const ATTEMPTS: u32 = 3;

pub(super) struct Link {
    target: Target,
    connect_timeout: Duration,
    response_timeout: Duration,
    state: Mutex<State>,
    /// Commands sent.
    commands: AtomicU64,
}

#[derive(Default)]
struct State {
    live: Option<(u64, Connection)>,
    failed: Option<(Instant, BackendError)>,
    connects: u64,
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

impl Connection {
    async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(connection) => command.query_async(connection).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

impl Link {
    pub(super) fn new(
        target: Target,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Self {
        Self {
            target,
            connect_timeout,
            response_timeout,
            state: Mutex::default(),
            commands: AtomicU64::new(0),
        }
    }

    pub(super) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Has the server run a script.
    pub(super) async fn call(&self, script: &Script, call: Call) -> Result<Value, BackendError> {
        self.send(script.short(&call), Some(&|| script.long(&call)))
            .await
    }

    /// Has the server carry out a command.
    pub(super) async fn command(&self, command: Cmd) -> Result<Value, BackendError> {
        self.send(command, None).await
    }

    /// `long` is what to send where the server does not know the script.
    async fn send(
        &self,
        mut command: Cmd,
        long: Option<&(dyn Fn() -> Cmd + Send + Sync)>,
    ) -> Result<Value, BackendError> {
        let since = Instant::now();
        let mut attempt = 1;
        loop {
            let (number, mut connection) = self.connection(since).await?;
            self.commands.fetch_add(1, Ordering::Relaxed);
            let error = match timeout(self.response_timeout, connection.send(&command)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.drop_connection(number).await;
                    return Err(BackendError::Away(format!(
                        "no answer within {:?}",
                        self.response_timeout
                    )));
                }
            };
            let again = attempt < ATTEMPTS;
            match error.kind() {
                _ if is_read_only(&error) => {
                    self.drop_connection(number).await;
                    if !again {
                        return Err(BackendError::Away(error.to_string()));
                    }
                }
                ErrorKind::Server(ServerErrorKind::NoScript) if again => {
                    let Some(long) = long else {
                        return Err(meaning(&error));
                    };
                    command = long();
                }
                ErrorKind::Server(ServerErrorKind::Moved) if again && self.is_cluster() => {}
                _ => {
                    if breaks(&error) {
                        self.drop_connection(number).await;
                    }
                    return Err(meaning(&error));
                }
            }
            attempt += 1;
        }
    }

    /// The live connection, or a new one. Those who wait meanwhile for an attempt that fails fail with it.
    async fn connection(&self, since: Instant) -> Result<(u64, Connection), BackendError> {
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        if let Some((at, error)) = &state.failed
            && *at > since
        {
            return Err(error.clone());
        }
        let made = match timeout(self.connect_timeout, self.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(meaning(&error)),
            Err(_) => Err(BackendError::Away(format!(
                "no connection within {:?}",
                self.connect_timeout
            ))),
        };
        match made {
            Ok(connection) => {
                state.connects += 1;
                let live = (state.connects, connection);
                state.live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<Connection> {
        // Both times are measured here, around everything that belongs to them.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        match &self.target {
            Target::One(info) => {
                let client = Client::open((**info).clone())?;
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                Ok(Connection::One(connection.await?))
            }
            #[cfg(feature = "sentinel")]
            Target::Sentinel { sentinels, service } => {
                let mut client = sentinel_client(sentinels, service)?;
                let connection = client.get_async_connection_with_config(&config);
                Ok(Connection::One(connection.await?))
            }
            #[cfg(feature = "cluster")]
            Target::Cluster(nodes) => {
                let client = redis::cluster::ClusterClientBuilder::new(nodes.clone())
                    // A command whose connection broke may have been executed: only what was not is sent again, above.
                    .retries(0)
                    .connection_timeout(self.connect_timeout)
                    .response_timeout(self.response_timeout)
                    .build()?;
                Ok(Connection::Cluster(client.get_async_connection().await?))
            }
        }
    }

    fn is_cluster(&self) -> bool {
        #[cfg(feature = "cluster")]
        return matches!(self.target, Target::Cluster(_));
        #[cfg(not(feature = "cluster"))]
        false
    }

    /// Drops the connection of this number, unless another one has taken its place.
    async fn drop_connection(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.live.as_ref().is_some_and(|(live, _)| *live == number) {
            state.live = None;
        }
    }
}

#[cfg(feature = "sentinel")]
fn sentinel_client(
    sentinels: &[redis::ConnectionInfo],
    service: &str,
) -> RedisResult<redis::sentinel::SentinelClient> {
    use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
    use redis::{ConnectionAddr, TlsMode};

    let addresses = sentinels.iter().map(|info| info.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?;
    // The URL's user is the servers'. The sentinels are asked without one.
    if let Some(info) = sentinels.first() {
        let redis = info.redis_settings();
        builder = builder.set_client_to_redis_db(redis.db());
        if let Some(username) = redis.username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
    }
    builder.build()
}

/// Whether the server does not write. Servers before version 7 say so in the text of a script's error.
fn is_read_only(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly))
        || error
            .detail()
            .is_some_and(|detail| detail.contains("-READONLY "))
}

/// Whether to make a new connection after this error.
fn breaks(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown
        ),
        _ => true,
    }
}

fn meaning(error: &RedisError) -> BackendError {
    let why = error.to_string();
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::Ask
            | ServerErrorKind::Moved
            | ServerErrorKind::TryAgain,
        )
        | ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel => BackendError::Away(why),
        _ => BackendError::Refused(why),
    }
}
