//! The life of mail: with turns that end well or badly, that read it themselves, that end for good.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_failed_turn_puts_its_mail_back_each_time_later_until_it_is_returned() {
    play(
        "agent top\n agent ann parent=top\n mail m1 top ann\n broke ann:1\n +4s\n +2s\n broke ann:2\n +5s\n +6s\n broke ann:3\n told top:1\n done top:1",
        &expect![[r#"
            agent top                    (top) idle
            agent ann parent=top         (ann) idle · (top) waits for `ann`, which works for it
            mail m1 top ann              ann:1 starting · (ann) waits for its turn ann:1 · m1 taken by ann:1 · want start ann:1#1
            broke ann:1                  ann:1 ended failed/noresult cleanup pending · ann:2 delayed · (ann) waits for its turn ann:2 · m1 unread again 1 · want clean ann:1#1
            +4s                          nothing
            +2s                          ann:2 starting · m1 taken by ann:2 · want start ann:2#1 · want clean ann:1#1
            broke ann:2                  ann:2 ended failed/noresult cleanup pending · ann:3 delayed · (ann) waits for its turn ann:3 · m1 unread again 2 · want clean ann:2#1
            +5s                          want clean ann:2#1 · want clean ann:1#1
            +6s                          ann:3 starting · m1 taken by ann:3 · want start ann:3#1 · want clean ann:2#1 · want clean ann:1#1
            broke ann:3                  ann:3 ended failed/noresult cleanup pending · top:1 starting · (ann) idle · (top) waits for its turn top:1 · m1 returned: 3 turns that had it failed, the last because the turn that took it has failed: no_result: it said nothing · returned>top taken by top:1 · worker_died>top taken by top:1 · want start top:1#1 · want clean ann:3#1
            told top:1                   returned>top · worker_died>top
            done top:1                   top:1 ended succeeded cleanup pending · (top) waits for `ann`, which works for it · returned>top read by top:1 · worker_died>top read by top:1 · want clean top:1#1
        "#]],
    );
}

#[test]
fn new_mail_does_not_wait_for_what_failed_before() {
    play(
        "agent ann\n mail m1 @me ann\n broke ann:1\n mail m2 @me ann\n told ann:2\n broke ann:2\n turn t ann\n done ann:3",
        &expect![[r#"
            agent ann                    (ann) idle
            mail m1 @me ann              ann:1 starting · (ann) waits for its turn ann:1 · m1 taken by ann:1 · want start ann:1#1
            broke ann:1                  ann:1 ended failed/noresult cleanup pending · ann:2 delayed · (ann) waits for its turn ann:2 · m1 unread again 1 · want clean ann:1#1
            mail m2 @me ann              ann:2 starting · m1 taken by ann:2 · m2 taken by ann:2 · want start ann:2#1
            told ann:2                   m1 · m2
            broke ann:2                  ann:2 ended failed/noresult cleanup pending · ann:3 delayed · (ann) waits for its turn ann:3 · m1 unread again 2 · m2 unread again 1 · want clean ann:2#1
            turn t ann                   ann:3 starting · t behind · m1 taken by ann:3 · m2 taken by ann:3 · want start ann:3#1
            done ann:3                   ann:3 ended succeeded cleanup pending · t starting · (ann) waits for its turn t · m1 read by ann:3 · m2 read by ann:3 · want start t#1 · want clean ann:3#1
        "#]],
    );
}

#[test]
fn a_retry_keeps_its_mail_and_takes_what_is_new() {
    play(
        "agent ann\n turn p ann\n mail m1 @me ann\n done p\n turn q ann\n done ann:1\n turn t ann again=1\n mail m2 @me ann\n done q\n broke t\n mail m3 @me ann\n +2s\n told t\n done t",
        &expect![[r#"
            agent ann                    (ann) idle
            turn p ann                   p starting · (ann) waits for its turn p · want start p#1
            mail m1 @me ann              m1 unread
            done p                       ann:1 starting · p ended succeeded cleanup pending · (ann) waits for its turn ann:1 · m1 taken by ann:1 · want start ann:1#1 · want clean p#1
            turn q ann                   q behind
            done ann:1                   ann:1 ended succeeded cleanup pending · q starting · (ann) waits for its turn q · m1 read by ann:1 · want start q#1 · want clean ann:1#1
            turn t ann again=1           t behind
            mail m2 @me ann              m2 unread
            done q                       q ended succeeded cleanup pending · t starting · (ann) waits for its turn t · m2 taken by t · want start t#1 · want clean q#1
            broke t                      t delayed
            mail m3 @me ann              m3 unread
            +2s                          t starting · m3 taken by t · want start t#2
            told t                       m2 · m3 · "do it"
            done t                       t ended succeeded cleanup pending · (ann) idle · m2 read by t · m3 read by t · want clean t#2
        "#]],
    );
}

#[test]
fn mail_that_a_turn_read_itself_is_not_told_again() {
    play(
        "agent ann\n agent bob\n turn t ann\n mail m1 bob ann\n mail m2 bob ann\n mail m3 ann bob\n read m1 t\n read m1 t\n read m3 t\n check bob t\n check ann t\n check ann t\n read m2 t#7\n done t",
        &expect![[r#"
            agent ann                    (ann) idle
            agent bob                    (bob) idle
            turn t ann                   t starting · (ann) waits for its turn t · want start t#1
            mail m1 bob ann              m1 unread
            mail m2 bob ann              m2 unread
            mail m3 ann bob              bob:1 starting · (bob) waits for its turn bob:1 · m3 taken by bob:1 · want start bob:1#1
            read m1 t                    m1 taken by t · want start t#1
            read m1 t                    nothing
            read m3 t                    nothing
            check bob t                  refused bad_spec: `agent` is another's; a turn reads its own
            check ann t                  m2 taken by t · want start t#1
            check ann t                  nothing
            read m2 t#7                  refused stale: the report is about an earlier attempt of t
            done t                       t ended succeeded cleanup pending · (ann) idle · m1 read by t · m2 read by t · want clean t#1
        "#]],
    );
}

#[test]
fn mail_that_a_failed_turn_read_itself_is_put_back() {
    play(
        "agent ann\n turn t ann\n mail m1 @me ann\n check ann t\n broke t\n told ann:1\n read m1\n check ann",
        &expect![[r#"
            agent ann                    (ann) idle
            turn t ann                   t starting · (ann) waits for its turn t · want start t#1
            mail m1 @me ann              m1 unread
            check ann t                  m1 taken by t · want start t#1
            broke t                      ann:1 delayed · t ended failed/noresult cleanup pending · (ann) waits for its turn ann:1 · m1 unread again 1 · want clean t#1
            told ann:1                   nothing
            read m1                      ann:1 ended cancelled cleanup done · (ann) idle · m1 read
            check ann                    nothing
        "#]],
    );
}

#[test]
fn a_turn_that_a_person_cancels_returns_its_mail() {
    play(
        "agent top\n agent ann parent=top\n mail m1 top ann\n cancel ann:1\n exited ann:1 143 stopped\n mail m2 top ann\n broke ann:2\n cancel ann:3",
        &expect![[r#"
            agent top                    (top) idle
            agent ann parent=top         (ann) idle · (top) waits for `ann`, which works for it
            mail m1 top ann              ann:1 starting · (ann) waits for its turn ann:1 · m1 taken by ann:1 · want start ann:1#1
            cancel ann:1                 ann:1 stopping · want stop ann:1#1
            exited ann:1 143 stopped     ann:1 ended cancelled cleanup pending · top:1 starting · (ann) idle · (top) waits for its turn top:1 · m1 returned: the turn that took it has been cancelled · returned>top taken by top:1 · want start top:1#1 · want clean ann:1#1
            mail m2 top ann              ann:2 starting · (ann) waits for its turn ann:2 · m2 taken by ann:2 · want start ann:2#1
            broke ann:2                  ann:2 ended failed/noresult cleanup pending · ann:3 delayed · (ann) waits for its turn ann:3 · m2 unread again 1 · want clean ann:2#1
            cancel ann:3                 ann:3 ended cancelled cleanup done · (ann) idle · m2 returned: the turn that was to read it was cancelled · returned>top#2 unread
        "#]],
    );
}

#[test]
fn a_turn_for_mail_that_was_read_meanwhile_is_not_begun() {
    play(
        "agent ann owner=me\n mail m1 @me ann\n broke ann:1\n read m1\n +9s",
        &expect![[r#"
        agent ann owner=me           (ann) idle
        mail m1 @me ann              ann:1 starting · (ann) waits for its turn ann:1 · m1 taken by ann:1 · want start ann:1#1
        broke ann:1                  ann:1 ended failed/noresult cleanup pending · ann:2 delayed · (ann) waits for its turn ann:2 · m1 unread again 1 · ann:1>inbox pending · want clean ann:1#1
        read m1                      ann:2 ended cancelled cleanup done · (ann) idle · m1 read
        +9s                          want clean ann:1#1
    "#]],
    );
}

#[test]
fn mail_that_cannot_be_returned_to_its_sender_is_told_to_its_owner() {
    play(
        "agent top owner=me\n agent ann owner=me parent=top\n turn t ann\n mail m1 by:t top\n stop ann\n stop top\n exited top:1 143 stopped",
        &expect![[r#"
            agent top owner=me           (top) idle
            agent ann owner=me parent=top (ann) idle · (top) waits for `ann`, which works for it
            turn t ann                   t starting · (ann) waits for its turn t · want start t#1
            mail m1 by:t top             top:1 starting · (top) waits for its turn top:1 · m1 taken by top:1 · want start t#1 · want start top:1#1
            stop ann                     t stopping · (ann) stopped · want stop t#1
            stop top                     top:1 stopping · (top) stopped · want stop top:1#1
            exited top:1 143 stopped     top:1 ended cancelled cleanup pending · m1 returned: the turn that took it has been cancelled: its agent was stopped · returned>@me unread · top:1>inbox pending · want clean top:1#1
        "#]],
    );
}

#[test]
fn no_two_that_cannot_be_reached_write_to_each_other_for_ever() {
    play(
        "agent a parent=b\n agent b\n agent a parent=b\n mail m1 a a\n broke a:1\n +9s\n broke a:2\n +20s\n broke a:3\n broke a:4\n broke b:1\n +9s\n broke a:5\n broke b:2\n +30s\n broke a:6\n broke b:3\n +999s",
        &expect![[r#"
            agent a parent=b             refused no_agent: there is no agent `b`
            agent b                      (b) idle
            agent a parent=b             (a) idle · (b) waits for `a`, which works for it
            mail m1 a a                  a:1 starting · (a) waits for its turn a:1 · m1 taken by a:1 · want start a:1#1
            broke a:1                    a:1 ended failed/noresult cleanup pending · a:2 delayed · (a) waits for its turn a:2 · m1 unread again 1 · want clean a:1#1
            +9s                          a:2 starting · m1 taken by a:2 · want start a:2#1 · want clean a:1#1
            broke a:2                    a:2 ended failed/noresult cleanup pending · a:3 delayed · (a) waits for its turn a:3 · m1 unread again 2 · want clean a:2#1
            +20s                         a:3 starting · m1 taken by a:3 · want start a:3#1 · want clean a:2#1 · want clean a:1#1
            broke a:3                    a:3 ended failed/noresult cleanup pending · a:4 starting · b:1 starting · (a) waits for its turn a:4 · (b) waits for its turn b:1 · m1 returned: 3 turns that had it failed, the last because the turn that took it has failed: no_result: it said nothing · returned>a taken by a:4 · worker_died>b taken by b:1 · want start a:4#1 · want start b:1#1 · want clean a:3#1
            broke a:4                    a:4 ended failed/noresult cleanup pending · a:5 delayed · (a) waits for its turn a:5 · returned>a unread again 1 · want clean a:4#1
            broke b:1                    b:1 ended failed/noresult cleanup pending · b:2 delayed · (b) waits for its turn b:2 · worker_died>b unread again 1 · want clean b:1#1
            +9s                          a:5 starting · b:2 starting · returned>a taken by a:5 · worker_died>b taken by b:2 · want start b:2#1 · want start a:5#1 · want clean a:4#1 · want clean a:2#1 · want clean a:1#1 · want clean b:1#1 · want clean a:3#1
            broke a:5                    a:5 ended failed/noresult cleanup pending · a:6 delayed · (a) waits for its turn a:6 · returned>a unread again 2 · want clean a:5#1
            broke b:2                    b:2 ended failed/noresult cleanup pending · b:3 delayed · (b) waits for its turn b:3 · worker_died>b unread again 2 · want clean b:2#1
            +30s                         a:6 starting · b:3 starting · returned>a taken by a:6 · worker_died>b taken by b:3 · want start b:3#1 · want start a:6#1 · want clean a:4#1 · want clean b:2#1 · want clean a:5#1 · want clean a:2#1 · want clean a:1#1 · want clean b:1#1 · want clean a:3#1
            broke a:6                    a:6 ended failed/noresult cleanup pending · (a) idle · returned>a returned: 3 turns that had it failed, the last because the turn that took it has failed: no_result: it said nothing · worker_died>b#2 unread · want clean a:6#1
            broke b:3                    b:3 ended failed/noresult cleanup pending · b:4 starting · (b) waits for its turn b:4 · worker_died>b returned: 3 turns that had it failed, the last because the turn that took it has failed: no_result: it said nothing · worker_died>b#2 taken by b:4 · want start b:4#1 · want clean b:3#1
            +999s                        b:4 stopping · want call off b:4#1 · want clean a:4#1 · want clean b:2#1 · want clean b:3#1 · want clean a:5#1 · want clean a:2#1 · want clean a:1#1 · want clean b:1#1 · want clean a:3#1 · want clean a:6#1
        "#]],
    );
}

#[test]
fn a_removed_agent_returns_its_mail() {
    play(
        "agent a\n agent b\n slots default 0\n mail m1 a b\n remove b\n cancel b:1\n agent b\n mail m2 a b\n cancel b:2\n remove b",
        &expect![[r#"
            agent a                      (a) idle
            agent b                      (b) idle
            slots default 0              nothing
            mail m1 a b                  b:1 ready · (b) waits for its turn b:1 · m1 unread
            remove b                     refused agent_busy: agent `b` is still needed: b:1 is open
            cancel b:1                   a:1 ready · b:1 ended cancelled cleanup done · (a) waits for its turn a:1 · (b) idle · m1 returned: the turn that was to read it was cancelled · returned>a unread
            agent b                      nothing
            mail m2 a b                  b:2 ready · (b) waits for its turn b:2 · m2 unread
            cancel b:2                   b:2 ended cancelled cleanup done · (b) idle · m2 returned: the turn that was to read it was cancelled · returned>a#2 unread
            remove b                     nothing
        "#]],
    );
}

#[test]
fn a_lost_turn_gives_its_mail_back_and_is_told_of_once() {
    play(
        "agent top\n agent ann parent=top role=builder\n turn t ann\n mail m1 top ann\n check ann t\n lost t\n told ann:1\n done ann:1",
        &expect![[r#"
            agent top                    (top) idle
            agent ann parent=top role=builder (ann) idle · (top) waits for `ann`, which works for it
            turn t ann                   t starting · (ann) waits for its turn t · want start t#1
            mail m1 top ann              m1 unread
            check ann t                  m1 taken by t · want start t#1
            lost t                       ann:1 delayed · t ended lost/hostlost cleanup pending · top:1 starting · (ann) waits for its turn ann:1 · (top) waits for its turn top:1 · m1 unread again 1 · worker_died>top taken by top:1 · want start top:1#1 · want clean t#1
            told ann:1                   nothing
            done ann:1                   refused stale: the report is about an earlier attempt of ann:1
        "#]],
    );
}
