//! Agents and their turns, made whole: mail that a turn has is a turn's that is there and open, nobody
//! waits for an answer to a question that is gone, or for the end of a limit that nobody looks at.

use super::Read;
use crate::agent::{Agent, AgentEnvironment};
use crate::approval::{Approval, ApprovalState};
use crate::id::{ApprovalId, JobId, MailId};
use crate::job::{Job, JobState, Waiting};
use crate::mail::{Mail, MailState};
use crate::port::{Corrupt, Record, Row, Table};
use crate::quota::Quota;
use crate::time::Timestamp;
use crate::turn::{Input, Intake};
use std::collections::BTreeMap;

/// Rows that parsed, of the tables that only agents need.
#[derive(Default)]
pub(super) struct OfAgents {
    agents: BTreeMap<String, Agent>,
    environments: Vec<AgentEnvironment>,
    mail: BTreeMap<MailId, Mail>,
    inputs: Vec<Input>,
    intakes: Vec<Intake>,
    approvals: BTreeMap<ApprovalId, Approval>,
    quotas: BTreeMap<String, Quota>,
}

impl OfAgents {
    pub(super) fn take_agent(&mut self, row: &Row) -> Result<(), Corrupt> {
        let agent = Agent::from_row(row)?;
        self.agents.insert(agent.spec.name.clone(), agent);
        Ok(())
    }

    pub(super) fn take_environment(&mut self, row: &Row) -> Result<(), Corrupt> {
        self.environments.push(AgentEnvironment::from_row(row)?);
        Ok(())
    }

    pub(super) fn take_mail(&mut self, row: &Row) -> Result<(), Corrupt> {
        let mail = Mail::from_row(row)?;
        self.mail.insert(mail.id.clone(), mail);
        Ok(())
    }

    pub(super) fn take_input(&mut self, row: &Row) -> Result<(), Corrupt> {
        self.inputs.push(Input::from_row(row)?);
        Ok(())
    }

    pub(super) fn take_intake(&mut self, row: &Row) -> Result<(), Corrupt> {
        self.intakes.push(Intake::from_row(row)?);
        Ok(())
    }

    pub(super) fn take_approval(&mut self, row: &Row) -> Result<(), Corrupt> {
        let approval = Approval::from_row(row)?;
        self.approvals.insert(approval.id.clone(), approval);
        Ok(())
    }

    pub(super) fn take_quota(&mut self, row: &Row) -> Result<(), Corrupt> {
        let quota = Quota::from_row(row)?;
        self.quotas.insert(quota.kind.clone(), quota);
        Ok(())
    }

    /// The rows that are put back.
    pub(super) fn rows(&self) -> Vec<(Table, Row)> {
        let agents = self.agents.values().map(|found| (Table::Agent, found.to_row()));
        let of_agents = self.environments.iter().map(|of| (Table::AgentEnvironment, of.to_row()));
        let mail = self.mail.values().map(|found| (Table::Mail, found.to_row()));
        let inputs = self.inputs.iter().map(|found| (Table::Input, found.to_row()));
        let intakes = self.intakes.iter().map(|found| (Table::Intake, found.to_row()));
        let approvals = self.approvals.values().map(|found| (Table::Approval, found.to_row()));
        let quotas = self.quotas.values().map(|found| (Table::Quota, found.to_row()));
        let turns = inputs.chain(intakes).chain(approvals).chain(quotas);
        agents.chain(of_agents).chain(mail).chain(turns).collect()
    }
}

/// Makes whole what was read. `until`: the latest moment that anything tells of.
pub(super) fn make_whole(read: &mut Read, until: Timestamp, left_out: &mut Vec<String>) {
    let (jobs, of) = (&mut read.jobs, &mut read.of_agents);
    let is_open = |jobs: &BTreeMap<JobId, Job>, id: &JobId| jobs.get(id).is_some_and(is_open);
    of.environments.retain(|environment| of.agents.contains_key(&environment.agent));
    of.inputs.retain(|input| is_open(jobs, &input.job));
    of.intakes.retain(|intake| jobs.contains_key(&intake.job));
    of.approvals.retain(|_, approval| {
        let is_known = jobs.contains_key(&approval.job);
        if !is_known {
            left_out.push(format!("{} is gone; {} is about it", approval.job, approval.id));
        }
        is_known
    });
    for approval in of.approvals.values_mut().filter(|approval| approval.is_open()) {
        if !is_open(jobs, &approval.job) {
            let because = "its turn has ended".to_owned();
            approval.state = ApprovalState::Lapsed { at: until, because };
        }
    }
    for quota in of.quotas.values_mut() {
        quota.probe = quota.probe.take().filter(|probe| is_open(jobs, probe));
        // Without a turn that tries, its hour comes again and finds one.
        quota.is_due &= quota.probe.is_some();
    }
    hand_back(jobs, &mut of.mail);
    for job in jobs.values_mut() {
        wait_for_nothing_gone(job, of);
    }
}

