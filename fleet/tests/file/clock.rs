//! One clock for all processes of a machine, in each boot and across them.

use apiqueue_fleet::{Action, Call, Terms};

use crate::rig::{Rig, SECOND, call, consecutive};

const HOUR: u64 = 3_600 * SECOND;

/// One slot an hour: the first one was just taken. The time until the next one, as seen by a process that has just begun.
fn hourly() -> Rig {
    let mut rig = Rig::ready();
    rig.order(Action::Retune(HOUR));
    rig.machine.pass(HOUR);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    rig
}

fn until_next(rig: &mut Rig) -> u64 {
    rig.restart();
    let reply = rig.reserve(1).unwrap();
    assert_eq!(reply.granted(), 0, "{reply:?}");
    reply.next - reply.now
}

pub(crate) fn a_quota_survives_a_restart() {
    let mut rig = hourly();
    assert_eq!(until_next(&mut rig), HOUR);
    rig.machine.pass(HOUR / 2);
    assert_eq!(until_next(&mut rig), HOUR / 2);
    rig.machine.pass(HOUR / 2);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    assert_eq!(rig.files.losses(), 0);
}

pub(crate) fn a_quota_survives_a_reboot_by_the_wall_clock() {
    let mut rig = hourly();
    rig.machine.reboot(HOUR / 4);
    assert_eq!(until_next(&mut rig), HOUR - HOUR / 4 - 5 * SECOND);
    rig.machine.reboot(HOUR / 4);
    assert_eq!(until_next(&mut rig), HOUR - HOUR / 2 - 10 * SECOND);
    // Off for so long that it is over.
    rig.machine.reboot(HOUR);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1, "without a grace");
    assert_eq!(rig.granted.twice(HOUR), 0);
}

pub(crate) fn a_wall_clock_that_went_back_over_a_reboot_stands_and_goes_on() {
    let mut rig = hourly();
    let before = rig.reserve(1).unwrap().now;
    rig.machine.set(|reading| {
        reading.boot.id += 1;
        reading.since_boot = SECOND;
        reading.wall = 0;
    });
    assert_eq!(rig.reserve(1).unwrap().now, before);
    rig.machine.pass(SECOND);
    assert_eq!(rig.reserve(1).unwrap().now, before + SECOND);
}

pub(crate) fn a_wall_clock_that_is_set_does_not_matter_in_one_boot() {
    let mut rig = hourly();
    for wall in [0, u64::MAX, 1_900_000_000 * SECOND, 1] {
        rig.machine.set(|reading| {
            reading.wall = wall;
            reading.since_boot += SECOND;
        });
        let left = until_next(&mut rig);
        assert!(left < HOUR && left.is_multiple_of(SECOND), "{left}");
    }
    assert_eq!(until_next(&mut rig), HOUR - 4 * SECOND);
}

/// The clock since the boot counts it, the wall clock is only right some time later.
pub(crate) fn suspended_time_counts() {
    let mut rig = hourly();
    rig.machine.set(|reading| reading.since_boot += HOUR);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1);
}

/// A container may have its own time since the boot.
pub(crate) fn processes_in_two_time_namespaces_share_one_clock() {
    let mut rig = hourly();
    for round in 0..10 {
        rig.machine.pass(SECOND);
        // Their times since the boot are a day apart, that of the wall is the same.
        rig.machine.set(|reading| match round % 2 {
            0 => {
                reading.boot.namespace = 2;
                reading.since_boot += 24 * HOUR;
            }
            _ => {
                reading.boot.namespace = 1;
                reading.since_boot -= 24 * HOUR;
            }
        });
        assert_eq!(until_next(&mut rig), HOUR - (round + 1) * SECOND);
    }
}

/// Without the kernel's word for it, a reboot is seen by the time since the boot going back.
pub(crate) fn a_time_since_the_boot_that_went_back_is_another_boot() {
    let mut rig = hourly();
    rig.machine.set(|reading| {
        reading.since_boot = 0;
        reading.wall += HOUR / 2;
    });
    assert_eq!(until_next(&mut rig), HOUR / 2);
}

pub(crate) fn clocks_at_the_end_of_their_numbers_do_no_harm() {
    let mut rig = Rig::new();
    for value in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX, 0, u64::MAX] {
        for boot in 0..2 {
            rig.machine.set(|reading| {
                reading.boot.id = boot;
                reading.since_boot = value;
                reading.wall = value;
            });
            rig.reserve(3).unwrap();
            rig.order(Action::Hold(u64::MAX));
            rig.order(Action::Retune(u64::MAX));
            for horizon in [SECOND, u64::MAX] {
                let known = Terms {
                    interval: u64::MAX,
                    hold: u64::MAX,
                    epoch: 0,
                };
                rig.call(Call {
                    known,
                    grace: u64::MAX,
                    window: u64::MAX,
                    ..call(u64::MAX, consecutive(u32::MAX, horizon))
                })
                .unwrap();
                rig.order(Action::Resume);
            }
            rig.order(Action::Retune(0));
        }
    }
    assert_eq!(rig.files.losses(), 0, "each found a file that is whole");
}
