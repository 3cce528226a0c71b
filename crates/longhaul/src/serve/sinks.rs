//! Sinks: made, listed, removed, tried out. What is asked for is checked here against this machine,
//! so that a sink that could never work is refused when it is made and not when it is needed.

use super::agents::load_agent;
use super::body::parse;
use super::error::{Answer, Failure};
use super::spec::home_folder;
use super::{Shared, jobs};
use crate::api::{SinkAsk, SinkTested, SinkView, Sinks};
use crate::daemon::{self, check_url, shown_url};
use crate::ids;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::delivery::sink_pool;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::sink::{Sink, SinkKind};
use longhaul_core::spec::BadSpec;
use rustix::fs::{Access, access};
use std::path::{self, PathBuf};

/// `GET /v1/sinks`
pub(super) async fn list(State(ports): State<Shared>) -> Answer<Json<Sinks>> {
    let sinks = ports.readers.read(|reader| {
        let mut sinks = Vec::new();
        for name in reader.ids(Table::Sink, "", limits::SINKS_MAX)? {
            if let Some(sink) = load_sink(reader, &name)? {
                sinks.push(view(reader, &sink)?);
            }
        }
        Ok(sinks)
    });
    Ok(Json(Sinks { sinks: sinks.await? }))
}

/// `PUT /v1/sinks/{name}`
pub(super) async fn set(
    State(ports): State<Shared>,
    Path(sink): Path<String>,
    body: Bytes,
) -> Answer<Json<SinkView>> {
    let ask: SinkAsk = parse(&body)?;
    // Looking at files may block.
    let checked = tokio::task::spawn_blocking(move || check(ask)).await;
    let (kind, replace) = checked.map_err(|error| Failure::bug(error.to_string()))??;
    let name = sink.clone();
    match ports.engine.ask(Command::AddSink { sink: name, kind, replace }).await? {
        Reply::Done => {}
        _ => return Err(jobs::odd_reply()),
    }
    let name = sink.clone();
    let stored = ports.readers.read(move |reader| {
        let sink = load_sink(reader, &name)?;
        sink.map(|sink| view(reader, &sink)).transpose()
    });
    Ok(Json(stored.await?.ok_or(Refused::NoSink(sink))?))
}

