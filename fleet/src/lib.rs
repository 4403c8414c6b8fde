//! One rate limit for a fleet of processes: `apiqueue`'s FIFO line on every host, with release slots from one shared schedule.
//!
//! An API's owner throttles the whole account, and does not ask on how many hosts it is called. A [`FleetLimit`] is a source of permits
//! for any [`ApiQueue`](apiqueue::ApiQueue), said at its builder: the same line, the same [`Waiter`](apiqueue::Waiter) to poll, block on
//! or await, the same hold, rate, stop and stats. Its permits come from a backend that all hosts share.
//!
//! ```
//! use apiqueue::ApiQueue;
//! use apiqueue_fleet::InProcess;
//!
//! let schedule = InProcess::new(); // or files, or a Redis that all hosts reach
//! let host = || ApiQueue::builder().per_second(200).shared(schedule.limit("ec2")).start();
//! let (one, other) = (host()?, host()?);
//! for _ in 0..3 {
//!     one.wait_turn()?; // one each 5 ms gets past these lines, on whichever host
//!     other.wait_turn()?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When not to use it
//! For one process: [`ApiQueue`](apiqueue::ApiQueue) releases the first caller without a thread switch, where this takes a round
//! trip, and it needs no server. For requests that come *in*: nobody should wait in line for a server that is over its limit.
//!
//! # How it works
//! The backend keeps a calendar for each limit: the next free slot, by its own clock, and the interval. A host with callers in
//! line asks for a *lease*: the next few slots. It counts them from when the answer *arrived*, so that no slot comes early, and
//! releases one waiter at each. Before the lease ends, it asks for the next, which begins after those of the other hosts. What nobody
//! waits for any more is given back.
//!
//! A lease is about a quarter of a second of this host's share: 7 slots for each of 4 hosts at 100 a second, 125 at 2,000, and
//! single slots at low rates. A host whose callers are too few to use a whole lease asks for less, and one whose callers can't use slots
//! that follow one another, because each of their calls takes longer, asks for slots that far apart: the slots in between go to others. A
//! host where nobody waits asks for nothing: [`try_acquire`](apiqueue::ApiQueue::try_acquire) takes a slot that is held and due, and
//! never has one asked for.
//!
//! # Bounds
//! With *catch_up* for [`Builder::catch_up`](apiqueue::Builder::catch_up) (100 ms for a fleet), *trip* for the longest round trip, at most
//! [`FleetLimit::timeout`], and *lease* for at most [`FleetLimit::max_lease`] slots:
//!
//! | | |
//! |---|---|
//! | any window of length w | at most `burst + (w + catch_up + trip) / interval` permits in the whole fleet: slots are never granted twice, and each is used between its time and *catch_up* + *trip* after. Not counted are releases whose permit came back. Where calls [cost](apiqueue::ApiQueue::enqueue_weighted) n slots, each host collects them one by one, and may have n - 1 of them in hand |
//! | a permit that comes back, of a released waiter who was dropped or a turn [given back](apiqueue::Turn::give_back) | the latest slot that this host used is used once more, if it is not older than *catch_up* and the rate has not changed: by one waiter, however many permits come back. A turn that is given back after its slot's time counts for the latest slot, too: with it one release more |
//! | the mean rate | the rate, as long as callers are in line. Slots are lost with answers that get lost, and while a driver is held up for longer than *catch_up* |
//! | order | first in, first out, on each host |
//! | fairness | each host has one lease in use and at most one to come, all of the same size (times its [`weight`](FleetLimit::weight)): equal shares at equal demand, whatever the round trips are and however few callers a host has. Where there are more hosts than slots within the horizon, they ask at random moments instead: equal shares in the long run |
//! | a limit [within](FleetLimit::within) another | each of them as above, in any window with one permit more for each queue: the first in line has one of the inner limit in hand while it waits for one of the outer. A queue held back by its own limit uses up nothing of the outer one |
//! | a hold, a new rate | at once on the host that makes it, within the [`horizon`](FleetLimit::horizon) (500 ms) on the others: with their next lease. A host that waits for its chance to get a slot, as there are more hosts than slots, hears of it within seconds, or within a minute where slots are farther apart than the horizon |
//! | a [charge](apiqueue::ApiQueue::charge) | uses up the next slots of the host that makes it, whether somebody waits there or not. A [refund](apiqueue::ApiQueue::refund) takes that back, and nothing more. What is not used up when the queue ends is forgotten |
//! | a host that dies | the slots that it held: at most its leases |
//! | a host that stands still | its slots, once they are older than *catch_up*; no burst after it |
//! | the backend forgets everything, once or again and again | it grants nothing for the *grace*: horizon + timeout + interval, of which at most a horizon is counted for the interval. No slot is granted twice. Meanwhile hosts use up what they hold, and then those that know how many they are go on at their part of the rate, as with [`Away::Share`]. A rate or hold that was forgotten is told by those who know it: the latest wins |
//! | the backend forgets its last writes | what was granted by them is granted again: at most hosts × lease releases too many |
//! | the backend's clock steps forward | as before: at most hosts × lease too many. A hold goes on where it is known |
//! | the backend's clock steps backward | the schedule stands still for no longer than since the last call: nothing is granted twice, and a hold lasts no longer |
//! | a host's clock goes wrong by a share of p | slots up to p × horizon early |
//! | a host is suspended, and the system's clock with it | it goes on with the rest of its leases afterwards: at most those too many. If it can't reach the backend then, it goes by the number of hosts that it knew before |
//!
//! The first call of a limit that the backend has never heard of, or not for so long that it has forgotten it, or that has no file,
//! waits out the grace too: 750 ms plus the interval. [`FleetLimit::begin_at_once`] does without. So does the in-process backend, as nobody
//! can have slots that it does not know.
//!
//! # Where the schedule is kept
//! | | |
//! |---|---|
//! | [`InProcess`] | in this process: tests, and several queues of one program |
//! | `FileBackend` (Unix) | in files: the processes of one machine, without a server. It outlasts them, and reboots |
//! | `RedisBackend` | on a Redis or Valkey server: hosts that reach it |
//! | [`Backend`] | where you like |
//!
//! # When the backend is away
//! A call that fails or is not answered within the timeout is made again after 10 ms, and so on up to a second; up to 10 s where it was
//! refused, as a wrong password is. From the second failure in a row on the backend counts as away, and the host does what was chosen:
//! [`Away`]. That is told once to [`FleetLimit::on_news`] and `tracing`, and so is its end; [`FleetStats`] counts, and has the last
//! error. Slots held are used up first in any case.
//!
//! | | the fleet's rate meanwhile |
//! |---|---|
//! | [`Away::Share`], the default, for a minute | at most the rate, in as many parts as there are hosts, and at most one release a host more in any window. Only hosts that know how many they are go on: those that have asked the backend for 4 s, and were answered in the last 2 s before they asked in vain (with the default horizon and timeout); or all, where [`expected_hosts`](FleetLimit::expected_hosts) was told. In a fleet of more than about a hundred hosts that compete for slots, nobody knows it otherwise. One host that is cut off from a backend that the others reach adds its part to theirs. When the backend is back, hosts that have not noticed go on for one pause between two tries, 0.1 to 1 s by the number of hosts |
//! | [`Away::Stop`] | none |
//! | [`Away::Full`] | up to the rate × the number of hosts |
//!
//! # When terms change
//! Each hold and each new rate that changes anything gives the terms a new number, the epoch. A host that hears of another rate lets go of the
//! slots that it has left of older leases. It does not move them to the new rate: to use none of them is safe whatever the rate is,
//! and costs a lease at most. The host that makes the change gives its slots back first. A hold lets no lease go: only the slots of
//! its time are gone. To set the rate that is in force, or a hold that is already longer, costs a call and nothing else.
//!
//! A queue that is built with another rate than the one in force goes by that in force, and says so: [`News::OtherRate`], and
//! [`FleetStats::built_rate`]. With [`FleetLimit::rate_wins`] it sets its own.
//!
//! # Threads and features
//! No thread of its own but to tell [news](FleetLimit::on_news): the driver of the queue, `apiqueue`'s one background thread, a task of yours or your own calls of `advance`, polls
//! the calls of the backend, too. There is not a single wake-up while nobody is in line, unless it is to be found out whether a backend
//! is back. Such a call must not block: all queues of the process would wait for it. A queue that has ended is driven until its slots are
//! given back; one that is driven by hand loses them if nobody calls `advance` until it says
//! [`Closed`](apiqueue::Next::Closed). In a forked child nobody is released, and waiters are told [`Closed`](apiqueue::Closed).
//!
//! | feature | |
//! |---|---|
//! | `file` | the schedule in files, for the processes of one machine; on Unix |
//! | `redis` | the schedule on a Redis or Valkey server |
//! | `sentinel`, `cluster`, `tls` | the same through sentinels, in a cluster, over TLS |
//! | `metrics` | what [`FleetStats`] counts, as counters `apiqueue_fleet_…_total` by limit, and gauges of slots held, hosts, and whether the backend is away or its state new |
//! | `tracing` | events of target `apiqueue`: the backend is away, has lost its state, or knows another rate (`WARN`), is back (`INFO`) |
#![forbid(unsafe_code)]

mod backend;
#[doc(hidden)]
pub mod calendar;
mod error;
#[cfg(all(feature = "file", unix))]
#[doc(hidden)]
pub mod file;
mod guarded;
#[doc(hidden)]
pub mod host;
mod in_process;
mod limit;
mod member;
mod members;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "redis")]
mod redis;
mod stats;
mod telemetry;
mod telling;

pub use backend::{
    Action, Answer, Backend, BackendError, Call, LimitState, Reply, SeenHost, Slots, Terms,
};
pub use calendar::Calendar;
pub use error::FleetError;
#[cfg(all(feature = "file", unix))]
pub use file::{FileBackend, Named};
pub use host::{Away, News};
pub use in_process::InProcess;
pub use limit::FleetLimit;
#[cfg(feature = "redis")]
pub use redis::{RedisBackend, RedisCredentials, RedisOptions, RedisStatus};
pub use stats::FleetStats;

/// The examples of the crate's README, as doctests.
#[cfg(all(doctest, unix, feature = "file", feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
