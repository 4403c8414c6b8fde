//! Several of these programs on one account: their queues share one schedule, on a Redis that all of them reach.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use apiqueue::{ApiQueue, Rate, Stop, Turn};
use apiqueue_fleet::{News, RedisBackend};
use apiqueue_scan::Endpoint;

use crate::client::{Failure, Service};
use crate::interrupt::End;
use crate::modes::{self, Pace};
use crate::options::Options;
use crate::run;

pub(crate) struct Fleet {
    ec2: ApiQueue,
    end: Arc<End>,
}

impl Fleet {
    pub(crate) fn new(url: &str, options: &Options, end: &Arc<End>) -> Result<Self, Failure> {
        let limit = RedisBackend::connect(url)?.limit("scan-ec2").on_news(tell);
        let interval = Duration::from_secs_f64(options.rate().recip());
        Ok(Self {
            ec2: ApiQueue::builder()
                .rate(Rate::every(interval)?)
                .capacity(options.threads.into())
                .name("scan-ec2")
                .shared(limit)
                .start()?,
            end: end.clone(),
        })
    }
}

fn tell(news: &News) {
    match news {
        News::Away(why) => eprintln!("scan: {why}; goes on without it as far as it may"),
        News::Spent => eprintln!("scan: waits for Redis"),
        News::Back { after } => eprintln!("scan: Redis is back after {after:.1?}"),
        _ => {}
    }
}

impl Pace for Fleet {
    fn before(&self, service: Service) -> Result<Option<Turn<'static>>, Failure> {
        modes::pass(&self.ec2, service, &self.end)
    }

    fn depth(&self) -> usize {
        self.ec2.len()
    }

    fn stop(&self) {
        self.ec2.stop(Stop::Now);
    }
}

/// The endpoint alone, for others to scan, until the end. Says where, and then how many calls it throttled.
pub(crate) fn serve(options: &Options, end: &End) -> Result<(), Failure> {
    let endpoint = Endpoint::start(run::buckets(options))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "serving {}, until Ctrl-C", endpoint.url())?;
    while !end.sleep(Duration::from_secs(3600)) {}
    writeln!(stdout, "throttled {} calls", endpoint.stop())?;
    Ok(())
}
