//! What every journal must do, as cases that a test calls with a way to open one.
//!
//! A case is a function that panics where the journal breaks the contract. It gets an [`Open`],
//! which opens the same, at first empty, journal each time, as another process would. Use
//! [`every_case!`](crate::every_case) to make a test of each case.

mod arrivals;
mod branches;
mod entries;
mod fixtures;
mod gates;
mod leases;
mod locks;
mod mailbox;
mod programs;

use std::sync::Arc;

use piton_core::ports::Journal;

pub use arrivals::*;
pub use branches::*;
pub use entries::*;
pub use gates::*;
pub use leases::*;
pub use locks::*;
pub use mailbox::*;
pub use programs::*;

/// Opens the journal under test: a second opening has the same runs.
pub type Open<'a> = &'a (dyn Fn() -> Arc<dyn Journal> + Sync);

/// Expands to a call of `$each!(name)` for every case of the contract.
#[macro_export]
macro_rules! every_case {
    ($each:ident) => {
        $each!(entries_come_back_as_they_were_written);
        $each!(entries_are_read_in_chunks);
        $each!(several_entries_are_one_append);
        $each!(entries_of_a_branch_come_alone);
        $each!(gates_of_stopped_branches_come_back_with_a_retry);
        $each!(large_values_and_any_text_are_kept);
        $each!(the_list_of_runs_has_the_newest_first);
        $each!(a_run_is_found_by_a_unique_prefix);
        $each!(the_summary_is_the_one_of_the_last_append);
        $each!(entries_are_read_while_others_append);
        $each!(one_process_drives_a_run);
        $each!(a_run_that_was_given_back_is_taken_at_once);
        $each!(an_old_lease_writes_nothing);
        $each!(of_many_only_one_takes_a_run);
        $each!(whoever_looks_keeps_nobody_from_a_run);
        $each!(open_gates_come_in_the_order_they_opened);
        $each!(gates_of_all_runs_come_with_their_answers);
        $each!(an_answer_needs_an_open_gate);
        $each!(a_gate_that_opens_again_forgets_its_answers);
        $each!(a_retry_makes_gates_void);
        $each!(a_run_that_ended_asks_nobody);
        $each!(the_first_answer_counts);
        $each!(an_answer_to_something_else_is_refused);
        $each!(of_contradicting_answers_at_once_one_counts);
        $each!(mail_becomes_entries_in_one_commit);
        $each!(one_cancel_is_enough);
        $each!(the_first_way_to_settle_a_doubt_counts);
        $each!(a_lock_has_one_run_at_a_time);
        $each!(a_lock_of_a_run_that_ended_is_free);
        $each!(an_old_lease_takes_no_lock);
        $each!(a_program_is_kept_as_it_was);
        $each!(sealed_values_are_kept_by_name);
        $each!(a_run_is_removed_with_what_only_it_used);
        $each!(an_edited_program_is_the_one_of_the_run);
        $each!(a_driven_run_is_not_removed);
        $each!(a_run_is_stored_once);
        $each!(a_run_that_was_handed_over_goes_on_elsewhere_alone);
        $each!(a_run_that_is_kept_to_be_read_asks_and_takes_nothing);
        $each!(only_what_follows_is_taken_in);
    };
}
