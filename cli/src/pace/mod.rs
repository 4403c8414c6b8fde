//! How fast, and together with whom: what `run`, `exec` and `lines` have in common.
//!
//! | | |
//! |---|---|
//! | `units` | rates and spans of time as people write them |
//! | `place` | where a shared limit is kept |
//! | `line` | a queue, and the waits in it |

mod line;
mod place;
mod units;

use std::time::Duration;

use apiqueue::{ApiQueue, Rate};
use apiqueue_fleet::{FleetLimit, News};

use crate::error::Failure;
pub(crate) use line::{End, Line};
pub(crate) use place::{Place, look};
pub(crate) use units::duration;

/// The rate, and who else goes by it.
#[derive(clap::Args)]
pub(crate) struct Pace {
    /// How often: 10/s, 100/min, 5/h, or "every 100ms"
    #[arg(long, value_name = "RATE", value_parser = units::rate, required_unless_present = "every")]
    rate: Option<Rate>,

    /// The same as an interval, such as 100ms or 1.5s
    #[arg(long, value_name = "DURATION", value_parser = units::every, conflicts_with = "rate")]
    every: Option<Rate>,

    /// How many may go at once after a pause, or at the start; 1 is evenly spaced
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    burst: u32,

    #[command(flatten)]
    place: Place,
}

/// How many of this process stand in line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// One, once: it takes no slot but its own.
    Once,
    /// As many as there are.
    Many,
}

impl Pace {
    /// Opens the line, of which others see `what` stands in it. `tell` is told in words what becomes of a shared limit.
    ///
    /// # Errors
    /// What of the options can't be, and a shared limit that can't be reached.
    pub(crate) fn open(
        &self,
        demand: Demand,
        what: &str,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Line, Failure> {
        let rate = self.checked_rate()?;
        let builder = ApiQueue::builder().rate(rate).name("apiqueue");
        let Some(shared) = self.place.limit()? else {
            return Line::start(builder, None, demand);
        };
        let (limit, other) = as_others_know_it(shared, rate)?;
        if let Some(other) = &other {
            // Now, as a program that is about to become another one may not come to hear of it.
            tell(&line::in_words(other));
        }
        let limit = limit.host_name(label(what));
        let limit = limit.on_news(move |news| {
            if other.as_ref() != Some(news) {
                tell(&line::in_words(news));
            }
        });
        let limit = match demand {
            Demand::Once => limit.max_lease(1),
            Demand::Many => limit,
        };
        Line::start(builder, Some(limit), demand)
    }

    fn checked_rate(&self) -> Result<Rate, Failure> {
        let rate = self.rate.or(self.every);
        let rate = rate.ok_or_else(|| Failure::usage("say a --rate, or an interval as --every"))?;
        rate.burst(self.burst)
            .map_err(|why| Failure::usage(format_args!("--burst {}: {why}", self.burst)))
    }
}

/// A rate other than the one in force takes its place if nobody has used the limit lately. Else it stands: that is the news.
fn as_others_know_it(limit: FleetLimit, rate: Rate) -> Result<(FleetLimit, Option<News>), Failure> {
    let Some(state) = look(&limit)? else {
        return Ok((limit, None));
    };
    let interval = Duration::from_micros(state.terms.interval);
    // A shared schedule counts in whole microseconds, rounded up.
    let built = rate.interval().as_nanos().div_ceil(1000);
    if u128::from(state.terms.interval) == built {
        return Ok((limit, None));
    }
    if state.hosts.is_empty() {
        return Ok((limit.rate_wins(), None));
    }
    let news = News::OtherRate {
        built: Duration::from_micros(u64::try_from(built).unwrap_or(u64::MAX)),
        in_force: interval,
    };
    Ok((limit, Some(news)))
}

/// What others see of this process: what it does, and its number.
fn label(what: &str) -> String {
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => c,
        _ => '_',
    };
    let what: String = what.chars().take(60).map(plain).collect();
    format!("{what}-{}", std::process::id())
}
