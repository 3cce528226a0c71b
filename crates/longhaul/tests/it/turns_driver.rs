//! Turns are launched as their CLIs want it, taken down as they speak, and judged by what they said.

use crate::daemon_support::{job, until};
use crate::turns_support::{Stage, agent, ended, messages, said, submit};
use longhaul_agents::{Event, Phase};
use longhaul_core::agent::AgentSpec;
use longhaul_core::command::Command;
use longhaul_core::job::CleanupState;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::spec::Environment;
use longhaul_core::turn::TurnHow;

#[tokio::test]
async fn a_turn_is_what_its_cli_said_and_the_next_one_goes_on_with_its_conversation() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let first =
        submit(ports, stage.turn("claude", "[[say looking]] [[bash true]] [[done well]]")).await;
    let ended_first = ended(ports, &first).await;
    assert_eq!(ended_first.outcome().unwrap().kind, Ending::Succeeded, "{ended_first:#?}");
    let state = ended_first.turn.unwrap();
    let conversation = state.conversation.clone().unwrap();
    assert!(state.used.output > 0 && state.used.nano_usd.is_some(), "{state:#?}");
    let end = state.end.unwrap();
    assert_eq!(end.how, TurnHow::Done { despite: None });
    assert_eq!(
        end.resume_command.unwrap(),
        format!("cd {} && claude --resume {conversation}", stage.cwd())
    );
    assert!(end.last.iter().any(|line| line.starts_with("called Bash")), "{:#?}", end.last);
    let events = said(ports, &first).await;
    assert!(events.iter().any(|event| matches!(event, Event::ToolResult { .. })), "{events:#?}");
    assert_eq!(agent(ports, "claude").await.conversation.as_ref(), Some(&conversation));

    let second = submit(ports, stage.turn("claude", "and now?")).await;
    assert_eq!(ended(ports, &second).await.outcome().unwrap().kind, Ending::Succeeded);
    let calls = stage.fake.calls("claude");
    let argv = |call: usize| serde_json::to_string(&calls[call]["argv"]).unwrap();
    assert!(argv(0).contains(&format!("\"--session-id\",\"{conversation}\"")), "{}", argv(0));
    assert!(argv(1).contains(&format!("\"--resume\",\"{conversation}\"")), "{}", argv(1));
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn every_kind_is_launched_and_understood() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    for kind in ["codex", "gemini", "opencode", "pi", "omp", "qwen", "acp", "ndjson", "plain"] {
        stage.add(ports, stage.agent(kind)).await;
        let id = submit(ports, stage.turn(kind, "- hello [[say hi]] [[done]]")).await;
        let job = ended(ports, &id).await;
        assert_eq!(
            job.outcome().unwrap().kind,
            Ending::Succeeded,
            "{kind}: {:#?} {:#?}",
            job.outcome(),
            job.turn
        );
        let said = messages(ports, &id).await;
        assert!(said.iter().any(|text| text.contains("hi")), "{kind}: {said:#?}");
    }
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn a_turn_gets_what_it_needs_of_the_environment_and_nothing_is_left_of_it() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    let spec = AgentSpec { environment_set: vec!["MEANT".to_owned()], ..stage.agent("claude") };
    let mut environment = stage.environment();
    for name in ["MEANT", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CLAUDECODE", "SOME_SECRET"] {
        environment.insert(name.to_owned(), "value".to_owned());
    }
    let environment = Environment(environment);
    let add = Command::AddAgent { spec: Box::new(spec), environment, replace: false };
    ports.engine.ask(add).await.unwrap();
    let mut turn = stage.turn("claude", "- a prompt that is read on stdin");
    turn.environment.0.insert("OWN".to_owned(), "1".to_owned());
    let id = submit(ports, turn).await;
    ended(ports, &id).await;
    let calls = stage.fake.calls("claude");
    let names: Vec<&str> =
        calls[0]["env"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in ["PATH", "HOME", "MEANT", "OWN", "ANTHROPIC_API_KEY", "LONGHAUL_AGENT"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for name in ["LONGHAUL_JOB_ID", "LONGHAUL_JOB_TOKEN", "CLAUDE_CODE_MAX_RETRIES"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for name in ["CLAUDECODE", "OPENAI_API_KEY", "SOME_SECRET"] {
        assert!(!names.contains(&name), "{name} is in {names:?}");
    }
    assert_eq!(calls[0]["stdin"], "- a prompt that is read on stdin", "{}", calls[0]);
    let folder = ports.home.attempt(&id, 1);
    until(ports, &id, |job| job.cleanup.state == CleanupState::Done).await;
    let spec = std::fs::read_to_string(folder.join("spec.json")).unwrap();
    assert!(!spec.contains("prompt") && !spec.contains("value"), "{spec}");
    assert!(!folder.join("in").exists());
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn what_an_agent_says_is_in_the_journal_while_it_still_runs() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let gate = stage.place.root.path().join("gate");
    let prompt = format!("[[say early]] [[await {}]] [[say late]] [[done]]", gate.display());
    let id = submit(ports, stage.turn("claude", &prompt)).await;
    let running = until(ports, &id, |job| {
        job.turn.as_ref().is_some_and(|turn| turn.conversation.is_some() && turn.events > 1)
    });
    assert!(running.await.outcome().is_none());
    assert!(messages(ports, &id).await.iter().any(|text| text == "early"));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(ended(ports, &id).await.outcome().unwrap().kind, Ending::Succeeded);
    assert_eq!(messages(ports, &id).await.iter().filter(|text| *text == "late").count(), 1);
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn a_cli_that_stays_after_its_answer_is_ended_and_has_succeeded() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let id = submit(ports, stage.turn("claude", "[[done]] [[linger]]")).await;
    let job = ended(ports, &id).await;
    assert_eq!(job.outcome().unwrap().kind, Ending::Succeeded, "{job:#?}");
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn many_events_are_all_there_once_and_in_order() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let id = submit(ports, stage.turn("claude", "[[pace 5000 100000]] [[done]]")).await;
    let job = ended(ports, &id).await;
    assert_eq!(job.outcome().unwrap().kind, Ending::Succeeded, "{job:#?}");
    let numbers: Vec<u64> = messages(ports, &id)
        .await
        .iter()
        .filter_map(|text| text.split(' ').next()?.parse().ok())
        .collect();
    let first = numbers[0];
    assert_eq!(numbers, (first..first + 5_000).collect::<Vec<u64>>());
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn an_exit_of_zero_without_a_result_is_a_failure_and_so_is_a_program_that_is_not_there() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let id = submit(ports, stage.turn("claude", "[[say half]] [[silent]]")).await;
    let silent = ended(ports, &id).await;
    let outcome = silent.outcome().unwrap();
    assert_eq!((outcome.kind, outcome.reason), (Ending::Failed, Some(Reason::NoResult)));
    let extra = vec!["/nowhere/agent".to_owned()];
    let spec = AgentSpec { extra, ..stage.agent("ndjson") };
    stage.add(ports, spec).await;
    let id = submit(ports, stage.turn("ndjson", "hello")).await;
    let missing = ended(ports, &id).await;
    assert_eq!(missing.outcome().unwrap().kind, Ending::Failed, "{missing:#?}");
    assert_eq!(missing.attempt, 1);
    let end = missing.turn.unwrap().end.unwrap();
    assert!(
        matches!(&end.how, TurnHow::Failed { class, .. } if class == "not_runnable"),
        "{end:#?}"
    );
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn what_an_adapter_refuses_has_failed_at_once_and_says_why() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, AgentSpec { extra: vec![], ..stage.agent("plain") }).await;
    let id = submit(ports, stage.turn("plain", "hello")).await;
    let job = ended(ports, &id).await;
    let outcome = job.outcome().unwrap();
    assert_eq!((outcome.kind, outcome.reason), (Ending::Failed, Some(Reason::Spawn)));
    assert!(outcome.message.as_ref().unwrap().contains("no program to run"), "{outcome:#?}");
    assert_eq!(job.attempt, 1);
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_turn_is_cancelled_and_what_it_said_before_is_kept() {
    let stage = Stage::new();
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, stage.agent("claude")).await;
    let id = submit(ports, stage.turn("claude", "[[say begun]] [[sleep 60000]] [[done]]")).await;
    until(ports, &id, |job| job.turn.as_ref().is_some_and(|turn| turn.events > 1)).await;
    let cancel = Command::Cancel { job: id.clone(), reason: None, by_force: false, tree: false };
    ports.engine.ask(cancel).await.unwrap();
    assert_eq!(ended(ports, &id).await.outcome().unwrap().kind, Ending::Cancelled);
    assert!(messages(ports, &id).await.iter().any(|text| text == "begun"));
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_comes_back_goes_on_where_the_last_one_ended() {
    let stage = Stage::new();
    let daemon = stage.start();
    stage.add(&daemon.ports, stage.agent("claude")).await;
    let gate = stage.place.root.path().join("gate");
    let prompt = format!("[[say one]] [[await {}]] [[say two]] [[done]]", gate.display());
    let id = submit(&daemon.ports, stage.turn("claude", &prompt)).await;
    let spoke = |turn: &longhaul_core::turn::TurnState| turn.events > 1;
    until(&daemon.ports, &id, |job| job.turn.as_ref().is_some_and(spoke)).await;
    daemon.finish().await.unwrap();
    std::fs::write(&gate, "").unwrap();
    let daemon = stage.start();
    let ended = ended(&daemon.ports, &id).await;
    assert_eq!(ended.outcome().unwrap().kind, Ending::Succeeded, "{ended:#?}");
    let said = said(&daemon.ports, &id).await;
    let named = |event: &&Event| matches!(event, Event::Status { phase: Phase::Conversation, .. });
    assert_eq!(said.iter().filter(named).count(), 1, "{said:#?}");
    let texts = messages(&daemon.ports, &id).await;
    let mine: Vec<&str> =
        texts.iter().map(String::as_str).filter(|text| ["one", "two"].contains(text)).collect();
    assert_eq!(mine, ["one", "two"]);
    assert_eq!(job(&daemon.ports, &id).await.attempt, 1);
    daemon.finish().await.unwrap();
}

#[tokio::test]
async fn an_agent_with_a_worktree_works_there_and_what_it_did_stays() {
    let stage = Stage::new();
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let mut git = std::process::Command::new("git");
        let done = git.args(who).args(words).current_dir(stage.cwd()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    let daemon = stage.start();
    let ports = &daemon.ports;
    stage.add(ports, AgentSpec { worktree: true, ..stage.agent("claude") }).await;
    let turn = stage.turn("claude", "[[sh echo mine >here]] [[silent]]");
    let id = submit(ports, turn).await;
    let job = ended(ports, &id).await;
    assert_eq!(job.outcome().unwrap().kind, Ending::Failed);
    let tree = ports.home.worktrees().join("claude");
    assert_eq!(std::fs::read_to_string(tree.join("here")).unwrap(), "mine\n");
    let resume = job.turn.unwrap().end.unwrap().resume_command.unwrap();
    assert!(resume.starts_with(&format!("cd {}", tree.display())), "{resume}");
    daemon.finish().await.unwrap();
}
