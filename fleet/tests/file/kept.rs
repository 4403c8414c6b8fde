//! What a file keeps of a limit from one call to the next, and what of it goes on where the file is damaged.

use std::fs;

use apiqueue_fleet::calendar::MAX_MICROS;
use apiqueue_fleet::{Action, Backend, Calendar, Call, Slots, Terms};
use futures_lite::future::block_on;

use crate::rig::{GRACE, INTERVAL, LABEL, LIMIT, Rig, SECOND, ask, call, consecutive};
use crate::steps::{PLACE, record_length, sign};

/// Any call that makes sense.
fn any(random: &mut fastrand::Rng, known: Terms, born: u64, granted: &[Slots]) -> Call {
    let action = match random.u8(..12) {
        0 => Action::Hold(random.u64(..10 * INTERVAL)),
        1 => Action::Resume,
        2 => Action::Retune(random.u64(1..4) * INTERVAL),
        3..6 => Action::GiveBack {
            born,
            epoch: known.epoch,
            slots: granted.to_vec(),
        },
        _ => Action::Reserve {
            want: random.u32(..9),
            spacing: random.u64(..5 * INTERVAL),
            after: random.u64(..10 * INTERVAL),
            horizon: random.u64(..100 * INTERVAL),
            burst: random.u32(..9),
            gathered: random.u32(..9),
        },
    };
    Call {
        label: ["a", "b", "c"][random.usize(..3)].into(),
        known,
        ..call(random.u64(..5), action)
    }
}

/// Each call is that of a process which knows nothing but the file.
pub(crate) fn every_call_goes_on_from_all_that_those_before_it_left() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut rig = Rig::new();
    let mut calendar = Calendar::default();
    let (mut known, mut born, mut granted) = (ask(1, 0).known, 0, Vec::new());
    let mut gaps = 0;
    for round in 0..3_000 {
        let call = any(&mut random, known, born, &granted);
        rig.restart();
        let reply = rig.call(call.clone()).unwrap();
        assert_eq!(
            reply,
            calendar.apply(reply.now, &call),
            "round {round}: {call:?}"
        );
        let state = calendar.state.as_ref().unwrap();
        gaps += usize::from(!state.free.runs().is_empty());
        (known, born) = (reply.terms, reply.born);
        if !reply.slots.is_empty() {
            granted = reply.slots;
        }
        assert_eq!(
            block_on(rig.files.look(LIMIT)).unwrap(),
            calendar.look(reply.now)
        );
        rig.machine.pass(random.u64(..5 * INTERVAL));
    }
    assert!(gaps > 300, "{gaps} rounds with free slots between others");
}

/// Whatever callers say, what is written then is read again.
pub(crate) fn calls_with_numbers_of_any_size_leave_a_file_that_is_whole() {
    let odd = [0, 1, INTERVAL, 1 << 50, 1 << 62, u64::MAX - 1, u64::MAX];
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..200 {
        let rig = Rig::new();
        let mut born = 0;
        for _ in 0..20 {
            let mut any = || odd[random.usize(..odd.len())];
            let actions = [
                Action::Hold(any()),
                Action::Resume,
                Action::Retune(any()),
                Action::GiveBack {
                    born,
                    epoch: any(),
                    slots: vec![Slots {
                        first: any(),
                        count: u32::MAX,
                        step: any(),
                    }],
                },
                Action::Reserve {
                    want: 70,
                    spacing: any(),
                    after: any(),
                    horizon: any(),
                    burst: u32::MAX,
                    gathered: 70,
                },
                consecutive(u32::MAX, u64::MAX),
            ];
            let call = Call {
                host: any(),
                label: "test".into(),
                priority: (any() % 9) as u8,
                known: Terms {
                    interval: any(),
                    hold: any(),
                    epoch: any(),
                },
                grace: any(),
                window: any(),
                action: Action::Resume,
            };
            let action = actions[random.usize(..actions.len())].clone();
            let call = Call { action, ..call };
            born = rig.call(call.clone()).unwrap().born;
            assert!(block_on(rig.files.look(LIMIT)).unwrap().is_some());
            rig.machine.pass(random.u64(..3) * SECOND);
        }
        assert_eq!(rig.files.losses(), 0);
    }
}

