//! [`Fleet`]: some hosts in processes of their own, and what their logs say in the end.

use std::fmt;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use apiqueue_fleet::Away;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::host::{self, Orders, now};
use crate::server::signal;

pub(crate) struct Fleet {
    folder: TempDir,
    hosts: Vec<Child>,
    interval: Duration,
    /// When it began, on the clock of [`now`].
    began: u64,
    end: u64,
}

/// What a fleet is started with.
pub(crate) struct Plan {
    pub(crate) hosts: usize,
    pub(crate) threads: usize,
    pub(crate) interval: Duration,
    pub(crate) span: Duration,
    pub(crate) timeout: Duration,
    pub(crate) away: Away,
    /// How long calls take on the first host, the second, and so on, again and again.
    pub(crate) calls: Vec<Duration>,
    /// When the first host is idle, from the beginning on, and so on.
    pub(crate) idle: Vec<[Duration; 2]>,
}

impl Plan {
    /// Four hosts of eight threads, and what a user gets who sets nothing.
    pub(crate) fn four(per_second: u32, span: Duration) -> Self {
        Self {
            hosts: 4,
            threads: 8,
            interval: Duration::from_secs(1) / per_second,
            span,
            timeout: Duration::from_millis(250),
            away: Away::default(),
            calls: vec![Duration::ZERO],
            idle: Vec::new(),
        }
    }

    pub(crate) fn start(&self, url: &str) -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let began = now();
        let end = began + u64::try_from(self.span.as_micros()).unwrap();
        let after = |span: Duration| began + u64::try_from(span.as_micros()).unwrap();
        let hosts = (0..self.hosts)
            .map(|number| {
                host::launch(&Orders {
                    url: url.to_owned(),
                    number,
                    folder: folder.path().to_owned(),
                    interval: self.interval,
                    threads: self.threads,
                    end,
                    timeout: self.timeout,
                    away: self.away,
                    call: self.calls[number % self.calls.len()],
                    idle: self.idle.get(number).map_or([0; 2], |idle| idle.map(after)),
                })
            })
            .collect();
        Fleet {
            folder,
            hosts,
            interval: self.interval,
            began,
            end,
        }
    }
}

impl Fleet {
    /// Sleeps until so long after the beginning.
    pub(crate) fn until(&self, span: Duration) {
        let at = self.began + u64::try_from(span.as_micros()).unwrap();
        sleep(Duration::from_micros(at.saturating_sub(now())));
    }

    pub(crate) fn signal(&self, host: usize, what: Signal) {
        signal(&self.hosts[host], what);
    }