fn is_open(job: &Job) -> bool {
    job.outcome().is_none()
}

/// Mail is a turn's only where that is open; it waits again otherwise. Each turn then has what says so.
fn hand_back(jobs: &mut BTreeMap<JobId, Job>, mail: &mut BTreeMap<MailId, Mail>) {
    let mut taken: BTreeMap<JobId, Vec<(u64, MailId)>> = BTreeMap::new();
    for mail in mail.values_mut() {
        let MailState::Taken { turn } = &mail.state else { continue };
        if jobs.get(turn).is_some_and(|job| is_open(job) && job.turn.is_some()) {
            taken.entry(turn.clone()).or_default().push((mail.seq, mail.id.clone()));
        } else {
            mail.state = MailState::Unread;
        }
    }
    for (id, job) in jobs {
        if let Some(turn) = &mut job.turn {
            let mut has = taken.remove(id).unwrap_or_default();
            has.sort();
            turn.mail = has.into_iter().map(|(_, mail)| mail).collect();
        }
    }
}

/// Lets a turn go on whose question or limit is gone: it asks again, or meets it again.
fn wait_for_nothing_gone(job: &mut Job, of: &OfAgents) {
    let (Some(turn), JobState::Queued { because, .. }) = (&mut job.turn, &job.state) else {
        return;
    };
    let is_stuck = match because {
        Waiting::Approval => {
            let asked = turn.asks.as_ref().and_then(|asks| of.approvals.get(asks));
            !asked.is_some_and(Approval::is_open)
        }
        Waiting::Parked => !of.quotas.contains_key(&turn.kind),
        Waiting::New
        | Waiting::Retry
        | Waiting::Launch
        | Waiting::Rerun
        | Waiting::Kind
        | Waiting::RateLimited => false,
    };
    if is_stuck {
        turn.asks = None;
        let not_before = Timestamp::default();
        job.state = JobState::Queued { not_before, is_due: true, because: Waiting::New };
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Remains, Restored, restore};
    use super::*;
    use crate::agent::AgentSpec;
    use crate::approval::Question;
    use crate::command::Submission;
    use crate::mail::MailPriority;
    use crate::outcome::Outcome;
    use crate::spec::{Environment, JobSpec};
    use crate::turn::{Conversation, Offsets, Turn};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn job_id(number: u64) -> JobId {
        JobId::parse(&format!("job_{number:026}")).unwrap()
    }

    fn mail_id(number: u64) -> MailId {
        MailId::parse(&format!("mail_{number:026}")).unwrap()
    }

    fn turn(number: u64) -> Job {
        let mut spec = JobSpec::new(vec!["plain".into()], "/".into());
        spec.turn = Some(Turn { agent: "ann".into(), ..Turn::default() });
        let submission = Submission {
            id: job_id(number),
            spec,
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: None,
            project: None,
            parent: None,
            retry_of: None,
            session: None,
        };
        Job::new(submission, number, 0, false, NOW)
    }

    fn ended(number: u64) -> Job {
        let state = JobState::Ended { outcome: Outcome::exited(0), at: NOW };
        Job { state, ..turn(number) }
    }

    fn waiting(number: u64, because: Waiting, asks: Option<&ApprovalId>) -> Job {
        let mut job = turn(number);
        job.state = JobState::Queued { not_before: NOW, is_due: false, because };
        let turn = job.turn.as_mut().unwrap();
        (turn.asks, turn.kind) = (asks.cloned(), "plain".into());
        job
    }

    fn mail(number: u64, state: MailState) -> Mail {
        Mail {
            id: mail_id(number),
            seq: number,
            from: "boss".into(),
            from_turn: None,
            to: "ann".into(),
            also_to: Vec::new(),
            kind: "status".into(),
            priority: MailPriority::Normal,
            subject: "s".into(),
            body: String::new(),
            payload: None,
            thread: mail_id(number),
            reply_to: None,
            sent_at: NOW,
            tries: 0,
            state,
        }
    }

    fn approval(job: u64) -> Approval {
        Approval {
            id: ApprovalId::of(&job_id(job), "limit"),
            job: job_id(job),
            attempt: 1,
            agent: "ann".into(),
            owner: None,
            question: Question::Limit { message: "full".into() },
            asked_at: NOW,
            give_up_at: None,
            state: ApprovalState::Asked,
        }
    }

    fn row<R: Record>(record: &R) -> (Table, Row) {
        (R::TABLE, record.to_row())
    }

    fn mended(rows: Vec<(Table, Row)>) -> Restored {
        restore(Remains { rows, events: Vec::new() })
    }

    fn all<R: Record>(restored: &Restored) -> Vec<R> {
        let of_table = restored.rows.iter().filter(|(table, _)| *table == R::TABLE);
        of_table.map(|(_, row)| R::from_row(row).unwrap()).collect()
    }

    #[test]
    fn an_agent_comes_back_with_its_environment_and_an_environment_alone_does_not() {
        let spec = AgentSpec { name: "ann".into(), ..AgentSpec::default() };
        let agent = Agent::new(spec, NOW);
        let of = |agent: &str| AgentEnvironment {
            agent: agent.into(),
            environment: Environment([("TOKEN".to_owned(), "x".to_owned())].into()),
        };
        let restored = mended(vec![row(&agent), row(&of("ann")), row(&of("eve"))]);
        assert_eq!(all::<Agent>(&restored), [agent]);
        assert_eq!(all::<AgentEnvironment>(&restored), [of("ann")]);
    }

    #[test]
    fn mail_of_a_turn_that_is_gone_or_over_waits_again_and_an_open_turn_knows_its_own() {
        let taken = |number, by| mail(number, MailState::Taken { turn: job_id(by) });
        let read = mail(6, MailState::Read { at: NOW, turn: Some(job_id(9)) });
        let mut open = turn(1);
        open.turn.as_mut().unwrap().mail = vec![mail_id(77)];
        let restored = mended(vec![
            row(&open),
            row(&ended(2)),
            row(&taken(5, 1)),
            row(&taken(3, 1)),
            row(&taken(4, 2)),
            row(&taken(7, 9)),
            row(&read),
        ]);
        let unread = |number| mail(number, MailState::Unread);
        let expected = [taken(3, 1), unread(4), taken(5, 1), read, unread(7)];
        assert_eq!(all::<Mail>(&restored), expected);
        let jobs = all::<Job>(&restored);
        assert_eq!(jobs[0].turn.as_ref().unwrap().mail, [mail_id(3), mail_id(5)]);
        assert_eq!(jobs[1].turn.as_ref().unwrap().mail, []);
    }

    #[test]
    fn what_is_left_of_a_turn_that_is_gone_goes_and_what_an_open_one_needs_stays() {
        let input = |job| Input {
            job: job_id(job),
            attempt: 1,
            agent: AgentSpec::default(),
            prompt: "go".into(),
            conversation: Conversation::New,
            carry: None,
        };
        let intake = |job| Intake {
            job: job_id(job),
            attempt: 1,
            taken: Offsets::default(),
            memory: "{}".into(),
        };
        let mut rows = vec![row(&turn(1)), row(&ended(2))];
        for job in 1..=3 {
            rows.extend([row(&input(job)), row(&intake(job)), row(&approval(job))]);
        }
        let restored = mended(rows);
        assert_eq!(all::<Input>(&restored), [input(1)]);
        assert_eq!(all::<Intake>(&restored), [intake(1), intake(2)]);
        let found = all::<Approval>(&restored);
        let mut states: Vec<_> =
            found.iter().map(|found| (found.job.clone(), found.state.name())).collect();
        states.sort();
        assert_eq!(states, [(job_id(1), "asked"), (job_id(2), "lapsed")]);
        assert!(restored.left_out[0].contains("is about it"), "{:?}", restored.left_out);
    }

    #[test]
    fn nobody_waits_for_an_answer_or_a_limit_that_is_gone() {
        let quota = Quota {
            kind: "plain".into(),
            until: NOW,
            message: "full".into(),
            times: 1,
            probe: Some(job_id(9)),
            is_due: true,
        };
        let asked = approval(1);
        let known = waiting(1, Waiting::Approval, Some(&asked.id));
        let lost = waiting(2, Waiting::Approval, Some(&approval(2).id));
        let (parked, limited) =
            (waiting(3, Waiting::Parked, None), waiting(4, Waiting::RateLimited, None));
        let jobs = [row(&known), row(&lost), row(&parked), row(&limited)];
        let due = |restored: &Restored| -> Vec<bool> {
            let jobs = all::<Job>(restored);
            let is_due = |job: &Job| matches!(job.state, JobState::Queued { is_due: true, .. });
            jobs.iter().map(is_due).collect()
        };
        let restored = mended([&jobs[..], &[row(&quota), row(&asked)]].concat());
        assert_eq!(due(&restored), [false, true, false, false]);
        assert_eq!(all::<Quota>(&restored), [Quota { probe: None, is_due: false, ..quota }]);
        assert_eq!(due(&mended(jobs.to_vec())), [true, true, true, false]);
    }
}
