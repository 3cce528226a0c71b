//! Does what the script says, in the words of the CLI.

use crate::asked::{Asked, Conversation};
use crate::dialects::{self, Call, Dialect, Failure, Finished, Scene};
use crate::gate::{self, Gate};
use crate::record::Record;
use crate::script::{Script, Step};
use crate::session::{self, Pending, Session, Spent};
use crate::{Outcome, complain, signals};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// Between two looks for a file that is waited for.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes that are written at once when it speaks as fast as it can.
const BATCH_BYTES: usize = 64 * 1024;
/// What an answer of the model costs, if the script does not say.
const EACH: Spent = Spent { input: 1_000, output: 50, cached: 200, usd: 0.005_54 };

struct Stage<'a> {
    record: &'a Record,
    asked: &'a Asked,
    dialect: &'static dyn Dialect,
    session: Session,
    scene: Scene,
    each: Spent,
    /// The next tool call is put off.
    defers: bool,
    /// The exit code, once the turn has been ended in words.
    over: Option<u8>,
}

/// How the steps go on.
enum Then {
    Next,
    Leave(u8),
}

pub(crate) fn play(record: &Record, asked: &Asked, mut script: Script) -> Outcome<u8> {
    let dialect = dialects::of(&record.kind);
    let mut session = match session::open(record, asked, &script)? {
        Ok(session) => session,
        Err(why) => {
            let refusal = dialect.refused(&why);
            write(&refusal.lines)?;
            complain(&refusal.stderr);
            return Ok(refusal.code);
        }
    };
    let pending = session.pending.take();
    if asked.prompt.trim().is_empty() && pending.is_none() {
        return unspoken(record);
    }
    let mut scene = Scene {
        id: session.id.clone(),
        cwd: record.cwd.clone(),
        model: asked.model.clone().unwrap_or_else(|| "fake-model".to_owned()),
        mode: asked.mode.clone(),
        prompt: asked.prompt.clone(),
        total: session.total,
        ..Scene::default()
    };
    session.turns += 1;
    scene.number = u64::from(session.turns) * 100_000;
    let mut stage =
        Stage { record, asked, dialect, session, scene, each: EACH, defers: false, over: None };
    if let (Conversation::NewAs(id), "pi") = (&asked.conversation, record.kind.as_str()) {
        complain(&format!(
            "Warning: No project session found with id '{id}'; creating a new session with that id."
        ));
    }
    // A conversation is there from its beginning on, whatever becomes of the turn.
    session::save(record, &stage.session)?;
    write(&dialect.begin(&stage.scene))?;
    if let Some(pending) = pending {
        script.steps = pending.rest.iter().map(|line| Step::parse(line)).collect();
        let step = Step::parse(&pending.step);
        if let Then::Leave(code) = stage.tool(&step, Some(pending.call_id), &mut script.steps)? {
            return Ok(code);
        }
    }
    while let Some(step) = script.steps.pop_front() {
        if let Then::Leave(code) = stage.step(&step, &mut script.steps)? {
            return Ok(code);
        }
    }
    match stage.over {
        Some(code) => Ok(code),
        None => stage.done(),
    }
}

/// Without a prompt: one of them does nothing and finds that well.
fn unspoken(record: &Record) -> Outcome<u8> {
    if record.kind == "pi" {
        let id = session::fresh_id("pi")?;
        write(&[json!({ "type": "session", "version": 3, "id": id }).to_string()])?;
        return Ok(0);
    }
    complain(
        "Error: Input must be provided either through stdin or as a prompt argument when using \
         --print",
    );
    Ok(1)
}

