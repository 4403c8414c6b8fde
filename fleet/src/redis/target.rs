//! [`Target`]: what a URL says about where the server is.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use super::credentials::RedisCredentials;
use crate::backend::BackendError;

/// A URL's parts.
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) database: i64,
    /// `None` where the URL has no password.
    pub(super) credentials: Option<RedisCredentials>,
}

/// Where to connect to. Without user and database.
pub(super) enum Place {
    /// One server.
    One(ConnectionAddr),
    /// The primary that these sentinels name.
    #[cfg(feature = "sentinel")]
    Sentinel {
        sentinels: Vec<ConnectionAddr>,
        service: String,
    },
    /// The cluster that these are some nodes of.
    #[cfg(feature = "cluster")]
    Cluster(Vec<ConnectionAddr>),
}

/// The schemes besides those of the redis crate.
#[derive(Clone, Copy, PartialEq)]
enum Several {
    Sentinel,
    Cluster,
}

impl Target {
    /// # Errors
    /// [`BackendError::Refused`] says what is wrong, without repeating the URL: it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, BackendError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(refused("it has no scheme such as redis://"));
        };
        let (several, single) = match scheme {
            "redis-sentinel" => (Several::Sentinel, "redis"),
            "rediss-sentinel" => (Several::Sentinel, "rediss"),
            "redis-cluster" => (Several::Cluster, "redis"),
            "rediss-cluster" => (Several::Cluster, "rediss"),
            _ => {
                let info = server(url)?;
                let place = Place::One(info.addr().clone());
                return Self::of(place, info.redis_settings());
            }
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (service, database) = match several {
            Several::Sentinel => path.split_once('/').unwrap_or((path, "")),
            Several::Cluster => ("", path),
        };
        let mut nodes = Vec::new();
        let mut settings = RedisConnectionInfo::default();
        for host in hosts.split(',') {
            let info = server(&format!("{single}://{user}{host}/{database}"))?;
            nodes.push(info.addr().clone());
            settings = info.redis_settings().clone();
        }
        let place = match several {
            Several::Sentinel => sentinel(nodes, service)?,
            Several::Cluster => cluster(nodes)?,
        };
        Self::of(place, &settings)
    }

    fn of(place: Place, settings: &RedisConnectionInfo) -> Result<Self, BackendError> {
        let (user, password) = (settings.username(), settings.password());
        if user.is_some() && password.is_none() {
            return Err(refused("it has a user without a password"));
        }
        Ok(Self {
            place,
            database: settings.db(),
            credentials: RedisCredentials::of(user, password),
        })
    }

    #[cfg(feature = "tls")]
    pub(super) fn is_over_tls(&self) -> bool {
        let address = match &self.place {
            Place::One(address) => Some(address),
            #[cfg(feature = "sentinel")]
            Place::Sentinel { sentinels, .. } => sentinels.first(),
            #[cfg(feature = "cluster")]
            Place::Cluster(nodes) => nodes.first(),
        };
        matches!(address, Some(ConnectionAddr::TcpTls { .. }))
    }
}

#[cfg(feature = "sentinel")]
fn sentinel(sentinels: Vec<ConnectionAddr>, service: &str) -> Result<Place, BackendError> {
    if service.is_empty() {
        return Err(refused(
            "it names no service: redis-sentinel://host:port,host:port/service",
        ));
    }
    Ok(Place::Sentinel {
        sentinels,
        service: service.to_owned(),
    })
}

#[cfg(not(feature = "sentinel"))]
fn sentinel(_: Vec<ConnectionAddr>, _: &str) -> Result<Place, BackendError> {
    Err(refused("it needs the feature `sentinel` of apiqueue-fleet"))
}

#[cfg(feature = "cluster")]
fn cluster(nodes: Vec<ConnectionAddr>) -> Result<Place, BackendError> {
    Ok(Place::Cluster(nodes))
}

#[cfg(not(feature = "cluster"))]
fn cluster(_: Vec<ConnectionAddr>) -> Result<Place, BackendError> {
    Err(refused("it needs the feature `cluster` of apiqueue-fleet"))
}

fn server(url: &str) -> Result<ConnectionInfo, BackendError> {
    url.into_connection_info()
        .map_err(|error| refused(&error.to_string()))
}

pub(super) fn refused(why: &str) -> BackendError {
    BackendError::Refused(format!("the URL can't be used: {why}"))
}

/// Small commands are sent at once. An idle connection is kept alive in what lies on the way, and one whose other end has gone
/// is noticed before the next call.
pub(super) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive)
}