/// A host may be called anything, and a fleet speaks all languages.
pub(crate) fn labels_of_any_bytes_are_kept() {
    let mut rig = Rig::new();
    let labels = [
        String::new(),
        "web-1.example.org:8080/7".to_owned(),
        "\"\\'%,;|{}[]<>&$#@!~`".to_owned(),
        "機械-ä-ñ-🦀-\u{202e}-\u{10ffff}".to_owned(),
        "é".repeat(100),
        // The backend takes also what a limit would not.
        "a b\n\t\0\r\u{7f}".to_owned(),
        "x".repeat(70_000),
    ];
    for (host, label) in (0..).zip(&labels) {
        let call = Call {
            label: label.as_str().into(),
            ..ask(host, 0)
        };
        rig.call(call).unwrap();
    }
    rig.restart();
    rig.call(call(0, Action::Resume)).unwrap();
    let state = block_on(rig.files.look(LIMIT)).unwrap().unwrap();
    let kept: Vec<_> = state.hosts.iter().map(|host| &host.label).collect();
    assert_eq!(kept, labels.iter().collect::<Vec<_>>());
    assert!(state.hosts.iter().all(|it| it.counts_for == 10 * SECOND));
    assert_eq!(rig.files.losses(), 0);
}

/// Changes a byte of the newest record, or of the one before it.
fn damage(rig: &Rig, is_newest: bool) {
    let mut bytes = rig.bytes();
    let number = |place: usize| u64::from_le_bytes(bytes[place + 8..][..8].try_into().unwrap());
    let is_first = (number(0) > number(PLACE)) == is_newest;
    bytes[if is_first { 0 } else { PLACE } + 40] ^= 1;
    fs::write(rig.path(), bytes).unwrap();
}

/// All but the slots, which wait out the grace: the terms, and who is there. Hosts are told that it is another state.
pub(crate) fn terms_and_hosts_outlast_a_damaged_file() {
    let mut rig = Rig::ready();
    rig.order(Action::Retune(3 * INTERVAL));
    for host in [2, 3] {
        let label = format!("host-{host}").into();
        rig.call(Call {
            label,
            ..ask(host, 0)
        })
        .unwrap();
    }
    rig.order(Action::Hold(SECOND));
    let before = rig.reserve(0).unwrap();
    damage(&rig, true);
    rig.restart();
    let after = rig.reserve(1).unwrap();
    assert_eq!(rig.files.losses(), 1);
    assert!(after.born > before.born, "{before:?} {after:?}");
    assert_eq!(after.learning_until, after.now + GRACE);
    assert_eq!(
        (after.granted(), after.terms, after.hosts),
        (0, before.terms, 3)
    );
    assert_eq!(before.terms.hold, SECOND);
    assert_eq!(before.terms.interval, 3 * INTERVAL);
    let state = block_on(rig.files.look(LIMIT)).unwrap().unwrap();
    let labels: Vec<_> = state.hosts.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["test", "host-2", "host-3"]);
    assert_eq!((state.terms, state.learning), (before.terms, GRACE));
    // And after it, slots come.
    rig.order(Action::Resume);
    rig.machine.pass(GRACE);
    let slots = rig.reserve(1).unwrap();
    assert_eq!((slots.granted(), slots.born), (1, after.born));
    assert_eq!(slots.slots[0].step, 3 * INTERVAL);
}

/// Slots so far from each other, some of them after the grace; those between them are free.
fn spaced(spacing: u64) -> Action {
    Action::Reserve {
        want: 3,
        spacing,
        after: 0,
        horizon: 10 * GRACE,
        burst: 1,
        gathered: 0,
    }
}

/// Neither what was free, as the call that is missing may have taken it, nor what others give back by the old state.
pub(crate) fn no_slot_of_before_a_damage_is_granted_after_it() {
    let mut rig = Rig::ready();
    let held = rig.order(spaced(2 * GRACE));
    rig.granted.add(&held);
    assert_eq!(held.granted(), 3);
    let after_grace = Action::Reserve {
        want: 20,
        spacing: 0,
        after: GRACE + 10 * INTERVAL,
        horizon: 2 * GRACE,
        burst: 1,
        gathered: 0,
    };
    let between = rig.order(after_grace);
    assert_eq!(between.granted(), 20);
    assert!(between.slots[0].first < held.slots[0].first + 2 * GRACE);
    rig.granted.add(&between);
    damage(&rig, true);
    assert_eq!(rig.give_back(&held, 1), 0, "by the first call that sees it");
    assert_eq!(rig.give_back(&held, 1), 0, "nor later");
    rig.machine.pass(GRACE);
    let later = rig.order(consecutive(1_000, 10 * GRACE));
    rig.granted.add(&later);
    assert!(later.granted() > 100, "{later:?}");
    assert_eq!(rig.granted.twice(INTERVAL), 0);
    // Those that it granted itself are taken back.
    assert_eq!(rig.give_back(&later, 1), 1);
}

