//! Every row that a released version has written still loads. A fixture is one row as that version
//! stored it, `fixtures/v<version>/<table>-<what>.json`: its columns, those without a value left out,
//! and its body as JSON. It is added with a release and never edited.

use crate::on_every_store;
use crate::sample::{ask, at, step};
use longhaul_core::agent::{Agent, AgentEnvironment};
use longhaul_core::approval::Approval;
use longhaul_core::credential::Credential;
use longhaul_core::delivery::Delivery;
use longhaul_core::feed::FeedRow;
use longhaul_core::job::Job;
use longhaul_core::mail::Mail;
use longhaul_core::owner::{Owner, Presence};
use longhaul_core::port::{Phase, Record, Row, Table};
use longhaul_core::quota::Quota;
use longhaul_core::record::{Dependency, Host, Pool, StoredEnvironment};
use longhaul_core::session::Session;
use longhaul_core::sink::Sink;
use longhaul_core::token::Token;
use longhaul_core::turn::{Input, Intake};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every fixture there is, in order.
fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for version in fs_err::read_dir(root).unwrap() {
        for file in fs_err::read_dir(version.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.sort();
    found
}

/// The table that a fixture's name begins with, and its row.
fn read(path: &Path) -> (Table, Row) {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let table = name.split('-').next().unwrap();
    let table = Table::ALL.into_iter().find(|found| found.name() == table).unwrap();
    let columns: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let text = |column: &str| columns[column].as_str().map(str::to_owned);
    let row = Row {
        phase: Phase::parse(columns["phase"].as_str().unwrap()).unwrap(),
        state: text("state").unwrap_or_default(),
        due_at: columns["due_at"].as_i64().map(at),
        host: text("host"),
        lane: text("lane"),
        parent: text("parent"),
        owner: text("owner"),
        pool: text("pool"),
        priority: u8::try_from(columns["priority"].as_u64().unwrap_or(0)).unwrap(),
        seq: columns["seq"].as_u64().unwrap_or(0),
        key: text("key"),
        name: text("name"),
        outcome: text("outcome"),
        ended_at: columns["ended_at"].as_i64().map(at),
        bytes: columns["bytes"].as_u64().unwrap_or(0),
        labels: text("labels"),
        ..Row::kept(text("id").unwrap(), columns["body"].to_string())
    };
    (table, row)
}

/// Keeps the row in every store and reads the record back from there.
fn loads<R: Record + std::fmt::Debug>(path: &Path, row: &Row) {
    let record = R::from_row(row).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let promoted = |row: &Row| Row { body: String::new(), ..row.clone() };
    assert_eq!(promoted(&record.to_row()), promoted(row), "{}", path.display());
    on_every_store(|make| {
        let store = &mut *make();
        step(store, |tx| tx.save(R::TABLE, row, true)).unwrap();
        let kept = ask(store, |tx| tx.load(R::TABLE, &row.id)).unwrap();
        assert_eq!(R::from_row(&kept).unwrap(), record);
        step(store, |tx| tx.save(R::TABLE, &record.to_row(), false)).unwrap();
        let kept = ask(store, |tx| tx.load(R::TABLE, &row.id)).unwrap();
        assert_eq!(R::from_row(&kept).unwrap(), record);
    });
}

#[test]
fn every_stored_shape_ever_released_still_loads() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for path in fixtures {
        let (table, row) = read(&path);
        match table {
            Table::Job => loads::<Job>(&path, &row),
            Table::Environment => loads::<StoredEnvironment>(&path, &row),
            Table::Dependency => loads::<Dependency>(&path, &row),
            Table::Pool => loads::<Pool>(&path, &row),
            Table::Host => loads::<Host>(&path, &row),
            Table::Delivery => loads::<Delivery>(&path, &row),
            Table::Sink => loads::<Sink>(&path, &row),
            Table::Owner => loads::<Owner>(&path, &row),
            Table::Presence => loads::<Presence>(&path, &row),
            Table::Agent => loads::<Agent>(&path, &row),
            Table::AgentEnvironment => loads::<AgentEnvironment>(&path, &row),
            Table::Mail => loads::<Mail>(&path, &row),
            Table::Input => loads::<Input>(&path, &row),
            Table::Intake => loads::<Intake>(&path, &row),
            Table::Approval => loads::<Approval>(&path, &row),
            Table::Quota => loads::<Quota>(&path, &row),
            Table::Session => loads::<Session>(&path, &row),
            Table::Feed => loads::<FeedRow>(&path, &row),
            Table::Credential => loads::<Credential>(&path, &row),
            Table::Token => loads::<Token>(&path, &row),
        }
    }
}
