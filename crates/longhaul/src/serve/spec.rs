//! From a spec on the wire to a submission: names become ids, spans become milliseconds, the parts of
//! an environment become one. What the result may be is checked by core, once.

use super::Shared;
use super::error::{Answer, Failure};
use super::resolve::resolve;
use crate::api::{self, Spec, Variables};
use crate::ids;
use crate::project::{Projects, owner_in};
use longhaul_core::command::Submission;
use longhaul_core::id::JobId;
use longhaul_core::limits;
use longhaul_core::spec::{
    Attachment, Blob, Environment, EnvironmentOrigin, JobSpec, LeftoverRule, PtySize, Retry,
};
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;

/// What a job that brings no environment is given of the daemon's.
const PLAIN_NAMES: [&str; 6] = ["PATH", "HOME", "LANG", "USER", "SHELL", "TERM"];

/// What the specs of one request share.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// The environment of the batch, if it has one.
    pub(super) base: Option<Variables>,
    /// Where those jobs belong whose asker does not say.
    pub(super) projects: Projects,
}

/// Makes a submission of `spec`.
pub(super) async fn submission(
    ports: &Shared,
    spec: Spec,
    common: &mut Common,
) -> Answer<Submission> {
    let id = match &spec.id {
        Some(id) => JobId::parse(id).map_err(|bad| Failure::bad_spec(format!("`id` is {bad}")))?,
        None => fresh_id()?,
    };
    let after = job_ids(ports, "after", &spec.after).await?;
    let after_any = job_ids(ports, "after_any", &spec.after_any).await?;
    let parent = match &spec.parent {
        Some(parent) => job_ids(ports, "parent", std::slice::from_ref(parent)).await?.pop(),
        None => None,
    };
    let (environment, origin) = merge(&spec, common.base.as_ref());
    let key = spec.key.clone();
    let project = project(&spec, &mut common.projects);
    // Somebody must be told how it ends.
    let owner = Some(spec.owner.clone().unwrap_or_else(|| owner_in(&project)));
    let leftovers = ports.config.leftovers;
    let spec = JobSpec { after, after_any, environment: origin, ..job_spec(spec, leftovers) };
    check_blobs(ports, &spec)?;
    check_globs(&spec)?;
    let project = Some(project);
    let (retry_of, session) = (None, None);
    Ok(Submission { id, spec, environment, key, owner, project, parent, retry_of, session })
}

/// Where the job belongs: where its asker is, or else where it runs.
fn project(spec: &Spec, projects: &mut Projects) -> String {
    if let Some(project) = &spec.project {
        return project.clone();
    }
    let cwd = spec.cwd.clone().unwrap_or_else(home_folder);
    projects.of(Path::new(&cwd)).to_owned()
}

/// A pattern that is none would only be found when the job has ended.
fn check_globs(spec: &JobSpec) -> Answer<()> {
    for pattern in &spec.artifacts {
        globset::Glob::new(pattern)
            .map_err(|error| Failure::bad_spec(format!("`artifact` is no pattern: {error}")))?;
    }
    Ok(())
}

/// Makes the id of a job whose asker made none.
pub(super) fn fresh_id() -> Answer<JobId> {
    ids::job_id().map_err(|error| {
        Failure::unavailable("unavailable", format!("no random numbers: {error}"), 1_000)
    })
}

fn job_spec(spec: Spec, leftovers: LeftoverRule) -> JobSpec {
    let millis = |span: api::Span| Millis::new(span.0);
    let blob = |sha256: String, size: u64| Blob { sha256, size };
    let plain = JobSpec::new(spec.command, spec.cwd.unwrap_or_else(home_folder));
    JobSpec {
        name: spec.name,
        labels: spec.labels,
        pool: spec.pool.unwrap_or(plain.pool),
        lane: spec.lane,
        // What does not fit is out of range, and core says so by name.
        priority: spec.priority.map_or(plain.priority, |n| u8::try_from(n).unwrap_or(u8::MAX)),
        delay: spec.delay.map_or(plain.delay, millis),
        at: spec.at.map(|at| Timestamp::from_millis(at.0)),
        timeout: spec.timeout.map(millis),
        stall: spec.stall.map(millis),
        grace: spec.grace.map_or(plain.grace, millis),
        retry: Retry {
            max: spec.retry.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            delay: spec.retry_delay.map_or(plain.retry.delay, millis),
            on: spec.retry_on,
        },
        notify: spec.notify,
        artifacts: spec.artifact,
        attachments: spec
            .attach
            .into_iter()
            .map(|attach| Attachment {
                path: attach.path,
                blob: blob(attach.sha256, attach.size),
                executable: attach.executable,
            })
            .collect(),
        stdin: spec.stdin.map(|stored| blob(stored.sha256, stored.size)),
        output_bytes_max: spec.max_output.map_or(plain.output_bytes_max, |size| size.0),
        memory_bytes_max: spec.memory.map(|size| size.0),
        keep: spec.keep.map(millis),
        pty: spec.pty.map(|pty| PtySize { rows: pty.rows, cols: pty.cols }),
        leftovers: match spec.leftovers {
            Some(api::Leftovers::Kill) => LeftoverRule::Kill,
            Some(api::Leftovers::Report) => LeftoverRule::Report,
            None => leftovers,
        },
        ..JobSpec::new(plain.command, plain.cwd)
    }
}

