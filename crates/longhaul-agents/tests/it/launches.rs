//! What is started for a turn: the arguments as the CLIs' manuals show them.

use longhaul_agents::{
    Access, Conversation, Grant, Hook, KINDS, Launch, NanoUsd, Stdin, ToolServer, Turn, Unkept,
    Unsuited, adapter,
};
use std::collections::BTreeMap;

const ID: &str = "11111111-1111-4111-8111-111111111111";

fn turn(conversation: Conversation) -> Turn {
    Turn {
        prompt: "Say hello".into(),
        conversation,
        cwd: "/home/dev/repo".into(),
        folder: "/home/dev/attempt".into(),
        ..Turn::default()
    }
}

fn launch(kind: &str, turn: &Turn) -> Launch {
    adapter(kind).unwrap().launch(turn).unwrap()
}

fn argv(kind: &str, turn: &Turn) -> String {
    launch(kind, turn).argv.join(" ")
}

fn resume() -> Conversation {
    Conversation::Resume(ID.into())
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn only(tools: &[&str], write_under: &[&str]) -> Access {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Access::Only(Grant { tools: owned(tools), write_under: owned(write_under), ..Grant::default() })
}

#[test]
fn a_new_conversation() {
    for (kind, line) in [
        ("claude", "claude -p Say hello --output-format stream-json --verbose"),
        ("codex", "codex exec --json --skip-git-repo-check Say hello"),
        ("gemini", "gemini -p Say hello --output-format stream-json"),
        ("opencode", "opencode run --format json Say hello"),
        ("pi", "pi -p --mode json Say hello"),
        ("omp", "omp -p --mode json --no-title Say hello"),
        ("qwen", "qwen Say hello --output-format stream-json"),
    ] {
        let launch = launch(kind, &turn(Conversation::New));
        assert_eq!(launch.argv.join(" "), line);
        assert_eq!(launch.stdin, Stdin::Nothing, "{kind}");
        assert_eq!(launch.unkept, [], "{kind}");
        assert!(launch.remove.contains(&"CLAUDECODE"), "{kind}");
    }
}

#[test]
fn a_conversation_goes_on() {
    for (kind, line) in [
        ("claude", "claude -p Say hello --output-format stream-json --verbose --resume ID"),
        ("codex", "codex exec --json --skip-git-repo-check resume ID Say hello"),
        ("gemini", "gemini -p Say hello --output-format stream-json --resume ID"),
        ("opencode", "opencode run --format json -s ID Say hello"),
        ("pi", "pi -p --mode json --session ID Say hello"),
        ("omp", "omp -p --mode json --no-title --resume ID Say hello"),
        ("qwen", "qwen Say hello --output-format stream-json --resume ID"),
    ] {
        assert_eq!(argv(kind, &turn(resume())), line.replace("ID", ID));
        assert_eq!(launch(kind, &turn(resume())).conversation.as_deref(), Some(ID), "{kind}");
    }
}

#[test]
fn a_conversation_is_forked_where_that_can_be() {
    let forked = turn(Conversation::Fork(ID.into()));
    for (kind, line) in [
        (
            "claude",
            "claude -p Say hello --output-format stream-json --verbose --resume ID --fork-session",
        ),
        ("codex", "codex exec --json --skip-git-repo-check fork ID Say hello"),
        ("opencode", "opencode run --format json -s ID --fork Say hello"),
        ("pi", "pi -p --mode json --fork ID Say hello"),
    ] {
        assert_eq!(argv(kind, &forked), line.replace("ID", ID));
    }
    for kind in ["gemini", "omp", "qwen"] {
        assert_eq!(adapter(kind).unwrap().launch(&forked), Err(Unsuited::NoFork), "{kind}");
    }
}

#[test]
fn an_id_is_given_to_those_that_take_one() {
    let named = turn(Conversation::NewAs(ID.into()));
    for kind in ["claude", "gemini", "qwen", "pi"] {
        let launch = launch(kind, &named);
        let at = launch.argv.iter().position(|word| word == "--session-id").unwrap();
        assert_eq!(launch.argv[at + 1], ID);
        assert_eq!(launch.conversation.as_deref(), Some(ID), "{kind}");
    }
    for kind in ["codex", "opencode", "omp"] {
        assert_eq!(launch(kind, &named).unkept, [Unkept::ConversationId], "{kind}");
    }
    let short = turn(Conversation::NewAs("mine".into()));
    assert_eq!(launch("claude", &short).unkept, [Unkept::ConversationId]);
}

#[test]
fn a_prompt_that_is_long_or_looks_like_a_flag_goes_to_stdin() {
    for prompt in ["x".repeat(200_000), "--help".to_owned(), "-".to_owned()] {
        for kind in ["claude", "codex", "gemini", "opencode", "pi", "omp", "qwen"] {
            let turn = Turn { prompt: prompt.clone(), ..turn(Conversation::New) };
            let launch = launch(kind, &turn);
            assert_eq!(launch.stdin, Stdin::Text(prompt.clone()), "{kind}");
            let is_dash = kind == "codex" && prompt == "-";
            assert!(is_dash || !launch.argv.contains(&prompt), "{kind}");
        }
    }
    let flag = Turn { prompt: "--help".into(), ..turn(resume()) };
    assert_eq!(
        argv("codex", &flag),
        format!("codex exec --json --skip-git-repo-check resume {ID} -")
    );
    assert_eq!(launch("gemini", &flag).argv[..3], ["gemini", "-p", ""]);
}

#[test]
fn nothing_to_say_and_ids_that_are_none_are_refused() {
    for kind in KINDS {
        let silent =
            Turn { prompt: " \n".into(), extra: vec!["x".into()], ..turn(Conversation::New) };
        assert_eq!(kind.launch(&silent), Err(Unsuited::EmptyPrompt), "{}", kind.kind());
        for id in ["", "--yolo", "a\nb", &"x".repeat(97)] {
            let turn = Turn { extra: vec!["x".into()], ..turn(Conversation::Resume(id.into())) };
            assert_eq!(kind.launch(&turn), Err(Unsuited::BadId), "{} {id:?}", kind.kind());
        }
    }
}

#[test]
fn folders_and_names_that_could_mean_more_than_themselves_are_refused() {
    let adapter = adapter("claude").unwrap();
    for folder in ["/etc", "../other", "src/../..", "a),Bash,Edit(b", "a\"b", "a*", "a\nb"] {
        let turn = Turn { access: only(&[], &[folder]), ..turn(Conversation::New) };
        assert_eq!(adapter.launch(&turn), Err(Unsuited::BadFolder), "{folder:?}");
    }
    for folder in ["src", "src/", "a/b c/**", ".", "", "häuser"] {
        let turn = Turn { access: only(&[], &[folder]), ..turn(Conversation::New) };
        assert!(adapter.launch(&turn).is_ok(), "{folder:?}");
    }
    for name in ["", "a.b", "a b", "a={}"] {
        let server = ToolServer {
            name: name.into(),
            command: "x".into(),
            args: vec![],
            env: BTreeMap::new(),
        };
        let turn = Turn { tool_servers: vec![server], ..turn(Conversation::New) };
        assert_eq!(adapter.launch(&turn), Err(Unsuited::BadServerName), "{name:?}");
    }
}

#[test]
fn claude_is_held_to_what_is_granted() {
    let turn = Turn {
        access: Access::Only(Grant {
            tools: vec!["Read".into(), "WebSearch".into(), "Write(docs/**)".into()],
            denied: vec!["WebFetch".into()],
            write_under: vec!["src".into()],
            ..Grant::default()
        }),
        model: Some("opus".into()),
        steps_max: Some(7),
        budget: NanoUsd::from_dollars(2.0),
        extra: vec!["--add-dir".into(), "/x".into()],
        ..turn(resume())
    };
    assert_eq!(
        argv("claude", &turn),
        format!(
            "claude -p Say hello --permission-mode dontAsk --setting-sources  --strict-mcp-config \
             --tools Read,Edit,Write,WebSearch --allowedTools Read WebSearch Edit(docs/**) Edit(src/**) \
             --disallowedTools WebFetch --output-format stream-json --verbose --model opus --resume {ID} \
             --max-turns 7 --max-budget-usd 2 --add-dir /x"
        )
    );
    assert_eq!(launch("claude", &turn).unkept, []);
    let with_shell = Turn { access: only(&["Bash"], &["src"]), ..turn };
    assert_eq!(launch("claude", &with_shell).unkept, [Unkept::Writes]);
}

#[test]
fn claude_asks_our_hook_and_goes_on_from_a_call_that_was_put_off() {
    let hook = Hook { command: "longhaul hook claude".into(), timeout_s: 10 };
    let turn =
        Turn { hook: Some(hook), resumes_deferred: true, prompt: String::new(), ..turn(resume()) };
    let launch = launch("claude", &turn);
    assert_eq!(launch.argv[1..3], ["-p", "--output-format"]);
    assert_eq!(launch.stdin, Stdin::Nothing);
    let at = launch.argv.iter().position(|word| word == "--settings").unwrap();
    assert_eq!(
        launch.argv[at + 1],
        r#"{"hooks":{"PreToolUse":[{"hooks":[{"command":"longhaul hook claude","timeout":10,"type":"command"}],"matcher":"*"}]}}"#
    );
    assert_eq!(adapter("codex").unwrap().launch(&turn), Err(Unsuited::EmptyPrompt));
}

#[test]
fn codex_is_held_by_its_sandbox() {
    let held = |access| argv("codex", &Turn { access, ..turn(Conversation::New) });
    assert!(held(only(&[], &[])).contains(" -s read-only "));
    assert!(held(only(&[], &["."])).contains(" -s workspace-write "));
    let profile = held(only(&[], &["src"]));
    let rules = r#"-c default_permissions="job" -c permissions.job.filesystem={":root"="read",":workspace_roots"={"."="read","src"="write"}} "#;
    assert!(profile.contains(rules) && !profile.contains(" -s "), "{profile}");
    assert!(held(Access::Everything).contains("--dangerously-bypass-approvals-and-sandbox"));
    let turn = Turn { access: only(&["shell"], &[]), ..turn(Conversation::New) };
    assert_eq!(launch("codex", &turn).unkept, [Unkept::Tools]);
}

#[test]
fn gemini_is_given_a_policy() {
    let turn = Turn { access: only(&["read_file"], &["src"]), ..turn(Conversation::New) };
    let launch = launch("gemini", &turn);
    assert!(
        launch
            .argv
            .join(" ")
            .contains("--approval-mode default --policy /home/dev/attempt/policy.toml")
    );
    let policy = &launch.files[0].text;
    assert!(
        policy.contains(r#"argsPattern = "\"file_path\":\"(/home/dev/repo/)?src/""#),
        "{policy}"
    );
    assert!(
        policy
            .contains(r#"toolName = ["write_file", "replace", "run_shell_command", "web_fetch"]"#),
        "{policy}"
    );
    assert_eq!(launch.default["GEMINI_CLI_NO_RELAUNCH"], "true");
}

#[test]
fn opencode_is_given_permissions() {
    let turn = Turn { access: only(&["webfetch"], &["src"]), ..turn(Conversation::New) };
    assert_eq!(
        launch("opencode", &turn).set["OPENCODE_CONFIG_CONTENT"],
        r#"{"permission":{"bash":"deny","edit":{"*":"deny","src/**":"allow"},"webfetch":"allow"}}"#
    );
}

#[test]
fn what_a_cli_cannot_keep_is_said() {
    let wishes = Turn {
        steps_max: Some(1),
        budget: NanoUsd::from_dollars(1.0),
        retries_max: Some(1),
        ..turn(Conversation::New)
    };
    assert_eq!(launch("claude", &wishes).unkept, []);
    assert_eq!(launch("qwen", &wishes).unkept, [Unkept::Budget, Unkept::Retries]);
    for kind in ["codex", "gemini", "opencode", "pi", "omp"] {
        assert_eq!(launch(kind, &wishes).unkept, [Unkept::Steps, Unkept::Budget, Unkept::Retries]);
    }
    let writes = Turn { access: only(&["read"], &["src"]), ..turn(Conversation::New) };
    assert_eq!(launch("pi", &writes).unkept, [Unkept::Writes]);
    assert!(argv("pi", &writes).contains("--tools read "));
}

#[test]
fn tool_servers_are_named_in_each_ones_own_way() {
    let server = ToolServer {
        name: "jobs".into(),
        command: "longhaul".into(),
        args: vec!["mcp".into()],
        env: BTreeMap::from([("A".into(), "b\"c".into())]),
    };
    let turn = Turn { tool_servers: vec![server], ..turn(Conversation::New) };
    let claude = argv("claude", &turn);
    assert!(claude.contains(r#"--mcp-config {"mcpServers":{"jobs":{"args":["mcp"],"command":"longhaul","env":{"A":"b\"c"},"type":"stdio"}}}"#), "{claude}");
    let codex = argv("codex", &turn);
    assert!(codex.contains(r#"-c mcp_servers.jobs={command="longhaul",args=["mcp"],env={"A"="b\"c"},default_tools_approval_mode="approve"}"#), "{codex}");
    assert_eq!(launch("gemini", &turn).unkept, [Unkept::ToolServers]);
}

#[test]
fn a_model_is_named_in_each_ones_own_way() {
    let turn = Turn { model: Some("stub/m1".into()), ..turn(Conversation::New) };
    for (kind, part) in [
        ("claude", "--model stub/m1"),
        ("codex", "-m stub/m1"),
        ("gemini", "-m stub/m1"),
        ("opencode", "-m stub/m1"),
        ("pi", "--provider stub --model m1"),
        ("omp", "--model stub/m1"),
        ("qwen", "-m stub/m1"),
    ] {
        assert!(argv(kind, &turn).contains(part), "{kind}");
    }
}

#[test]
fn a_command_of_ones_own_gets_the_prompt_where_it_says_or_on_stdin() {
    let words = |words: &[&str]| Turn {
        extra: words.iter().map(|&word| word.to_owned()).collect(),
        ..turn(Conversation::New)
    };
    let placed = launch("plain", &words(&["aider", "--message", "{prompt}"]));
    assert_eq!((placed.argv[2].as_str(), placed.stdin), ("Say hello", Stdin::Nothing));
    let piped = launch("ndjson", &words(&["./agent"]));
    assert_eq!((piped.argv.len(), piped.stdin), (1, Stdin::Text("Say hello".into())));
    assert_eq!(launch("acp", &words(&["gemini", "--acp"])).stdin, Stdin::Protocol);
    assert_eq!(adapter("plain").unwrap().launch(&words(&[])), Err(Unsuited::NoProgram));
    assert_eq!(adapter("plain").unwrap().launch(&turn(resume())), Err(Unsuited::NoResume));
}

fn hooked(access: Access) -> Turn {
    let hook = Hook { command: "'/opt/longhaul' hook x".into(), timeout_s: 30 };
    Turn { hook: Some(hook), folder_is_roots: true, access, ..turn(Conversation::New) }
}

#[test]
fn every_cli_that_can_is_made_to_ask_our_hook() {
    let codex = argv("codex", &hooked(Access::AsConfigured));
    assert!(
        codex.contains(
            r#"--dangerously-bypass-hook-trust -c hooks.PreToolUse=[{matcher="*",hooks=[{type="command",command="'/opt/longhaul' hook x",timeout=30}]}]"#
        ),
        "{codex}"
    );
    for (kind, variable, event) in [
        ("gemini", "GEMINI_CLI_SYSTEM_SETTINGS_PATH", "BeforeTool"),
        ("qwen", "QWEN_CODE_SYSTEM_SETTINGS_PATH", "PreToolUse"),
    ] {
        let launch = launch(kind, &hooked(Access::AsConfigured));
        let settings = &launch.files[0];
        assert_eq!(launch.set[variable], settings.path);
        let wanted = format!(
            r#"{{"hooks":{{"{event}":[{{"hooks":[{{"command":"'/opt/longhaul' hook x","name":"longhaul","timeout":30000,"type":"command"}}],"matcher":"*"}}]}}}}"#
        );
        assert_eq!(settings.text, wanted);
    }
    let opencode = launch("opencode", &hooked(Access::AsConfigured));
    assert_eq!(
        opencode.set["OPENCODE_CONFIG_CONTENT"],
        r#"{"plugin":["file:///home/dev/attempt/longhaul-gate.js"]}"#
    );
    for kind in ["opencode", "pi", "omp"] {
        let launch = launch(kind, &hooked(Access::AsConfigured));
        let gate = &launch.files[0].text;
        assert!(gate.contains(r#"const command = "'/opt/longhaul' hook x";"#), "{gate}");
        assert!(gate.contains("const limit = 30000;"), "{gate}");
        let is_named = launch.argv.iter().any(|word| *word == launch.files[0].path);
        assert_eq!(is_named, kind != "opencode");
    }
    for kind in ["claude", "codex", "gemini", "qwen", "opencode", "pi", "omp"] {
        assert_eq!(launch(kind, &hooked(Access::AsConfigured)).unkept, [], "{kind}");
    }
}

#[test]
fn what_a_person_is_asked_about_is_offered_and_no_more() {
    let asks = |tools: &[&str], asked: &[&str]| {
        let Access::Only(grant) = only(tools, &[]) else { unreachable!() };
        let asked = asked.iter().map(|&word| word.to_owned()).collect();
        hooked(Access::Only(Grant { asked, ..grant }))
    };
    let claude = argv("claude", &asks(&["Read", "Bash(git *)"], &["Write"]));
    assert!(
        claude.contains("--tools Read,Bash,Write --allowedTools Read Bash(git *) --"),
        "{claude}"
    );
    // Their hooks can only forbid.
    let pi = argv("pi", &asks(&["read", "bash(git *)"], &["write"]));
    assert!(pi.contains("--tools read,bash,write "), "{pi}");
    let opencode = launch("opencode", &asks(&[], &["bash"]));
    let config = &opencode.set["OPENCODE_CONFIG_CONTENT"];
    assert!(
        config.contains(r#""permission":{"bash":"allow","edit":"deny","webfetch":"deny"}"#),
        "{config}"
    );
    let asking = asks(&["run_shell_command(git *)"], &["write_file"]);
    let gemini = launch("gemini", &asking);
    let policy = &gemini.files[0].text;
    let is_offered = "toolName = [\"write_file\"]\ndecision = \"allow\"";
    assert!(policy.contains(is_offered), "{policy}");
    // Where nobody would run the hook, nobody would be asked.
    let unheard = launch("gemini", &Turn { folder_is_roots: false, ..asking });
    assert!(!unheard.files[0].text.contains(is_offered), "{unheard:?}");
    assert_eq!((unheard.files.len(), unheard.unkept), (1, vec![Unkept::Hook]));
    assert!(!unheard.set.contains_key("GEMINI_CLI_SYSTEM_SETTINGS_PATH"));
    assert!(
        policy.contains(
            "toolName = [\"run_shell_command\"]\nargsPattern = \"\\\"command\\\":\\\"git\\\\ \""
        ),
        "{policy}"
    );
}

#[test]
fn what_is_denied_is_denied_in_any_mode() {
    for access in [Access::AsConfigured, Access::Everything] {
        let denied = Turn { denied: vec!["Bash".into()], access, ..turn(Conversation::New) };
        assert!(argv("claude", &denied).contains("--disallowedTools Bash --output-format"));
        let gemini = launch("gemini", &denied);
        assert!(gemini.files[0].text.contains("toolName = [\"Bash\"]\ndecision = \"deny\""));
        let opencode = launch("opencode", &denied);
        assert_eq!(opencode.set["OPENCODE_CONFIG_CONTENT"], r#"{"permission":{"Bash":"deny"}}"#);
    }
}

#[test]
fn a_mode_that_offers_nothing_is_told_what_a_person_is_asked_about() {
    let asked = vec!["run_shell_command".to_owned()];
    let turn = Turn { asked, ..hooked(Access::AsConfigured) };
    let gemini = launch("gemini", &turn);
    let offers = "toolName = [\"run_shell_command\"]\ndecision = \"allow\"";
    assert!(gemini.files[0].text.contains(offers), "{:?}", gemini.files);
    let qwen = launch("qwen", &turn);
    let allows = r#""permissions":{"allow":["run_shell_command"]}"#;
    assert!(qwen.files[0].text.contains(allows), "{:?}", qwen.files);
    let unheard = Turn { hook: None, folder_is_roots: false, ..turn };
    assert_eq!(launch("gemini", &unheard).files, []);
    let denies = r#"{"permissions":{"deny":["run_shell_command"]}}"#;
    assert_eq!(launch("qwen", &unheard).files[0].text, denies);
}

#[test]
fn qwen_is_given_rules() {
    let Access::Only(grant) = only(&["run_shell_command(git *)"], &["src", "."]) else {
        unreachable!()
    };
    let grant = Grant { denied: owned(&["web_fetch"]), ..grant };
    let turn = Turn { access: Access::Only(grant), ..turn(Conversation::New) };
    let launch = launch("qwen", &turn);
    assert!(launch.argv.join(" ").contains("--approval-mode default"), "{launch:?}");
    assert_eq!(
        launch.files[0].text,
        r#"{"permissions":{"allow":["run_shell_command(git *)","edit(/src/**)","write_file(/src/**)","edit(/**)","write_file(/**)"],"deny":["web_fetch"]}}"#
    );
    assert_eq!(launch.set["QWEN_CODE_SYSTEM_SETTINGS_PATH"], launch.files[0].path);
    assert_eq!(launch.unkept, [Unkept::Writes], "a shell writes where it likes");
}

#[test]
fn commands_that_are_denied_are_denied_without_a_hook_too() {
    let grant = |denied: &[&str], tools: &[&str]| {
        let Access::Only(grant) = only(tools, &[]) else { unreachable!() };
        Turn {
            access: Access::Only(Grant { denied: owned(denied), ..grant }),
            ..turn(Conversation::New)
        }
    };
    let gemini = launch("gemini", &grant(&["run_shell_command(rm *)"], &["run_shell_command"]));
    let rule = "toolName = [\"run_shell_command\"]\nargsPattern = \"\\\"command\\\":\\\".*(\\\\b|\\\\\\\\[nrt]|[^A-Za-z0-9])rm\"\ndecision = \"deny\"\npriority = 700";
    assert!(gemini.files[0].text.contains(rule), "{}", gemini.files[0].text);
    let shell = |denied: &[&str], tools: &[&str]| {
        let launch = launch("opencode", &grant(denied, tools));
        let config: serde_json::Value =
            serde_json::from_str(&launch.set["OPENCODE_CONFIG_CONTENT"]).unwrap();
        config["permission"]["bash"].to_string()
    };
    assert_eq!(shell(&[], &["bash"]), r#""allow""#);
    assert_eq!(shell(&["bash"], &["bash"]), r#""deny""#);
    assert_eq!(shell(&[], &["bash(ls)"]), r#"{"*":"deny","ls":"allow"}"#);
    let some = shell(&["bash(git push *)"], &["bash(git *)"]);
    assert_eq!(some, r#"{"*":"deny","git *":"allow","git push *":"deny"}"#);
    // What could come out the wrong way round comes out as a no.
    assert_eq!(
        shell(&["bash(git push *)"], &["bash(git*)"]),
        r#"{"*":"deny","git push *":"deny"}"#
    );
    assert_eq!(shell(&["bash(g*)"], &["bash(git *)"]), r#"{"*":"deny","g*":"deny"}"#);
}
