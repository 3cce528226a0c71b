//! Letters: to whom, what is refused, and that sending twice is sending once.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_letter_that_is_sent_again_is_the_same_and_another_with_its_id_is_refused() {
    play(
        "agent ann\n agent bob\n agent cem\n mail m1 ann bob,cem,bob\n mail m1 ann bob,cem,bob\n mail m1 ann bob body=other\n mail m1 bob bob,cem,bob",
        &expect![[r#"
            agent ann                    (ann) idle
            agent bob                    (bob) idle
            agent cem                    (cem) idle
            mail m1 ann bob,cem,bob      bob:1 starting · cem:1 starting · (bob) waits for its turn bob:1 · (cem) waits for its turn cem:1 · m1 taken by bob:1 · m1>cem taken by cem:1 · want start cem:1#1 · want start bob:1#1
            mail m1 ann bob,cem,bob      nothing
            mail m1 ann bob body=other   refused bad_spec: `id` is that of another letter
            mail m1 bob bob,cem,bob      refused bad_spec: `id` is that of another letter
        "#]],
    );
}

#[test]
fn groups_are_made_into_mailboxes_without_the_sender_and_those_that_have_ended() {
    play(
        "agent top owner=me\n agent a role=builder parent=top owner=me\n agent b role=builder parent=top owner=me\n agent c role=builder parent=top owner=me\n stop c\n mail m1 a @all\n mail m2 a @builders\n mail m3 top @builder\n mail m4 top @children\n mail m5 a @parent\n mail m6 top @parent\n mail m7 a @me\n mail m8 @me @all",
        &expect![[r#"
            agent top owner=me           (top) idle
            agent a role=builder parent=top owner=me (a) idle · (top) waits for `a`, which works for it
            agent b role=builder parent=top owner=me (b) idle
            agent c role=builder parent=top owner=me (c) idle
            stop c                       (c) stopped
            mail m1 a @all               b:1 starting · top:1 starting · (b) waits for its turn b:1 · (top) waits for its turn top:1 · m1 taken by b:1 · m1>top taken by top:1 · want start b:1#1 · want start top:1#1
            mail m2 a @builders          m2 unread
            mail m3 top @builder         a:1 ready · (a) waits for its turn a:1 · m3 unread · m3>b unread
            mail m4 top @children        m4 unread · m4>b unread
            mail m5 a @parent            m5 unread
            mail m6 top @parent          m6 unread
            mail m7 a @me                m7 unread
            mail m8 @me @all             m8 unread · m8>b unread · m8>top unread
        "#]],
    );
}

#[test]
fn what_is_for_nobody_is_an_error_and_none_of_it_is_sent() {
    play(
        "agent a role=builder\n agent b role=scout\n stop b\n mail m1 a eve\n mail m2 a b\n mail m3 @me a,eve\n mail m4 a @all\n mail m5 a @builders\n mail m6 a @scouts\n mail m7 a @nobody\n mail m8 a @parent\n mail m9 a @children\n mail ma @me @parent\n mail mb a\n mail mc a @longhaul\n mail md @all a\n mail me eve a",
        &expect![[r#"
            agent a role=builder         (a) idle
            agent b role=scout           (b) idle
            stop b                       (b) stopped
            mail m1 a eve                refused no_agent: there is no agent `eve`
            mail m2 a b                  refused agent_ended: agent `b` is stopped
            mail m3 @me a,eve            refused no_agent: there is no agent `eve`
            mail m4 a @all               refused no_recipients: the mail is for nobody: `@all`: nobody else is there
            mail m5 a @builders          refused no_recipients: the mail is for nobody: `@builders`: nobody else is there
            mail m6 a @scouts            refused no_recipients: the mail is for nobody: `@scouts`: nobody else is there
            mail m7 a @nobody            refused no_agent: there is no agent `@nobody`
            mail m8 a @parent            refused no_recipients: the mail is for nobody: `@parent`: `a` works for nobody
            mail m9 a @children          refused no_recipients: the mail is for nobody: `@children`: nobody works for `a`
            mail ma @me @parent          refused no_recipients: the mail is for nobody: `@parent`: no agent sends it
            mail mb a                    refused no_recipients: the mail is for nobody: no recipient is named
            mail mc a @longhaul          refused no_agent: there is no agent `@longhaul`
            mail md @all a               refused bad_spec: `from` is the name of a group
            mail me eve a                refused no_agent: there is no agent `eve`
        "#]],
    );
}

#[test]
fn an_answer_goes_to_the_other_side_keeps_the_thread_and_never_ends_its_sender() {
    play(
        "agent top\n agent b role=builder parent=top\n turn t b\n mail m1 by:t top kind=done\n mail m2 top re=m1\n mail m3 b re=m1\n mail m4 @me re=m1\n mail m5 @me b re=m4\n mail m6 b re=m5\n mail m7 b re=mx\n done t",
        &expect![[r#"
            agent top                    (top) idle
            agent b role=builder parent=top (b) idle · (top) waits for `b`, which works for it
            turn t b                     t starting · (b) waits for its turn t · want start t#1
            mail m1 by:t top kind=done   top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            mail m2 top re=m1            m2 unread
            mail m3 b re=m1              m3 unread
            mail m4 @me re=m1            m4 unread
            mail m5 @me b re=m4          m5 unread
            mail m6 b re=m5              m6 unread
            mail m7 b re=mx              refused no_mail: there is no mail mx
            done t                       t ended succeeded cleanup pending · (b) finished by m1 · m2 returned: `b` is finished · m4 returned: `b` is finished · m5 returned: `b` is finished · returned>top unread · returned>@me unread · returned>@me#2 unread · want clean t#1
        "#]],
    );
}

#[test]
fn kinds_and_payloads_are_checked_when_they_are_sent() {
    play(
        "agent a\n mail m1 @me a kind=wish\n mail m2 @me a kind=worker_done\n mail m3 @me a kind=worker_done payload={\"taskId\":\"t\",\"branch\":\"b\",\"exitCode\":\"0\",\"filesModified\":[]}\n mail m4 @me a kind=returned\n mail m5 @me a payload=[]\n mail m6 @me a kind=escalation payload={\"severity\":\"error\",\"taskId\":null,\"context\":\"c\"}",
        &expect![[r#"
            agent a                      (a) idle
            mail m1 @me a kind=wish      refused bad_spec: `kind` is none of status, question, result, error, done, returned, worker_done, worker_died, merge_ready, merged, merge_failed, escalation, health_check, dispatch, assign, decision_gate
            mail m2 @me a kind=worker_done refused bad_spec: `payload` is missing; `worker_done` needs one with `taskId`
            mail m3 @me a kind=worker_done payload={"taskId":"t","branch":"b","exitCode":"0","filesModified":[]} refused bad_spec: `payload` of kind `worker_done` needs `exitCode`: a whole number
            mail m4 @me a kind=returned  refused bad_spec: `kind` is what longhaul says of mail that nobody read
            mail m5 @me a payload=[]     refused bad_spec: `payload` is no JSON object
            mail m6 @me a kind=escalation payload={"severity":"error","taskId":null,"context":"c"} a:1 starting · (a) waits for its turn a:1 · m6 taken by a:1 · want start a:1#1
        "#]],
    );
}

#[test]
fn a_turn_sends_as_its_agent_whatever_is_said_and_not_after_its_attempt() {
    play(
        "agent a\n agent b\n turn t a again=1\n mail m1 by:t b\n broke t\n +2s\n mail m2 by:t#1 b\n mail m3 by:t b\n submit j\n mail m4 by:j b",
        &expect![[r#"
            agent a                      (a) idle
            agent b                      (b) idle
            turn t a again=1             t starting · (a) waits for its turn t · want start t#1
            mail m1 by:t b               b:1 starting · (b) waits for its turn b:1 · m1 taken by b:1 · want start t#1 · want start b:1#1
            broke t                      t delayed
            +2s                          t starting · want start t#2
            mail m2 by:t#1 b             refused stale: the report is about an earlier attempt of t
            mail m3 by:t b               m3 unread · want start t#2
            submit j                     j ready
            mail m4 by:j b               refused stale: the report is about an earlier attempt of j
        "#]],
    );
}

#[test]
fn the_box_of_a_person_wakes_nobody_and_is_read_by_looking() {
    play(
        "agent a owner=me\n mail m1 a @me\n check @me\n check @me\n check @other\n mail m2 a @me\n read m2\n read m2\n read mx",
        &expect![[r#"
            agent a owner=me             (a) idle
            mail m1 a @me                m1 unread
            check @me                    m1 read
            check @me                    nothing
            check @other                 nothing
            mail m2 a @me                m2 unread
            read m2                      m2 read
            read m2                      nothing
            read mx                      refused no_mail: there is no mail mx
        "#]],
    );
}