/// Where a checksum is right. The numbers that callers say may be any.
pub(crate) fn times_that_no_calls_lead_to_are_taken_for_damage() {
    let mut rig = Rig::ready();
    rig.order(spaced(4 * INTERVAL));
    let now = rig.reserve(0).unwrap().now;
    let whole = rig.bytes();
    let length = record_length(&whole);
    let state = |n: usize| 24 + 48 + 8 + LIMIT.len() + 1 + 8 * n;
    let (born, last, quiet, tat) = (state(0), state(1), state(2), state(3));
    let (interval, epoch, tuned, hold) = (state(4), state(5), state(6), state(7));
    let (low, owed, runs) = (state(8), state(9), state(10));
    let (seen_until, priority) = (length - LABEL.len() - 17, length - LABEL.len() - 9);
    let latest = now + MAX_MICROS;
    let (fits, breaks) = (0, 1);
    for (at, number, losses) in [
        (born, latest, fits),
        (born, latest + 1, breaks),
        (last, 1 << 60, fits),
        (last, (1 << 60) + 1, breaks),
        (quiet, latest, fits),
        (quiet, latest + 1, breaks),
        (tat, u64::MAX, fits),
        (tat, now, breaks),
        (interval, 0, breaks),
        (interval, MAX_MICROS + 1, breaks),
        (epoch, u64::MAX, fits),
        (tuned, u64::MAX, fits),
        (hold, latest, fits),
        (hold, latest + 1, breaks),
        (low, u64::MAX, fits),
        (owed, u64::MAX, fits),
        (runs, 0, breaks),
        (runs, u64::MAX, breaks),
        (seen_until, latest, fits),
        (seen_until, latest + 1, breaks),
    ] {
        let mut bytes = whole.clone();
        for place in [0, PLACE] {
            let record = &mut bytes[place..place + length];
            record[at..at + 8].copy_from_slice(&number.to_le_bytes());
            sign(record);
        }
        fs::write(rig.path(), bytes).unwrap();
        rig.restart();
        rig.reserve(0).unwrap();
        assert_eq!(rig.files.losses(), losses, "{number} at byte {at}");
    }
    for (number, losses) in [(0, fits), (7, fits), (8, breaks), (255, breaks)] {
        let mut bytes = whole.clone();
        for place in [0, PLACE] {
            let record = &mut bytes[place..place + length];
            record[priority] = number;
            sign(record);
        }
        fs::write(rig.path(), bytes).unwrap();
        rig.restart();
        rig.reserve(0).unwrap();
        assert_eq!(rig.files.losses(), losses, "priority {number}");
    }
}

/// Also where no time passes, and whatever grace a caller has.
pub(crate) fn each_damage_makes_another_state_and_shortens_no_grace() {
    let mut rig = Rig::ready();
    rig.reserve(5).unwrap();
    let mut born = vec![rig.reserve(1).unwrap().born];
    for grace in [GRACE, 0, GRACE / 2, 0] {
        damage(&rig, false);
        let reply = rig
            .call(Call {
                grace,
                ..ask(1, 50)
            })
            .unwrap();
        let left = (reply.granted(), reply.learning_until - reply.now);
        assert_eq!(left, (0, GRACE), "with a grace of {grace}");
        let next = block_on(rig.files.look(LIMIT)).unwrap().unwrap().next;
        assert_eq!(next, GRACE, "and who looks sees no slot before");
        born.push(reply.born);
    }
    assert!(born.is_sorted_by(|one, next| one < next), "{born:?}");
    // Who wants none begins at once.
    rig.machine.pass(GRACE);
    damage(&rig, false);
    let at_once = Call {
        grace: 0,
        ..ask(1, 1)
    };
    assert_eq!(rig.call(at_once).unwrap().granted(), 1);
}
