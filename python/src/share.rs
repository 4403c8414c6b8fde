//! `share=`: which processes have one limit.

use std::fmt::Display;

use apiqueue_fleet::{FleetLimit, RedisBackend};
use pyo3::prelude::*;

use crate::errors::config;

/// Where a limit is kept that processes share.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// In files: a name, or a path.
    #[cfg(unix)]
    Files(String),
    /// On a server, and what the limit is called there, if that is said.
    Redis { url: String, name: String },
}

/// A backend that is there, for the limits of one queue or one registry.
pub(crate) enum Opened {
    #[cfg(unix)]
    Files(apiqueue_fleet::Named),
    Redis {
        server: RedisBackend,
        /// Of the limit; of a registry, what its keys come after.
        name: String,
    },
}

impl Share {
    pub(crate) fn parse(said: &str) -> PyResult<Self> {
        if said.starts_with("redis://") || said.starts_with("rediss://") {
            let (url, name) = said.split_once('#').unwrap_or((said, ""));
            let (url, name) = (url.to_owned(), name.to_owned());
            return Ok(Self::Redis { url, name });
        }
        if said.contains("://") {
            return Err(config(format_args!(
                "share={said:?}: of servers it may be redis://… or rediss://…"
            )));
        }
        #[cfg(unix)]
        return Ok(Self::Files(said.to_owned()));
        #[cfg(not(unix))]
        Err(config(format_args!(
            "share={said:?}: on this system it may be redis://… or rediss://…"
        )))
    }

    /// `name` is that of a queue, for a server that was told none.
    pub(crate) fn open(&self, name: &str) -> PyResult<Opened> {
        let failed = |why: &dyn Display| config(format_args!("share={:?}: {why}", self.said()));
        match self {
            #[cfg(unix)]
            Self::Files(said) => match apiqueue_fleet::FileBackend::named(said) {
                Ok(named) => Ok(Opened::Files(named)),
                Err(why) => Err(failed(&why)),
            },
            Self::Redis { url, name: own } => {
                let name = if own.is_empty() { name } else { own };
                let name = name.to_owned();
                match RedisBackend::connect(url) {
                    Ok(server) => Ok(Opened::Redis { server, name }),
                    Err(why) => Err(failed(&why)),
                }
            }
        }
    }

    /// As it was said, without a password.
    pub(crate) fn said(&self) -> String {
        match self {
            #[cfg(unix)]
            Self::Files(said) => said.clone(),
            Self::Redis { url, name } => {
                let url = match (url.find("://"), url.rfind('@')) {
                    (Some(scheme), Some(at)) if at > scheme => {
                        format!("{}://…{}", &url[..scheme], &url[at..])
                    }
                    _ => url.clone(),
                };
                if name.is_empty() {
                    url
                } else {
                    format!("{url}#{name}")
                }
            }
        }
    }
}

impl Opened {
    /// The limit of one queue.
    pub(crate) fn limit(&self) -> PyResult<FleetLimit> {
        match self {
            #[cfg(unix)]
            Self::Files(named) => Ok(named.limit()),
            Self::Redis { name, .. } if name.is_empty() => Err(config(
                "share: a server has many limits: say which one by name=, or after a # of the address",
            )),
            Self::Redis { server, name } => Ok(server.limit(name)),
        }
    }

    /// The limit of a registry's key.
    pub(crate) fn of_key(&self, key: &str) -> FleetLimit {
        match self {
            #[cfg(unix)]
            Self::Files(named) => named.limit_of(key),
            Self::Redis { server, name } if name.is_empty() => server.limit(key),
            Self::Redis { server, name } => server.limit(format!("{name}/{key}")),
        }
    }
}
