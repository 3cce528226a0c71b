//! Which variables of the environment a CLI gets: none that tell it that it runs inside another, and
//! of secrets only its own.

/// Set by agent CLIs for the programs that they run. A CLI that finds its own refuses to start, or
/// speaks to the wrong parent. Settings of users with the same beginnings are not among them.
pub(crate) const NESTING: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_REMOTE_SESSION_ID",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_ENV_FILE",
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "CODEX_THREAD_ID",
    "CODEX_CI",
    "GEMINI_CLI",
    "GEMINI_CLI_IDE_SERVER_PORT",
    "GEMINI_CLI_IDE_WORKSPACE_PATH",
    "GEMINI_PROJECT_DIR",
    "QWEN_CODE",
    "QWEN_CODE_IDE_SERVER_PORT",
    "QWEN_CODE_IDE_WORKSPACE_PATH",
    "QWEN_PROJECT_DIR",
    "OPENCODE",
    "OPENCODE_PID",
    "OPENCODE_SERVER",
    "PI_CODING_AGENT",
    "AGENT",
];

/// Where CLIs that speak to many vendors look for keys.
pub(crate) const MANY_VENDORS: &[&str] = &[
    "ANTHROPIC_*",
    "OPENAI_*",
    "OPENROUTER_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_*",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "CEREBRAS_API_KEY",
    "ZAI_API_KEY",
    "AZURE_*",
    "AWS_*",
    "GITHUB_TOKEN",
    "OPENCODE_*",
    "PI_*",
    "OMP_*",
    "XDG_*",
];
