//! Who may start: slots, lanes, priorities, hours and dependencies.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_pool_starts_no_more_than_its_slots() {
    play(
        "submit a\n submit b\n submit c\n exited a 0\n slots default 3\n submit d",
        &expect![[r#"
        submit a                     a starting · want start a#1
        submit b                     b starting · want start b#1
        submit c                     c ready
        exited a 0                   a ended succeeded cleanup pending · c starting · want start c#1 · want clean a#1
        slots default 3              nothing
        submit d                     d starting · want start d#1
    "#]],
    );
}

#[test]
fn a_paused_pool_starts_nothing_and_stops_nothing() {
    play(
        "submit a\n pause default\n submit b\n exited a 0\n resume default",
        &expect![[r#"
        submit a                     a starting · want start a#1
        pause default                nothing
        submit b                     b ready
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        resume default               b starting · want start b#1
    "#]],
    );
}

#[test]
fn higher_priority_goes_first_and_equals_in_order() {
    play(
        "slots default 0\n submit a\n submit b prio=9\n submit c prio=9\n submit d prio=0\n slots default 1\n exited b 0\n exited c 0\n exited a 0",
        &expect![[r#"
            slots default 0              nothing
            submit a                     a ready
            submit b prio=9              b ready
            submit c prio=9              c ready
            submit d prio=0              d ready
            slots default 1              b starting · want start b#1
            exited b 0                   b ended succeeded cleanup pending · c starting · want start c#1 · want clean b#1
            exited c 0                   a starting · c ended succeeded cleanup pending · want start a#1 · want clean c#1
            exited a 0                   a ended succeeded cleanup pending · d starting · want start d#1 · want clean a#1
        "#]],
    );
}

#[test]
fn a_lane_runs_one_at_a_time_and_nobody_overtakes_a_backoff() {
    play(
        "submit a lane=x retry=1\n submit b lane=x\n started a\n exited a 1\n +1s\n started a\n cancel a\n +10s\n signal a 9 stopped",
        &expect![[r#"
            submit a lane=x retry=1      a starting · want start a#1
            submit b lane=x              b behind
            started a                    a running · want watch a#1
            exited a 1                   a delayed
            +1s                          a starting · want start a#2
            started a                    a running · want watch a#2
            cancel a                     a stopping · want stop a#2
            +10s                         a stopping by force · want kill a#2
            signal a 9 stopped           a ended cancelled cleanup pending · b starting · want start b#1 · want clean a#2
        "#]],
    );
}

#[test]
fn a_lane_moves_on_when_its_waiting_head_is_cancelled() {
    play(
        "submit a lane=x delay=50s\n submit b lane=x\n submit c lane=x\n cancel b\n cancel a",
        &expect![[r#"
        submit a lane=x delay=50s    a delayed
        submit b lane=x              b behind
        submit c lane=x              c behind
        cancel b                     b ended cancelled cleanup done
        cancel a                     a ended cancelled cleanup done · c starting · want start c#1
    "#]],
    );
}

#[test]
fn a_delayed_job_starts_at_its_hour() {
    play(
        "submit a delay=5s\n +4s\n +1s",
        &expect![[r#"
        submit a delay=5s            a delayed
        +4s                          nothing
        +1s                          a starting · want start a#1
    "#]],
    );
}

#[test]
fn success_of_all_is_waited_for() {
    play(
        "submit a\n submit b\n submit c after=a,b\n exited a 0\n exited b 0",
        &expect![[r#"
        submit a                     a starting · want start a#1
        submit b                     b starting · want start b#1
        submit c after=a,b           c blocked
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        exited b 0                   b ended succeeded cleanup pending · c starting · want start c#1 · want clean b#1
    "#]],
    );
}

#[test]
fn a_failed_dependency_ends_the_whole_chain() {
    play(
        "submit a\n submit b after=a\n submit c after=b\n submit d any=b\n exited a 1\n submit e after=a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            submit b after=a             b blocked
            submit c after=b             c blocked
            submit d any=b               d blocked
            exited a 1                   a ended failed cleanup pending · b ended failed/dependency cleanup done · c ended failed/dependency cleanup done · d starting · want start d#1 · want clean a#1
            submit e after=a             e ended failed/dependency cleanup done
        "#]],
    );
}

#[test]
fn a_dependency_named_in_both_lists_counts_once_and_strictly() {
    play(
        "submit a\n submit b after=a any=a\n exited a 1",
        &expect![[r#"
        submit a                     a starting · want start a#1
        submit b after=a any=a       b blocked
        exited a 1                   a ended failed cleanup pending · b ended failed/dependency cleanup done · want clean a#1
    "#]],
    );
}

#[test]
fn who_waits_for_a_lane_or_another_pool_holds_nobody_up() {
    play(
        "slots small 1\n submit a lane=x\n submit b lane=x\n submit c pool=small\n submit d pool=small\n submit e",
        &expect![[r#"
            slots small 1                nothing
            submit a lane=x              a starting · want start a#1
            submit b lane=x              b behind
            submit c pool=small          c starting · want start c#1
            submit d pool=small          d ready
            submit e                     e starting · want start e#1
        "#]],
    );
}

#[test]
fn one_that_ignores_its_cancel_keeps_its_slot_and_nobody_else_waiting() {
    play(
        "submit a\n started a\n cancel a\n submit b\n submit c\n started b\n exited b 0\n +10s\n submit d\n signal a 9 stopped",
        &expect![[r#"
            submit a                     a starting · want start a#1
            started a                    a running · want watch a#1
            cancel a                     a stopping · want stop a#1
            submit b                     b starting · want start b#1
            submit c                     c ready
            started b                    b running · want watch b#1
            exited b 0                   b ended succeeded cleanup pending · c starting · want start c#1 · want clean b#1
            +10s                         a stopping by force · want kill a#1 · want clean b#1
            submit d                     d ready
            signal a 9 stopped           a ended cancelled cleanup pending · d starting · want start d#1 · want clean a#1
        "#]],
    );
}

#[test]
fn many_that_ignore_their_cancel_are_all_asked_and_killed_at_once() {
    play(
        "slots default 3\n batch a | b | c\n started a\n started b\n started c\n cancel a\n cancel b\n cancel c\n +10s\n +5s",
        &expect![[r#"
            slots default 3              nothing
            batch a | b | c              a starting · b starting · c starting · want start a#1 · want start b#1 · want start c#1
            started a                    a running · want watch a#1
            started b                    b running · want watch b#1
            started c                    c running · want watch c#1
            cancel a                     a stopping · want stop a#1
            cancel b                     b stopping · want stop b#1
            cancel c                     c stopping · want stop c#1
            +10s                         a stopping by force · b stopping by force · c stopping by force · want kill a#1 · want kill b#1 · want kill c#1
            +5s                          want kill a#1 · want kill b#1 · want kill c#1
        "#]],
    );
}

#[test]
fn of_two_that_race_for_the_last_slot_one_starts_and_one_waits() {
    play(
        "slots default 1\n batch a | b\n exited a 0\n cancel b\n submit c",
        &expect![[r#"
            slots default 1              nothing
            batch a | b                  a starting · b ready · want start a#1
            exited a 0                   a ended succeeded cleanup pending · b starting · want start b#1 · want clean a#1
            cancel b                     b stopping · want stop b#1
            submit c                     c ready
        "#]],
    );
}
