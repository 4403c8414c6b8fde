//! The script does what the calendar does, on a server.

use std::collections::BTreeMap;

use apiqueue_fleet::calendar::{Calendar, MAX_MICROS};
use apiqueue_fleet::{Action, Call, Reply, Slots, Terms};
use redis::{Connection, Script};

use crate::server::Server;

const STATE: &str = "apiqueue:3:{x}:state";
const SEEN: &str = "apiqueue:3:{x}:seen";

/// The script, with the clock's reading instead of two more keys.
struct Clocked {
    connection: Connection,
    script: Script,
    _server: Server,
}

impl Clocked {
    fn new() -> Self {
        let server = Server::start();
        let text = include_str!("../../src/redis/calendar.lua");
        Self {
            connection: server.connection(),
            script: Script::new(&text.replace("redis.call('TIME')", "{KEYS[3], KEYS[4]}")),
            _server: server,
        }
    }

    fn apply(&mut self, now: u64, call: &Call) -> Reply {
        let mut script = self.script.key(STATE);
        script.key(SEEN).key(now / 1_000_000).key(now % 1_000_000);
        let (name, more) = match &call.action {
            Action::Reserve {
                want,
                spacing,
                after,
                horizon,
                burst,
                gathered,
            } => (
                "reserve",
                vec![
                    u64::from(*want),
                    *spacing,
                    *after,
                    *horizon,
                    u64::from(*burst),
                    u64::from(*gathered),
                ],
            ),
            Action::GiveBack { born, epoch, slots } => {
                let numbers = |run: &Slots| [run.first, u64::from(run.count), run.step];
                let all = slots.iter().flat_map(numbers);
                (
                    "give_back",
                    [*born, *epoch].into_iter().chain(all).collect(),
                )
            }
            Action::Hold(span) => ("hold", vec![*span]),
            Action::Resume => ("resume", vec![]),
            Action::Retune(interval) => ("retune", vec![*interval]),
        };
        let known = call.known;
        script
            .arg(name)
            .arg(format!("{} {} {}", call.priority, call.host, call.label));
        script.arg(&[
            known.interval,
            known.epoch,
            known.hold,
            call.grace,
            call.window,
            // A week.
            604_800_000,
        ]);
        script.arg(&more);
        let numbers: Vec<u64> = script.invoke(&mut self.connection).unwrap();
        let (terms, slots) = numbers.split_at(13);
        let slots = slots.as_chunks::<3>().0.iter();
        Reply {
            now: terms[0],
            born: terms[1],
            learning_until: terms[2],
            terms: Terms {
                interval: terms[3],
                hold: terms[4],
                epoch: terms[5],
            },
            hosts: u32::try_from(terms[6]).unwrap(),
            below: u32::try_from(terms[7]).unwrap(),
            above: u32::try_from(terms[8]).unwrap(),
            kept_back: u32::try_from(terms[9]).unwrap(),
            next: terms[10],
            later: terms[11],
            taken_back: u32::try_from(terms[12]).unwrap(),
            slots: slots
                .map(|&[first, count, step]| Slots {
                    first,
                    count: u32::try_from(count).unwrap(),
                    step,
                })
                .collect(),
        }
    }

    /// What is stored.
    fn stored(&mut self) -> BTreeMap<String, String> {
        redis::cmd("HGETALL")
            .arg(STATE)
            .query(&mut self.connection)
            .unwrap()
    }

    /// The hosts that are stored, and when.
    fn seen(&mut self) -> BTreeMap<String, u64> {
        // A score's text is that of a double: digit for digit below 2^53.
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(SEEN).arg(0).arg("+inf").arg("WITHSCORES");
        command.query(&mut self.connection).unwrap()
    }

