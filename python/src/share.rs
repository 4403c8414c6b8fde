//! `share=`: which processes have one limit.

use std::fmt::Display;

use apiqueue_fleet::{FleetLimit, RedisBackend};
use pyo3::prelude::*;

use crate::errors::config;

/// Where a limit is kept that processes share.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// In files: by a name, where this user's processes meet, or by a path, whose last part is the limit's name.
    #[cfg(unix)]
    Files(String),
    /// On a server, and what the limit is called there, if that is said.
    Redis { url: String, name: String },
}

/// A backend that is there, for the limits of one queue or one registry.
pub(crate) enum Opened {
    #[cfg(unix)]
    Files {
        files: apiqueue_fleet::FileBackend,
        /// As that of a server's.
        name: String,
    },
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
            Self::Files(said) => open_files(said).map_err(|why| failed(&why)),
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
            Self::Files { files, name } => Ok(files.limit(name)),
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
            Self::Files { files, name } => files.limit(format!("{name}/{key}")),
            Self::Redis { server, name } if name.is_empty() => server.limit(key),
            Self::Redis { server, name } => server.limit(format!("{name}/{key}")),
        }
    }
}

#[cfg(unix)]
fn open_files(said: &str) -> Result<Opened, String> {
    use apiqueue_fleet::FileBackend;
    use std::path::Path;

    let told = |why: apiqueue_fleet::BackendError| why.to_string();
    if !said.contains('/') {
        // As the command does it, and refused where it does.
        let files = FileBackend::for_name(said).map_err(told)?;
        let name = said.to_owned();
        return Ok(Opened::Files { files, name });
    }
    let path = Path::new(said);
    if !path.is_absolute() {
        return Err("a path has to be absolute".to_owned());
    }
    let (Some(directory), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err("a path has to end with the limit's name".to_owned());
    };
    let bad = |c: char| c == '{' || c == '}' || c.is_control();
    if name.len() > 200 || name.contains(bad) {
        return Err(format!(
            "the name {name:?} is not of 1..=200 bytes without braces and control characters"
        ));
    }
    let files = FileBackend::open(directory).map_err(told)?;
    let name = name.to_owned();
    Ok(Opened::Files { files, name })
}
