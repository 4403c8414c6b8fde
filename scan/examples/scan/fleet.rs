//! Several of these programs on one account: their queues share one schedule, on a Redis that all of them reach.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use apiqueue::{Rate, Stop};
use apiqueue_fleet::{FleetQueue, News, RedisBackend};
use apiqueue_scan::Endpoint;

use crate::client::{Failure, Service};
use crate::interrupt::End;
use crate::modes::Pace;
use crate::options::Options;
use crate::run;

pub(crate) struct Fleet {
    ec2: FleetQueue,
    end: Arc<End>,
}

impl Fleet {
    pub(crate) fn new(url: &str, options: &Options, end: &Arc<End>) -> Result<Self, Failure> {
        Ok(Self {
            ec2: FleetQueue::builder()
                .name("scan-ec2")
                .rate(Rate::every(Duration::from_secs_f64(
                    options.rate().recip(),
                ))?)
                .capacity(options.threads.into())
                .backend(RedisBackend::connect(url)?)
                .on_news(tell)
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
    fn before(&self, service: Service) -> Result<(), Failure> {
        if let Service::Other(_) = service {
            return Ok(());
        }
        match self.ec2.enqueue().map(|waiter| waiter.wait()) {
            Ok(Ok(())) => Ok(()),
            // Closed, since the end has come.
            _ if self.end.is_raised() => Ok(()),
            Ok(Err(why)) => Err(why.into()),
            Err(why) => Err(why.into()),
        }
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