/// The user's own folder: the daemon's working directory means nothing to anybody.
pub(super) fn home_folder() -> String {
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    home.unwrap_or_else(|| "/".to_owned())
}

/// What `env` is added to: the spec's own base, the batch's, or the plain names of the daemon.
fn merge(spec: &Spec, base: Option<&Variables>) -> (Environment, EnvironmentOrigin) {
    let given = spec.base_env.as_ref().or(base);
    let inherited = given.is_some() && spec.env_inherited.unwrap_or(true);
    environment(given, &spec.env, inherited)
}

/// Puts an environment together from its base and what is set on purpose.
pub(super) fn environment(
    base: Option<&Variables>,
    set: &Variables,
    inherited: bool,
) -> (Environment, EnvironmentOrigin) {
    let mut all = base.map_or_else(plain_environment, |base| base.0.clone());
    all.extend(set.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    let origin = EnvironmentOrigin {
        inherited,
        set: set.0.keys().cloned().collect(),
        names: all.keys().cloned().collect(),
    };
    (Environment(all), origin)
}

pub(super) fn plain_environment() -> BTreeMap<String, String> {
    let named = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    PLAIN_NAMES.into_iter().filter_map(named).collect()
}

/// The ids that `texts` mean. Whole ids are taken as they are: they may be of the same batch.
pub(super) async fn job_ids(ports: &Shared, field: &str, texts: &[String]) -> Answer<Vec<JobId>> {
    if texts.len() > limits::DEPENDENCIES_MAX {
        let most = limits::DEPENDENCIES_MAX;
        let message = format!("`{field}` has {} jobs, and {most} is the limit", texts.len());
        return Err(Failure::bad_spec(message));
    }
    let whole: Result<Vec<JobId>, _> = texts.iter().map(|text| JobId::parse(text)).collect();
    if let Ok(ids) = whole {
        return Ok(ids);
    }
    let wanted = texts.to_vec();
    let meanings = ports.readers.read(move |reader| {
        wanted.iter().map(|text| resolve(reader, text)).collect::<Result<Vec<_>, _>>()
    });
    meanings.await?.into_iter().zip(texts).map(|(meaning, text)| meaning.only(text)).collect()
}

/// Refuses a spec that names content which is not stored.
pub(super) fn check_blobs(ports: &Shared, spec: &JobSpec) -> Answer<()> {
    let attached = spec.attachments.iter().map(|attachment| &attachment.blob);
    for blob in attached.chain(&spec.stdin) {
        if !super::digest::is_sha256(&blob.sha256) {
            return Err(Failure::bad_spec("stored content is named by 64 lower-case digits"));
        }
        let size = ports.stored.keep(&blob.sha256).map_err(|error| {
            let message = format!("content {} cannot be looked at: {error}", blob.sha256);
            Failure::unavailable("unavailable", message, 1_000)
        })?;
        if size != Some(blob.size) {
            let message = format!("content {} of {} bytes is not stored", blob.sha256, blob.size);
            return Err(Failure::refused("no_blob", message)
                .hint(format!("store it with `PUT /v1/blobs/{}` first", blob.sha256)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Variables(owned.collect())
    }

    #[test]
    fn what_is_set_on_purpose_wins_over_the_base() {
        let base = variables(&[("A", "1"), ("B", "2")]);
        let set = variables(&[("B", "3"), ("C", "4")]);
        let (environment, origin) = environment(Some(&base), &set, true);
        assert_eq!(environment.0, variables(&[("A", "1"), ("B", "3"), ("C", "4")]).0);
        assert_eq!(origin.set, ["B", "C"]);
        assert_eq!(origin.names, ["A", "B", "C"]);
        assert!(origin.inherited);
    }

    #[test]
    fn without_a_base_only_plain_names_are_taken() {
        let spec = Spec { env: variables(&[("K", "V")]), ..Spec::default() };
        let (environment, origin) = merge(&spec, None);
        let is_expected = |name: &String| name == "K" || PLAIN_NAMES.contains(&name.as_str());
        assert!(environment.0.keys().all(is_expected), "{origin:?}");
        assert!(!origin.inherited);
    }

    #[test]
    fn what_becomes_of_leftovers_is_the_settings_choice_unless_the_job_says() {
        let said = |leftovers, default| {
            let command = vec!["x".into()];
            job_spec(Spec { command, leftovers, ..Spec::default() }, default).leftovers
        };
        assert_eq!(said(None, LeftoverRule::Report), LeftoverRule::Report);
        assert_eq!(said(None, LeftoverRule::Kill), LeftoverRule::Kill);
        let kill = Some(api::Leftovers::Kill);
        assert_eq!(said(kill, LeftoverRule::Report), LeftoverRule::Kill);
        let report = Some(api::Leftovers::Report);
        assert_eq!(said(report, LeftoverRule::Kill), LeftoverRule::Report);
    }

    #[test]
    fn numbers_out_of_range_reach_core_as_such() {
        let spec = Spec {
            command: vec!["x".into()],
            cwd: Some("/".into()),
            priority: Some(1 << 40),
            retry: Some(u64::MAX),
            ..Spec::default()
        };
        let spec = job_spec(spec, LeftoverRule::Kill);
        assert_eq!(spec.check().unwrap_err().field, "priority");
        assert_eq!(spec.retry.max, u32::MAX);
    }
}
