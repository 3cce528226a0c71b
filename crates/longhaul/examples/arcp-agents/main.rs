//! Serves agents that clients of the protocol of sessions can be checked against.
//!
//! `cargo run --release --example arcp-agents -- --listen 127.0.0.1:7777 --token tok=alice`
//!
//! Most agents are functions of this program. `slow-process` and `stubborn-process` are real processes,
//! written down in the home's `agents.toml`; this program is their shim, and the `longhaul` that they
//! report with.

mod bodies;
mod flags;

use clap::Parser as _;
use flags::Flags;
use longhaul::cli::{self, Failed, Roots};
use longhaul::client::{Options, Target, carry};
use longhaul::daemon::{Daemon, DaemonOptions, PassingToken};
use longhaul::embed::hosting::Hosting;
use longhaul::serve::Listen;
use longhaul_core::command::Command;
use longhaul_core::time::Millis;
use longhaul_core::token::TokenRole;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::io::BufReader;
use tokio::signal::unix::{SignalKind, signal};

/// Processes at once.
const SLOTS: u32 = 64;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == "shim" {
        return match arguments.next() {
            Some(folder) => longhaul_shim::main(Path::new(&folder)),
            None => ExitCode::from(2),
        };
    }
    if first == "emit" {
        return cli::main(std::env::args_os(), roots());
    }
    match serve(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: Flags) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (home, _fresh) = flags.home()?;
    flags.write_settings(&home)?;
    write_agents(&home)?;
    let served = runtime.block_on(run(&flags, home));
    runtime.shutdown_background();
    served
}

async fn run(flags: &Flags, home: PathBuf) -> Result<(), Box<dyn Error>> {
    let tokens = flags.tokens.iter().map(|token| PassingToken {
        token: token.token.clone(),
        principal: token.principal.clone(),
        role: TokenRole::Client,
    });
    let options = DaemonOptions { tokens: tokens.collect(), ..DaemonOptions::new(home) };
    let mut daemon = Daemon::start(&options)?;
    daemon.up().await;
    if let Some(grace) = flags.cancel_grace {
        daemon.ports.inventory.set_grace(Millis::new(grace));
    }
    bodies::register(&Hosting::of(&daemon.ports))?;
    let pool = Command::SetPool { pool: "default".to_owned(), slots: Some(SLOTS), paused: None };
    daemon.ports.engine.ask(pool).await?;
    // The processes report at the home's own socket.
    let _home = daemon.serve()?;
    if let Some(address) = &flags.listen {
        let (address, _server) = daemon.listen(&Listen::new(address.clone())).await?;
        say(&format!("listening on ws://{address}/arcp"));
    }
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let client = async {
        if !flags.stdio {
            return std::future::pending().await;
        }
        let target = Target::Home(daemon.ports.home.clone());
        let options = Options { target, token: None, autostart: false };
        carry(options, None, BufReader::new(tokio::io::stdin()), tokio::io::stdout()).await
    };
    let served = tokio::select! {
        served = client => served,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = daemon.ports.stop.stopped() => Ok(()),
    };
    daemon.finish().await?;
    Ok(served?)
}

/// Writes the agents down that are processes, unless somebody has written others down.
fn write_agents(home: &Path) -> Result<(), Box<dyn Error>> {
    let path = home.join("agents.toml");
    if path.exists() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let wait = r#"ms=$(sed -n 's/.*"ms" *: *\([0-9]*\).*/\1/p'); if [ -n "$ms" ]; then
sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"; else sleep 1000000000; fi
"$0" emit result '{"ok":true}'"#;
    let entry = |name: &str, script: &str| {
        let command = toml::Value::from(vec![
            "sh".to_owned(),
            "-c".to_owned(),
            script.to_owned(),
            program.display().to_string(),
        ]);
        format!("[[agent]]\nname = \"{name}\"\ncommand = {command}\n\n")
    };
    let deaf = format!("trap '' TERM INT\n{wait}");
    std::fs::write(path, entry("slow-process", wait) + &entry("stubborn-process", &deaf))?;
    Ok(())
}

/// Only what a process inside a job calls is here.
fn roots() -> Roots {
    fn no(what: &str) -> Failed {
        Failed { code: "not_here".to_owned(), message: format!("this is no {what}"), hint: None }
    }
    Roots {
        run_daemon: |_| Err(no("daemon")),
        serve: |_| Err(no("server")),
        inspect: || Err(no("doctor")),
        repair: || Err(no("doctor")),
    }
}

#[expect(clippy::print_stderr, reason = "standard output carries frames, and nothing else")]
fn say(text: &str) {
    eprintln!("{text}");
}
