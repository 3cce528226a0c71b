//! A credential's verbs, from its making to its end.

use super::{Credential, CredentialState, Made};
use crate::backoff;
use crate::command::Refused;
use crate::id::{CredentialId, HostId, JobId};
use crate::limits;
use crate::time::{Millis, Timestamp};

/// What a try at minting that failed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterMintFailed {
    /// It is tried again then.
    Again(Timestamp),
    /// It will not be made; what tries may have made of it is being revoked.
    GivenUp,
}

impl Credential {
    /// One that is to be made, by this host and at once.
    pub fn new(job: &JobId, issuer: &str, host: &HostId, now: Timestamp) -> Self {
        Self::generation(job, issuer, 1, host, now)
    }

    fn generation(
        job: &JobId,
        issuer: &str,
        generation: u32,
        host: &HostId,
        now: Timestamp,
    ) -> Self {
        let again_at = now.plus(limits::ISSUE_SILENCE_MAX);
        Self {
            id: CredentialId::of(job, issuer, generation),
            job: job.clone(),
            issuer: issuer.to_owned(),
            generation,
            latest: generation,
            replaces: None,
            state: CredentialState::Minting { again_at, is_trying: true },
            number: 1,
            tries: 0,
            host: Some(host.clone()),
            doubtful_until: None,
            handle: None,
            shown: None,
            sealed: None,
            problem: None,
        }
    }

    /// Another is to be made that takes its place, which must be good. Gives that one.
    pub fn rotate(&mut self, host: &HostId, now: Timestamp) -> Self {
        assert!(self.is_active(), "only what is good is replaced");
        self.state = CredentialState::Active { rotate_at: None };
        self.latest += 1;
        let next = Self::generation(&self.job, &self.issuer, self.latest, host, now);
        Self { replaces: Some(self.id.clone()), ..next }
    }

    /// It was made. Refuses `StaleCredential` for another try: what that made is revoked with the rest.
    pub fn minted(&mut self, number: u32, made: Made, now: Timestamp) -> Result<(), Refused> {
        self.fence(number)?;
        let CredentialState::Minting { again_at, .. } = self.state else {
            return Err(Refused::StaleCredential(self.id.clone()));
        };
        // No try takes so long: there was one before that nothing was heard of, and that may come to
        // something yet.
        let began_at = again_at.minus(limits::ISSUE_SILENCE_MAX);
        if now > began_at.plus(limits::ISSUE_MAX) {
            self.doubtful_until = Some(now.plus(limits::MINT_DOUBT_MAX));
        }
        let rotate_at = made.rotate_after.map(|span| now.plus(span.max(limits::ROTATE_AFTER_MIN)));
        self.state = CredentialState::Active { rotate_at };
        (self.tries, self.host, self.problem) = (0, None, None);
        (self.handle, self.shown) = (made.handle, Some(made.shown));
        self.sealed = Some(made.sealed);
        self.number += 1;
        Ok(())
    }

    /// It was not made, as far as anybody heard. Refuses `StaleCredential` for another try.
    pub fn mint_failed(
        &mut self,
        number: u32,
        problem: &str,
        is_final: bool,
        (host, now): (&HostId, Timestamp),
    ) -> Result<AfterMintFailed, Refused> {
        self.fence(number)?;
        let CredentialState::Minting { .. } = self.state else {
            return Err(Refused::StaleCredential(self.id.clone()));
        };
        self.note(problem);
        self.tries += 1;
        self.doubtful_until = Some(now.plus(limits::MINT_DOUBT_MAX));
        if is_final || self.tries >= limits::MINT_TRIES_MAX {
            self.try_revoking(host, now);
            return Ok(AfterMintFailed::GivenUp);
        }
        let pause = backoff::delay(
            self.id.as_str(),
            self.tries,
            limits::MINT_DELAY,
            limits::MINT_DELAY_MAX,
        );
        let again_at = now.plus(pause);
        self.state = CredentialState::Minting { again_at, is_trying: false };
        (self.host, self.number) = (None, self.number + 1);
        Ok(AfterMintFailed::Again(again_at))
    }

    /// Nobody is left to hear how the try that goes on ends: it may come to something after another has.
    pub fn doubt(&mut self, now: Timestamp) {
        if self.is_minting() {
            self.doubtful_until = Some(now.plus(limits::MINT_DOUBT_MAX));
        }
    }

    /// It is of no use any more: it is to be revoked at once, by `host`. Gives whether that is news.
    pub fn revoke(&mut self, host: &HostId, now: Timestamp) -> bool {
        match self.state {
            CredentialState::Minting { .. } => {
                self.doubtful_until = Some(now.plus(limits::MINT_DOUBT_MAX));
            }
            CredentialState::Active { .. } => {}
            // What waits for its turn, because another took its place a moment ago, waits no longer.
            CredentialState::Revoking { is_trying: false, .. } if self.tries == 0 => {}
            CredentialState::Revoking { .. }
            | CredentialState::Revoked
            | CredentialState::Stuck => return false,
        }
        self.try_revoking(host, now);
        true
    }

    /// Its job is gone, or has ended without it: it is to be revoked when somebody looks.
    pub(crate) fn abandon(&mut self, now: Timestamp) {
        if self.is_minting() || self.is_active() {
            if self.is_minting() {
                self.doubtful_until = Some(now.plus(limits::MINT_DOUBT_MAX));
            }
            self.state = CredentialState::Revoking { again_at: now, is_trying: false };
            (self.host, self.sealed, self.tries) = (None, None, 0);
            self.number += 1;
        }
    }

