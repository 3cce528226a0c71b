//! Tasks: functions of the process that holds the home, rather than processes.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_task_ends_with_what_its_function_returned_and_leaves_nothing_to_clean() {
    play(
        "kind sum\n submit a task=sum keep=5s\n started a\n returned a 55\n +5s\n purged a",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum keep=5s    a starting · want task start a#1
            started a                    a running · want task watch a#1
            returned a 55                a ended succeeded with 55 cleanup done
            +5s                          want task purge a#1
            purged a                     a gone
        "#]],
    );
}

#[test]
fn a_function_that_fails_is_retried_as_a_process_is() {
    play(
        "kind sum\n submit a task=sum retry=1\n started a\n returned a oops badly\n +1s\n started a\n returned a oops badly",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum retry=1    a starting · want task start a#1
            started a                    a running · want task watch a#1
            returned a oops badly        a delayed
            +1s                          a starting · want task start a#2
            started a                    a running · want task watch a#2
            returned a oops badly        a ended failed with oops cleanup done
        "#]],
    );
}

#[test]
fn a_task_that_nobody_here_runs_waits_out_of_the_way() {
    play(
        "slots default 1\n submit a task=sum\n submit b\n submit c task=sum\n exited b 0\n kind sum\n started a\n returned a 1",
        &expect![[r#"
            slots default 1              nothing
            submit a task=sum            a aside
            submit b                     b starting · want start b#1
            submit c task=sum            c ready
            exited b 0                   b ended succeeded cleanup pending · c aside · want clean b#1
            kind sum                     a starting · c ready · want task start a#1
            started a                    a running · want task watch a#1
            returned a 1                 a ended succeeded with 1 cleanup done · c starting · want task start c#1
        "#]],
    );
}

#[test]
fn kinds_are_known_until_the_host_comes_up_anew() {
    play(
        "kind sum\n submit a task=sum\n started a\n up\n submit b task=sum\n kind product\n kind sum\n kind sum",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum            a starting · want task start a#1
            started a                    a running · want task watch a#1
            up                           nothing
            submit b task=sum            b aside
            kind product                 nothing
            kind sum                     b starting · want task start b#1
            kind sum                     nothing
        "#]],
    );
}

#[test]
fn a_task_set_aside_keeps_its_lane_and_can_be_cancelled() {
    play(
        "submit a task=sum lane=x\n submit b lane=x\n cancel a",
        &expect![[r#"
            submit a task=sum lane=x     a aside
            submit b lane=x              b behind
            cancel a                     a ended cancelled cleanup done · b starting · want start b#1
        "#]],
    );
}

#[test]
fn a_lost_task_is_run_again_only_as_often_as_its_kind_says() {
    play(
        "kind sum\n submit a task=sum reruns=1 retry=3\n started a\n lost a\n +1s\n started a\n lost a",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum reruns=1 retry=3 a starting · want task start a#1
            started a                    a running · want task watch a#1
            lost a                       a delayed
            +1s                          a starting · want task start a#2
            started a                    a running · want task watch a#2
            lost a                       a ended lost/hostlost cleanup done
        "#]],
    );
}

#[test]
fn a_lost_task_of_an_ordinary_kind_ends_lost() {
    play(
        "kind sum\n submit a task=sum retry=3\n started a\n lost a",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum retry=3    a starting · want task start a#1
            started a                    a running · want task watch a#1
            lost a                       a ended lost/hostlost cleanup done
        "#]],
    );
}

#[test]
fn a_task_that_had_not_begun_is_started_by_the_next_process_in_any_boot() {
    play(
        "kind sum\n submit a task=sum\n submit b task=sum\n started b\n reboot\n started a\n lost b",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum            a starting · want task start a#1
            submit b task=sum            b starting · want task start b#1
            started b                    b running · want task watch b#1
            reboot                       want task start a#1 · want task watch b#1
            started a                    a running · want task watch a#1
            lost b                       b ended lost/hostlost cleanup done
        "#]],
    );
}

#[test]
fn a_body_that_ignores_its_cancellation_keeps_its_slot() {
    play(
        "slots default 1\n kind sum\n submit a task=sum\n started a\n submit b task=sum\n cancel a\n +10s\n +5s\n returned a late stopped",
        &expect![[r#"
            slots default 1              nothing
            kind sum                     nothing
            submit a task=sum            a starting · want task start a#1
            started a                    a running · want task watch a#1
            submit b task=sum            b ready
            cancel a                     a stopping · want task stop a#1
            +10s                         a stopping by force · want task kill a#1
            +5s                          want task kill a#1
            returned a late stopped      a ended cancelled with late cleanup done · b starting · want task start b#1
        "#]],
    );
}

#[test]
fn a_task_that_is_cancelled_while_its_process_dies_is_cancelled() {
    play(
        "kind sum\n submit a task=sum reruns=3\n started a\n cancel a\n lost a",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum reruns=3   a starting · want task start a#1
            started a                    a running · want task watch a#1
            cancel a                     a stopping · want task stop a#1
            lost a                       a ended cancelled cleanup done
        "#]],
    );
}

#[test]
fn a_task_has_a_timeout_and_no_command_line() {
    play(
        "kind sum\n submit a task=sum timeout=5s\n started a\n +5s\n returned a half badly stopped\n submit b task=sum arg=x\n submit c task=sum stall=9s",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum timeout=5s a starting · want task start a#1
            started a                    a running · want task watch a#1
            +5s                          a stopping · want task stop a#1
            returned a half badly stopped a ended timed_out/runtime with half cleanup done
            submit b task=sum arg=x      refused bad_spec: `command` is not the task's kind
            submit c task=sum stall=9s   refused bad_spec: `stall` is only for processes, and this is a task
        "#]],
    );
}

#[test]
fn a_function_that_returns_after_it_was_cancelled_was_cancelled_whatever_it_returned() {
    play(
        "kind sum\n submit a task=sum\n started a\n cancel a\n returned a fine",
        &expect![[r#"
            kind sum                     nothing
            submit a task=sum            a starting · want task start a#1
            started a                    a running · want task watch a#1
            cancel a                     a stopping · want task stop a#1
            returned a fine              a ended cancelled with fine cleanup done
        "#]],
    );
}