impl Stage<'_> {
    fn step(&mut self, step: &Step, rest: &mut VecDeque<Step>) -> Outcome<Then> {
        match step.verb.as_str() {
            "say" => self.say(&step.rest)?,
            "think" => {
                self.scene.number += 1;
                write(&self.dialect.thought(&self.scene, &step.rest))?;
            }
            "events" => self.events(step)?,
            "pace" => self.pace(step)?,
            "call" | "bash" | "write" => return self.tool(step, None, rest),
            "done" => {
                if !step.rest.is_empty() {
                    self.say(&step.rest)?;
                }
                let code = self.done()?;
                self.over = Some(code);
            }
            "fail" | "fail0" | "limit" | "status" => self.fail(step)?,
            "defer" => self.defers = true,
            "cost" => self.each.usd = step.rest.trim().parse()?,
            "tokens" => {
                let (input, output) = step.pair();
                self.each = Spent {
                    input: input.parse()?,
                    output: output.trim().parse()?,
                    cached: 0,
                    ..self.each
                };
            }
            "silent" => return Ok(Then::Leave(0)),
            "exit" => return Ok(Then::Leave(step.rest.trim().parse()?)),
            // These said how it begins.
            "deaf" | "stubborn" | "refuse" | "busy" | "other" => {}
            _ => around(self.record, step)?,
        }
        Ok(Then::Next)
    }

    fn say(&mut self, text: &str) -> Outcome<()> {
        self.scene.number += 1;
        text.clone_into(&mut self.scene.said);
        write(&self.dialect.said(&self.scene, text))
    }

    fn events(&mut self, step: &Step) -> Outcome<()> {
        let (count, bytes) = step.pair();
        let bytes: usize = bytes.trim().parse().unwrap_or(0);
        let mut batch = String::with_capacity(2 * BATCH_BYTES);
        for number in 0..count.parse::<u64>()? {
            self.scene.number += 1;
            let text = format!("{number} {:x<bytes$}", "");
            for line in self.dialect.said(&self.scene, text.trim_end()) {
                batch.push_str(&line);
                batch.push('\n');
            }
            if batch.len() >= BATCH_BYTES {
                put(batch.as_bytes())?;
                batch.clear();
            }
        }
        put(batch.as_bytes())
    }

    /// Speaks evenly; each line says when it was written.
    fn pace(&mut self, step: &Step) -> Outcome<()> {
        let (count, per_second) = step.pair();
        let gap = Duration::from_secs(1).div_f64(per_second.trim().parse()?);
        let began = now();
        for number in 0..count.parse::<u32>()? {
            let due = began + gap * number;
            if let Ok(wait) = due.duration_since(now()) {
                std::thread::sleep(wait);
            }
            let at = now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
            self.say(&format!("{number} {at}"))?;
        }
        Ok(())
    }

    fn tool(
        &mut self,
        step: &Step,
        again: Option<String>,
        rest: &mut VecDeque<Step>,
    ) -> Outcome<Then> {
        self.scene.number += 1;
        let is_again = again.is_some();
        let (tool, args) = self.meant(step)?;
        let id = again.unwrap_or_else(|| format!("call_{:08}", self.scene.number));
        let call = Call { id, tool, args };
        self.spend();
        if !is_again {
            write(&self.dialect.called(&self.scene, &call))?;
        }
        let gate = if self.defers && !is_again {
            Gate::Deferred
        } else {
            gate::pass(self.record, self.asked, &self.session, &call)?
        };
        let finished = match gate {
            Gate::Deferred => {
                let rest = rest.iter().map(Step::line).collect();
                self.session.pending =
                    Some(Pending { call_id: call.id.clone(), step: step.line(), rest });
                self.keep()?;
                write(&self.dialect.deferred(&self.scene, &call))?;
                return Ok(Then::Leave(0));
            }
            Gate::Shut(why) => {
                self.scene.refused.push(json!({ "tool_name": call.tool, "tool_use_id": call.id }));
                Finished { output: why, code: 1, is_refused: true }
            }
            Gate::Open => self.perform(&call)?,
        };
        let is_refused = finished.is_refused;
        write(&self.dialect.finished(&self.scene, &call, &finished))?;
        // Without a person this one ends at the first refusal, and finds that well.
        if is_refused && self.record.kind == "opencode" {
            return Ok(Then::Leave(0));
        }
        Ok(Then::Next)
    }

    fn meant(&self, step: &Step) -> Outcome<(String, Value)> {
        let (first, second) = step.pair();
        let (tool, args) = match step.verb.as_str() {
            "bash" => self.dialect.shell(&step.rest),
            "write" => self.dialect.write(first, second),
            _ => return Ok((first.to_owned(), serde_json::from_str(second).unwrap_or_default())),
        };
        Ok((tool.to_owned(), args))
    }

    fn perform(&self, call: &Call) -> Outcome<Finished> {
        let path = ["file_path", "filePath", "path"];
        let path = path.iter().find_map(|name| call.args[name].as_str());
        if let (Some(path), Some(text)) = (path, call.args["content"].as_str()) {
            let path = Path::new(&self.record.cwd).join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, text)?;
            return Ok(Finished { output: "written".to_owned(), code: 0, is_refused: false });
        }
        let Some(command) = call.args["command"].as_str() else {
            return Ok(Finished { output: String::new(), code: 0, is_refused: false });
        };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0).stdin(Stdio::null());
        let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        signals::TOOL.store(i32::try_from(child.id())?, Ordering::Relaxed);
        let output = child.wait_with_output()?;
        signals::TOOL.store(0, Ordering::Relaxed);
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap_or(-1);
        Ok(Finished { output: text, code, is_refused: false })
    }

    /// One more answer of the model.
    fn spend(&mut self) {
        self.scene.answers += 1;
        self.scene.run.add(self.each);
        self.scene.total.add(self.each);
    }

    fn keep(&mut self) -> Outcome<()> {
        self.session.total = self.scene.total;
        session::save(self.record, &self.session)
    }

    fn done(&mut self) -> Outcome<u8> {
        if self.scene.said.is_empty() {
            self.say("Done.")?;
        }
        self.spend();
        self.keep()?;
        write(&self.dialect.done(&self.scene))?;
        Ok(0)
    }

    fn fail(&mut self, step: &Step) -> Outcome<()> {
        let or = |text: &str, else_: &str| {
            if text.is_empty() { else_.to_owned() } else { text.to_owned() }
        };
        let failure = match step.verb.as_str() {
            "limit" => Failure {
                status: Some(429),
                message: "rate limit reached".to_owned(),
                resets_at: step.number(),
            },
            "status" => {
                let (status, text) = step.pair();
                let status: u16 = status.parse()?;
                let message = or(text, &format!("API Error: {status} fake error"));
                Failure { status: Some(status), message, resets_at: None }
            }
            _ => {
                Failure { status: None, message: or(&step.rest, "it went wrong"), resets_at: None }
            }
        };
        self.keep()?;
        write(&self.dialect.failed(&self.scene, &failure))?;
        self.over = Some(if step.verb == "fail0" { 0 } else { self.dialect.code(&failure) });
        Ok(())
    }
}

