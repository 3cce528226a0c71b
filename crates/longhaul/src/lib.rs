//! Durable jobs: daemon, servers, client and command line.
