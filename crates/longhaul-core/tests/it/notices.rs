//! What is owed to sinks when a job ends.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_notice_is_owed_with_the_end_and_wanted_at_once() {
    play(
        "sink s\n submit a notify=s\n exited a 0\n took a s\n took a s",
        &expect![[r#"
        sink s                       nothing
        submit a notify=s            a starting · want start a#1
        exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
        took a s                     a>sink:s acked by sink:s (answered) · want clean a#1
        took a s                     refused stale: the report is about an earlier try of a>sink:s
    "#]],
    );
}

#[test]
fn a_sink_that_is_not_there_is_refused_when_it_is_named() {
    play(
        "submit a notify=s",
        &expect![[r#"
        submit a notify=s            refused no_sink: there is no sink `s`
    "#]],
    );
}

#[test]
fn tries_back_off_and_a_receiver_may_put_them_off() {
    play(
        "sink s\n submit a notify=s\n exited a 0\n failed a s\n +1s\n failed a s after=30s\n +29s\n +1s\n failed a s #1\n took a s",
        &expect![[r#"
            sink s                       nothing
            submit a notify=s            a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            failed a s                   a>sink:s pending later · want clean a#1
            +1s                          a>sink:s claimed by the courier · deliver a>sink:s#2
            failed a s after=30s         a>sink:s pending later · want clean a#1
            +29s                         want clean a#1
            +1s                          a>sink:s claimed by the courier · deliver a>sink:s#3
            failed a s #1                refused stale: the report is about an earlier try of a>sink:s
            took a s                     a>sink:s acked by sink:s (answered) · want clean a#1
        "#]],
    );
}

#[test]
fn a_refusal_for_good_is_a_dead_letter_that_can_be_sent_again() {
    play(
        "sink s\n submit a notify=s\n exited a 0\n resend a s\n failed a s final\n resend a s\n took a s\n resend a s",
        &expect![[r#"
            sink s                       nothing
            submit a notify=s            a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            resend a s                   refused not_dead: a>sink:s is claimed, not dead
            failed a s final             a>sink:s dead: refused for good: 503 · want clean a#1
            resend a s                   a>sink:s claimed by the courier · deliver a>sink:s#2 · want clean a#1
            took a s                     a>sink:s acked by sink:s (answered) · want clean a#1
            resend a s                   refused not_dead: a>sink:s is acked, not dead
        "#]],
    );
}

#[test]
fn a_claim_that_nobody_speaks_of_lapses_and_its_late_report_is_stale() {
    play(
        "sink s\n submit a notify=s\n exited a 0\n +60s\n +1s\n took a s #1\n took a s #2",
        &expect![[r#"
            sink s                       nothing
            submit a notify=s            a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            +60s                         a>sink:s pending later · want clean a#1
            +1s                          a>sink:s claimed by the courier · deliver a>sink:s#2
            took a s #1                  refused stale: the report is about an earlier try of a>sink:s
            took a s #2                  a>sink:s acked by sink:s (answered) · want clean a#1
        "#]],
    );
}

#[test]
fn owners_take_turns_and_none_has_all_tries_of_a_sink() {
    play(
        "sink s\n slots default 20\n batch a1 owner=A notify=s | a2 owner=A notify=s | a3 owner=A notify=s | a4 owner=A notify=s | a5 owner=A notify=s | b1 owner=B notify=s\n exited a1 0\n exited a2 0\n exited a3 0\n exited a4 0\n exited a5 0\n exited b1 0\n took a2 s",
        &expect![[r#"
            sink s                       nothing
            slots default 20             nothing
            batch a1 owner=A notify=s | a2 owner=A notify=s | a3 owner=A notify=s | a4 owner=A notify=s | a5 owner=A notify=s | b1 owner=B notify=s a1 starting · a2 starting · a3 starting · a4 starting · a5 starting · b1 starting · want start a1#1 · want start a2#1 · want start a3#1 · want start a4#1 · want start a5#1 · want start b1#1
            exited a1 0                  a1 ended succeeded cleanup pending · a1>inbox pending · a1>sink:s claimed by the courier · deliver a1>sink:s#1 · want clean a1#1
            exited a2 0                  a2 ended succeeded cleanup pending · a2>inbox pending · a2>sink:s claimed by the courier · deliver a2>sink:s#1 · want clean a2#1
            exited a3 0                  a3 ended succeeded cleanup pending · a3>inbox pending · a3>sink:s claimed by the courier · deliver a3>sink:s#1 · want clean a3#1
            exited a4 0                  a4 ended succeeded cleanup pending · a4>inbox pending · a4>sink:s claimed by the courier · deliver a4>sink:s#1 · want clean a4#1
            exited a5 0                  a5 ended succeeded cleanup pending · a5>inbox pending · a5>sink:s pending · want clean a5#1
            exited b1 0                  b1 ended succeeded cleanup pending · b1>inbox pending · b1>sink:s claimed by the courier · deliver b1>sink:s#1 · want clean b1#1
            took a2 s                    a2>sink:s acked by sink:s (answered) · a5>sink:s claimed by the courier · deliver a5>sink:s#1 · want clean a2#1
        "#]],
    );
}

#[test]
fn a_sink_in_trouble_is_tried_one_at_a_time() {
    play(
        "sink s\n slots default 20\n batch a notify=s | b notify=s | c notify=s\n exited a 0\n failed a s\n exited b 0\n exited c 0\n failed b s\n took c s\n +2s",
        &expect![[r#"
            sink s                       nothing
            slots default 20             nothing
            batch a notify=s | b notify=s | c notify=s a starting · b starting · c starting · want start a#1 · want start b#1 · want start c#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            failed a s                   a>sink:s pending later · want clean a#1
            exited b 0                   b ended succeeded cleanup pending · b>sink:s claimed by the courier · deliver b>sink:s#1 · want clean b#1
            exited c 0                   c ended succeeded cleanup pending · c>sink:s pending · want clean c#1
            failed b s                   b>sink:s pending later · c>sink:s claimed by the courier · deliver c>sink:s#1 · want clean b#1
            took c s                     c>sink:s acked by sink:s (answered) · want clean c#1
            +2s                          a>sink:s claimed by the courier · b>sink:s claimed by the courier · deliver b>sink:s#2 · deliver a>sink:s#2
        "#]],
    );
}

#[test]
fn what_is_owed_to_a_removed_sink_is_given_up_and_owed_again_by_hand() {
    play(
        "sink s\n slots default 20\n batch a notify=s | b notify=s\n exited a 0\n failed a s\n unsink s\n exited b 0\n +2s\n resend a s\n sink s\n resend a s\n took a s",
        &expect![[r#"
            sink s                       nothing
            slots default 20             nothing
            batch a notify=s | b notify=s a starting · b starting · want start a#1 · want start b#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            failed a s                   a>sink:s pending later · want clean a#1
            unsink s                     nothing
            exited b 0                   b ended succeeded cleanup pending · b>sink:s dead: its sink was removed · want clean b#1
            +2s                          a>sink:s dead: its sink was removed · want clean a#1
            resend a s                   refused no_sink: there is no sink `s`
            sink s                       nothing
            resend a s                   a>sink:s claimed by the courier · deliver a>sink:s#2 · want clean a#1
            took a s                     a>sink:s acked by sink:s (answered) · want clean a#1
        "#]],
    );
}

#[test]
fn a_job_asked_for_again_makes_old_news_of_the_first() {
    play(
        "sink s\n submit a owner=A notify=s\n exited a 1\n failed a s\n submit b again=a owner=A notify=s\n +2s\n exited b 0",
        &expect![[r#"
            sink s                       nothing
            submit a owner=A notify=s    a starting · want start a#1
            exited a 1                   a ended failed cleanup pending · a>inbox pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            failed a s                   a>sink:s pending later · want clean a#1
            submit b again=a owner=A notify=s b starting · a>inbox acked by job_0000000000000000000000000B (retried) · a>sink:s acked by job_0000000000000000000000000B (retried) · want start b#1 · want clean a#1
            +2s                          nothing
            exited b 0                   b ended succeeded cleanup pending · b>inbox pending · b>sink:s claimed by the courier · deliver b>sink:s#1 · want clean b#1
        "#]],
    );
}

#[test]
fn nothing_goes_while_somebody_is_to_be_told_or_was_only_just_told() {
    play(
        "sink s\n submit a keep=0s notify=s\n exited a 0\n cleaned a\n purge a\n took a s\n purge a\n +119s\n +1s\n purged a",
        &expect![[r#"
            sink s                       nothing
            submit a keep=0s notify=s    a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            purge a                      refused still_owed: a is kept: 1 notice(s) about it wait
            took a s                     a>sink:s acked by sink:s (answered)
            purge a                      refused still_owed: a is kept: a sink was told of it; it may go in 2m
            +119s                        nothing
            +1s                          want purge a#1
            purged a                     a gone
        "#]],
    );
}

#[test]
fn what_is_owed_survives_the_mending_of_a_store() {
    play(
        "sink s\n submit a owner=A notify=s\n submit b owner=A\n exited a 0\n exited b 0\n here P A\n take P\n mend b\n +1s\n ackall A",
        &expect![[r#"
            sink s                       nothing
            submit a owner=A notify=s    a starting · want start a#1
            submit b owner=A             b starting · want start b#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            exited b 0                   b ended succeeded cleanup pending · b>inbox pending · want clean b#1
            here P A                     nothing
            take P                       a>inbox claimed by P · b>inbox claimed by P
            mend b                       b gone · a>inbox pending · a>sink:s pending
            +1s                          nothing
            ackall A                     a>inbox acked by A (acked) · want clean a#1
        "#]],
    );
}