    /// Waits for the hosts, and reads what they wrote.
    pub(crate) fn finish(mut self) -> Log {
        let patience =
            Duration::from_micros(self.end.saturating_sub(now())) + Duration::from_secs(60);
        let until = Instant::now() + patience;
        for host in &mut self.hosts {
            while host.try_wait().unwrap().is_none() {
                assert!(Instant::now() < until, "a host does not end");
                sleep(Duration::from_millis(10));
            }
        }
        Log::read(&self)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            // Most have ended.
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

/// What the hosts of a fleet wrote, put together. Times are microseconds.
#[derive(Default)]
pub(crate) struct Log {
    interval: u64,
    /// When the fleet began.
    pub(crate) began: u64,
    /// All releases, in order.
    pub(crate) releases: Vec<u64>,
    /// How many, by host.
    pub(crate) shares: Vec<u64>,
    /// The slots that arrived and that no host let go, in order, by the server's clock.
    slots: Vec<u64>,
    given_back: u64,
    calls: u64,
    commands: u64,
    failures: u64,
    pub(crate) alone: u64,
    pub(crate) times_away: u64,
}

impl Log {
    fn read(fleet: &Fleet) -> Self {
        let mut log = Self {
            interval: u64::try_from(fleet.interval.as_micros()).unwrap(),
            began: fleet.began,
            ..Self::default()
        };
        let folder = fleet.folder.path();
        for number in 0..fleet.hosts.len() {
            let releases = host::records::<1>(folder, number, "releases");
            log.shares.push(releases.len() as u64);
            log.releases.extend(releases.iter().map(|[at]| at));
            for [start, count, interval] in host::records::<3>(folder, number, "leases") {
                if count == 0 {
                    // Let go by the host that it was granted to.
                    let at = log.slots.iter().rposition(|slot| *slot == start);
                    log.slots.swap_remove(at.unwrap());
                    log.given_back += 1;
                }
                log.slots
                    .extend((0..count).map(|slot| start + slot * interval));
            }
            // A host that was killed has none.
            for [calls, commands, failures, alone, away] in
                host::records::<5>(folder, number, "stats")
            {
                log.calls += calls;
                log.commands += commands;
                log.failures += failures;
                log.alone += alone;
                log.times_away += away;
            }
        }
        log.releases.sort_unstable();
        log.slots.sort_unstable();
        log
    }

    /// By how much the releases of some window came too early for the rate, those before it having come as they did: the most
    /// that `n` intervals, for `n` releases in a row, exceed the time they took. Times the rate it is the excess in any window.
    pub(crate) fn early(&self) -> u64 {
        let (mut base, mut early) = (0_i128, 0_i128);
        for (number, at) in self.releases.iter().enumerate() {
            let ahead = number as i128 * i128::from(self.interval) - i128::from(*at);
            if number == 0 {
                base = ahead;
            }
            base = base.min(ahead);
            early = early.max(ahead - base);
        }
        u64::try_from(early).unwrap()
    }

    /// [`early`](Self::early) in releases: in any window, those above the rate.
    pub(crate) fn excess(&self) -> u64 {
        self.early() / self.interval
    }

    /// The most by which a release came before its slot, the first release having the first slot and so on: a host that is
    /// late, and a slot that nobody used, make it less. Counts on a fleet that never went without Redis.
    pub(crate) fn before_slots(&self) -> i64 {
        assert!(
            self.releases.len() <= self.slots.len(),
            "releases without a slot: {self}"
        );
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let offset = wall.as_micros() as i64 - now() as i64;
        let before = |(at, slot): (&u64, &u64)| *slot as i64 - (*at as i64 + offset);
        let all = self.releases.iter().zip(&self.slots).map(before);
        all.max().unwrap_or(0)
    }

    /// Slots that begin less than an interval after the one before.
    pub(crate) fn slots_twice(&self) -> usize {
        let close = |pair: &&[u64]| pair[1] - pair[0] < self.interval;
        self.slots.windows(2).filter(close).count()
    }

    /// Slots of the time between the first release and the last at which nobody was released.
    pub(crate) fn slots_lost(&self) -> i64 {
        let all = (self.between() + self.interval / 2) / self.interval + 1;
        all as i64 - self.releases.len() as i64
    }

    fn between(&self) -> u64 {
        match self.releases.as_slice() {
            [first, .., last] => last - first,
            _ => 0,
        }
    }

    /// The longest time without a release.
    pub(crate) fn stall(&self) -> Duration {
        let gaps = self.releases.windows(2).map(|pair| pair[1] - pair[0]);
        Duration::from_micros(gaps.max().unwrap_or(0))
    }

    pub(crate) fn per_second(&self) -> f64 {
        1e6 / self.interval as f64
    }

    /// The most releases in any second, as a part of the rate.
    pub(crate) fn most_in_a_second(&self) -> f64 {
        let at = |first: usize| self.releases[first] + 1_000_000;
        let until = |first: usize| self.releases.partition_point(|one| *one < at(first));
        let most = (0..self.releases.len())
            .map(|first| until(first) - first)
            .max();
        most.unwrap_or(0) as f64 * self.interval as f64 / 1e6
    }

    /// Releases from then to then, from the beginning on.
    pub(crate) fn within(&self, from: Duration, to: Duration) -> usize {
        let at = |span: Duration| self.began + u64::try_from(span.as_micros()).unwrap();
        let until = |span| self.releases.partition_point(|one| *one < at(span));
        until(to) - until(from)
    }

    /// The rate from the first release to the last, as a part of the one asked for.
    pub(crate) fn mean(&self) -> f64 {
        let steps = self.releases.len().saturating_sub(1) as f64;
        steps * self.interval as f64 / self.between() as f64
    }

    /// Jain's index of the hosts' shares.
    pub(crate) fn jain(&self) -> f64 {
        let sum: u64 = self.shares.iter().sum();
        let squares: u64 = self.shares.iter().map(|share| share * share).sum();
        (sum * sum) as f64 / (self.shares.len() as u64 * squares) as f64
    }

    pub(crate) fn calls_per_release(&self) -> f64 {
        self.commands as f64 / self.releases.len() as f64
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} releases {:?}, mean {:.2} %, Jain {:.3}, early {:.1} ms, {:.3} calls each, slots: {} twice, {} lost, {} given \
             back; stall {:.0} ms; {} alone, {} calls failed",
            self.releases.len(),
            self.shares,
            100.0 * self.mean(),
            self.jain(),
            self.early() as f64 / 1000.0,
            self.calls_per_release(),
            self.slots_twice(),
            self.slots_lost(),
            self.given_back,
            self.stall().as_secs_f64() * 1000.0,
            self.alone,
            self.failures,
        )
    }
}
