//! Many jobs from JSON lines, accepted all or none: everything goes in one request, so that there is
//! no half of a batch to clean up after.

use super::Caller;
use super::environment;
use super::error::{CliError, Leave};
use super::owner::Owner;
use super::submission;
use crate::api::{Batch, Spec, Variables};
use longhaul_core::limits;
use serde_json::json;
use std::io::Read;
use std::path::Path;

/// Reads all lines, checks each, and hands all in at once.
pub(super) async fn submit(file: &Path, caller: &Caller) -> Result<Leave, CliError> {
    let text = read(file)?;
    let environment = environment::inherited(std::env::vars_os());
    submission::say_left_out(caller, &environment);
    let (jobs, lines) = parse(&text)?;
    let batch = Batch { base_env: Some(Variables(environment.base)), jobs };
    let client = caller.client().await?;
    let bar = caller.output.progress(batch.jobs.len() as u64, "submitting");
    let answer = client.submit_batch(batch).await.map_err(|error| {
        let line = error.index.and_then(|index| lines.get(index)).copied();
        let error = CliError::from(error);
        // The daemon counts jobs from zero; people count the lines of their file.
        let what =
            error.message.split_once(" of the batch: ").map_or(&*error.message, |(_, it)| it);
        match line {
            Some(line) => CliError { message: format!("line {line}: {what}"), ..error.clone() }
                .hint("nothing of the batch was submitted"),
            None => error,
        }
    })?;
    bar.finish_and_clear();
    if caller.output.json {
        caller.output.value(&json!({ "ids": answer.ids }))?;
    } else if !answer.ids.is_empty() {
        caller.output.line(&answer.ids.join("\n"))?;
    }
    Ok(Leave::OK)
}

fn read(file: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        fs_err::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| CliError::usage(format!("the batch cannot be read: {error}")))?;
    Ok(text)
}

/// The specs, and the line number (from 1) that each stood on. Blank lines are skipped.
fn parse(text: &str) -> Result<(Vec<Spec>, Vec<usize>), CliError> {
    let cwd = submission::text_of(submission::working_directory(None)?)?;
    let parent = submission::parent();
    let caller = Owner::of_caller(None);
    let (mut specs, mut lines) = (Vec::new(), Vec::new());
    let full = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (index, line) in full {
        let number = index + 1;
        let mut spec = Spec::parse(line.as_bytes()).map_err(|bad| {
            let mut error = CliError::usage(format!("line {number}: {}", bad.message))
                .hint("nothing of the batch was submitted");
            error.code = "bad_spec".to_owned();
            error
        })?;
        spec.cwd = Some(match spec.cwd {
            // Joining leaves an absolute path as it is.
            Some(asked) => submission::text_of(Path::new(&cwd).join(asked))?,
            None => cwd.clone(),
        });
        if spec.id.is_none() {
            spec.id = Some(submission::fresh_id()?);
        }
        if spec.base_env.is_none() {
            spec.env_inherited = Some(true);
        }
        spec.parent = spec.parent.or_else(|| parent.clone());
        spec.owner = spec.owner.or_else(|| Some(caller.name.clone()));
        spec.project = spec.project.or_else(|| Some(caller.project.clone()));
        specs.push(spec);
        lines.push(number);
        if specs.len() > limits::BATCH_JOBS_MAX {
            return Err(CliError::refused(
                "too_many",
                format!(
                    "the batch has more than {} jobs, which is the limit",
                    limits::BATCH_JOBS_MAX
                ),
            )
            .hint("split it; nothing was submitted"));
        }
    }
    Ok((specs, lines))
}
