//! What is accepted, and what asking twice comes to.

use crate::play::play;
use expect_test::expect;

#[test]
fn the_same_id_twice_is_one_job() {
    play(
        "submit a\n submit a\n submit a arg=x",
        &expect![[r#"
        submit a                     a starting · want start a#1
        submit a                     nothing
        submit a arg=x               refused id_taken: the id a is taken by another job
    "#]],
    );
}

#[test]
fn the_same_key_twice_is_one_job_and_another_ask_is_refused() {
    play(
        "submit a key=k\n submit b key=k\n submit c key=k arg=x\n exited a 0\n submit d key=k",
        &expect![[r#"
        submit a key=k               a starting · want start a#1
        submit b key=k               nothing
        submit c key=k arg=x         refused key_reused: the key `k` belongs to a, which was asked for differently
        exited a 0                   a ended succeeded cleanup pending · want clean a#1
        submit d key=k               nothing
    "#]],
    );
}

#[test]
fn a_batch_is_accepted_whole_or_not_at_all() {
    play(
        "batch a | b after=a | c after=nope\n batch a | b after=a",
        &expect![[r#"
        batch a | b after=a | c after=nope refused not_found: job 2 of the batch: there is no job nope
        batch a | b after=a          a starting · b blocked · want start a#1
    "#]],
    );
}

#[test]
fn keys_within_a_batch_are_one_job_too() {
    play(
        "batch a key=k | b key=k",
        &expect![[r#"
        batch a key=k | b key=k      a starting · want start a#1
    "#]],
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    play(
        "submit a pool=nope\n submit a notify=nope\n submit a prio=10\n submit a after=nope\n slots new 3\n pause nope\n cancel nope\n purge nope",
        &expect![[r#"
            submit a pool=nope           refused no_pool: there is no pool `nope`
            submit a notify=nope         refused no_sink: there is no sink `nope`
            submit a prio=10             refused bad_spec: `priority` is not between 0 and 9
            submit a after=nope          refused not_found: there is no job nope
            slots new 3                  nothing
            pause nope                   refused no_pool: there is no pool `nope`
            cancel nope                  refused not_found: there is no job nope
            purge nope                   refused not_found: there is no job nope
        "#]],
    );
}

#[test]
fn reports_of_a_job_about_itself_carry_its_attempt() {
    play(
        "submit a\n emit a\n emit a #2\n exited a 0\n emit a",
        &expect![[r#"
            submit a                     a starting · want start a#1
            emit a                       want start a#1
            emit a #2                    refused stale: the report is about an earlier attempt of a
            exited a 0                   a ended succeeded cleanup pending · want clean a#1
            emit a                       refused stale: the report is about an earlier attempt of a
        "#]],
    );
}
