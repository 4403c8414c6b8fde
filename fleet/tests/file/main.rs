//! The fleet over files: what they promise about processes that die, files that are damaged, clocks, and what they keep.
//!
//! Not libtest, as this program is also the other processes.

#![allow(clippy::panic, clippy::unwrap_used, unsafe_code)]

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod clock;
#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod kept;
#[cfg(unix)]
mod look;
#[cfg(unix)]
mod named;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
mod rig;
#[cfg(unix)]
mod steps;

#[cfg(not(unix))]
fn main() {
    println!("SKIPPED: there is no FileBackend on this system");
}

#[cfg(unix)]
macro_rules! trials {
    ($($module:ident: $($name:ident)+;)+) => {
        vec![$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn())),+),+]
    };
}

#[cfg(unix)]
fn main() {
    use libtest_mimic::{Arguments, Trial};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let role: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if child::play(&role) {
        return;
    }
    let trials = trials! {
        clock:
            a_quota_survives_a_restart
            a_quota_survives_a_reboot_by_the_wall_clock
            a_wall_clock_that_went_back_over_a_reboot_stands_and_goes_on
            a_wall_clock_that_is_set_does_not_matter_in_one_boot
            suspended_time_counts
            processes_in_two_time_namespaces_share_one_clock
            a_time_since_the_boot_that_went_back_is_another_boot
            clocks_at_the_end_of_their_numbers_do_no_harm;
        disk:
            a_file_that_is_deleted_while_leases_are_out_is_waited_out
            a_file_that_is_deleted_in_the_middle_of_a_call_is_not_granted_from
            a_directory_that_is_deleted_is_made_again
            nothing_is_granted_by_what_could_not_be_written
            a_directory_that_cannot_be_written_is_told_with_its_path
            what_is_no_directory_is_refused_with_its_path
            a_directory_that_everybody_may_write_is_refused
            files_in_a_directory_of_a_group_are_the_groups
            links_and_devices_in_the_place_of_a_file_are_left_alone
            no_two_limits_share_a_file_and_none_leaves_the_directory
            a_file_that_was_copied_to_another_limits_place_is_refused
            a_link_to_a_directory_is_followed_once
            the_users_directory_is_where_state_is_kept;
        kept:
            every_call_goes_on_from_all_that_those_before_it_left
            calls_with_numbers_of_any_size_leave_a_file_that_is_whole
            labels_of_any_bytes_are_kept
            terms_and_hosts_outlast_a_damaged_file
            no_slot_of_before_a_damage_is_granted_after_it
            times_that_no_calls_lead_to_are_taken_for_damage
            each_damage_makes_another_state_and_shortens_no_grace;
        look:
            a_look_makes_no_file_and_no_directory
            a_look_shows_the_limit_and_changes_nothing
            a_look_at_a_damaged_file_shows_what_is_left_and_mends_nothing
            a_look_at_what_is_no_file_of_this_limit_is_refused
            a_look_waits_until_the_file_is_free;
        named:
            a_path_names_a_directory_and_a_limit_in_it
            a_name_is_that_of_a_limit_in_the_users_directory
            what_names_no_limit_is_refused_with_what_was_said
            a_directory_that_cannot_be_used_is_refused_with_its_path;
        steps:
            a_reserve_that_was_cut_off_at_any_byte_grants_nothing_twice
            a_give_back_that_was_cut_off_at_any_byte_grants_nothing_twice
            new_terms_that_were_cut_off_at_any_byte_grant_nothing_twice
            a_creation_that_was_cut_off_at_any_byte_grants_nothing_before_the_grace
            a_byte_that_changed_is_found_and_waited_out
            what_can_be_read_of_a_damaged_file_goes_on
            any_bytes_at_all_are_waited_out_and_never_a_panic
            numbers_of_any_size_in_a_record_are_no_panic
            a_record_that_makes_no_sense_is_waited_out
            a_file_of_another_release_is_refused_and_left_alone
            a_thousand_hosts_are_kept_and_forgotten
            more_hosts_than_a_record_has_room_for_are_refused_and_harm_nobody;
        processes:
            no_slot_is_granted_twice_under_sigkill_at_any_moment
            who_is_stopped_with_a_file_locked_blocks_nobody
            who_was_stopped_in_a_call_gets_no_slots_by_it
            a_call_that_finds_the_file_locked_is_answered_when_it_is_free
            threads_of_one_process_are_granted_no_slot_twice
            a_forked_child_shares_nothing_that_could_grant_twice
            queues_of_several_processes_share_one_rate;
    };
    #[cfg(target_os = "linux")]
    let trials = [
        trials,
        trials! {
            processes:
                no_slot_is_granted_twice_under_sigkill_at_every_step;
        },
    ]
    .concat();
    let long = trials! {
        processes:
            four_processes_keep_97_percent_of_the_rate;
    };
    let trial = |is_long: bool| {
        move |(name, run): (&str, fn())| {
            let run = move || {
                run();
                Ok(())
            };
            Trial::test(name, run).with_ignored_flag(is_long)
        }
    };
    let mut all: Vec<Trial> = trials.into_iter().map(trial(false)).collect();
    all.extend(long.into_iter().map(trial(true)));
    libtest_mimic::run(&Arguments::from_args(), all).exit();
}
