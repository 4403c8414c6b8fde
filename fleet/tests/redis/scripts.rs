//! The scripts do what the calendar does, on a server.

use std::collections::BTreeMap;
use std::time::Duration;

use apiqueue_fleet::calendar::{Calendar, MAX_MICROS, micros};
use apiqueue_fleet::{Ask, Lease};
use redis::{Connection, Script};

use crate::server::Server;

const STATE: &str = "apiqueue:{x}:state";
const SEEN: &str = "apiqueue:{x}:seen";

/// The scripts, with the clock's reading as the last two arguments.
struct Clocked {
    connection: Connection,
    _server: Server,
}

impl Clocked {
    fn new() -> Self {
        let server = Server::start();
        Self {
            connection: server.connection(),
            _server: server,
        }
    }

    fn run<T: redis::FromRedisValue>(
        &mut self,
        text: &str,
        now: u64,
        seen: bool,
        arguments: &[u64],
    ) -> T {
        let clocked = text.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
        let script = Script::new(&clocked);
        let mut call = script.key(STATE);
        if seen {
            call.key(SEEN);
        }
        for argument in arguments {
            call.arg(*argument);
        }
        call.arg(now / 1_000_000).arg(now % 1_000_000);
        call.invoke(&mut self.connection).unwrap()
    }

    fn reserve(&mut self, now: u64, ask: Ask) -> Lease {
        let arguments = [
            ask.host,
            u64::from(ask.want),
            micros(ask.interval).max(1),
            micros(ask.horizon),
            micros(ask.grace),
            micros(ask.seen),
        ];
        let text = include_str!("../../src/redis/reserve.lua");
        let (count, now, start, interval, hosts, epoch) = self.run(text, now, true, &arguments);
        Lease {
            count,
            now,
            start,
            interval,
            hosts,
            epoch,
        }
    }

    fn give_back(&mut self, now: u64, lease: Lease, count: u32) -> bool {
        let arguments = [
            lease.start,
            u64::from(lease.count),
            lease.interval,
            lease.epoch,
            u64::from(count),
        ];
        self.run(
            include_str!("../../src/redis/give_back.lua"),
            now,
            false,
            &arguments,
        )
    }

    fn hold(&mut self, now: u64, span: Duration) -> u64 {
        self.run(
            include_str!("../../src/redis/hold.lua"),
            now,
            false,
            &[micros(span)],
        )
    }

    fn retune(&mut self, now: u64, interval: Duration) -> u64 {
        let interval = micros(interval).max(1);
        self.run(
            include_str!("../../src/redis/retune.lua"),
            now,
            false,
            &[interval],
        )
    }

    /// A number that is stored.
    fn stored(&mut self, field: &str) -> Option<u64> {
        let mut command = redis::cmd("HGET");
        command.arg(STATE).arg(field);
        command.query(&mut self.connection).unwrap()
    }

    /// The hosts that are stored, and when.
    fn seen(&mut self) -> BTreeMap<u64, u64> {
        // A score's text is that of a double: digit for digit below 2^53.
        let mut command = redis::cmd("ZRANGE");
        command.arg(SEEN).arg(0).arg(-1).arg("WITHSCORES");
        command.query(&mut self.connection).unwrap()
    }

    fn assert_stored(&mut self, model: &Calendar) {
        assert_eq!(self.stored("tat"), model.tat);
        assert_eq!(self.stored("interval"), model.interval);
        assert_eq!(self.stored("epoch"), model.epoch);
        assert_eq!(self.stored("hold").unwrap_or(0), model.hold);
        let seen = self.seen();
        assert_eq!(seen.len(), model.seen.len());
        for (host, at) in seen {
            assert_eq!(model.seen.at(host), Some(at));
        }
    }

    fn forget(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
    }
}

/// A reading of these years, in microseconds: more digits than Lua's `tostring` shows.
const TODAY: u64 = 1_790_000_000_123_457;

fn ask() -> Ask {
    Ask {
        host: 7,
        want: 4,
        interval: Duration::from_millis(10),
        horizon: Duration::from_secs(2),
        grace: Duration::from_secs(3),
        seen: Duration::from_secs(10),
    }
}

/// A number below `2^bits`, each order of magnitude as likely.
fn spread(rng: &mut fastrand::Rng, bits: u32) -> u64 {
    let bits = rng.u32(1..=bits);
    rng.u64(0..1 << bits)
}

/// A span from nothing to the longest.
fn span(rng: &mut fastrand::Rng) -> Duration {
    match rng.u32(0..20) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        _ => Duration::from_nanos(spread(rng, 44)),
    }
}

