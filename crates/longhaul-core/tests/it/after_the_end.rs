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
