use super::*;
use crate::command::Refused;
use crate::limits;

fn host() -> HostId {
    HostId::parse("host_00000000000000000000000001").unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(0).plus(Millis::from_secs(seconds))
}

fn new() -> Credential {
    let job = JobId::parse("job_00000000000000000000000001").unwrap();
    Credential::new(&job, "gateway", &host(), at(0))
}

fn made() -> Made {
    let rotate_after = Some(Millis::from_secs(3_600));
    Made { handle: Some("h".into()), shown: "{}".into(), sealed: "sealed".into(), rotate_after }
}

fn active() -> Credential {
    let mut credential = new();
    credential.minted(1, made(), at(1)).unwrap();
    credential
}

#[test]
fn a_report_about_another_try_changes_nothing() {
    let mut credential = new();
    let before = credential.clone();
    let stale = Refused::StaleCredential(credential.id.clone());
    assert_eq!(credential.minted(2, made(), at(1)), Err(stale.clone()));
    assert_eq!(credential.revoked(1, at(1)), Err(stale.clone()));
    assert_eq!(credential, before);
    credential.minted(1, made(), at(1)).unwrap();
    assert_eq!(credential.minted(1, made(), at(1)), Err(stale));
    assert_eq!(credential.due_at(), Some(at(3_601)));
}

#[test]
fn what_is_revoked_holds_no_value_and_is_wanted_until_it_is() {
    let mut credential = active();
    assert!(credential.sealed.is_some());
    assert!(credential.revoke(&host(), at(2)));
    assert_eq!(credential.sealed, None);
    assert_eq!(credential.wants(&host()), Some(Issue::Revoke(credential.id.clone(), 3)));
    assert!(!credential.revoke(&host(), at(2)), "it is being revoked");
    assert_eq!(credential.revoked(3, at(3)), Ok(true));
    assert_eq!((credential.wants(&host()), credential.due_at()), (None, None));
}

#[test]
fn a_try_at_minting_that_was_given_up_is_looked_for_once_more() {
    let mut credential = new();
    credential.revoke(&host(), at(5));
    assert_eq!(credential.revoked(2, at(6)), Ok(false));
    assert_eq!(credential.due_at(), Some(at(5).plus(limits::MINT_DOUBT_MAX)));
    let later = at(5).plus(limits::MINT_DOUBT_MAX);
    credential.on_due(&host(), later);
    assert_eq!(credential.revoked(3, later), Ok(true));
}

#[test]
fn what_cannot_be_revoked_is_stuck_until_somebody_asks() {
    let mut credential = active();
    credential.revoke(&host(), at(2));
    let mut failed = 0;
    while !credential.is_over() {
        let due = credential.due_at().unwrap();
        if credential.wants(&host()).is_none() {
            credential.on_due(&host(), due);
        }
        credential.revoke_failed(credential.number, "no", due).unwrap();
        failed += 1;
    }
    assert_eq!((failed, credential.state_name()), (limits::REVOKE_TRIES_MAX, "stuck"));
    assert_eq!(credential.problem.as_deref(), Some("no"));
    assert!(credential.try_again(&host(), at(9)));
    assert_eq!(credential.state_name(), "revoking");
    assert!(!credential.try_again(&host(), at(9)), "it is being tried");
}

#[test]
fn minting_is_tried_so_often_and_then_revoked() {
    let mut credential = new();
    for number in 1..limits::MINT_TRIES_MAX {
        let after = credential.mint_failed(number, "busy", false, (&host(), at(1))).unwrap();
        let AfterMintFailed::Again(again_at) = after else { panic!("{after:?}") };
        assert!(again_at > at(1) && credential.wants(&host()).is_none());
        credential.on_due(&host(), again_at);
    }
    let last = limits::MINT_TRIES_MAX;
    let after = credential.mint_failed(last, "busy", false, (&host(), at(1))).unwrap();
    assert_eq!((after, credential.state_name()), (AfterMintFailed::GivenUp, "revoking"));
}

#[test]
fn silence_costs_no_try_and_moves_no_fence() {
    let mut credential = new();
    let due = credential.due_at().unwrap();
    credential.on_due(&host(), due);
    assert_eq!((credential.number, credential.tries), (1, 0));
    assert_eq!(credential.wants(&host()), Some(Issue::Mint(credential.id.clone(), 1)));
}

#[test]
fn another_takes_the_place_of_a_good_one_under_the_same_name() {
    let mut old = active();
    let mut next = old.rotate(&host(), at(10));
    assert_eq!(old.due_at(), None);
    assert_ne!(next.id, old.id);
    assert_eq!((next.shown_id(), next.replaces.as_ref()), (old.id.clone(), Some(&old.id)));
    next.minted(1, made(), at(11)).unwrap();
    old.replaced(at(11));
    assert_eq!(old.due_at(), Some(at(11).plus(limits::ROTATION_GRACE)));
    assert_eq!((old.sealed.as_ref(), old.wants(&host())), (None, None));
    assert!(old.revoke(&host(), at(12)), "the job's end waits for no grace");
    let third = next.rotate(&host(), at(13));
    assert!(third.id != old.id && third.id != next.id);
}

#[test]
fn what_was_minted_is_not_shown_in_debug_output() {
    assert!(!format!("{:?}", made()).contains("sealed\""));
}
