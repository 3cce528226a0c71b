//! Scripts of tool calls that ask, and of people who answer or do not.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_question_is_told_to_everybody_in_its_commit_and_is_no_news_once_it_was_answered() {
    play(
        "sink hook\n hire ada asktool=Bash\n prompt a ada hi owner=eve notify=hook\n call a c1 Bash\n call a c1 Bash\n allow a\n call a c1 Bash\n allow a\n deny a\n facts a",
        &expect![[r#"
            sink hook                    nothing
            hire ada asktool=Bash        (ada) idle
            prompt a ada hi owner=eve notify=hook a starting · (ada) waits for its turn a · want start a#1
            call a c1 Bash               asks · a?c1>inbox pending · a?c1>sink:hook claimed by the courier · deliver a?c1>sink:hook#1 · want start a#1
            call a c1 Bash               asks · want start a#1
            allow a                      a?c1>inbox acked by eve (decided) · a?c1>sink:hook acked by eve (decided) · want start a#1
            call a c1 Bash               may · want start a#1
            allow a                      nothing
            deny a                       refused answered: apr_0000000000CBXTT2B1X1YRNQ3N is allowed already
            facts a                      question_asked · tool_decided · question_answered · notice_settled · notice_settled · tool_decided
        "#]],
    );
}

#[test]
fn what_was_told_already_stays_told() {
    play(
        "sink hook\n hire ada asktool=Bash\n prompt a ada hi notify=hook\n call a c1 Bash\n took a?c1 hook\n deny a\n call a c1 Bash\n over a 0 done\n facts a",
        &expect![[r#"
            sink hook                    nothing
            hire ada asktool=Bash        (ada) idle
            prompt a ada hi notify=hook  a starting · (ada) waits for its turn a · want start a#1
            call a c1 Bash               asks · a?c1>sink:hook claimed by the courier · deliver a?c1>sink:hook#1 · want start a#1
            took a?c1 hook               a?c1>sink:hook acked by sink:hook (answered) · want start a#1
            deny a                       want start a#1
            call a c1 Bash               may not: eve said no · want start a#1
            over a 0 done                a ended succeeded cleanup pending · (ada) idle · a>sink:hook claimed by the courier · deliver a>sink:hook#1 · want clean a#1
            facts a                      question_asked · tool_decided · notice_settled · question_answered · tool_decided · ended
        "#]],
    );
}

#[test]
fn nobody_answers_in_time_and_the_call_is_denied() {
    play(
        "hire ada asktool=Bash askfor=60s\n prompt a ada hi owner=eve\n call a c1 Bash\n +59s\n +1s\n call a c1 Bash\n allow a\n facts a",
        &expect![[r#"
            hire ada asktool=Bash askfor=60s (ada) idle
            prompt a ada hi owner=eve    a starting · (ada) waits for its turn a · want start a#1
            call a c1 Bash               asks · a?c1>inbox pending · want start a#1
            +59s                         a stopping · want call off a#1
            +1s                          a?c1>inbox acked by @longhaul (decided) · want call off a#1
            call a c1 Bash               may not: nobody answered within 1m · want call off a#1
            allow a                      refused answered: apr_0000000000CBXTT2B1X1YRNQ3N is lapsed already
            facts a                      question_asked · tool_decided · stopping · question_answered · notice_settled · tool_decided
        "#]],
    );
}

#[test]
fn the_end_of_a_turn_ends_its_questions_and_only_its_own_notices_keep_it() {
    play(
        "hire ada asktool=Bash\n prompt a ada hi owner=eve\n call a c1 Bash\n call a c2 Bash\n over a 0 done\n ack eve a\n cleaned a\n +100s\n purged a",
        &expect![[r#"
            hire ada asktool=Bash        (ada) idle
            prompt a ada hi owner=eve    a starting · (ada) waits for its turn a · want start a#1
            call a c1 Bash               asks · a?c1>inbox pending · want start a#1
            call a c2 Bash               asks · a?c2>inbox pending · want start a#1
            over a 0 done                a ended succeeded cleanup pending · (ada) idle · a?c1>inbox acked by @longhaul (decided) · a?c2>inbox acked by @longhaul (decided) · a>inbox pending · want clean a#1
            ack eve a                    a>inbox acked by eve (acked) · want clean a#1
            cleaned a                    a ended succeeded cleanup done
            +100s                        want purge a#1
            purged a                     a gone
        "#]],
    );
}

#[test]
fn a_question_that_is_acknowledged_still_waits_and_never_expires() {
    play(
        "hire ada asktool=Bash\n prompt a ada hi owner=eve\n call a c1 Bash\n started a\n +700000s\n allow a",
        &expect![[r#"
            hire ada asktool=Bash        (ada) idle
            prompt a ada hi owner=eve    a starting · (ada) waits for its turn a · want start a#1
            call a c1 Bash               asks · a?c1>inbox pending · want start a#1
            started a                    a running · want watch a#1
            +700000s                     nothing
            allow a                      a?c1>inbox acked by eve (decided)
        "#]],
    );
}

#[test]
fn only_the_attempt_that_goes_on_may_ask() {
    play(
        "hire ada denytool=Write\n prompt a ada hi\n call a c1 Write\n call a c2 Read\n call a c3 Read #7\n over a 0 done\n call a c4 Read\n facts a",
        &expect![[r#"
            hire ada denytool=Write      (ada) idle
            prompt a ada hi              a starting · (ada) waits for its turn a · want start a#1
            call a c1 Write              may not: the policy of this turn denies `Write` · want start a#1
            call a c2 Read               as it likes · want start a#1
            call a c3 Read #7            refused stale: the report is about an earlier attempt of a
            over a 0 done                a ended succeeded cleanup pending · (ada) idle · want clean a#1
            call a c4 Read               refused stale: the report is about an earlier attempt of a
            facts a                      tool_decided · tool_decided · ended
        "#]],
    );
}

#[test]
fn a_silence_that_a_person_lets_be_ends_nobody_and_the_next_one_does() {
    play(
        "hire ada ask=20s stop=40s
         prompt a ada one
         started a
         quiet a 20s
         allow a
         quiet a 50s
         lively a
         quiet a 19s
         quiet a 40s
         facts a",
        &expect![[r#"
            hire ada ask=20s stop=40s    (ada) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            quiet a 20s                  nothing
            allow a                      nothing
            quiet a 50s                  nothing
            lively a                     nothing
            quiet a 19s                  nothing
            quiet a 40s                  a stopping · want stop a#1
            facts a                      quiet_for · question_asked · question_answered · lively · stopping
        "#]],
    );
}
