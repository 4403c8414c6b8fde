//! The fleet on a real redis-server, which these tests start. Where there is none on the machine they are reported as
//! ignored, by name.
//!
//! Not libtest, for that report, and because this program is also the hosts of the fleets that it tests.

#![allow(clippy::panic, clippy::unwrap_used)]

mod acl;
mod attacks;
mod backend;
#[cfg(feature = "cluster")]
mod cluster;
mod cost;
#[cfg(all(feature = "cluster", feature = "sentinel", feature = "tls"))]
mod engines;
mod even;
mod fake;
mod faults;
mod fleet;
mod host;
mod hostile;
mod options;
mod proxy;
mod scripts;
mod server;
#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod several;
mod terms;
#[cfg(feature = "tls")]
mod tls;
mod told;

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
        not(any(
            feature = "cluster",
            feature = "sentinel",
            feature = "tls",
            target_os = "linux"
        )),
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
            a_connection_that_was_cut_is_made_again_by_the_next_call
            a_server_that_became_a_replica_is_left
            a_server_that_says_nothing_is_given_up_in_time
            a_server_that_hangs_is_given_up_and_comes_back
            urls_that_cannot_be_used_are_refused_without_their_password
            names_that_a_cluster_would_not_keep_together_are_refused
            keys_of_somebody_else_are_refused_and_left_alone
            the_backend_can_be_used_and_dropped_inside_and_outside_of_a_runtime;
        told:
            what_a_server_says_is_told_in_few_words
            a_server_without_authentication_is_not_told_of_with_the_password
            a_server_that_runs_no_scripts_is_told_of
            a_server_that_is_too_old_is_told_which_one_is_needed;
        acl:
            a_user_with_the_rights_of_the_readme_can_do_everything_and_no_more
            the_readme_has_the_rights_that_are_tested
            a_database_takes_the_right_to_select_it_and_the_error_says_so
            a_right_that_is_missing_is_named
            a_password_that_is_put_right_is_taken_within_the_pause;
        options:
            a_provider_is_asked_at_each_new_connection
            other_credentials_are_tried_at_once
            a_provider_that_fails_means_that_the_backend_is_away
            a_provider_that_is_late_is_waited_for_not_asked_again
            backends_of_other_prefixes_and_versions_do_not_meet
            options_that_cannot_be_used_are_refused_by_value_and_range
            nothing_shows_a_secret
            the_status_tells_how_the_connection_is_doing
            fifty_hosts_find_back_to_a_server_that_was_restarted;
        attacks:
            a_wrong_password_is_not_tried_at_each_call
            a_server_that_wants_a_password_is_not_asked_without_one_at_each_call
            a_server_that_ends_connections_is_not_stormed
            a_server_that_only_reads_is_not_stormed
            a_connection_from_which_nothing_comes_any_more_is_left_and_nothing_sent_twice
            a_server_that_hangs_is_sent_no_commands_over_new_connections
            a_command_that_may_have_been_carried_out_is_not_sent_again
            a_connection_that_ended_while_nobody_called_costs_no_call
            a_demotion_is_got_over_within_the_call
            a_server_that_cannot_for_now_is_away
            a_busy_server_or_one_without_its_replicas_is_away
            a_full_house_is_not_a_wrong_password
            an_answer_of_the_wrong_shape_ends_the_connection
            a_lease_of_the_wrong_shape_is_refused
            an_answer_that_claims_to_be_endless_is_given_up;
        hostile:
            a_rate_that_the_server_forgot_comes_back;
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
        hostile:
            hostile_places_keep_the_rate_and_starve_nobody
            lone_callers_get_their_share;
        cost:
            what_one_core_of_redis_bears;
    };
    #[cfg(target_os = "linux")]
    trials.extend(trials! {
        attacks:
            an_idle_connection_is_kept_alive;
    });
    #[cfg(feature = "cluster")]
    trials.extend(trials! {
        faults:
            a_cluster_fails_over;
        several:
            a_node_that_says_nothing_does_not_hide_the_cluster
            a_url_for_another_kind_of_server_is_refused;
        acl:
            in_a_cluster_it_takes_the_right_to_ask_where_keys_are
            in_a_cluster_new_credentials_are_taken_too;
    });
    #[cfg(feature = "sentinel")]
    trials.extend(trials! {
        several:
            a_sentinel_that_says_nothing_does_not_hide_the_others
            a_sentinel_that_is_behind_does_not_hide_the_new_primary;
        acl:
            behind_sentinels_no_more_rights_are_needed;
    });
    #[cfg(feature = "tls")]
    trials.extend(trials! {
        tls:
            an_authority_of_ones_own_is_trusted_and_no_other
            a_server_that_wants_a_certificate_gets_one
            certificates_that_cannot_be_used_are_refused
            a_server_that_does_not_begin_with_tls_is_given_up_in_time;
    });
    #[cfg(all(feature = "sentinel", feature = "tls"))]
    trials.extend(trials! {
        tls:
            sentinels_are_asked_over_tls_too;
    });
    #[cfg(all(feature = "cluster", feature = "tls"))]
    trials.extend(trials! {
        tls:
            a_cluster_is_reached_over_tls_too;
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
        println!(
            "SKIPPED, as there is no {} on this machine: all that is ignored below",
            server::program()
        );
    }
    let has_openssl = server::answers("openssl", "version");
    if !has_openssl {
        println!("SKIPPED, as there is no openssl on this machine: what is over TLS");
    }
    let trial = |is_long: bool| {
        move |(name, run): (&str, fn())| {
            let run = move || {
                run();
                Ok(())
            };
            let can = is_there && (has_openssl || !name.contains("tls"));
            Trial::test(name, run).with_ignored_flag(is_long || !can)
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
