//! From a slot to the end, and every way to be stopped.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_plain_life() {
    play(
        "submit a\n started a\n exited a 0\n cleaned a",
        &expect![[r#"
        submit a                     a starting · want start a#1
        started a                    a running · want watch a#1
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        cleaned a                    a ended succeeded cleanup done
    "#]],
    );
}

#[test]
fn a_short_job_may_end_before_it_was_seen_to_start() {
    play(
        "submit a\n exited a 3",
        &expect![[r#"
        submit a                     a starting · want start a#1
        exited a 3                   a ended failed cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn cancel_asks_then_kills_and_only_proof_ends_it() {
    play(
        "submit a\n started a\n cancel a\n cancel a\n +9s\n +1s\n +5s\n exited a 143 stopped",
        &expect![[r#"
            submit a                     a starting · want start a#1
            started a                    a running · want watch a#1
            cancel a                     a stopping · want stop a#1
            cancel a                     nothing
            +9s                          nothing
            +1s                          a stopping by force · want kill a#1
            +5s                          want kill a#1
            exited a 143 stopped         a ended cancelled cleanup pending · want clean a#1
        "#]],
    );
}

#[test]
fn cancel_now_skips_the_grace() {
    play(
        "submit a\n started a\n cancel a now\n signal a 9 stopped",
        &expect![[r#"
        submit a                     a starting · want start a#1
        started a                    a running · want watch a#1
        cancel a now                 a stopping by force · want kill a#1
        signal a 9 stopped           a ended cancelled cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn what_ended_well_before_the_stop_reached_it_stays_well() {
    play(
        "submit a\n started a\n cancel a\n exited a 0",
        &expect![[r#"
        submit a                     a starting · want start a#1
        started a                    a running · want watch a#1
        cancel a                     a stopping · want stop a#1
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn what_dies_by_itself_after_a_cancel_was_recorded_is_cancelled() {
    play(
        "submit a retry=3\n started a\n cancel a\n signal a 11",
        &expect![[r#"
        submit a retry=3             a starting · want start a#1
        started a                    a running · want watch a#1
        cancel a                     a stopping · want stop a#1
        signal a 11                  a ended cancelled cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn a_queued_job_is_cancelled_at_once() {
    play(
        "slots default 0\n submit a\n cancel a\n cancel a\n +100s\n purged a",
        &expect![[r#"
        slots default 0              nothing
        submit a                     a ready
        cancel a                     a ended cancelled cleanup done
        cancel a                     refused ended: a has already ended (cancelled)
        +100s                        want purge a#0
        purged a                     a gone
    "#]],
    );
}

#[test]
fn timeout_stops_and_says_so() {
    play(
        "submit a timeout=60s\n started a\n +59s\n +1s\n +10s\n signal a 9 stopped",
        &expect![[r#"
            submit a timeout=60s         a starting · want start a#1
            started a                    a running · want watch a#1
            +59s                         nothing
            +1s                          a stopping · want stop a#1
            +10s                         a stopping by force · want kill a#1
            signal a 9 stopped           a ended timed_out/runtime cleanup pending · want clean a#1
        "#]],
    );
}

#[test]
fn sleep_of_the_machine_is_not_running_time() {
    play(
        "submit a timeout=60s\n started a\n +30s\n woke 3600s\n +3600s\n +60s",
        &expect![[r#"
        submit a timeout=60s         a starting · want start a#1
        started a                    a running · want watch a#1
        +30s                         nothing
        woke 3600s                   want watch a#1
        +3600s                       nothing
        +60s                         a stopping · want stop a#1
    "#]],
    );
}

#[test]
fn a_stall_is_judged_by_its_span_and_only_while_running() {
    play(
        "submit a stall=5s\n quiet a 9s\n started a\n quiet a 4s\n quiet a 5s\n signal a 15 stopped",
        &expect![[r#"
            submit a stall=5s            a starting · want start a#1
            quiet a 9s                   nothing
            started a                    a running · want watch a#1
            quiet a 4s                   nothing
            quiet a 5s                   a stopping · want stop a#1
            signal a 15 stopped          a ended timed_out/stall cleanup pending · want clean a#1
        "#]],
    );
}

#[test]
fn limits_of_the_shim_are_failures_with_a_reason() {
    play(
        "submit a\n submit b\n started a\n started b\n signal a 9 flooded\n signal b 9 oom",
        &expect![[r#"
            submit a                     a starting · want start a#1
            submit b                     b starting · want start b#1
            started a                    a running · want watch a#1
            started b                    b running · want watch b#1
            signal a 9 flooded           a ended failed/outputlimit cleanup pending · want clean a#1
            signal b 9 oom               b ended failed/oom cleanup pending · want clean b#1
        "#]],
    );
}

#[test]
fn reports_about_other_attempts_are_stale_and_repeats_say_nothing_new() {
    play(
        "submit a retry=1\n started a\n started a\n exited a 1\n exited a 1 #1\n +2s\n exited a 0 #1\n started a #1\n exited a 0\n exited a 0",
        &expect![[r#"
            submit a retry=1             a starting · want start a#1
            started a                    a running · want watch a#1
            started a                    refused repeat: that was reported before
            exited a 1                   a delayed
            exited a 1 #1                refused stale: the report is about an earlier attempt of a
            +2s                          a starting · want start a#2
            exited a 0 #1                refused stale: the report is about an earlier attempt of a
            started a #1                 refused stale: the report is about an earlier attempt of a
            exited a 0                   a ended succeeded cleanup pending · want clean a#2
            exited a 0                   refused stale: the report is about an earlier attempt of a
        "#]],
    );
}

#[test]
fn a_launch_that_takes_too_long_is_called_off_and_made_again() {
    play(
        "submit a\n +30s\n +5s\n never a\n +1s\n +30s\n started a\n exited a 0",
        &expect![[r#"
            submit a                     a starting · want start a#1
            +30s                         a stopping · want call off a#1
            +5s                          want call off a#1
            never a                      a delayed
            +1s                          a starting · want start a#2
            +30s                         a stopping · want call off a#2
            started a                    a running · want watch a#2
            exited a 0                   a ended succeeded cleanup pending · want clean a#2
        "#]],
    );
}

#[test]
fn launches_that_come_to_nothing_end_it_in_the_end() {
    play(
        "submit a\n never a\n +30s\n never a\n +30s\n never a\n +30s\n never a\n +30s\n never a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            never a                      a delayed
            +30s                         a starting · want start a#2
            never a                      a delayed
            +30s                         a starting · want start a#3
            never a                      a delayed
            +30s                         a starting · want start a#4
            never a                      a delayed
            +30s                         a starting · want start a#5
            never a                      a ended failed/spawn cleanup pending · want clean a#5
        "#]],
    );
}

#[test]
fn after_a_reboot_only_the_record_counts() {
    play(
        "submit a\n submit b retry=1\n started a\n started b\n reboot\n lost a\n lost b\n +2s",
        &expect![[r#"
            submit a                     a starting · want start a#1
            submit b retry=1             b starting · want start b#1
            started a                    a running · want watch a#1
            started b                    b running · want watch b#1
            reboot                       want conclude a#1 · want conclude b#1
            lost a                       a ended lost/hostlost cleanup pending · want clean a#1
            lost b                       b delayed
            +2s                          b starting · want start b#2
        "#]],
    );
}

#[test]
fn a_cancel_that_was_recorded_outlives_the_machine() {
    play(
        "submit a retry=5\n started a\n cancel a\n reboot\n lost a",
        &expect![[r#"
        submit a retry=5             a starting · want start a#1
        started a                    a running · want watch a#1
        cancel a                     a stopping · want stop a#1
        reboot                       want conclude a#1
        lost a                       a ended cancelled cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn cancel_of_a_start_ends_by_tombstone() {
    play(
        "submit a\n cancel a\n never a",
        &expect![[r#"
        submit a                     a starting · want start a#1
        cancel a                     a stopping · want stop a#1
        never a                      a ended cancelled cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn a_tree_is_cancelled_with_what_descends_from_it() {
    play(
        "submit a\n started a\n submit b parent=a\n submit c parent=b\n exited a 0\n cancel a tree",
        &expect![[r#"
            submit a                     a starting · want start a#1
            started a                    a running · want watch a#1
            submit b parent=a            b starting · want start b#1
            submit c parent=b            c ready
            exited a 0                   a ended succeeded cleanup pending · c starting · want start c#1 · want clean a#1
            cancel a tree                b stopping · c stopping · want stop b#1 · want stop c#1
        "#]],
    );
}

#[test]
fn silence_alone_ends_nobody_who_did_not_ask_for_it() {
    play(
        "submit a\n started a\n quiet a 9999s\n +9999s\n exited a 0",
        &expect![[r#"
        submit a                     a starting · want start a#1
        started a                    a running · want watch a#1
        quiet a 9999s                nothing
        +9999s                       nothing
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
    "#]],
    );
}

#[test]
fn a_sleep_before_the_news_of_the_start_is_no_running_time() {
    play(
        "submit a timeout=10s\n +1s\n woke 100s\n started a ago=1s\n +8s\n +99s\n +2s",
        &expect![[r#"
            submit a timeout=10s         a starting · want start a#1
            +1s                          nothing
            woke 100s                    want start a#1
            started a ago=1s             a running · want watch a#1
            +8s                          nothing
            +99s                         nothing
            +2s                          a stopping · want stop a#1
        "#]],
    );
    // One that began after the sleep has nothing to be forgiven.
    play(
        "submit a timeout=10s\n woke 20s\n +1s\n started a\n +9s\n +1s",
        &expect![[r#"
            submit a timeout=10s         a starting · want start a#1
            woke 20s                     want start a#1
            +1s                          nothing
            started a                    a running · want watch a#1
            +9s                          nothing
            +1s                          a stopping · want stop a#1
        "#]],
    );
}
