//! Walks through the real program: real daemons, real shims, real children.

#[cfg(test)]
mod agent_sinks;
#[cfg(test)]
mod agents_support;
#[cfg(test)]
mod arcp_broken;
#[cfg(test)]
mod arcp_client;
#[cfg(test)]
mod arcp_clients;
#[cfg(test)]
mod arcp_credentials;
#[cfg(test)]
mod arcp_follow;
#[cfg(test)]
mod arcp_frames;
#[cfg(test)]
#[cfg(feature = "full-disk")]
mod arcp_full_disk;
#[cfg(test)]
mod arcp_gateways;
#[cfg(test)]
mod arcp_issuing;
#[cfg(test)]
mod arcp_jobs;
#[cfg(test)]
mod arcp_killed;
#[cfg(test)]
mod arcp_rotation;
#[cfg(test)]
mod arcp_runs;
#[cfg(test)]
mod arcp_sessions;
#[cfg(test)]
mod arcp_slow;
#[cfg(test)]
mod arcp_stdio;
#[cfg(test)]
mod arcp_support;
#[cfg(test)]
mod arcp_tokens;
#[cfg(test)]
mod arcp_told;
#[cfg(test)]
mod arcp_transport;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_days;
#[cfg(test)]
mod bad_notices_clock;
#[cfg(test)]
#[cfg(feature = "failpoints")]
mod bad_notices_crash;
#[cfg(test)]
#[cfg(feature = "full-disk")]
mod bad_notices_full_disk;
#[cfg(test)]
mod bad_notices_owners;
#[cfg(test)]
mod bad_notices_programs;
#[cfg(test)]
mod bad_notices_support;
#[cfg(test)]
mod bad_notices_upgrade;
#[cfg(test)]
mod bad_notices_upkeep;
#[cfg(test)]
mod bad_notices_webhooks;
#[cfg(test)]
mod cli_agents;
mod cli_batch;
mod cli_daemon;
mod cli_jobs;
mod cli_manual;
mod cli_options;
mod cli_run;
#[cfg(test)]
mod cli_sinks;
#[cfg(test)]
mod cli_token;
#[cfg(test)]
mod daemon_crash;
#[cfg(test)]
mod daemon_life;
#[cfg(test)]
#[cfg(feature = "failpoints")]
mod daemon_soak;
#[cfg(test)]
mod daemon_support;
#[cfg(test)]
mod embed_cancel;
#[cfg(test)]
mod embed_delivery;
#[cfg(test)]
mod embed_durable;
#[cfg(test)]
mod embed_ends;
#[cfg(test)]
mod embed_reentry;
#[cfg(test)]
mod embed_sessions;
#[cfg(test)]
mod embed_slots;
#[cfg(test)]
mod embed_support;
#[cfg(test)]
mod embed_watch;
#[cfg(test)]
mod fake_agents;
#[cfg(test)]
mod found_asking;
#[cfg(test)]
mod found_privacy;
#[cfg(test)]
#[cfg(feature = "full-disk")]
mod full_disk;
mod harness;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod hold_turns;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hosted_agents;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod mending;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pieces;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod scenarios_cancel;
#[cfg(test)]
mod scenarios_http_bytes;
#[cfg(test)]
mod scenarios_notices;
#[cfg(test)]
mod scenarios_reads;
#[cfg(test)]
mod scenarios_recovery;
#[cfg(test)]
mod scenarios_slots;
#[cfg(test)]
mod serve_agents;
#[cfg(test)]
mod serve_client;
#[cfg(test)]
mod serve_fuzz;
#[cfg(test)]
mod serve_jobs;
#[cfg(test)]
mod serve_streams;
#[cfg(test)]
mod serve_support;
#[cfg(test)]
mod settle;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod sinks;
#[cfg(test)]
#[cfg(feature = "full-disk")]
mod sinks_full_disk;
#[cfg(test)]
mod turns_crash;
#[cfg(test)]
mod turns_driver;
#[cfg(test)]
#[cfg(feature = "full-disk")]
mod turns_full_disk;
#[cfg(test)]
mod turns_support;
#[cfg(test)]
mod turns_upgrade;
#[cfg(test)]
mod worktrees;
