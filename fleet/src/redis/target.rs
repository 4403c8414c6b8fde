//! [`Target`]: what a URL says about where the server is.

use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::backend::BackendError;

/// Where to connect to.
pub(super) enum Target {
    /// One server.
    One(Box<ConnectionInfo>),
    /// The primary that these sentinels name.
    #[cfg(feature = "sentinel")]
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
    },
    /// The cluster that these are some nodes of.
    #[cfg(feature = "cluster")]
    Cluster(Vec<ConnectionInfo>),
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
            _ => return server(url).map(|info| Self::One(Box::new(info))),
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
        for host in hosts.split(',') {
            nodes.push(server(&format!("{single}://{user}{host}/{database}"))?);
        }
        match several {
            Several::Sentinel => sentinel(nodes, service),
            Several::Cluster => cluster(nodes),
        }
    }
}

#[cfg(feature = "sentinel")]
fn sentinel(sentinels: Vec<ConnectionInfo>, service: &str) -> Result<Target, BackendError> {
    if service.is_empty() {
        return Err(refused(
            "it names no service: redis-sentinel://host:port,host:port/service",
        ));
    }
    Ok(Target::Sentinel {
        sentinels,
        service: service.to_owned(),
    })
}

#[cfg(not(feature = "sentinel"))]
fn sentinel(_: Vec<ConnectionInfo>, _: &str) -> Result<Target, BackendError> {
    Err(refused("it needs the feature `sentinel` of apiqueue-fleet"))
}

#[cfg(feature = "cluster")]
fn cluster(nodes: Vec<ConnectionInfo>) -> Result<Target, BackendError> {
    Ok(Target::Cluster(nodes))
}

#[cfg(not(feature = "cluster"))]
fn cluster(_: Vec<ConnectionInfo>) -> Result<Target, BackendError> {
    Err(refused("it needs the feature `cluster` of apiqueue-fleet"))
}

fn server(url: &str) -> Result<ConnectionInfo, BackendError> {
    url.into_connection_info()
        .map_err(|error| refused(&error.to_string()))
}

fn refused(why: &str) -> BackendError {
    BackendError::Refused(format!("the URL can't be used: {why}"))
}
