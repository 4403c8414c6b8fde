//! The limits of a file, of AWS, or of both, as a route to queues.

use std::fs;

use apiqueue::{Limit, Limits, Registry, Route};
use apiqueue_fleet::FileBackend;

use super::args::Args;
use super::key::Tables;
use crate::error::Failure;

/// So many queues are kept that nobody needs at present: a client can call any host.
const KEPT: usize = 10_000;

/// Reads and checks them, so that nothing starts with a limit that can't be.
pub(super) fn open(args: &Args) -> Result<(Route<String>, Tables), Failure> {
    let (limits, names) = read(args)?;
    let registry = registry(&limits, args.share.as_deref())?;
    // One of each, to see that it can be; another registry, since a pattern is nobody's key.
    let trial = self::registry(&limits, args.share.as_deref())?;
    for name in &names {
        let queue = trial.queue(name.as_str());
        queue
            .map_err(|why| Failure::usage(format_args!("the limit of {name:?} can't be: {why}")))?;
    }
    let route = Route::keyed(registry, String::clone);
    Ok((route, Tables::new(names)))
}

/// The limits, and the names of the file's tables.
fn read(args: &Args) -> Result<(Limits, Vec<String>), Failure> {
    let Some(path) = &args.limits else {
        return Ok((Limits::aws(), Vec::new()));
    };
    let text = fs::read_to_string(path)
        .map_err(|why| Failure::usage(format_args!("--limits {path:?} can't be read: {why}")))?;
    let limits = match args.aws {
        true => Limits::aws().overridden(&text),
        false => Limits::from_toml(&text),
    };
    let limits = limits.map_err(|why| Failure::usage(format_args!("--limits {path:?}: {why}")))?;
    let tables = toml::de::DeTable::parse(&text).map(|root| {
        let names = root.get_ref().keys();
        let names = names.map(|name| name.get_ref().to_string());
        names.filter(|name| name != "account").collect()
    });
    // It has been read already.
    Ok((limits, tables.unwrap_or_default()))
}

fn registry(limits: &Limits, share: Option<&str>) -> Result<Registry<String>, Failure> {
    let Some(share) = share else {
        return Ok(Registry::from(limits.clone()).keep(KEPT));
    };
    let unusable = |why| Failure::usage(format_args!("--share {share:?}: {why}"));
    let backend = FileBackend::for_name(share).map_err(unusable)?;
    let (limits, share) = (limits.clone(), share.to_owned());
    Ok(Registry::new(move |key: &String| match limits.of(key) {
        Limit::None => Limit::None,
        Limit::Queue(builder) => {
            let name = format!("{share}:{}", key.replace('/', ":"));
            Limit::Queue(builder.shared(backend.limit(name)))
        }
    })
    .keep(KEPT))
}
