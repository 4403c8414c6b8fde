//! [`Connector`]: makes a [`Connection`].

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, Value,
};

use super::credentials::RedisCredentials;
use super::meaning::Meaning;
use super::target::{Place, tcp_settings};
#[cfg(feature = "tls")]
use super::tls::Certificates;

#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

/// Why a command was not answered, and whether it may have been sent.
pub(super) struct Unanswered {
    pub(super) error: RedisError,
    pub(super) sent: bool,
}

impl Connection {
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, Unanswered> {
        let (answer, at_once) = match self {
            Self::One(connection) => {
                let mut sending = pin!(command.query_async(connection));
                // What writes and reads is another task of this thread: an error at the first poll means that it had ended before.
                match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
                    Poll::Ready(answer) => (answer, true),
                    Poll::Pending => (sending.await, false),
                }
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => (command.query_async(connection).await, false),
        };
        answer.map_err(|error| Unanswered {
            sent: !(at_once && error.is_io_error()),
            error,
        })
    }
}

/// How to get to a server.
pub(super) struct Connector {
    pub(super) place: Place,
    pub(super) database: i64,
    /// For making a connection to a node, and for its answers.
    #[cfg(feature = "cluster")]
    pub(super) timeouts: (std::time::Duration, std::time::Duration),
    #[cfg(feature = "tls")]
    pub(super) certificates: Certificates,
}

/// A connection, and to whom.
pub(super) type Made = (Connection, Option<ConnectionAddr>);

impl Connector {
    /// As `who`. A server at `demoted` is taken only if sentinels name no other.
    pub(super) async fn connect(
        &self,
        who: Option<&RedisCredentials>,
        demoted: Option<&ConnectionAddr>,
    ) -> RedisResult<Made> {
        #[cfg(not(feature = "sentinel"))]
        let _ = demoted;
        match &self.place {
            Place::One(address) => self.server(address, who).await,
            #[cfg(feature = "sentinel")]
            Place::Sentinel { sentinels, service } => {
                self.primary(sentinels, service, who, demoted).await
            }
            #[cfg(feature = "cluster")]
            Place::Cluster(nodes) => self.cluster(nodes, who).await,
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        #[cfg(feature = "cluster")]
        return matches!(self.place, Place::Cluster(_));
        #[cfg(not(feature = "cluster"))]
        false
    }

    async fn server(
        &self,
        address: &ConnectionAddr,
        who: Option<&RedisCredentials>,
    ) -> RedisResult<Made> {
        let mut connection = open(self.client(address)?).await?;
        // Not by the redis crate, which keeps to itself why it was refused.
        if let Some(who) = who {
            let mut command = redis::cmd("AUTH");
            if let Some(user) = who.user() {
                command.arg(user);
            }
            command.arg(who.secret());
            command.query_async::<Value>(&mut connection).await?;
        }
        if self.database != 0 {
            let mut command = redis::cmd("SELECT");
            command.arg(self.database);
            command.query_async::<Value>(&mut connection).await?;
        }
        if who.is_none() && self.database == 0 {
            // A server that hangs takes connections all the same. What it is sent then it carries out when it goes on, for nobody.
            let ping = redis::cmd("PING");
            // A user without the right to it is answered, too.
            if let Err(error) = ping.query_async::<Value>(&mut connection).await
                && Meaning::of(&error).ends_connection()
            {
                return Err(error);
            }
        }
        Ok((Connection::One(connection), Some(address.clone())))
    }

    fn client(&self, address: &ConnectionAddr) -> RedisResult<Client> {
        // Without the library's name, which takes rights that nothing else needs.
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let info = address
            .clone()
            .into_connection_info()?
            .set_tcp_settings(tcp_settings())
            .set_redis_settings(settings);
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.certificates.to_redis() {
            return Client::build_with_tls(info, certificates);
        }
        Client::open(info)
    }

    /// Asks all sentinels at once, and takes the first primary that can be connected to: one that says nothing does not hide the
    /// others.
    #[cfg(feature = "sentinel")]
    async fn primary(
        &self,
        sentinels: &[ConnectionAddr],
        service: &str,
        who: Option<&RedisCredentials>,
        demoted: Option<&ConnectionAddr>,
    ) -> RedisResult<Made> {
        let mut asked = tokio::task::JoinSet::new();
        for sentinel in sentinels {
            let (client, sentinel) = (self.client(sentinel)?, sentinel.clone());
            let service = service.to_owned();
            asked.spawn(async move { named(client, &sentinel, &service).await });
        }
        let (mut last_resort, mut why) = (None, None);
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(address)) if Some(&address) == demoted => last_resort = Some(address),
                Ok(Ok(address)) => match self.server(&address, who).await {
                    Ok(made) => return Ok(made),
                    Err(error) => why = Some(error),
                },
                // What the primary said tells more.
                Ok(Err(error)) => why = why.or(Some(error)),
                Err(_) => {}
            }
        }
        match last_resort {
            Some(address) => self.server(&address, who).await,
            None => Err(why.unwrap_or_else(|| unknown(service))),
        }
    }

    #[cfg(feature = "cluster")]
    async fn cluster(
        &self,
        nodes: &[ConnectionAddr],
        who: Option<&RedisCredentials>,
    ) -> RedisResult<Made> {
        let nodes = nodes
            .iter()
            .map(|address| address.clone().into_connection_info())
            .collect::<RedisResult<Vec<_>>>()?;
        let mut builder = redis::cluster::ClusterClientBuilder::new(nodes)
            // A command whose connection broke may have been executed: only what was not is sent again, by the link.
            .retries(0)
            .tcp_settings(tcp_settings())
            .connection_timeout(self.timeouts.0)
            .response_timeout(self.timeouts.1)
            // The link's own is around it.
            .overall_response_timeout(None);
        if self.database != 0 {
            builder = builder.database_id(self.database);
        }
        if let Some(who) = who {
            if let Some(user) = who.user() {
                builder = builder.username(user);
            }
            builder = builder.password(who.secret());
        }
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.certificates.to_redis() {
            builder = builder.certs(certificates);
        }
        let connection = builder.build()?.get_async_connection().await?;
        Ok((Connection::Cluster(connection), None))
    }
}

/// Without times of its own: the link measures around everything that belongs to them.
async fn open(client: Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// The primary that a sentinel names, reached as the sentinel is.
#[cfg(feature = "sentinel")]
async fn named(
    client: Client,
    sentinel: &ConnectionAddr,
    service: &str,
) -> RedisResult<ConnectionAddr> {
    let mut connection = open(client).await?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(service);
    let answer: Option<(String, u16)> = command.query_async(&mut connection).await?;
    let (host, port) = answer.ok_or_else(|| unknown(service))?;
    Ok(match sentinel {
        ConnectionAddr::TcpTls { insecure, .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: None,
        },
        _ => ConnectionAddr::Tcp(host, port),
    })
}

#[cfg(feature = "sentinel")]
fn unknown(service: &str) -> RedisError {
    RedisError::from((
        redis::ErrorKind::ClusterConnectionNotFound,
        "no sentinel knows the service",
        service.to_owned(),
    ))
}
