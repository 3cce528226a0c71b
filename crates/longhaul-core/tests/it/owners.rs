//! Who takes notices: owners that are present, and others of their project when they are not.

use crate::play::play;
use expect_test::expect;

#[test]
fn an_owner_takes_its_notices_oldest_first_and_acknowledges_them() {
    play(
        "submit a owner=A\n submit b owner=A\n exited b 0\n exited a 0\n here P A\n take P\n take P\n sent a\n sent b\n ack A a\n ack A a\n ack B b\n ackall A",
        &expect![[r#"
            submit a owner=A             a starting · want start a#1
            submit b owner=A             b starting · want start b#1
            exited b 0                   b ended succeeded cleanup pending · b>inbox pending · want clean b#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            here P A                     nothing
            take P                       b>inbox claimed by P · a>inbox claimed by P
            take P                       took nothing
            sent a                       a>inbox sent to P
            sent b                       b>inbox sent to P
            ack A a                      a>inbox acked by A (acked) · want clean a#1
            ack A a                      settled nothing
            ack B b                      refused no_notice: there is no notice b>inbox
            ackall A                     b>inbox acked by A (acked) · want clean b#1
        "#]],
    );
}

#[test]
fn of_two_claimants_exactly_one_has_it() {
    play(
        "submit a owner=A\n exited a 0\n here P A\n here Q A\n take P\n take Q\n sent a\n gone P\n sent a #1\n take Q\n gone P",
        &expect![[r#"
            submit a owner=A             a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            here P A                     nothing
            here Q A                     nothing
            take P                       a>inbox claimed by P
            take Q                       took nothing
            sent a                       a>inbox sent to P
            gone P                       a>inbox pending
            sent a #1                    refused stale: the report is about an earlier try of a>inbox
            take Q                       a>inbox claimed by Q
            gone P                       refused repeat: that was reported before
        "#]],
    );
}

#[test]
fn waiting_for_a_job_settles_its_owners_notice_and_nobody_elses() {
    play(
        "sink s\n submit a owner=A notify=s\n knows A a\n exited a 0\n knows B a\n knows A a\n knows A a",
        &expect![[r#"
            sink s                       nothing
            submit a owner=A notify=s    a starting · want start a#1
            knows A a                    refused not_ended: a is starting, not ended
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · a>sink:s claimed by the courier · deliver a>sink:s#1 · want clean a#1
            knows B a                    refused not_found: there is no job a
            knows A a                    a>inbox acked by A (waited) · want clean a#1
            knows A a                    settled nothing
        "#]],
    );
}

#[test]
fn others_of_the_project_step_in_after_the_grace_and_only_they() {
    play(
        "submit a owner=A project=/w\n exited a 0\n here Q B /w\n here X C /x\n take Q\n +19s\n take Q\n +1s\n take X\n take Q\n sent a\n ack B a",
        &expect![[r#"
            submit a owner=A project=/w  a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            here Q B /w                  nothing
            here X C /x                  nothing
            take Q                       took nothing
            +19s                         want clean a#1
            take Q                       took nothing
            +1s                          nothing
            take X                       took nothing
            take Q                       a>inbox claimed by Q
            sent a                       a>inbox sent to Q
            ack B a                      a>inbox acked by B (acked) · want clean a#1
        "#]],
    );
}

#[test]
fn the_origin_takes_back_what_is_not_acknowledged() {
    play(
        "submit a owner=A project=/w\n exited a 0\n here Q B /w\n +20s\n take Q\n sent a\n here P A\n ack B a\n take P\n ack A a",
        &expect![[r#"
            submit a owner=A project=/w  a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            here Q B /w                  nothing
            +20s                         want clean a#1
            take Q                       a>inbox claimed by Q
            sent a                       a>inbox sent to Q
            here P A                     a>inbox pending
            ack B a                      refused no_notice: there is no notice a>inbox
            take P                       a>inbox claimed by P
            ack A a                      a>inbox acked by A (acked) · want clean a#1
        "#]],
    );
}

#[test]
fn a_short_absence_is_none() {
    play(
        "here P A\n submit a owner=A project=/w\n here Q B /w\n gone P\n exited a 0\n +10s\n here R A\n gone R\n +19s\n take Q\n +1s\n take Q",
        &expect![[r#"
            here P A                     nothing
            submit a owner=A project=/w  a starting · want start a#1
            here Q B /w                  nothing
            gone P                       nothing
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            +10s                         want clean a#1
            here R A                     nothing
            gone R                       nothing
            +19s                         want clean a#1
            take Q                       took nothing
            +1s                          nothing
            take Q                       a>inbox claimed by Q
        "#]],
    );
}

#[test]
fn what_is_not_acknowledged_is_handed_over_again() {
    play(
        "submit a owner=A\n exited a 0\n here P A\n take P\n sent a\n +3600s\n +2s\n take P\n sent a #1\n sent a",
        &expect![[r#"
            submit a owner=A             a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            here P A                     nothing
            take P                       a>inbox claimed by P
            sent a                       a>inbox sent to P
            +3600s                       a>inbox pending later · want clean a#1
            +2s                          a>inbox pending
            take P                       a>inbox claimed by P
            sent a #1                    refused stale: the report is about an earlier try of a>inbox
            sent a                       a>inbox sent to P
        "#]],
    );
}

#[test]
fn a_sleep_of_the_machine_is_no_absence() {
    play(
        "here P A\n submit a owner=A project=/w\n exited a 0\n take P\n here Q B /w\n gone P\n woke 86400s\n +19s\n take Q\n +1s\n take Q",
        &expect![[r#"
            here P A                     nothing
            submit a owner=A project=/w  a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            take P                       a>inbox claimed by P
            here Q B /w                  nothing
            gone P                       a>inbox pending
            woke 86400s                  nothing
            +19s                         want clean a#1
            take Q                       took nothing
            +1s                          nothing
            take Q                       took nothing
        "#]],
    );
}

#[test]
fn a_notice_that_nobody_comes_for_is_dead_and_can_be_owed_again() {
    play(
        "submit a owner=A\n exited a 0\n cleaned a\n purge a\n +604799s\n +1s\n resend a\n here P A\n take P",
        &expect![[r#"
            submit a owner=A             a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            purge a                      refused still_owed: a is kept: 1 notice(s) about it wait
            +604799s                     nothing
            +1s                          a>inbox dead: nobody took it for 7d
            resend a                     a>inbox pending
            here P A                     nothing
            take P                       a>inbox claimed by P
        "#]],
    );
}

#[test]
fn an_owner_that_says_nothing_for_a_day_is_there_all_the_same() {
    play(
        "here P A\n +86400s\n submit a owner=A project=/w\n here Q B /w\n exited a 0\n take Q\n take P",
        &expect![[r#"
            here P A                     nothing
            +86400s                      nothing
            submit a owner=A project=/w  a starting · want start a#1
            here Q B /w                  nothing
            exited a 0                   a ended succeeded cleanup pending · a>inbox pending · want clean a#1
            take Q                       took nothing
            take P                       a>inbox claimed by P
        "#]],
    );
}

#[test]
fn a_job_without_an_owner_is_for_nobody_to_claim() {
    play(
        "submit a project=/w\n here Q B /w\n exited a 0\n +86400s\n take Q",
        &expect![[r#"
        submit a project=/w          a starting · want start a#1
        here Q B /w                  nothing
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        +86400s                      want clean a#1
        take Q                       took nothing
    "#]],
    );
}