    fn assert_stored(&mut self, model: &Calendar) {
        let state = model.state.as_ref().unwrap();
        let stored = self.stored();
        for (field, number) in [
            ("born", state.born),
            ("last", state.last),
            ("quiet", state.quiet),
            ("tat", state.tat),
            ("interval", state.interval),
            ("epoch", state.epoch),
            ("tuned", state.tuned),
            ("hold", state.hold),
            ("low", state.low),
            ("owed", state.owed),
        ] {
            assert_eq!(stored[field], number.to_string(), "{field}");
        }
        let runs = state.free.runs().iter();
        let runs: Vec<_> = runs
            .map(|run| format!("{}:{}", run.first, run.count))
            .collect();
        assert_eq!(stored["free"], runs.join(","));
        let bands = model.seen.bands();
        let has_some = bands[1..].iter().any(|hosts| *hosts > 0);
        // Not there where all have the lowest.
        let bands = if has_some {
            bands.iter().map(u32::to_string).collect()
        } else {
            Vec::new()
        };
        assert_eq!(stored["bands"], bands.join(","));
        let seen = model.seen.iter();
        let seen: BTreeMap<_, _> = seen
            .map(|(host, priority, label, at)| (format!("{priority} {host} {label}"), at))
            .collect();
        assert_eq!(self.seen(), seen);
    }

    fn forget(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
    }
}

/// A reading of these years, in microseconds: more digits than Lua's `tostring` shows.
const TODAY: u64 = 1_790_000_000_123_457;

fn call(action: Action) -> Call {
    Call {
        host: 7,
        label: "seven".into(),
        priority: 0,
        known: Terms {
            interval: 10_000,
            ..Terms::default()
        },
        grace: 3_000_000,
        window: 10_000_000,
        action,
    }
}

fn reserve(want: u32) -> Call {
    call(Action::Reserve {
        want,
        spacing: 0,
        after: 0,
        horizon: 2_000_000,
        burst: 1,
        gathered: 0,
    })
}

/// A number below `2^bits`, each order of magnitude as likely.
fn spread(rng: &mut fastrand::Rng, bits: u32) -> u64 {
    let bits = rng.u32(1..=bits);
    rng.u64(0..1 << bits)
}

/// A span from nothing to the longest.
fn span(rng: &mut fastrand::Rng) -> u64 {
    match rng.u32(0..20) {
        0 => 0,
        1 => MAX_MICROS,
        _ => spread(rng, 34),
    }
}

fn random_action(rng: &mut fastrand::Rng, leases: &[Reply], horizon: u64) -> Action {
    match rng.u32(0..12) {
        0 => Action::Hold(span(rng)),
        1 => Action::Resume,
        2 => Action::Retune(span(rng).max(1)),
        3..=5 if !leases.is_empty() => {
            let lease = if rng.bool() {
                leases.len() - 1
            } else {
                rng.usize(..leases.len())
            };
            let lease = &leases[lease];
            let some = |run: &Slots| {
                let skipped = rng.u32(0..=run.count);
                Slots {
                    first: run.first + u64::from(skipped) * run.step,
                    // Now and then one too many.
                    count: (run.count - skipped).min(300) + u32::from(rng.u32(0..20) == 0),
                    ..*run
                }
            };
            Action::GiveBack {
                born: lease.born,
                epoch: lease.terms.epoch,
                slots: lease.slots.iter().map(some).collect(),
            }
        }
        _ => Action::Reserve {
            want: u32::try_from(spread(rng, 12)).unwrap(),
            spacing: if rng.bool() { 0 } else { span(rng) / 1_000 },
            after: if rng.bool() { 0 } else { spread(rng, 24) },
            horizon,
            burst: u32::try_from(spread(rng, 8)).unwrap(),
            gathered: u32::try_from(spread(rng, 8)).unwrap(),
        },
    }
}

