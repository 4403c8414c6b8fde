//! Every short sequence of a schedule's operations keeps the law of permits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use apiqueue_explorer::bucket::Pace;
use apiqueue_explorer::schedule::explore;
use apiqueue_explorer::width::Width;

const fn pace(interval: i64, burst: i64, strict: bool) -> Pace {
    Pace {
        interval,
        burst,
        strict,
        catch_up: None,
    }
}

const FAMILIES: [&[Pace]; 4] = [
    &[pace(100, 1, false), pace(20, 1, false), pace(200, 1, false)],
    &[
        pace(10, 3, false),
        pace(5, 3, false),
        pace(10, 1, false),
        pace(10, 5, false),
    ],
    &[
        pace(1000, 10, true),
        pace(10, 10, false),
        pace(10, 1, false),
    ],
    &[
        pace(10, 10, false),
        pace(1000, 10, false),
        pace(10, 1, true),
    ],
];

fn keeps_the_law<W: Width>(begin: i64) {
    for paces in FAMILIES {
        let (cases, found) = explore::<W>(paces, begin, 4);
        println!("{cases} sequences from {paces:?}, {} findings", found.len());
        let shortest: Vec<_> = found.iter().take(5).collect();
        assert!(
            found.is_empty(),
            "{} of {cases}: {shortest:#?}",
            found.len()
        );
    }
}

#[test]
fn every_short_sequence_keeps_the_law_of_permits_by_a_64_bit_clock() {
    keeps_the_law::<u64>(1_000);
}

#[test]
fn every_short_sequence_keeps_the_law_of_permits_by_a_32_bit_clock() {
    keeps_the_law::<u32>(1_000);
}

#[test]
fn every_short_sequence_keeps_the_law_of_permits_where_the_clock_wraps() {
    keeps_the_law::<u32>((1 << 32) - 26);
}
