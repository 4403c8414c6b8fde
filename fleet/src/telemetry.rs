//! What is told to the `tracing` ecosystem, behind the feature of that name; nothing without it.

#[cfg(all(feature = "file", unix))]
use std::path::Path;

use crate::host::News;

/// A change in how the backend is reached.
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(crate) fn changed(name: &str, news: &News) {
    #[cfg(feature = "tracing")]
    match news {
        News::Away(why) => {
            tracing::warn!(target: "apiqueue", queue = %name, %why, "the backend is away");
        }
        News::Spent => {
            tracing::warn!(target: "apiqueue", queue = %name, "nobody is released until the backend answers");
        }
        News::Forgot { learning } => {
            tracing::warn!(target: "apiqueue", queue = %name, ?learning, "the backend has lost its state");
        }
        News::OtherRate { built, in_force } => {
            tracing::warn!(target: "apiqueue", queue = %name, ?built, ?in_force, "another rate is in force than this queue was built with");
        }
        News::NotInFull(why) => {
            tracing::warn!(target: "apiqueue", queue = %name, %why, "a rate was set that a fleet can't keep to in all");
        }
        News::Back { after } => {
            tracing::info!(target: "apiqueue", queue = %name, ?after, "the backend is back");
        }
    }
}

/// A file that was half written or damaged.
#[cfg(all(feature = "file", unix))]
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(crate) fn lost(limit: &str, file: &Path) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "apiqueue", %limit, ?file, "the file is half written or damaged: nobody is released for the grace");
}
