//! One CLI a file. Two dialects are shared: `stream_json` by claude and qwen, `pi` by pi and omp.

pub(crate) mod acp;
pub(crate) mod claude;
pub(crate) mod codex;
mod gate;
pub(crate) mod gemini;
pub(crate) mod ndjson;
pub(crate) mod omp;
pub(crate) mod opencode;
pub(crate) mod pi;
pub(crate) mod plain;
pub(crate) mod qwen;
mod stream_json;
