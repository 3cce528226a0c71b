use super::*;

const CWD: &str = "/home/dev/repo";

fn policy(allow: &[&str], deny: &[&str], ask: &[&str], write_under: &[&str]) -> Policy {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Policy {
        allow: words(allow),
        deny: words(deny),
        ask: words(ask),
        write_under: words(write_under),
        ..Policy::default()
    }
}

fn tool(tool: &str) -> ToolCall {
    ToolCall { tool: tool.to_owned(), ..ToolCall::default() }
}

fn bash(command: &str) -> ToolCall {
    ToolCall { command: Some(command.to_owned()), ..tool("Bash") }
}

fn write(path: &str) -> ToolCall {
    ToolCall { writes: vec![path.to_owned()], ..tool("Write") }
}

/// One letter an answer: allow, deny, ask, nothing said.
fn letter(policy: &Policy, call: &ToolCall) -> char {
    match answer(policy, call, CWD) {
        Answer::Allow => 'a',
        Answer::Deny(reason) => {
            assert!(!reason.is_empty(), "a refusal says why");
            'd'
        }
        Answer::Ask => '?',
        Answer::Unsaid => '-',
    }
}

fn letters(policy: &Policy, calls: &[ToolCall]) -> String {
    calls.iter().map(|call| letter(policy, call)).collect()
}

#[test]
fn names_decide_and_the_stricter_word_wins() {
    type Names = &'static [&'static str];
    let calls = [tool("Read"), tool("Write"), tool("mcp__jobs__submit"), bash("git status")];
    let table: [(Names, Names, Names, &str); 10] = [
        (&[], &[], &[], "----"),
        (&["Read"], &[], &[], "addd"),
        (&["*"], &[], &[], "aaaa"),
        (&["mcp__jobs__*"], &[], &[], "ddad"),
        (&["Rea"], &[], &[], "dddd"),
        (&[], &["Write"], &[], "-d--"),
        (&[], &[], &["Write"], "-?--"),
        (&["*"], &["W*"], &[], "adaa"),
        (&["*"], &[], &["Write"], "a?aa"),
        (&["Write"], &["Write"], &["Write"], "dddd"),
    ];
    for (allow, deny, ask, expected) in table {
        let policy = policy(allow, deny, ask, &[]);
        assert_eq!(letters(&policy, &calls), expected, "{policy:?}");
    }
}

#[test]
fn a_base_says_what_is_not_named() {
    let calls = [tool("Read"), tool("Write")];
    for (base, expected) in [(Base::Nothing, "dd"), (Base::Everything, "aa")] {
        assert_eq!(letters(&Policy { base, ..Policy::default() }, &calls), expected);
    }
    let only_denied = Policy { base: Base::Everything, ..policy(&[], &["Write"], &[], &[]) };
    assert_eq!(letters(&only_denied, &calls), "ad");
    assert!(is_silent(&Policy::default()) && !is_silent(&only_denied));
}

#[test]
fn an_allowed_command_is_one_plain_command() {
    let policy = policy(&["Bash(git *)", "Bash(make test)"], &[], &[], &[]);
    for (command, expected) in [
        ("git status", 'a'),
        (" git log -1 ", 'a'),
        ("git", 'a'),
        ("gitk", 'd'),
        ("make test", 'a'),
        ("make test2", 'd'),
        ("git status; rm -rf /", 'd'),
        ("git status && rm x", 'd'),
        ("git log | sh", 'd'),
        ("git log > /etc/passwd", 'd'),
        ("git $(rm x)", 'd'),
        ("git `rm x`", 'd'),
        ("git log\nrm x", 'd'),
        ("rm x", 'd'),
    ] {
        assert_eq!(letter(&policy, &bash(command)), expected, "{command}");
    }
    // A call whose command nobody has read out is not the one that was allowed.
    assert_eq!(letter(&policy, &tool("Bash")), 'd');
}

