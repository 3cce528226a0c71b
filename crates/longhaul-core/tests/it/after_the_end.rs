//! Cleaning up, keeping and removing.

use crate::play::play;
use expect_test::expect;

#[test]
fn an_ended_job_is_cleaned_kept_and_removed() {
    play(
        "submit a\n exited a 0\n cleaned a\n cleaned a\n +99s\n +1s\n purged a\n purged a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            cleaned a                    refused repeat: that was reported before
            +99s                         nothing
            +1s                          want purge a#1
            purged a                     a gone
            purged a                     refused not_found: there is no job a
        "#]],
    );
}

#[test]
fn failed_jobs_are_kept_longer_and_a_job_may_say_how_long() {
    play(
        "submit a\n submit b keep=5s\n exited a 1\n exited b 0\n cleaned a\n cleaned b\n +5s\n +100s\n +100s",
        &expect![[r#"
            submit a                     a starting · want start a#1
            submit b keep=5s             b starting · want start b#1
            exited a 1                   a ended failed cleanup pending · want clean a#1
            exited b 0                   b ended succeeded cleanup pending · want clean b#1
            cleaned a                    a ended failed cleanup done
            cleaned b                    b ended succeeded cleanup done
            +5s                          want purge b#1
            +100s                        want purge b#1
            +100s                        want purge a#1 · want purge b#1
        "#]],
    );
}

#[test]
fn cleaning_that_fails_backs_off_and_ends_in_one_visible_state() {
    play(
        "submit a\n exited a 0\n cleaned a busy\n +2s\n cleaned a busy\n +10s\n cleaned a busy\n +600s\n cleaned a busy\n +600s\n cleaned a worse\n +600s\n cleaned a busy\n +600s\n cleaned a busy\n +600s\n cleaned a busy\n +600s\n cleaned a busy\n +600s",
        &expect![[r#"
            submit a                     a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cleaned a busy               nothing
            +2s                          nothing
            cleaned a busy               refused repeat: that was reported before
            +10s                         want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a worse              nothing
            +600s                        want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a busy               a ended succeeded cleanup stuck
            +600s                        nothing
        "#]],
    );
}

#[test]
fn what_is_live_or_not_cleaned_is_not_removed() {
    play(
        "submit a\n purge a\n exited a 0\n purge a\n cleaned a\n purge a\n purged a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            purge a                      refused not_ended: a is starting, not ended
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            purge a                      refused not_cleaned: a is not cleaned up yet: it is being done
            cleaned a                    a ended succeeded cleanup done
            purge a                      want purge a#1
            purged a                     a gone
        "#]],
    );
}

#[test]
fn removal_that_fails_is_tried_again_later() {
    play(
        "submit a\n exited a 0\n cleaned a\n purge a\n purged a busy\n +10s\n purged a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            purge a                      want purge a#1
            purged a busy                nothing
            +10s                         want purge a#1
            purged a                     a gone
        "#]],
    );
}

#[test]
fn a_lost_cleanup_is_wanted_again() {
    play(
        "submit a\n exited a 0\n +5s\n +10s\n cleaned a",
        &expect![[r#"
        submit a                     a starting · want start a#1
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        +5s                          want clean a#1
        +10s                         want clean a#1
        cleaned a                    a ended succeeded cleanup done
    "#]],
    );
}

#[test]
fn every_ending_is_kept_to_the_second_that_its_kind_says() {
    play(
        "slots default 9\n batch a | b | c | d timeout=1s\n started d\n +1s\n batch e after=b\n exited a 0\n cancel b\n lost c\n signal d 9 stopped\n exited b 143 stopped\n cleaned a\n cleaned b\n cleaned c\n cleaned d\n +99s\n +1s\n purged a\n purged b\n +99s\n +1s",
        &expect![[r#"
            slots default 9              nothing
            batch a | b | c | d timeout=1s a starting · b starting · c starting · d starting · want start a#1 · want start b#1 · want start c#1 · want start d#1
            started d                    d running · want watch d#1
            +1s                          d stopping · want stop d#1
            batch e after=b              e blocked
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cancel b                     b stopping · want stop b#1
            lost c                       c ended lost/hostlost cleanup pending · want clean c#1
            signal d 9 stopped           d ended timed_out/runtime cleanup pending · want clean d#1
            exited b 143 stopped         b ended cancelled cleanup pending · e ended failed/dependency cleanup done · want clean b#1
            cleaned a                    a ended succeeded cleanup done
            cleaned b                    b ended cancelled cleanup done
            cleaned c                    c ended lost/hostlost cleanup done
            cleaned d                    d ended timed_out/runtime cleanup done
            +99s                         nothing
            +1s                          want purge a#1 · want purge b#1
            purged a                     a gone
            purged b                     b gone
            +99s                         nothing
            +1s                          want purge c#1 · want purge d#1 · want purge e#0
        "#]],
    );
}

#[test]
fn cleaning_that_works_at_last_leaves_nothing_owed() {
    play(
        "submit a\n exited a 0\n cleaned a busy\n +10s\n cleaned a busy\n +600s\n cleaned a\n +600s",
        &expect![[r#"
            submit a                     a starting · want start a#1
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cleaned a busy               nothing
            +10s                         want clean a#1
            cleaned a busy               nothing
            +600s                        want clean a#1
            cleaned a                    a ended succeeded cleanup done · want purge a#1
            +600s                        want purge a#1
        "#]],
    );
}

#[test]
fn nothing_that_is_reported_late_changes_an_end() {
    play(
        "submit a\n cancel a now\n signal a 9 stopped\n started a\n exited a 1\n never a\n lost a\n quiet a 99s\n emit a\n cancel a\n cancel a now",
        &expect![[r#"
            submit a                     a starting · want start a#1
            cancel a now                 a stopping by force · want kill a#1
            signal a 9 stopped           a ended cancelled cleanup pending · want clean a#1
            started a                    refused stale: the report is about an earlier attempt of a
            exited a 1                   refused stale: the report is about an earlier attempt of a
            never a                      refused stale: the report is about an earlier attempt of a
            lost a                       refused stale: the report is about an earlier attempt of a
            quiet a 99s                  refused stale: the report is about an earlier attempt of a
            emit a                       refused stale: the report is about an earlier attempt of a
            cancel a                     refused ended: a has already ended (cancelled)
            cancel a now                 refused ended: a has already ended (cancelled)
        "#]],
    );
}
