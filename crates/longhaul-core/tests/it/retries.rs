//! Another attempt: when, how late, and how often.

use crate::play::play;
use expect_test::expect;

#[test]
fn failed_attempts_are_repeated_as_often_as_asked() {
    play(
        "submit a retry=2\n exited a 1\n +1s\n exited a 1\n +2s\n exited a 1",
        &expect![[r#"
            submit a retry=2             a starting · want start a#1
            exited a 1                   a delayed
            +1s                          a starting · want start a#2
            exited a 1                   a delayed
            +2s                          a starting · want start a#3
            exited a 1                   a ended failed cleanup pending · want clean a#3
        "#]],
    );
}

#[test]
fn only_the_codes_that_were_named_are_worth_another_attempt() {
    play(
        "submit a retry=2 on=75\n exited a 75\n +1s\n exited a 1",
        &expect![[r#"
        submit a retry=2 on=75       a starting · want start a#1
        exited a 75                  a delayed
        +1s                          a starting · want start a#2
        exited a 1                   a ended failed cleanup pending · want clean a#2
    "#]],
    );
}

#[test]
fn a_timeout_is_worth_another_attempt() {
    play(
        "submit a retry=1 timeout=5s\n started a\n +5s\n signal a 15 stopped\n +1s\n started a\n +5s\n signal a 15 stopped",
        &expect![[r#"
            submit a retry=1 timeout=5s  a starting · want start a#1
            started a                    a running · want watch a#1
            +5s                          a stopping · want stop a#1
            signal a 15 stopped          a delayed
            +1s                          a starting · want start a#2
            started a                    a running · want watch a#2
            +5s                          a stopping · want stop a#2
            signal a 15 stopped          a ended timed_out/runtime cleanup pending · want clean a#2
        "#]],
    );
}

#[test]
fn cancelling_between_attempts_ends_it() {
    play(
        "submit a retry=5\n exited a 1\n cancel a\n +100s",
        &expect![[r#"
        submit a retry=5             a starting · want start a#1
        exited a 1                   a delayed
        cancel a                     a ended cancelled cleanup pending · want clean a#1
        +100s                        want clean a#1
    "#]],
    );
}

#[test]
fn launches_that_fail_are_counted_anew_for_each_attempt() {
    play(
        "submit a retry=1\n never a\n +2s\n never a\n +4s\n never a\n +8s\n never a\n +16s\n never a\n +32s\n never a\n +2s\n never a\n +4s\n started a\n exited a 0",
        &expect![[r#"
            submit a retry=1             a starting · want start a#1
            never a                      a delayed
            +2s                          a starting · want start a#2
            never a                      a delayed
            +4s                          a starting · want start a#3
            never a                      a delayed
            +8s                          a starting · want start a#4
            never a                      a delayed
            +16s                         a starting · want start a#5
            never a                      a delayed
            +32s                         a starting · want start a#6
            never a                      a delayed
            +2s                          a starting · want start a#7
            never a                      a delayed
            +4s                          a starting · want start a#8
            started a                    a running · want watch a#8
            exited a 0                   a ended succeeded cleanup pending · want clean a#8
        "#]],
    );
}
