//! How often each thing that the laws speak of has happened.

use crate::counted::counted;

counted! {
    /// Jobs that people asked for.
    roots,
    /// Operations that were granted.
    allowed,
    /// Uses of models of which the lease says nothing.
    models_free,
    /// Operations that no lease grants.
    denied,
    /// Operations after the end of the lease.
    denied_late,
    /// Operations of who had spent all.
    denied_spent,
    /// Asks of attempts that were over.
    stale,
    /// Delegations with a budget of their own.
    delegated_with_budget,
    /// Delegations without.
    delegated_without,
    /// Delegations that were asked for twice.
    delegated_again,
    /// Delegations whose name another has.
    name_taken,
    /// Delegations of more than there is.
    wider,
    /// Delegations after the end of the lease.
    delegated_late,
    /// Delegations of who had spent all.
    delegated_spent,
    /// Delegations to agents that are not there.
    no_such_agent,
    /// Delegations beyond what a job, or a session, may have open.
    too_many,
    /// Delegations below too many others.
    too_deep,
    /// Delegations of who may not.
    may_not_delegate,
    /// Charges beyond what a job had, that another paid.
    paid_above,
    /// Charges beyond what anybody had.
    overspent,
    /// Rests that came back.
    refunded,
    /// Rests that came back to who had spent more than its own.
    repaid,
    /// Pieces of results that were out of order.
    pieces_refused,
    /// Pieces of results that came twice.
    pieces_twice,
    /// Pieces of results that were too large.
    pieces_too_large,
    /// Results that were closed.
    streams_closed,
    /// Jobs that ended in one step with another.
    ended_together,
    /// Delegated jobs that ended with whoever delegated them.
    cascaded,
    /// Delegated jobs that ended after who delegated them.
    outlived,
    /// Delegated jobs whose end was told.
    results_told,
    /// Jobs whose lease was over while they ran.
    stopped_late,
    /// Jobs whose lease was over before they began.
    ended_late,
    /// Attempts that followed another.
    tried_again,
    /// Jobs that were removed.
    removed,
    /// Jobs that were removed while who delegated them went on.
    removed_below,
    /// Credentials that were made.
    minted,
    /// Tries at making one that failed, and were followed by others.
    mints_failed,
    /// Credentials that were not made.
    mints_given_up,
    /// Tries whose end nobody heard.
    unheard,
    /// Jobs that ended for want of a credential.
    without_credentials,
    /// Credentials that took another's place.
    rotated,
    /// Credentials that were revoked.
    revoked,
    /// Credentials that could not be revoked.
    stuck,
    /// Reports about tries that did not go on.
    reports_stale,
    /// Facts that those who look afterwards can find.
    audited,
    /// Processes that died.
    crashes,
    /// Those that did so between a commit and all that follows from it.
    died_of_it,
    /// Commits that failed.
    failed_commits,
    /// Jobs that ended.
    ended,
}
