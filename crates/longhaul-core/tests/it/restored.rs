//! Going on with what came out of a damaged store; `mend a b` loses the rows of these jobs.

use crate::play::play;
use expect_test::expect;

#[test]
fn what_was_read_goes_on_where_it_was() {
    play(
        "submit a\n started a\n submit b delay=5s\n mend\n exited a 3\n +5s",
        &expect![[r#"
            submit a                     a starting · want start a#1
            started a                    a running · want watch a#1
            submit b delay=5s            b delayed
            mend                         nothing
            exited a 3                   a ended failed cleanup pending · want clean a#1
            +5s                          b starting · want start b#1 · want clean a#1
        "#]],
    );
}

#[test]
fn whoever_waits_for_a_lost_job_ends_and_whoever_takes_any_ending_goes_on() {
    play(
        "slots default 1\n submit a\n submit b after=a\n submit c any=a\n submit d after=b\n submit e after=c\n mend a",
        &expect![[r#"
            slots default 1              nothing
            submit a                     a starting · want start a#1
            submit b after=a             b blocked
            submit c any=a               c blocked
            submit d after=b             d blocked
            submit e after=c             e blocked
            mend a                       a gone · b ended failed/dependency cleanup done · c ready · d ended failed/dependency cleanup done
        "#]],
    );
}

#[test]
fn a_job_that_was_waited_for_and_removed_long_ago_is_not_lost() {
    play(
        "submit a\n submit b\n submit c after=a,b\n exited a 0\n cleaned a\n purge a\n purged a\n mend\n exited b 0",
        &expect![[r#"
            submit a                     a starting · want start a#1
            submit b                     b starting · want start b#1
            submit c after=a,b           c blocked
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            purge a                      want purge a#1
            purged a                     a gone
            mend                         nothing
            exited b 0                   b ended succeeded cleanup pending · c starting · want start c#1 · want clean b#1
        "#]],
    );
}

#[test]
fn a_lane_whose_first_is_lost_has_another() {
    play(
        "submit a lane=x\n submit b lane=x\n submit c lane=x\n mend a\n cancel b\n +1s",
        &expect![[r#"
            submit a lane=x              a starting · want start a#1
            submit b lane=x              b behind
            submit c lane=x              c behind
            mend a                       a gone · b ready
            cancel b                     b ended cancelled cleanup done · c starting · want start c#1
            +1s                          nothing
        "#]],
    );
}
