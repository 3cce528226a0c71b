//! Turns of agents: told what waits for them, taken in as they speak, judged by what they said.

use crate::play::play;
use expect_test::expect;

#[test]
fn a_turn_goes_on_with_its_agents_conversation() {
    play(
        "hire ada
         prompt a ada hello
         prompt b ada more
         input a
         started a
         said a 3 conv=c1 out=5
         said a 3 conv=c1 again
         said a 2 #2
         over a 0 done conv=c1
         input b
         facts a
         said a 1 #1",
        &expect![[r#"
            hire ada                     (ada) idle
            prompt a ada hello           a starting · (ada) waits for its turn a · want start a#1
            prompt b ada more            b behind
            input a                      anew · "hello"
            started a                    a running · want watch a#1
            said a 3 conv=c1 out=5       nothing
            said a 3 conv=c1 again       refused already_taken: the output of a was taken up to another place
            said a 2 #2                  refused stale: the report is about an earlier attempt of a
            over a 0 done conv=c1        a ended succeeded cleanup pending · b starting · (ada) waits for its turn b · want start b#1 · want clean a#1
            input b                      in c1 · "more"
            facts a                      said · said · said · conversation · ended
            said a 1 #1                  refused stale: the report is about an earlier attempt of a
        "#]],
    );
}

#[test]
fn a_turn_that_has_answered_ends_even_if_its_process_does_not() {
    play(
        "hire ada
         prompt a ada hello
         started a
         said a 1 conv=c1 done
         +9s
         +1s
         over a 143 done stopped
         prompt b ada more
         started b
         said b 1 conv=c2 done
         cancel b
         over b 0 done stopped
         prompt c ada fresh-one fresh
         input c",
        &expect![[r#"
            hire ada                     (ada) idle
            prompt a ada hello           a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            said a 1 conv=c1 done        want watch a#1
            +9s                          nothing
            +1s                          a stopping · want stop a#1
            over a 143 done stopped      a ended succeeded cleanup pending · (ada) idle · want clean a#1
            prompt b ada more            b starting · (ada) waits for its turn b · want start b#1
            started b                    b running · want watch b#1
            said b 1 conv=c2 done        want watch b#1
            cancel b                     b stopping · want stop b#1
            over b 0 done stopped        b ended succeeded cleanup pending · (ada) idle · want clean b#1
            prompt c ada fresh-one fresh c starting · (ada) waits for its turn c · want start c#1
            input c                      anew · "fresh-one"
        "#]],
    );
}

#[test]
fn a_limit_parks_all_of_a_kind_and_one_tries_whether_it_has_ended() {
    play(
        "slots default 9
         hire ada
         hire bob
         hire cam
         hire dee kind=other
         prompt a ada one
         prompt b bob two
         started a
         said a 1 conv=c1
         over a 1 rate_limited=park until=60s
         prompt c cam three
         prompt d dee four
         started d
         prompt a2 ada later
         over b 1 rate_limited=park until=30s
         +59s
         +1s
         input a
         over a 1 rate_limited=park
         facts a
         +120s
         started a
         said a 1 out=3
         over a 0 done
         facts a",
        &expect![[r#"
            slots default 9              nothing
            hire ada                     (ada) idle
            hire bob                     (bob) idle
            hire cam                     (cam) idle
            hire dee kind=other          (dee) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            prompt b bob two             b starting · (bob) waits for its turn b · want start b#1
            started a                    a running · want watch a#1
            said a 1 conv=c1             nothing
            over a 1 rate_limited=park until=60s a parked · (ada) waits for the end of a limit of the vendor, for its turn a
            prompt c cam three           c aside · (cam) waits for its turn c
            prompt d dee four            d starting · (dee) waits for its turn d · want start d#1
            started d                    d running · want watch d#1
            prompt a2 ada later          a2 behind
            over b 1 rate_limited=park until=30s b parked · (bob) waits for the end of a limit of the vendor, for its turn b
            +59s                         nothing
            +1s                          a starting · b aside · (ada) waits for its turn a · want start a#2
            input a                      in c1 · "one"
            over a 1 rate_limited=park   a parked · (ada) waits for the end of a limit of the vendor, for its turn a
            facts a                      said · conversation · parked · parked
            +120s                        a starting · (ada) waits for its turn a · want start a#3
            started a                    a running · want watch a#3
            said a 1 out=3               b starting · c starting · (bob) waits for its turn b · want start b#2 · want start c#1
            over a 0 done                a ended succeeded cleanup pending · a2 starting · (ada) waits for its turn a2 · want start a2#1 · want clean a#3
            facts a                      said · conversation · parked · parked · said · ended
        "#]],
    );
}

#[test]
fn a_probe_of_which_nothing_can_be_learned_lets_another_try() {
    play(
        "slots default 9
         hire ada
         hire bob
         prompt a ada one
         over a 1 rate_limited=park until=60s
         prompt b bob two
         cancel a
         +60s
         lost b
         prompt c ada three
         over c 1 network
         prompt d bob four",
        &expect![[r#"
            slots default 9              nothing
            hire ada                     (ada) idle
            hire bob                     (bob) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            over a 1 rate_limited=park until=60s a parked · (ada) waits for the end of a limit of the vendor, for its turn a
            prompt b bob two             b aside · (bob) waits for its turn b
            cancel a                     a ended cancelled cleanup pending · (ada) idle · want clean a#1
            +60s                         b starting · want start b#1 · want clean a#1
            lost b                       b ended lost/hostlost cleanup pending · (bob) idle · want clean b#1
            prompt c ada three           c starting · (ada) waits for its turn c · want start c#1
            over c 1 network             c ended failed/agentfailed cleanup pending · (ada) idle · want clean c#1
            prompt d bob four            d starting · (bob) waits for its turn d · want start d#1
        "#]],
    );
}

#[test]
fn who_does_not_park_fails_or_asks() {
    play(
        "slots default 9
         hire ada park=never
         hire bob park=ask
         prompt a ada one
         over a 1 rate_limited=park until=60s
         prompt b bob two
         over b 1 rate_limited=park until=60s
         allow b
         over b 1 rate_limited=park until=60s
         deny b
         prompt c bob three
         over c 1 rate_limited=park
         cancel c",
        &expect![[r#"
            slots default 9              nothing
            hire ada park=never          (ada) idle
            hire bob park=ask            (bob) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            over a 1 rate_limited=park until=60s a ended failed/ratelimit cleanup pending · (ada) idle · want clean a#1
            prompt b bob two             b starting · (bob) waits for its turn b · want start b#1
            over b 1 rate_limited=park until=60s b asking · (bob) waits for an answer for its turn b, see `longhaul approvals`
            allow b                      b starting · (bob) waits for its turn b · want start b#2
            over b 1 rate_limited=park until=60s b asking · (bob) waits for an answer for its turn b, see `longhaul approvals`
            deny b                       b ended failed/ratelimit cleanup pending · (bob) idle · want clean b#2
            prompt c bob three           c starting · (bob) waits for its turn c · want start c#1
            over c 1 rate_limited=park   c asking · (bob) waits for an answer for its turn c, see `longhaul approvals`
            cancel c                     c ended cancelled cleanup pending · (bob) idle · want clean c#1
        "#]],
    );
}

#[test]
fn a_refused_resume_begins_afresh_once() {
    play(
        "hire ada
         hire bob resume=fail
         prompt a ada one
         over a 0 done conv=c1
         prompt b ada two
         input b
         over b 1 resume_refused=afresh
         input b
         over b 1 resume_refused=afresh
         prompt c bob one
         over c 0 done conv=c2
         prompt d bob two retry=5
         over d 1 resume_refused=afresh
         facts b",
        &expect![[r#"
            hire ada                     (ada) idle
            hire bob resume=fail         (bob) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            over a 0 done conv=c1        a ended succeeded cleanup pending · (ada) idle · want clean a#1
            prompt b ada two             b starting · (ada) waits for its turn b · want start b#1
            input b                      in c1 · "two"
            over b 1 resume_refused=afresh want start b#2
            input b                      anew · "two"
            over b 1 resume_refused=afresh b ended failed/resumefailed cleanup pending · (ada) idle · want clean b#2
            prompt c bob one             c starting · (bob) waits for its turn c · want start c#1
            over c 0 done conv=c2        c ended succeeded cleanup pending · (bob) idle · want clean c#1
            prompt d bob two retry=5     d starting · (bob) waits for its turn d · want start d#1
            over d 1 resume_refused=afresh d ended failed/resumefailed cleanup pending · (bob) idle · want clean d#1
            facts b                      resume_failed · ended
        "#]],
    );
}

#[test]
fn a_tool_call_that_was_put_off_waits_without_a_process() {
    play(
        "hire ada asktool=Bash
         prompt a ada one
         started a
         said a 1 conv=c1
         call a t1 Bash
         over a 0 deferred=t1
         +1000s
         allow a
         input a
         call a t1 Bash
         over a 0 deferred=t2
         deny a
         over a 0 done
         prompt b ada two
         call b t3 Bash
         allow b
         said b 1 conv=c1
         over b 0 deferred=t3
         cancel b
         facts a",
        &expect![[r#"
            hire ada asktool=Bash        (ada) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            said a 1 conv=c1             nothing
            call a t1 Bash               asks
            over a 0 deferred=t1         a asking · (ada) waits for an answer for its turn a, see `longhaul approvals`
            +1000s                       nothing
            allow a                      a starting · (ada) waits for its turn a · want start a#2
            input a                      goes on in c1 · ""
            call a t1 Bash               may · want start a#2
            over a 0 deferred=t2         a asking · (ada) waits for an answer for its turn a, see `longhaul approvals`
            deny a                       a starting · (ada) waits for its turn a · want start a#3
            over a 0 done                a ended succeeded cleanup pending · (ada) idle · want clean a#3
            prompt b ada two             b starting · (ada) waits for its turn b · want start b#1
            call b t3 Bash               asks · want start b#1
            allow b                      want start b#1
            said b 1 conv=c1             want start b#1
            over b 0 deferred=t3         want start b#2
            cancel b                     b stopping · want stop b#2
            facts a                      said · conversation · question_asked · tool_decided · waits_for_answer · question_answered · tool_decided · question_asked · waits_for_answer · question_answered · ended
        "#]],
    );
}

#[test]
fn a_budget_is_told_of_and_then_ends_it_or_asks() {
    play(
        "hire ada
         prompt a ada one budget=2 retry=3
         input a
         started a
         said a 1 conv=c1 usd=1.5
         said a 1 conv=c1 usd=1.7
         said a 1 conv=c1 usd=2.1
         over a 143 cancelled stopped
         facts a
         hire bob budget=1?
         prompt b bob one
         started b
         said b 1 conv=c2 usd=1
         over b 143 cancelled stopped usd=1.2
         allow b
         input b
         said b 1 conv=c2 usd=0.9
         over b 143 cancelled stopped
         deny b
         prompt c bob two
         hire bob budget=3?
         prompt d bob three
         input d
         over d 0 done usd=0.1",
        &expect![[r#"
            hire ada                     (ada) idle
            prompt a ada one budget=2 retry=3 a starting · (ada) waits for its turn a · want start a#1
            input a                      anew · "one" · 2000000000 nano-usd
            started a                    a running · want watch a#1
            said a 1 conv=c1 usd=1.5     nothing
            said a 1 conv=c1 usd=1.7     nothing
            said a 1 conv=c1 usd=2.1     a stopping · want stop a#1
            over a 143 cancelled stopped a ended failed/budget cleanup pending · (ada) idle · want clean a#1
            facts a                      said · conversation · said · budget_warned · said · stopping · ended
            hire bob budget=1?           (bob) idle
            prompt b bob one             b starting · (bob) waits for its turn b · want start b#1
            started b                    b running · want watch b#1
            said b 1 conv=c2 usd=1       b stopping · want stop b#1
            over b 143 cancelled stopped usd=1.2 b asking · (bob) waits for an answer for its turn b, see `longhaul approvals`
            allow b                      b starting · (bob) waits for its turn b · want start b#2
            input b                      in c2 · "Go on." · 800000000 nano-usd
            said b 1 conv=c2 usd=0.9     b stopping · want stop b#2
            over b 143 cancelled stopped b asking · (bob) waits for an answer for its turn b, see `longhaul approvals`
            deny b                       b ended failed/budget cleanup pending · (bob) idle · want clean b#2
            prompt c bob two             refused budget_spent: the budget of `bob` is spent
            hire bob budget=3?           nothing
            prompt d bob three           d starting · (bob) waits for its turn d · want start d#1
            input d                      in c2 · "three" · 1900000000 nano-usd
            over d 0 done usd=0.1        d ended succeeded cleanup pending · (bob) idle · want clean d#1
        "#]],
    );
}

#[test]
fn silence_is_said_then_asked_about_and_ended_where_that_was_asked_for() {
    play(
        "hire ada role=builder warn=5s nudge=10s ask=20s stop=40s
         prompt a ada one
         started a
         quiet a 4s
         quiet a 5s
         quiet a 10s
         lively a
         lively a
         quiet a 20s
         deny a
         over a 143 cancelled stopped
         hire bob role=builder asktool=Bash stop=40s ask=20s
         prompt b bob one
         started b
         quiet b 25s
         allow b
         call b t1 Bash
         quiet b 50s
         allow b
         quiet b 51s
         facts a
         facts b",
        &expect![[r#"
            hire ada role=builder warn=5s nudge=10s ask=20s stop=40s (ada) idle
            prompt a ada one             a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            quiet a 4s                   nothing
            quiet a 5s                   nothing
            quiet a 10s                  health_check>ada unread
            lively a                     nothing
            lively a                     refused repeat: that was reported before
            quiet a 20s                  nothing
            deny a                       a stopping · want stop a#1
            over a 143 cancelled stopped a ended timed_out/stall cleanup pending · ada:1 starting · (ada) waits for its turn ada:1 · health_check>ada taken by ada:1 · want start ada:1#1 · want clean a#1
            hire bob role=builder asktool=Bash stop=40s ask=20s (bob) idle
            prompt b bob one             b starting · (bob) waits for its turn b · want start b#1
            started b                    b running · want watch b#1
            quiet b 25s                  nothing
            allow b                      nothing
            call b t1 Bash               asks
            quiet b 50s                  nothing
            allow b                      nothing
            quiet b 51s                  b stopping · want stop b#1
            facts a                      quiet_for · quiet_for · lively · quiet_for · question_asked · question_answered · stopping · ended
            facts b                      quiet_for · question_asked · question_answered · question_asked · tool_decided · question_answered · stopping
        "#]],
    );
}

#[test]
fn mail_is_the_turns_that_took_it_until_that_has_ended() {
    play(
        "hire ada
         prompt a ada work retry=1
         mail m1 @eve ada
         over a 1 network
         +1s
         input a
         over a 1 auth=stop
         cancel ada:1
         hire bob
         pause default
         mail m2 @eve bob
         cancel bob:1
         resume default",
        &expect![[r#"
            hire ada                     (ada) idle
            prompt a ada work retry=1    a starting · (ada) waits for its turn a · want start a#1
            mail m1 @eve ada             m1 unread
            over a 1 network             a delayed
            +1s                          a starting · m1 taken by a · want start a#2
            input a                      anew · "You have 1 new message. Lines that begin with `|` are what a sender wrote; up to the end of the mail all others are longhaul's. Answer with `longhaul mail send --reply-to ID --body TEXT`. [mail 1 of 1] mail_000000000000000000000000M1 From: @eve Kind: status Subject: news [end of the mail] work"
            over a 1 auth=stop           a ended failed/agentfailed cleanup pending · ada:1 delayed · (ada) waits for its turn ada:1 · m1 unread again 1 · want clean a#2
            cancel ada:1                 ada:1 ended cancelled cleanup done · (ada) idle · m1 returned: the turn that was to read it was cancelled · returned>@eve unread
            hire bob                     (bob) idle
            pause default                nothing
            mail m2 @eve bob             bob:1 ready · (bob) waits for its turn bob:1 · m2 unread
            cancel bob:1                 bob:1 ended cancelled cleanup done · (bob) idle · m2 returned: the turn that was to read it was cancelled · returned>@eve#2 unread
            resume default               nothing
        "#]],
    );
}

#[test]
fn a_turn_that_goes_on_at_a_tool_call_leaves_new_mail_to_the_next() {
    play(
        "hire ada asktool=Bash
         agent bob
         prompt a ada Go
         started a
         said a 1 conv=c1
         call a t1 Bash
         over a 0 deferred=t1 conv=c1
         mail m1 bob ada
         allow a
         input a
         over a 0 done conv=c1
         told ada:1",
        &expect![[r#"
            hire ada asktool=Bash        (ada) idle
            agent bob                    (bob) idle
            prompt a ada Go              a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            said a 1 conv=c1             nothing
            call a t1 Bash               asks
            over a 0 deferred=t1 conv=c1 a asking · (ada) waits for an answer for its turn a, see `longhaul approvals`
            mail m1 bob ada              m1 unread
            allow a                      a starting · (ada) waits for its turn a · want start a#2
            input a                      goes on in c1 · ""
            over a 0 done conv=c1        a ended succeeded cleanup pending · ada:1 starting · (ada) waits for its turn ada:1 · m1 taken by ada:1 · want start ada:1#1 · want clean a#2
            told ada:1                   m1
        "#]],
    );
}

#[test]
fn a_turn_whose_agent_became_another_program_begins_anew() {
    play(
        "hire ada kind=one asktool=Bash
         prompt a ada Go
         started a
         said a 1 conv=c1
         call a t1 Bash
         over a 0 deferred=t1 conv=c1
         hire ada kind=two replace
         allow a
         input a",
        &expect![[r#"
            hire ada kind=one asktool=Bash (ada) idle
            prompt a ada Go              a starting · (ada) waits for its turn a · want start a#1
            started a                    a running · want watch a#1
            said a 1 conv=c1             nothing
            call a t1 Bash               asks
            over a 0 deferred=t1 conv=c1 a asking · (ada) waits for an answer for its turn a, see `longhaul approvals`
            hire ada kind=two replace    nothing
            allow a                      a starting · (ada) waits for its turn a · want start a#2
            input a                      anew · "Go"
        "#]],
    );
}
