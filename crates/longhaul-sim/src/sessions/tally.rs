//! How often each thing that the laws speak of has happened.

use crate::counted::counted;

counted! {
    /// Sessions that were opened.
    opened,
    /// Resumes that were granted.
    resumed,
    /// Those of them that took another connection's place.
    displaced,
    /// Resumes at another host than the one before.
    resumed_elsewhere,
    /// Those of them that took the place of a connection that was there still.
    displaced_elsewhere,
    /// Resumes that were refused for their token: an old one.
    refused_old_token,
    /// Resumes that were refused for their token: any other.
    refused_token,
    /// Resumes that were refused to another principal.
    refused_stranger,
    /// Resumes that were refused because the window was over.
    refused_late,
    /// Resumes that were refused because they were after what was not given yet.
    refused_beyond,
    /// Resumes that were refused because what they were after is gone.
    refused_gone,
    /// Resumes after less than the client has, which are told it again.
    told_twice,
    /// Answers that a client did not hear.
    unheard,
    /// Reports that a connection is gone which came late.
    late_detaches,
    /// Reports about a connection that was not the session's any more.
    stale,
    /// Subscriptions with history.
    with_history,
    /// Subscriptions without.
    without_history,
    /// Subscriptions to what had ended.
    to_ended,
    /// Subscriptions in the step in which the job told something.
    in_one_step,
    /// Subscriptions by another than the asker's session.
    by_others,
    /// Subscriptions by operators to what is not theirs.
    by_operators,
    /// Subscriptions that were refused to strangers.
    not_theirs,
    /// Followers that left.
    unfollowed,
    /// Jobs that were asked for again by their key, from another session.
    asked_again,
    /// Keys of others that a stranger brought.
    strange_keys,
    /// Jobs that were delegated.
    delegated,
    /// Sessions that were told that they read too slowly.
    lagging,
    /// Feeds whose oldest runs were let go.
    trimmed,
    /// Clients that found what they had not read gone.
    overtaken,
    /// Numbers that were given.
    told,
    /// Steps that told several sessions something.
    told_many,
    /// Acknowledgements that were taken.
    acked,
    /// Sessions that were closed.
    closed,
    /// Sessions whose time was over.
    expired,
    /// Ends that were told in their place to who had asked for the job before.
    ends_in_place,
    /// Ends that were told again under the number that they had.
    ends_repeated,
    /// Ends that were told again under a new one.
    ends_replayed,
    /// Asks for what went on, that were looked at when it had ended.
    looked_late,
    /// Asks that were looked at when the job was gone.
    looked_in_vain,
    /// Jobs that were removed.
    removed,
    /// Numbers that a client was told stand for what is forgotten.
    forgotten,
    /// Subscriptions to jobs that were gone.
    follows_gone,
    /// Processes that died.
    crashes,
    /// Those that did so between a commit and all that follows from it.
    died_of_it,
    /// Commits that failed.
    failed_commits,
    /// Times that the machine slept while somebody was away.
    slept,
    /// Jobs that ended.
    ended,
    /// Jobs that ended while nobody followed them.
    ended_alone,
    /// Jobs that were told from the beginning to the end to who asked for them.
    told_whole,
}