/// What has nothing to do with any model.
pub(crate) fn around(record: &Record, step: &Step) -> Outcome<()> {
    let ms = || step.number().map(Duration::from_millis);
    match step.verb.as_str() {
        "sleep" => std::thread::sleep(ms().unwrap_or_default()),
        "linger" => match ms() {
            Some(time) => std::thread::sleep(time),
            None => loop {
                std::thread::park();
            },
        },
        "await" => {
            while !Path::new(&step.rest).exists() {
                std::thread::sleep(LOOK);
            }
        }
        "touch" => std::fs::write(&step.rest, "")?,
        "raw" => put(format!("{}\n", step.rest).as_bytes())?,
        "part" => put(step.rest.as_bytes())?,
        "err" => complain(&step.rest),
        "close" => {
            rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?
        }
        "child" => {
            let seconds = ms().unwrap_or(Duration::from_secs(3_600)).as_secs_f64();
            // It is left behind, as it would be.
            let _left = Command::new("sleep").arg(seconds.to_string()).process_group(0).spawn()?;
        }
        "sh" => {
            let output =
                Command::new("sh").arg("-c").arg(&step.rest).stdin(Stdio::null()).output()?;
            record.note(&json!({
                "sh": step.rest, "exit": output.status.code(),
                "stdout": String::from_utf8_lossy(&output.stdout),
                "stderr": String::from_utf8_lossy(&output.stderr),
            }))?;
        }
        "kill" => {
            let own = std::process::id();
            let kill = format!("kill -{} {own}", step.rest.trim());
            Command::new("sh").arg("-c").arg(kill).status()?;
            // A signal may take a moment to arrive.
            std::thread::sleep(Duration::from_secs(1));
        }
        other => return Err(format!("there is no step `{other}`").into()),
    }
    Ok(())
}

/// Writes lines, all of them at once.
pub(crate) fn write(lines: &[String]) -> Outcome<()> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    put(text.as_bytes())
}

fn put(bytes: &[u8]) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "an example is no part of the product")]
fn now() -> SystemTime {
    SystemTime::now()
}