#[test]
fn a_denied_command_is_looked_for_in_every_part() {
    for policy in
        [policy(&["*"], &["Bash(rm *)"], &[], &[]), policy(&["*"], &[], &["Bash(rm *)"], &[])]
    {
        let strict = if policy.deny.is_empty() { '?' } else { 'd' };
        for (command, expected) in [
            ("ls", 'a'),
            ("rmdir x", 'a'),
            ("rm x", strict),
            ("ls; rm x", strict),
            ("ls && rm x", strict),
            ("ls $(rm x)", strict),
            ("echo \"$(rm x)\"", strict),
            ("ls\nrm x", strict),
        ] {
            assert_eq!(letter(&policy, &bash(command)), expected, "{command}");
        }
        assert_eq!(letter(&policy, &tool("Bash")), strict, "its command is not known");
    }
}

#[test]
fn what_is_written_stays_below_the_folders() {
    let policy = policy(&["Read", "Write"], &[], &[], &["src", "docs/**", "./out/"]);
    for (path, expected) in [
        ("/home/dev/repo/src/a.rs", 'a'),
        ("/home/dev/repo/src", 'a'),
        ("/home/dev/repo/docs/deep/er.md", 'a'),
        ("/home/dev/repo/out/x", 'a'),
        ("src/a.rs", 'a'),
        ("/home/dev/repo/src/./x//y", 'a'),
        ("/home/dev/repo/srcs/a.rs", 'd'),
        ("/home/dev/repo/a.rs", 'd'),
        ("/home/dev/repo/src/../a.rs", 'd'),
        ("src/../../other", 'd'),
        ("/etc/passwd", 'd'),
        ("/", 'd'),
        ("/../../home/dev/repo/src/a.rs", 'd'),
        ("", 'd'),
    ] {
        assert_eq!(letter(&policy, &write(path)), expected, "{path}");
    }
    let both = ToolCall { writes: vec!["src/a".to_owned(), "b".to_owned()], ..tool("Write") };
    assert_eq!(letter(&policy, &both), 'd', "one path outside is enough");
}

#[test]
fn a_folder_that_is_not_below_grants_nothing() {
    for folder in ["/etc", "..", "../repo2", "src/../.."] {
        let policy = policy(&["Write"], &[], &[], &[folder]);
        assert_eq!(letter(&policy, &write("/etc/passwd")), 'd', "{folder}");
        assert_eq!(letter(&policy, &write("/home/dev/x")), 'd', "{folder}");
    }
    let whole = policy(&[], &[], &[], &["."]);
    assert_eq!(letter(&whole, &write("/home/dev/repo/a.rs")), 'a');
    assert_eq!(letter(&whole, &write("/home/dev/a.rs")), 'd');
}

#[test]
fn a_shell_passes_a_bound_on_folders_only_by_name() {
    let calls = [write("src/a"), write("a"), bash("ls"), tool("Read")];
    for (allow, ask, expected) in [
        (&[][..], &[][..], "add-"),
        (&["Read"], &[], "adda"),
        (&["Bash"], &[], "adad"),
        (&["Bash(ls)"], &[], "adad"),
        (&[], &["Bash"], "ad?-"),
    ] {
        let policy = policy(allow, &[], ask, &["src"]);
        assert_eq!(letters(&policy, &calls), expected, "{policy:?}");
    }
    let everything = Policy { base: Base::Everything, ..policy(&[], &[], &[], &["src"]) };
    assert_eq!(letters(&everything, &calls), "adda");
}

#[test]
fn what_could_not_be_kept_to_is_refused() {
    assert_eq!(
        check(&policy(&["Bash(git *)", "mcp__*", "*"], &["W"], &["E"], &["src", "/r"])),
        Ok(())
    );
    for bad in ["", " ", "a*b", "Bash(", "Bash()", "Bash(a*b)", "(x)", "a\nb", "**"] {
        assert!(check(&policy(&[bad], &[], &[], &[])).is_err(), "{bad:?} passed");
    }
    for bad in ["", "..", "a/../b", "a\0"] {
        assert!(check(&policy(&[], &[], &[], &[bad])).is_err(), "{bad:?} passed");
    }
    let many = vec!["x"; limits::POLICY_WORDS_MAX + 1];
    assert!(check(&policy(&many, &[], &[], &[])).is_err());
}