    /// Another has taken its place: whoever uses it has a moment to go over to that one.
    pub fn replaced(&mut self, now: Timestamp) {
        if self.is_active() {
            let again_at = now.plus(limits::ROTATION_GRACE);
            self.state = CredentialState::Revoking { again_at, is_trying: false };
            (self.sealed, self.tries) = (None, 0);
            self.number += 1;
        }
    }

    /// It will not be replaced now, but is to be another time.
    pub fn rotate_later(&mut self, now: Timestamp) {
        if let CredentialState::Active { rotate_at } = &mut self.state {
            *rotate_at = Some(now.plus(limits::ROTATE_AGAIN));
        }
    }

    /// It was revoked. Gives whether it is for good: what a try at minting may still make has to be
    /// looked for once more. Refuses `StaleCredential` for another try.
    pub fn revoked(&mut self, number: u32, now: Timestamp) -> Result<bool, Refused> {
        self.fence_revoking(number)?;
        (self.host, self.problem, self.tries) = (None, None, 0);
        self.number += 1;
        if let Some(again_at) = self.doubtful_until.filter(|until| *until > now) {
            self.state = CredentialState::Revoking { again_at, is_trying: false };
            return Ok(false);
        }
        self.doubtful_until = None;
        self.state = CredentialState::Revoked;
        Ok(true)
    }

    /// It was not revoked, as far as anybody heard. Gives whether it is stuck by that. Refuses
    /// `StaleCredential` for another try.
    pub fn revoke_failed(
        &mut self,
        number: u32,
        problem: &str,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        self.fence_revoking(number)?;
        self.note(problem);
        self.host = None;
        (self.tries, self.number) = (self.tries + 1, self.number + 1);
        if self.tries >= limits::REVOKE_TRIES_MAX {
            self.state = CredentialState::Stuck;
            return Ok(true);
        }
        let pause = backoff::delay(
            self.id.as_str(),
            self.tries,
            limits::REVOKE_DELAY,
            limits::REVOKE_DELAY_MAX,
        );
        self.state = CredentialState::Revoking { again_at: now.plus(pause), is_trying: false };
        Ok(false)
    }

    /// Asks for what is stuck, or waits for another try, to be tried again at once. Gives whether there
    /// was anything to try.
    pub fn try_again(&mut self, host: &HostId, now: Timestamp) -> bool {
        let waits = match self.state {
            CredentialState::Stuck => true,
            CredentialState::Revoking { is_trying, .. } => !is_trying && self.tries > 0,
            CredentialState::Minting { .. }
            | CredentialState::Active { .. }
            | CredentialState::Revoked => false,
        };
        if waits {
            self.try_revoking(host, now);
        }
        waits
    }

    /// Its hour has come: the wait is over, or nothing was heard, and it is tried, by `host`. Silence
    /// is no failure, for the driver may only be slow: it costs no try.
    pub fn on_due(&mut self, host: &HostId, now: Timestamp) {
        let silence = now.plus(limits::ISSUE_SILENCE_MAX);
        match &mut self.state {
            CredentialState::Minting { again_at, is_trying }
            | CredentialState::Revoking { again_at, is_trying } => {
                (*again_at, *is_trying) = (silence, true);
                self.host = Some(host.clone());
            }
            CredentialState::Active { .. } | CredentialState::Revoked | CredentialState::Stuck => {}
        }
    }

    /// The machine slept: what is being tried has as much longer, for nobody could answer meanwhile.
    /// When it is to be replaced stays, for it runs out whoever sleeps.
    pub fn woke(&mut self, slept: Millis) {
        match &mut self.state {
            CredentialState::Minting { again_at, is_trying: true }
            | CredentialState::Revoking { again_at, is_trying: true } => {
                *again_at = again_at.plus(slept);
            }
            CredentialState::Minting { .. }
            | CredentialState::Revoking { .. }
            | CredentialState::Active { .. }
            | CredentialState::Revoked
            | CredentialState::Stuck => {}
        }
        self.doubtful_until = self.doubtful_until.map(|until| until.plus(slept));
    }

    fn try_revoking(&mut self, host: &HostId, now: Timestamp) {
        let again_at = now.plus(limits::ISSUE_SILENCE_MAX);
        self.state = CredentialState::Revoking { again_at, is_trying: true };
        (self.host, self.sealed, self.tries) = (Some(host.clone()), None, 0);
        self.number += 1;
    }

    fn note(&mut self, problem: &str) {
        self.problem = Some(crate::decide::clip(problem, limits::ANSWER_BYTES_MAX));
    }

    fn fence(&self, number: u32) -> Result<(), Refused> {
        let is_trying = matches!(
            self.state,
            CredentialState::Minting { is_trying: true, .. }
                | CredentialState::Revoking { is_trying: true, .. }
        );
        if is_trying && self.number == number {
            Ok(())
        } else {
            Err(Refused::StaleCredential(self.id.clone()))
        }
    }

    fn fence_revoking(&self, number: u32) -> Result<(), Refused> {
        self.fence(number)?;
        match self.state {
            CredentialState::Revoking { .. } => Ok(()),
            CredentialState::Minting { .. }
            | CredentialState::Active { .. }
            | CredentialState::Revoked
            | CredentialState::Stuck => Err(Refused::StaleCredential(self.id.clone())),
        }
    }
}
