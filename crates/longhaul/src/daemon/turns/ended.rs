//! How an attempt of a turn ended: the adapter's verdict, in core's words and with what a person
//! wants to see beside it.

use super::follow::Closed;
use super::reading::used;
use super::{last, reset};
use longhaul_agents::{End, Ending, Exit as Seen, Failure, Remedy as Advice, resume_command};
use longhaul_core::command::{Exit, How, StoppedBy};
use longhaul_core::event::Event;
use longhaul_core::time::Timestamp;
use longhaul_core::turn::{Remedy, TurnEnd, TurnHow};

/// Judges an attempt whose output is taken. `events` are the newest of its journal, oldest first.
pub(in crate::daemon) fn end(closed: &Closed, exit: &Exit, cwd: &str, events: &[Event]) -> TurnEnd {
    let Closed { job, adapter, memory } = closed;
    let has_answered = job.turn.as_ref().is_some_and(|turn| turn.answered_at.is_some());
    let end = End {
        exit: seen(&exit.how),
        cancelled: job.cancel.is_some(),
        lingered: has_answered && exit.stopped == Some(StoppedBy::Asked),
    };
    let verdict = adapter.verdict(memory, end);
    let resume = verdict.conversation.as_deref().and_then(|id| resume_command(*adapter, cwd, id));
    TurnEnd {
        how: how(verdict.ending, exit.ended_at),
        is_mismatch: verdict.is_mismatch,
        said: last::said(events, verdict.said),
        used: used(&verdict.used),
        is_used_whole: verdict.is_used_whole,
        carry: verdict
            .carry
            .map(|carry| serde_json::to_string(&carry).expect("numbers by name can be written")),
        denied: verdict.denied,
        conversation: verdict.conversation,
        resume_command: resume,
        last: last::lines(events),
    }
}

/// An attempt that cannot be launched: somebody has to change something first.
pub(in crate::daemon) fn unfit(message: &str) -> TurnEnd {
    let class = longhaul_agents::Class::Misused;
    let how = TurnHow::Failed {
        class: class.code().to_owned(),
        message: message.to_owned(),
        remedy: Remedy::Ask,
    };
    TurnEnd::of(how)
}

fn seen(how: &How) -> Seen {
    match how {
        How::Exited(code) => Seen::Code(*code),
        How::Signaled(signal) => Seen::Signal(*signal),
        How::SpawnFailed(_) | How::NeverStarted(_) => Seen::NeverStarted,
        How::Lost(_) | How::Returned { .. } => Seen::Unseen,
    }
}

fn how(ending: Ending, at: Timestamp) -> TurnHow {
    match ending {
        Ending::Succeeded { despite } => TurnHow::Done { despite: despite.map(in_words) },
        Ending::Deferred { call_id, tool } => TurnHow::Deferred { call: call_id, tool },
        Ending::Cancelled => TurnHow::Cancelled,
        Ending::Failed(failure) => {
            let remedy = remedy(&failure, at);
            let class = failure.class.code().to_owned();
            TurnHow::Failed { class, message: failure.message, remedy }
        }
    }
}

fn remedy(failure: &Failure, at: Timestamp) -> Remedy {
    match failure.class.remedy() {
        Advice::Park => {
            let reset = failure.reset.as_ref();
            Remedy::Park { until: reset.and_then(|reset| reset::moment(reset, at)) }
        }
        Advice::Retry => Remedy::Retry,
        Advice::Afresh => Remedy::Afresh,
        Advice::Ask => Remedy::Ask,
        Advice::Stop => Remedy::Stop,
    }
}

fn in_words(exit: Seen) -> String {
    match exit {
        Seen::Code(code) => format!("it exited with code {code} afterwards"),
        Seen::Signal(signal) => format!("signal {signal} ended it afterwards"),
        Seen::NeverStarted | Seen::Unseen => "nobody saw its end".to_owned(),
    }
}
