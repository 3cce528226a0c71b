//! Agents: what they are doing, what wakes them, what ends them, who is told.

use crate::play::play;
use expect_test::expect;

#[test]
fn many_messages_wake_an_agent_once_and_are_read_when_the_turn_ended_well() {
    play(
        "agent ann\n agent bob\n turn t ann\n mail m1 bob ann\n mail m2 @me ann\n done t\n told ann:1\n mail m3 bob ann\n done ann:1\n done ann:2",
        &expect![[r#"
            agent ann                    (ann) idle
            agent bob                    (bob) idle
            turn t ann                   t starting · (ann) waits for its turn t · want start t#1
            mail m1 bob ann              m1 unread
            mail m2 @me ann              m2 unread
            done t                       ann:1 starting · t ended succeeded cleanup pending · (ann) waits for its turn ann:1 · m1 taken by ann:1 · m2 taken by ann:1 · want start ann:1#1 · want clean t#1
            told ann:1                   m1 · m2
            mail m3 bob ann              m3 unread
            done ann:1                   ann:1 ended succeeded cleanup pending · ann:2 starting · (ann) waits for its turn ann:2 · m1 read by ann:1 · m2 read by ann:1 · m3 taken by ann:2 · want start ann:2#1 · want clean ann:1#1
            done ann:2                   ann:2 ended succeeded cleanup pending · (ann) idle · m3 read by ann:2 · want clean ann:2#1
        "#]],
    );
}

#[test]
fn an_agent_is_added_once_changed_on_purpose_and_begun_anew_after_its_end() {
    play(
        "agent ann\n agent ann\n agent ann role=lead\n agent ann role=lead replace\n agent -x\n agent ann parent=ann replace\n agent bob parent=eve\n stop ann\n agent bob parent=ann\n agent ann role=lead\n agent bob parent=ann\n agent ann role=lead parent=bob replace\n agent sub parent=bob\n agent ann role=lead parent=sub replace",
        &expect![[r#"
            agent ann                    (ann) idle
            agent ann                    nothing
            agent ann role=lead          refused agent_taken: there is an agent `ann` already, and it is another
            agent ann role=lead replace  nothing
            agent -x                     refused bad_spec: `name` may hold letters, digits, `.`, `_` and, not first, `-`
            agent ann parent=ann replace refused bad_spec: `parent` is the agent itself
            agent bob parent=eve         refused no_agent: there is no agent `eve`
            stop ann                     (ann) stopped
            agent bob parent=ann         refused agent_ended: agent `ann` is stopped
            agent ann role=lead          (ann) idle
            agent bob parent=ann         (ann) waits for `bob`, which works for it · (bob) idle
            agent ann role=lead parent=bob replace refused bad_spec: `parent` works for the agent itself
            agent sub parent=bob         (bob) waits for `sub`, which works for it · (sub) idle
            agent ann role=lead parent=sub replace refused bad_spec: `parent` works for the agent itself
        "#]],
    );
}

#[test]
fn an_agent_waits_for_its_children_and_each_end_of_one_is_looked_at() {
    play(
        "agent top role=lead\n agent a parent=top\n agent b parent=top\n agent c parent=a\n remove top\n stop a\n remove b\n remove a\n agent b parent=top\n remove c\n remove a\n stop b\n remove top\n remove top",
        &expect![[r#"
            agent top role=lead          (top) idle
            agent a parent=top           (a) idle · (top) waits for `a`, which works for it
            agent b parent=top           (b) idle
            agent c parent=a             (a) waits for `c`, which works for it · (c) idle
            remove top                   refused agent_busy: agent `top` is still needed: `a` works for it
            stop a                       (a) stopped · (top) waits for `b`, which works for it
            remove b                     (top) idle
            remove a                     refused agent_busy: agent `a` is still needed: `c` works for it
            agent b parent=top           (top) waits for `b`, which works for it
            remove c                     nothing
            remove a                     nothing
            stop b                       (b) stopped · (top) idle
            remove top                   nothing
            remove top                   refused no_agent: there is no agent `top`
        "#]],
    );
}

#[test]
fn ending_a_turn_is_not_ending_an_agent_that_has_children_at_work() {
    play(
        "agent top role=coordinator\n agent lead role=lead parent=top\n turn t lead\n agent b role=builder parent=lead\n done t\n turn u b\n mail m1 by:u lead kind=worker_done payload={\"taskId\":null,\"branch\":null,\"exitCode\":0,\"filesModified\":[]}\n done u\n told lead:1\n mail m2 by:lead:1 @parent kind=done\n done lead:1",
        &expect![[r#"
            agent top role=coordinator   (top) idle
            agent lead role=lead parent=top (lead) idle · (top) waits for `lead`, which works for it
            turn t lead                  t starting · (lead) waits for its turn t · want start t#1
            agent b role=builder parent=lead (b) idle
            done t                       t ended succeeded cleanup pending · (lead) waits for `b`, which works for it · want clean t#1
            turn u b                     u starting · (b) waits for its turn u · want start u#1
            mail m1 by:u lead kind=worker_done payload={"taskId":null,"branch":null,"exitCode":0,"filesModified":[]} lead:1 starting · (lead) waits for its turn lead:1 · m1 taken by lead:1 · want start u#1 · want start lead:1#1
            done u                       u ended succeeded cleanup pending · (b) finished by m1 · want clean u#1
            told lead:1                  m1
            mail m2 by:lead:1 @parent kind=done top:1 starting · (top) waits for its turn top:1 · m2 taken by top:1 · want start lead:1#1 · want start top:1#1
            done lead:1                  lead:1 ended succeeded cleanup pending · (lead) finished by m2 · m1 read by lead:1 · want clean lead:1#1
        "#]],
    );
}

#[test]
fn terminal_mail_ends_the_agent_once_its_turn_ended_well_and_only_then() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n mail m1 by:t top kind=done\n broke t\n done top:1\n turn u b\n mail m2 by:u @parent kind=result\n done u\n turn v b\n mail m3 top b",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            mail m1 by:t top kind=done   top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            broke t                      t ended failed/noresult cleanup pending · (b) idle · worker_died>top unread · want clean t#1
            done top:1                   top:1 ended succeeded cleanup pending · top:2 starting · (top) waits for its turn top:2 · m1 read by top:1 · worker_died>top taken by top:2 · want start top:2#1 · want clean top:1#1
            turn u b                     u starting · (b) waits for its turn u · want start u#1
            mail m2 by:u @parent kind=result m2 unread · want start u#1
            done u                       u ended succeeded cleanup pending · (b) finished by m2 · want clean u#1
            turn v b                     refused agent_ended: agent `b` is finished
            mail m3 top b                refused agent_ended: agent `b` is finished
        "#]],
    );
}

#[test]
fn terminal_mail_of_an_earlier_turn_does_not_end_a_later_one() {
    play(
        "agent b role=builder\n turn t b\n turn u b\n mail m1 by:t b kind=done\n done t\n done u",
        &expect![[r#"
            agent b role=builder         (b) idle
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            turn u b                     u behind
            mail m1 by:t b kind=done     m1 unread · want start t#1
            done t                       t ended succeeded cleanup pending · u starting · (b) waits for its turn u · m1 taken by u · want start u#1 · want clean t#1
            done u                       u ended succeeded cleanup pending · (b) idle, silent in u · m1 read by u · want clean u#1
        "#]],
    );
}

#[test]
fn terminal_mail_that_comes_a_moment_late_ends_the_agent_whose_turn_sent_it() {
    play(
        "agent top\n agent b role=builder parent=top\n turn lead top\n turn t b\n done t\n mail m1 by:t top kind=done\n done lead",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn lead top                lead starting · (top) waits for its turn lead · want start lead#1
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            done t                       t ended succeeded cleanup pending · (b) idle, silent in t · worker_died>top unread · want clean t#1
            mail m1 by:t top kind=done   (b) finished by m1 · worker_died>top read · m1 unread · want clean t#1
            done lead                    lead ended succeeded cleanup pending · top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start top:1#1 · want clean lead#1
        "#]],
    );
}

#[test]
fn a_merger_ends_with_what_it_merged_and_not_with_a_word() {
    play(
        "agent top\n agent m role=merger parent=top\n turn t m\n mail m1 by:t top kind=worker_done payload={\"taskId\":null,\"branch\":null,\"exitCode\":0,\"filesModified\":[]}\n done t\n turn u m\n mail m2 by:u top kind=merged payload={\"branch\":\"b\",\"taskId\":\"t\",\"tier\":\"clean\"}\n done u",
        &expect![[r#"
            agent top                    (top) idle
            agent m role=merger parent=top (m) idle · (top) waits for `m`, which works for it
            turn t m                     t starting · (m) waits for its turn t · want start t#1
            mail m1 by:t top kind=worker_done payload={"taskId":null,"branch":null,"exitCode":0,"filesModified":[]} top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            done t                       t ended succeeded cleanup pending · (m) idle, silent in t · worker_died>top unread · want clean t#1
            turn u m                     u starting · (m) waits for its turn u · want start u#1
            mail m2 by:u top kind=merged payload={"branch":"b","taskId":"t","tier":"clean"} m2 unread · want start u#1
            done u                       u ended succeeded cleanup pending · (m) finished by m2 · want clean u#1
        "#]],
    );
}

#[test]
fn work_is_done_for_whom_one_works_for_and_not_for_a_stranger() {
    play(
        "agent top\n agent sib parent=top\n agent b role=builder parent=top\n turn t b\n mail m1 by:t sib kind=result\n done t\n done sib:1",
        &expect![[r#"
            agent top                    (top) idle
            agent sib parent=top         (sib) idle · (top) waits for `sib`, which works for it
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            mail m1 by:t sib kind=result sib:1 starting · (sib) waits for its turn sib:1 · m1 taken by sib:1 · want start t#1 · want start sib:1#1
            done t                       t ended succeeded cleanup pending · top:1 starting · (b) idle, silent in t · (top) waits for its turn top:1 · worker_died>top taken by top:1 · want start top:1#1 · want clean t#1
            done sib:1                   sib:1 ended succeeded cleanup pending · (sib) idle · m1 read by sib:1 · want clean sib:1#1
        "#]],
    );
}

#[test]
fn an_agent_that_owes_and_ends_silently_is_told_of_once_and_can_be_woken() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n done t\n told top:1\n done top:1\n mail m1 top b\n mail m2 by:b:1 top kind=done\n done b:1",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            done t                       t ended succeeded cleanup pending · top:1 starting · (b) idle, silent in t · (top) waits for its turn top:1 · worker_died>top taken by top:1 · want start top:1#1 · want clean t#1
            told top:1                   worker_died>top
            done top:1                   top:1 ended succeeded cleanup pending · (top) waits for `b`, which works for it · worker_died>top read by top:1 · want clean top:1#1
            mail m1 top b                b:1 starting · (b) waits for its turn b:1 · m1 taken by b:1 · want start b:1#1
            mail m2 by:b:1 top kind=done top:2 starting · (top) waits for its turn top:2 · m2 taken by top:2 · want start top:2#1 · want start b:1#1
            done b:1                     b:1 ended succeeded cleanup pending · (b) finished by m2 · m1 read by b:1 · want clean b:1#1
        "#]],
    );
}

#[test]
fn who_stays_or_has_no_role_owes_nothing() {
    play(
        "agent top\n agent mon role=monitor parent=top\n agent any parent=top\n turn t mon\n turn u any\n done t\n done u",
        &expect![[r#"
            agent top                    (top) idle
            agent mon role=monitor parent=top (mon) idle · (top) waits for `mon`, which works for it
            agent any parent=top         (any) idle · (top) waits for `any`, which works for it
            turn t mon                   t starting · (mon) waits for its turn t · want start t#1
            turn u any                   u starting · (any) waits for its turn u · want start u#1
            done t                       t ended succeeded cleanup pending · (mon) idle · want clean t#1
            done u                       u ended succeeded cleanup pending · (any) idle · want clean u#1
        "#]],
    );
}

#[test]
fn who_asks_and_ends_its_turn_waits_for_the_answer() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n mail m1 by:t top kind=question\n done t\n mail m2 by:top:1 re=m1\n done top:1\n mail m3 by:b:1 top kind=done\n done b:1",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            mail m1 by:t top kind=question top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            done t                       t ended succeeded cleanup pending · (b) waits for an answer to m1 · want clean t#1
            mail m2 by:top:1 re=m1       b:1 starting · (b) waits for its turn b:1 · m2 taken by b:1 · want start b:1#1 · want start top:1#1 · want clean t#1
            done top:1                   top:1 ended succeeded cleanup pending · (top) waits for `b`, which works for it · m1 read by top:1 · want clean top:1#1
            mail m3 by:b:1 top kind=done top:2 starting · (top) waits for its turn top:2 · m3 taken by top:2 · want start b:1#1 · want start top:2#1
            done b:1                     b:1 ended succeeded cleanup pending · (b) finished by m3 · m2 read by b:1 · want clean b:1#1
        "#]],
    );
}

#[test]
fn a_turn_that_failed_is_told_to_whom_its_agent_works_for() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n broke t\n done top:1\n turn u b\n lost u\n turn v b\n cancel v\n exited v 143 stopped",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            broke t                      t ended failed/noresult cleanup pending · top:1 starting · (b) idle · (top) waits for its turn top:1 · worker_died>top taken by top:1 · want start top:1#1 · want clean t#1
            done top:1                   top:1 ended succeeded cleanup pending · (top) waits for `b`, which works for it · worker_died>top read by top:1 · want clean top:1#1
            turn u b                     u starting · (b) waits for its turn u · want start u#1
            lost u                       top:2 starting · u ended lost/hostlost cleanup pending · (b) idle · (top) waits for its turn top:2 · worker_died>top#2 taken by top:2 · want start top:2#1 · want clean u#1
            turn v b                     v starting · (b) waits for its turn v · want start v#1
            cancel v                     v stopping · want stop v#1
            exited v 143 stopped         v ended cancelled cleanup pending · (b) idle · want clean v#1
        "#]],
    );
}

#[test]
fn a_dead_turn_is_told_to_the_nearest_above_that_is_there() {
    play(
        "agent top owner=me\n agent mid parent=top owner=me\n agent b role=builder parent=mid owner=me\n stop mid\n turn t b\n broke t\n done top:1\n stop top\n turn u b\n broke u",
        &expect![[r#"
            agent top owner=me           (top) idle
            agent mid parent=top owner=me (mid) idle · (top) waits for `mid`, which works for it
            agent b role=builder parent=mid owner=me (b) idle · (mid) waits for `b`, which works for it
            stop mid                     (mid) stopped · (top) idle
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            broke t                      t ended failed/noresult cleanup pending · top:1 starting · (b) idle · (top) waits for its turn top:1 · worker_died>top taken by top:1 · t>inbox pending · want start top:1#1 · want clean t#1
            done top:1                   top:1 ended succeeded cleanup pending · (top) idle · worker_died>top read by top:1 · top:1>inbox pending · want clean top:1#1
            stop top                     (top) stopped
            turn u b                     u starting · (b) waits for its turn u · want start u#1
            broke u                      u ended failed/noresult cleanup pending · (b) idle · worker_died>@me unread · u>inbox pending · want clean u#1
        "#]],
    );
}

#[test]
fn stopping_ends_the_agent_its_turns_and_its_mail_and_says_no_death() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n turn u b\n mail m1 top b\n stop b\n exited t 143 stopped\n stop b\n mail m2 top b\n turn v b\n remove b\n stop b",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            turn u b                     u behind
            mail m1 top b                m1 unread
            stop b                       t stopping · top:1 starting · u ended cancelled cleanup done · (b) stopped · (top) waits for its turn top:1 · m1 returned: `b` is stopped · returned>top taken by top:1 · want start top:1#1 · want stop t#1
            exited t 143 stopped         t ended cancelled cleanup pending · want clean t#1
            stop b                       nothing
            mail m2 top b                refused agent_ended: agent `b` is stopped
            turn v b                     refused agent_ended: agent `b` is stopped
            remove b                     nothing
            stop b                       refused no_agent: there is no agent `b`
        "#]],
    );
}

#[test]
fn a_turn_that_is_done_before_the_stop_reached_it_keeps_its_end() {
    play(
        "agent b role=builder\n mail m1 @me b\n stop b\n done b:1\n agent b role=builder\n mail m2 @me b",
        &expect![[r#"
            agent b role=builder         (b) idle
            mail m1 @me b                b:1 starting · (b) waits for its turn b:1 · m1 taken by b:1 · want start b:1#1
            stop b                       b:1 stopping · (b) stopped · want stop b:1#1
            done b:1                     b:1 ended succeeded cleanup pending · m1 read by b:1 · want clean b:1#1
            agent b role=builder         (b) idle
            mail m2 @me b                b:2 starting · (b) waits for its turn b:2 · m2 taken by b:2 · want start b:2#1
        "#]],
    );
}

#[test]
fn a_turn_of_before_its_agent_was_begun_anew_does_not_end_it() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n mail m1 by:t top kind=done\n stop b\n agent b role=builder parent=top\n turn u b\n done t\n done u",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            mail m1 by:t top kind=done   top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            stop b                       t stopping · (b) stopped · want stop t#1
            agent b role=builder parent=top (b) waits for its turn t
            turn u b                     u behind
            done t                       t ended succeeded cleanup pending · u starting · (b) waits for its turn u · want start u#1 · want clean t#1
            done u                       u ended succeeded cleanup pending · (b) idle, silent in u · worker_died>top unread · want clean u#1
        "#]],
    );
}

#[test]
fn another_turn_that_is_asked_for_is_taken_before_the_agent_ends() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n turn u b\n mail m1 by:t top kind=done\n done t\n done top:1\n mail m2 by:u top kind=done\n done u",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            turn u b                     u behind
            mail m1 by:t top kind=done   top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            done t                       t ended succeeded cleanup pending · u starting · (b) waits for its turn u · want start u#1 · want clean t#1
            done top:1                   top:1 ended succeeded cleanup pending · (top) waits for `b`, which works for it · m1 read by top:1 · want clean top:1#1
            mail m2 by:u top kind=done   top:2 starting · (top) waits for its turn top:2 · m2 taken by top:2 · want start u#1 · want start top:2#1
            done u                       u ended succeeded cleanup pending · (b) finished by m2 · want clean u#1
        "#]],
    );
}