pub(crate) fn random_sequences_do_on_the_server_what_they_do_to_the_calendar() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut server = Clocked::new();
    let mut spaced = 0;
    for _ in 0..80 {
        server.forget();
        let mut model = Calendar::default();
        let mut now = TODAY;
        let mut leases: Vec<Reply> = Vec::new();
        let horizon = span(&mut rng);
        let interval = if rng.bool() {
            span(&mut rng)
        } else {
            spread(&mut rng, 16)
        }
        .max(1);
        let (grace, window) = (span(&mut rng), span(&mut rng));
        let largest = rng.u32(12..33);
        for _ in 0..80 {
            let step = spread(&mut rng, largest);
            // A clock that is set back now and then.
            now = if rng.u32(0..12) == 0 {
                now - step
            } else {
                now + step
            };
            let epoch = match rng.u32(0..10) {
                0 => now + spread(&mut rng, 20),
                _ => 0,
            };
            let host = if rng.bool() {
                rng.u64(..4)
            } else {
                rng.u64(..)
            };
            let call = Call {
                host,
                label: format!("host-{host}").into(),
                priority: (host % 4) as u8 * 2 + (host % 3 == 0) as u8,
                known: Terms {
                    interval,
                    hold: if rng.bool() { 0 } else { span(&mut rng) },
                    epoch,
                },
                grace,
                window,
                action: random_action(&mut rng, &leases, horizon),
            };
            let reply = server.apply(now, &call);
            assert_eq!(reply, model.apply(now, &call), "{call:?} at {now}");
            server.assert_stored(&model);
            spaced += reply
                .slots
                .iter()
                .filter(|run| run.step > reply.terms.interval)
                .count();
            if !reply.slots.is_empty() {
                leases.push(reply);
            }
        }
    }
    assert!(spaced > 100, "{spaced} leases are spaced out");
}

pub(crate) fn the_grace_of_a_limit_nobody_knows_ends() {
    // A prototype put it in for the missing value on each call, and did not store it: no host ever got a slot.
    let mut server = Clocked::new();
    let grace = 3_000_000;
    for waited in [0, 500_000, 900_000] {
        let lease = server.apply(TODAY + waited, &reserve(4));
        assert_eq!((lease.granted(), lease.next), (0, TODAY + grace));
        assert_eq!((lease.born, lease.learning_until), (TODAY, TODAY + grace));
    }
    let lease = server.apply(TODAY + grace, &reserve(4));
    assert_eq!((lease.granted(), lease.slots[0].first), (4, TODAY + grace));
}

pub(crate) fn what_one_of_two_keys_has_lost_is_lost() {
    for key in [STATE, SEEN] {
        let mut server = Clocked::new();
        let born = server.apply(TODAY, &reserve(4)).born;
        redis::cmd("DEL")
            .arg(key)
            .exec(&mut server.connection)
            .unwrap();
        let lost = server.apply(TODAY + 60_000_000, &reserve(4));
        assert_eq!((lost.granted(), lost.hosts), (0, 1), "{key}");
        assert!(lost.born > born, "{key}");
        assert_eq!(server.seen().len(), 1);
    }
}

pub(crate) fn every_digit_of_the_clock_is_kept() {
    let mut server = Clocked::new();
    for now in [TODAY, TODAY + 1, (1 << 51) + 1, (1 << 51) + 3] {
        server.forget();
        let lease = server.apply(now, &reserve(4));
        assert_eq!((lease.now, lease.born), (now, now));
        assert_eq!(server.stored()["tat"], (now + 3_000_000).to_string());
        assert_eq!(
            server.seen(),
            BTreeMap::from([("0 7 seven".to_owned(), now + 10_000_000)])
        );
        let held = server.apply(now, &call(Action::Hold(MAX_MICROS)));
        assert_eq!((held.terms.epoch, held.terms.hold), (now, MAX_MICROS));
        assert_eq!(server.stored()["hold"], (now + MAX_MICROS).to_string());
    }
}

pub(crate) fn keys_outlive_the_last_slot_and_hold_by_a_week_and_no_longer() {
    let mut server = Clocked::new();
    let day = 86_400_000_i64;
    server.apply(TODAY, &reserve(4));
    server.apply(TODAY, &call(Action::Hold(3 * 86_400_000_000)));
    // The second time round, it is the reserve that has to keep the hold.
    for _ in 0..2 {
        for key in [STATE, SEEN] {
            let mut command = redis::cmd("PTTL");
            let left: i64 = command.arg(key).query(&mut server.connection).unwrap();
            let keep = 10 * day;
            assert!(
                (keep - 60_000..=keep).contains(&left),
                "{key}: {left} ms, of {keep}"
            );
        }
        assert_eq!(server.apply(TODAY, &reserve(4)).granted(), 0);
    }
}
