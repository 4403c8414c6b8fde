//! The fleet on a real redis-server, which these tests start. Where there is none on the machine they are reported as
//! ignored, by name.
//!
//! Not libtest, for that report, and because this program is also the hosts of the fleets that it tests.

#![allow(clippy::panic, clippy::unwrap_used)]

mod backend;
#[cfg(feature = "cluster")]
mod cluster;
mod cost;
#[cfg(all(feature = "cluster", feature = "sentinel", feature = "tls"))]
mod engines;
mod even;
mod faults;
mod fleet;
mod host;
mod proxy;
mod scripts;
mod server;
mod terms;

use libtest_mimic::{Arguments, Trial};

macro_rules! trials {
    ($($module:ident: $($name:ident)+;)+) => {
        vec![$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn())),+),+]
    };
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--host", orders)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        host::run(orders);
        return;
    }
    #[cfg(all(feature = "cluster", feature = "sentinel", feature = "tls"))]
    if let [first, url] = arguments.as_slice()
        && first == "--tls"
    {
        engines::tls_client(url);
        return;
    }
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_mut, reason = "nothing is added")
    )]
    let mut trials = trials! {
        scripts:
            random_sequences_do_on_the_server_what_they_do_to_the_calendar
            the_grace_of_a_limit_nobody_knows_ends
            what_one_of_two_keys_has_lost_is_lost
            every_digit_of_the_clock_is_kept
            keys_outlive_the_last_slot_and_hold_by_a_week_and_no_longer;
        backend:
            every_call_is_one_command_once_the_server_knows_the_scripts
            a_user_with_the_rights_of_the_readme_can_do_everything_and_no_more
            a_connection_that_was_cut_is_made_again_by_the_next_call
            a_server_that_became_a_replica_is_left
            a_server_that_says_nothing_is_given_up_in_time
            a_server_that_hangs_is_given_up_and_comes_back
            urls_that_cannot_be_used_are_refused_without_their_password
            names_that_a_cluster_would_not_keep_together_are_refused
            keys_of_somebody_else_are_refused_and_left_alone
            the_backend_can_be_used_and_dropped_inside_and_outside_of_a_runtime;
        terms:
            a_hold_by_one_host_reaches_the_other
            a_new_rate_set_by_one_host_reaches_the_other;
        even:
            four_hosts_share_100_a_second
            four_hosts_share_2000_a_second;
        faults:
            a_killed_host_takes_its_leases_with_it_and_nothing_else
            a_host_that_was_stopped_uses_no_slot_that_has_passed
            a_redis_that_lost_everything_is_waited_out
            a_redis_that_hangs_is_gone_round
            flushed_scripts_are_sent_again
            flushed_keys_are_waited_out
            a_promoted_replica_overlaps_by_the_leases_held_at_most
            cut_connections_are_made_again
            latency_and_loss_make_nobody_early;
    };
    let long = trials! {
        even:
            four_hosts_keep_99_percent_of_the_rate_and_share_it_evenly;
        faults:
            every_fault_keeps_its_bounds;
        cost:
            what_one_core_of_redis_bears;
    };
    #[cfg(feature = "cluster")]
    trials.extend(trials! {
        faults:
            a_cluster_fails_over;
    });
    #[cfg(all(feature = "cluster", feature = "sentinel", feature = "tls"))]
    trials.extend(trials! {
        engines:
            limits_are_spread_over_a_cluster_and_survive_a_failover
            a_cluster_is_found_from_one_node_that_lives
            sentinels_lead_to_the_new_primary
            tls_is_spoken_with_those_whom_the_system_trusts_and_nobody_else;
    });
    let is_there = server::is_there();
    if !is_there {
        println!("SKIPPED, as there is no redis-server on this machine: all that is ignored below");
    }
    let trial = |is_long: bool| {
        move |(name, run): (&str, fn())| {
            let run = move || {
                run();
                Ok(())
            };
            Trial::test(name, run).with_ignored_flag(is_long || !is_there)
        }
    };
    let mut all: Vec<Trial> = trials.into_iter().map(trial(false)).collect();
    if is_there {
        all.extend(long.into_iter().map(trial(true)));
    }
    let mut arguments = Arguments::from_args();
    // They mostly sleep.
    arguments.test_threads.get_or_insert(4);
    libtest_mimic::run(&arguments, all).exit();
}
