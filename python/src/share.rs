//! `share=`: which processes have one limit.

use std::fmt::Display;
use std::path::Path;

use apiqueue_fleet::{FileBackend, FleetLimit, RedisBackend};
use pyo3::prelude::*;

use crate::errors::config;

/// Where a limit is kept that processes share.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// In this user's files, under a name.
    Name(String),
    /// In a file.
    Path(String),
    /// On a server.
    Redis(String),
}

enum Backend {
    Files(FileBackend),
    Redis(RedisBackend),
}

/// A backend that is there, for the limits of one queue or one registry.
pub(crate) struct Opened {
    backend: Backend,
    /// Of the limit or, in a registry, of what its keys are put behind.
    name: String,
}

impl Share {
    pub(crate) fn parse(said: &str) -> PyResult<Self> {
        if said.starts_with("redis://") || said.starts_with("rediss://") {
            return Ok(Self::Redis(said.to_owned()));
        }
        if said.contains("://") {
            return Err(config(format_args!(
                "share={said:?}: of servers it may be redis://… or rediss://…"
            )));
        }
        if said.contains('/') {
            return match Path::new(said).file_name() {
                Some(_) if Path::new(said).is_absolute() => Ok(Self::Path(said.to_owned())),
                _ => Err(config(format_args!(
                    "share={said:?}: a path has to be absolute and to end with the limit's name"
                ))),
            };
        }
        if said.is_empty() {
            return Err(config(
                "share='' names no limit: it may be a name, an absolute path, or redis://…",
            ));
        }
        Ok(Self::Name(said.to_owned()))
    }

    /// `name` is that of a queue, for a server, which has many.
    pub(crate) fn open(&self, name: &str) -> PyResult<Opened> {
        let failed = |why: &dyn Display| config(format_args!("share={:?}: {why}", self.said()));
        Ok(match self {
            Self::Name(name) => Opened {
                backend: Backend::Files(FileBackend::for_user().map_err(|why| failed(&why))?),
                name: name.clone(),
            },
            Self::Path(path) => {
                let path = Path::new(path);
                let directory = path.parent().unwrap_or(path);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Opened {
                    backend: Backend::Files(
                        FileBackend::open(directory).map_err(|why| failed(&why))?,
                    ),
                    name: name.into_owned(),
                }
            }
            Self::Redis(_) if name.is_empty() => {
                return Err(failed(&"a server has many limits: say which one by name="));
            }
            Self::Redis(url) => Opened {
                backend: Backend::Redis(RedisBackend::connect(url).map_err(|why| failed(&why))?),
                name: name.to_owned(),
            },
        })
    }

    /// As it was said, without a password.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Name(said) | Self::Path(said) => said.clone(),
            Self::Redis(url) => match (url.find("://"), url.rfind('@')) {
                (Some(scheme), Some(at)) if at > scheme => {
                    format!("{}://…{}", &url[..scheme], &url[at..])
                }
                _ => url.clone(),
            },
        }
    }
}

impl Opened {
    pub(crate) fn limit(&self) -> FleetLimit {
        self.named(&self.name)
    }

    /// The limit of a registry's key.
    pub(crate) fn of_key(&self, key: &str) -> FleetLimit {
        self.named(&format!("{}/{key}", self.name))
    }

    fn named(&self, name: &str) -> FleetLimit {
        match &self.backend {
            Backend::Files(files) => files.limit(name),
            Backend::Redis(redis) => redis.limit(name),
        }
    }
}