pub(crate) fn random_sequences_do_on_the_server_what_they_do_to_the_calendar() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut server = Clocked::new();
    for _ in 0..60 {
        server.forget();
        let mut model = Calendar::default();
        let mut now = TODAY;
        let mut leases: Vec<Lease> = Vec::new();
        let common = Ask {
            horizon: span(&mut rng),
            interval: span(&mut rng),
            grace: span(&mut rng),
            seen: span(&mut rng),
            ..ask()
        };
        for _ in 0..60 {
            let step = spread(&mut rng, 32);
            // A clock that is set back now and then.
            now = if rng.u32(0..12) == 0 {
                now - step
            } else {
                now + step
            };
            match rng.u32(0..10) {
                0 => {
                    let span = span(&mut rng);
                    assert_eq!(server.hold(now, span), model.hold(now, span));
                }
                1 => {
                    let interval = span(&mut rng);
                    assert_eq!(server.retune(now, interval), model.retune(now, interval));
                }
                2 | 3 if !leases.is_empty() => {
                    let lease = if rng.bool() {
                        leases[leases.len() - 1]
                    } else {
                        leases[rng.usize(..leases.len())]
                    };
                    let count = rng.u32(0..=lease.count.saturating_add(1));
                    assert_eq!(
                        server.give_back(now, lease, count),
                        model.give_back(lease, count)
                    );
                }
                _ => {
                    let ask = Ask {
                        host: if rng.bool() {
                            rng.u64(..4)
                        } else {
                            rng.u64(..)
                        },
                        want: u32::try_from(spread(&mut rng, 16)).unwrap(),
                        ..common
                    };
                    let lease = server.reserve(now, ask);
                    assert_eq!(lease, model.reserve(now, ask), "{ask:?} at {now}");
                    leases.push(lease);
                }
            }
            server.assert_stored(&model);
        }
    }
}

pub(crate) fn the_grace_of_a_limit_nobody_knows_ends() {
    // A prototype put it in for the missing value on each call, and did not store it: no host ever got a slot.
    let mut server = Clocked::new();
    let grace = micros(ask().grace);
    for waited in [0, 500_000, 900_000] {
        let lease = server.reserve(TODAY + waited, ask());
        assert_eq!((lease.count, lease.start), (0, TODAY + grace));
    }
    let lease = server.reserve(TODAY + grace, ask());
    assert_eq!((lease.count, lease.start), (4, TODAY + grace));
}

pub(crate) fn a_schedule_from_the_far_future_is_brought_back_once() {
    // As above, with the clamped value.
    let mut server = Clocked::new();
    server.reserve(TODAY + micros(Duration::from_secs(86_400)), ask());
    let reach = micros(ask().grace);
    let lease = server.reserve(TODAY, ask());
    assert_eq!((lease.count, lease.start), (0, TODAY + reach));
    let lease = server.reserve(TODAY + reach, ask());
    assert_eq!((lease.count, lease.start), (4, TODAY + reach));
}

pub(crate) fn every_digit_of_the_clock_is_kept() {
    let mut server = Clocked::new();
    for now in [TODAY, TODAY + 1, (1 << 51) + 1, (1 << 51) + 3] {
        server.forget();
        let lease = server.reserve(now, ask());
        assert_eq!((lease.now, lease.epoch), (now, now));
        assert_eq!(server.stored("tat"), Some(now + micros(ask().grace)));
        assert_eq!(server.seen(), BTreeMap::from([(7, now)]));
        assert_eq!(server.hold(now, Duration::from_micros(MAX_MICROS)), now + 1);
        assert_eq!(server.stored("hold"), Some(now + MAX_MICROS));
    }
}

pub(crate) fn keys_outlive_the_last_slot_and_hold_by_a_week_and_no_longer() {
    let mut server = Clocked::new();
    let day = Duration::from_secs(86_400);
    let week = i64::try_from((7 * day).as_millis()).unwrap();
    let hold = i64::try_from((3 * day).as_millis()).unwrap();
    server.reserve(TODAY, ask());
    server.hold(TODAY, 3 * day);
    for round in 0..2 {
        for (key, keep) in [(STATE, week + hold), (SEEN, week)] {
            let left: i64 = redis::cmd("PTTL")
                .arg(key)
                .query(&mut server.connection)
                .unwrap();
            assert!(
                (keep - 60_000..=keep).contains(&left),
                "{key}: {left} ms, of {keep}"
            );
        }
        // The second time round, it is the reserve that has to keep the hold.
        assert!(round == 1 || server.reserve(TODAY, ask()).count == 0);
    }
}