/// `DELETE /v1/sinks/{name}`
pub(super) async fn remove(
    State(ports): State<Shared>,
    Path(sink): Path<String>,
) -> Answer<StatusCode> {
    ports.engine.ask(Command::RemoveSink(sink)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/sinks/{name}/test`
pub(super) async fn test(
    State(ports): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Json<SinkTested>> {
    let wanted = name.clone();
    let sink = ports.readers.read(move |reader| load_sink(reader, &wanted)).await?;
    let sink = sink.ok_or(Refused::NoSink(name))?;
    let id = ids::test_delivery_id().map_err(|error| {
        Failure::unavailable("unavailable", format!("no random numbers: {error}"), 1_000)
    })?;
    let begun = ports.clock.now();
    let tested = ports.courier.test(&sink, &id).await;
    let ms = ports.clock.now().since(begun).get();
    Ok(Json(SinkTested { ok: tested.ok, answer: tested.answer, ms }))
}

/// Loads a sink by its name; one that is being removed is gone.
fn load_sink(reader: &mut dyn Reader, name: &str) -> Result<Option<Sink>, StoreError> {
    let row = reader.load(Table::Sink, name)?;
    let sink = row.as_ref().map(Sink::from_row).transpose()?;
    Ok(sink.filter(Sink::is_there))
}

fn view(reader: &mut dyn Reader, sink: &Sink) -> Result<SinkView, StoreError> {
    let (pending, dead) = reader.delivery_counts(&sink_pool(&sink.name))?;
    let mut view = SinkView {
        name: sink.name.clone(),
        kind: sink.kind.name().to_owned(),
        url: None,
        secret: false,
        command: None,
        agent: None,
        waiting_for: None,
        pending,
        dead,
        trouble: sink.trouble,
    };
    match &sink.kind {
        SinkKind::Webhook { url, secret_file } => {
            (view.url, view.secret) = (Some(shown_url(url)), secret_file.is_some());
        }
        SinkKind::Exec { command, .. } => view.command = Some(command.clone()),
        SinkKind::Agent { agent } => {
            view.agent = Some(agent.clone());
            view.waiting_for = match load_agent(reader, agent)? {
                None => Some(format!("an agent `{agent}`, which there is not")),
                Some(known) if known.is_ended() => {
                    Some(format!("agent `{agent}`, which is {}", known.standing.name()))
                }
                Some(_) => None,
            };
        }
        SinkKind::Desktop => {}
    }
    Ok(view)
}

/// From what is asked for to what core keeps, and whether it may take another's place.
fn check(ask: SinkAsk) -> Answer<(SinkKind, bool)> {
    Ok(match ask {
        SinkAsk::Webhook { url, secret_file, replace } => {
            check_url(&url).map_err(|problem| bad("url", problem))?;
            secret_file.as_deref().map(check_secret).transpose()?;
            (SinkKind::Webhook { url, secret_file }, replace)
        }
        SinkAsk::Exec { command, cwd, replace } => {
            let cwd = cwd.unwrap_or_else(home_folder);
            check_program(&command, path::Path::new(&cwd))?;
            (SinkKind::Exec { command, cwd }, replace)
        }
        SinkAsk::Agent { agent, replace } => (SinkKind::Agent { agent }, replace),
        SinkAsk::Desktop { replace } => (SinkKind::Desktop, replace),
    })
}

fn bad(field: &'static str, problem: String) -> Failure {
    Failure::from(Refused::from(BadSpec { field, problem }))
}

/// The file is named whole and looked into, but what it holds is read anew whenever it is needed.
fn check_secret(file: &str) -> Answer<()> {
    let path = path::Path::new(file);
    if !path.is_absolute() {
        return Err(bad("secret_file", "is not an absolute path".to_owned()));
    }
    daemon::check_secret(path).map_err(|why| bad("secret_file", format!("cannot be used: {why}")))
}

/// The program must be found as it will be: by its path, else in the daemon's own `PATH`.
fn check_program(command: &[String], cwd: &path::Path) -> Answer<()> {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return Err(bad("command", "names no program".to_owned()));
    };
    if !cwd.is_absolute() || !cwd.is_dir() {
        return Err(bad(
            "cwd",
            format!("`{}` is not an absolute path of a directory", cwd.display()),
        ));
    }
    let is_program = |path: PathBuf| path.is_file() && access(&path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        if is_program(cwd.join(program)) {
            return Ok(());
        }
        return Err(bad("command", format!("`{program}` is not a program")));
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&places).any(|place| is_program(place.join(program))) {
        return Ok(());
    }
    Err(bad("command", format!("`{program}` is not found where the daemon looks for programs"))
        .hint("name it by its path"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn refusal(result: Answer<()>) -> String {
        result.unwrap_err().into_message()
    }

    #[test]
    fn a_secret_is_a_file_of_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let file = path.to_str().unwrap();
        assert!(refusal(check_secret(file)).contains("`secret_file` cannot be used"));
        std::fs::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(refusal(check_secret(file)).contains("chmod 600"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(check_secret(file).is_ok());
        assert!(refusal(check_secret("secret")).contains("absolute"));
        std::fs::write(&path, "whsec_!hunter2").unwrap();
        assert!(!refusal(check_secret(file)).contains("hunter2"));
    }

    #[test]
    fn a_program_must_be_there_and_executable() {
        let folder = tempfile::tempdir().unwrap();
        let check = |program: &str| check_program(&[program.to_owned()], folder.path());
        assert!(check("sh").is_ok());
        assert!(refusal(check("no-such-program")).contains("not found"));
        std::fs::write(folder.path().join("tool"), "#!/bin/sh\n").unwrap();
        assert!(refusal(check("./tool")).contains("is not a program"));
        let mode = PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder.path().join("tool"), mode).unwrap();
        assert!(check("./tool").is_ok());
        assert!(refusal(check_program(&[], folder.path())).contains("names no program"));
        assert!(refusal(check_program(&["sh".into()], path::Path::new("x"))).contains("`cwd`"));
    }

    #[test]
    fn what_a_sink_shall_be_is_read_strictly() {
        let ask = |json: &str| serde_json::from_str::<SinkAsk>(json);
        assert_eq!(ask(r#"{"kind":"desktop"}"#).unwrap(), SinkAsk::Desktop { replace: false });
        for json in [r#"{"kind":"desktop","x":1}"#, r#"{"kind":"fax"}"#, r#"{"kind":"exec"}"#, "{}"]
        {
            assert!(ask(json).is_err(), "{json}");
        }
    }
}
