//! Loading, saving and removing single rows, and what is refused.

use crate::on_every_store;
use crate::sample::{ask, at, change, enter, insert, job, job_id, step};
use longhaul_core::port::{Phase, Row, StoreError, Table};

/// A row with a value in every column.
fn full(table: Table) -> Row {
    let has_end = matches!(table, Table::Job | Table::Delivery | Table::Mail);
    let outcome = match table {
        Table::Delivery => "acked",
        Table::Mail => "read",
        _ => "succeeded",
    };
    Row {
        id: job_id(7),
        phase: if has_end { Phase::Ended } else { Phase::Kept },
        state: "succeeded".into(),
        due_at: Table::TIMED.contains(&table).then(|| at(-3)),
        host: Some("host_a".into()),
        lane: Some("lane 'quoted' \"twice\"".into()),
        parent: Some("parent".into()),
        owner: Some("ö wner\u{1F980}".into()),
        pool: Some("default".into()),
        priority: 9,
        seq: 7,
        key: Some("key".into()),
        name: Some(String::new()),
        outcome: Some(outcome.into()),
        ended_at: Some(at(i64::MAX)),
        bytes: u64::try_from(i64::MAX).unwrap(),
        labels: Some(r#"{"a":"b"}"#.into()),
        body: format!(r#"{{"text":"{}"}}"#, "x".repeat(20_000)),
    }
}

/// The tables that take a row of any id: all but that of runs, whose ids say whose they are.
const PLAIN: [Table; 19] = {
    let mut plain = [Table::Job; 19];
    let (mut from, mut to) = (0, 0);
    while from < Table::ALL.len() {
        if !matches!(Table::ALL[from], Table::Feed) {
            plain[to] = Table::ALL[from];
            to += 1;
        }
        from += 1;
    }
    plain
};

#[test]
fn a_row_comes_back_as_it_was_saved() {
    on_every_store(|make| {
        let store = &mut *make();
        for table in PLAIN {
            let row = full(table);
            step(store, |tx| tx.save(table, &row, true)).unwrap();
            assert_eq!(ask(store, |tx| tx.load(table, &row.id)), Some(row.clone()));
            assert_eq!(store.reader().unwrap().load(table, &row.id).unwrap(), Some(row));
            assert_eq!(ask(store, |tx| tx.load(table, "job_")), None);
        }
    });
}

#[test]
fn a_row_is_changed_in_all_its_columns_but_id_and_seq() {
    on_every_store(|make| {
        let store = &mut *make();
        for table in PLAIN {
            let mut row = Row::kept(job_id(7), "{}".into());
            row.seq = 7;
            step(store, |tx| tx.save(table, &row, true)).unwrap();
            let row = full(table);
            step(store, |tx| tx.save(table, &row, false)).unwrap();
            assert_eq!(ask(store, |tx| tx.load(table, &row.id)), Some(row.clone()));
            let other = Row { seq: 8, ..row };
            assert!(is_failed(step(store, |tx| tx.save(table, &other, false))), "{table:?}");
        }
    });
}

fn is_failed<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Failed(_)))
}

#[test]
fn an_insert_never_overwrites_and_a_change_never_inserts() {
    on_every_store(|make| {
        let store = &mut *make();
        let row = job(1, Phase::Ready);
        insert(store, std::slice::from_ref(&row));
        let racing = Row { body: r#"{"other":1}"#.into(), seq: 2, ..row.clone() };
        let conflict = step(store, |tx| tx.save(Table::Job, &racing, true));
        assert_eq!(conflict, Err(StoreError::Conflict));
        assert!(is_failed(change(store, &job(2, Phase::Ready))));
        assert_eq!(ask(store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1)]);
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &row.id)), Some(row));
    });
}

#[test]
fn keys_and_admission_numbers_are_taken_once() {
    on_every_store(|make| {
        let store = &mut *make();
        let row = Row { key: Some("k".into()), ..job(1, Phase::Ready) };
        insert(store, std::slice::from_ref(&row));
        let same_key = Row { key: Some("k".into()), ..job(2, Phase::Ready) };
        let same_seq = Row { seq: 1, ..job(2, Phase::Ready) };
        for racing in [same_key.clone(), same_seq] {
            let refused = step(store, |tx| tx.save(Table::Job, &racing, true));
            assert_eq!(refused, Err(StoreError::Conflict));
        }
        insert(store, &[job(2, Phase::Ready)]);
        assert!(is_failed(change(store, &same_key)));
        assert_eq!(ask(store, |tx| tx.by_key("k")), Some(job_id(1)));
        assert_eq!(store.reader().unwrap().by_key("k").unwrap(), Some(job_id(1)));
        // A key is free again once its job has been removed.
        step(store, |tx| tx.remove(Table::Job, &job_id(1))).unwrap();
        assert_eq!(ask(store, |tx| tx.by_key("k")), None);
        assert_eq!(store.reader().unwrap().by_key("k").unwrap(), None);
        change(store, &same_key).unwrap();
        assert_eq!(ask(store, |tx| tx.by_key("k")), Some(job_id(2)));
    });
}

#[test]
fn a_lane_has_one_active_job() {
    on_every_store(|make| {
        let store = &mut *make();
        let lane = |number, phase| Row { lane: Some("l".into()), ..job(number, phase) };
        insert(store, &[lane(1, Phase::Active), lane(2, Phase::Behind)]);
        assert!(is_failed(change(store, &lane(2, Phase::Active))));
        assert!(step(store, |tx| tx.save(Table::Job, &lane(3, Phase::Active), true)).is_err());
        // The lane is free within the transaction once its holder has been saved as ended.
        step(store, |tx| {
            tx.save(Table::Job, &lane(1, Phase::Ended), false)?;
            tx.save(Table::Job, &lane(2, Phase::Active), false)
        })
        .unwrap();
        assert_eq!(ask(store, |tx| tx.lane_head("l")), Some(job_id(2)));
    });
}

#[test]
fn an_ended_job_stays_as_it_ended() {
    on_every_store(|make| {
        let store = &mut *make();
        let ended = job(1, Phase::Ended);
        insert(store, std::slice::from_ref(&ended));
        let mut revived = ended.clone();
        enter(&mut revived, Phase::Ready);
        let other_outcome = Row { outcome: Some("failed".into()), ..ended.clone() };
        let other_time = Row { ended_at: Some(at(1)), ..ended.clone() };
        for row in [revived, other_outcome, other_time] {
            assert!(is_failed(change(store, &row)), "{row:?}");
        }
        let cleaned = Row { bytes: 5, due_at: Some(at(9)), body: "[]".into(), ..ended };
        change(store, &cleaned).unwrap();
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &cleaned.id)), Some(cleaned.clone()));
    });
}

#[test]
fn outcome_and_end_come_with_the_ended_phase_and_a_host_with_the_active() {
    on_every_store(|make| {
        let store = &mut *make();
        let ended = job(1, Phase::Ended);
        let ready = job(1, Phase::Ready);
        let bad = [
            Row { outcome: None, ..ended.clone() },
            Row { ended_at: None, ..ended },
            Row { outcome: Some("failed".into()), ..ready.clone() },
            Row { ended_at: Some(at(1)), ..ready },
            Row { host: None, ..job(1, Phase::Active) },
        ];
        for row in bad {
            assert!(is_failed(step(store, |tx| tx.save(Table::Job, &row, true))), "{row:?}");
        }
        assert_eq!(ask(store, |tx| tx.ids(Table::Job, "", 9)), Vec::<String>::new());
    });
}

#[test]
fn removing_what_is_not_there_does_nothing() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[job(1, Phase::Ready), job(2, Phase::Ended)]);
        for id in [job_id(1), job_id(1), job_id(2), "nonsense".into()] {
            step(store, |tx| tx.remove(Table::Job, &id)).unwrap();
        }
        assert_eq!(ask(store, |tx| tx.ids(Table::Job, "", 9)), Vec::<String>::new());
        assert_eq!(ask(store, |tx| tx.ended_totals()), (0, 0));
    });
}

#[test]
fn a_run_belongs_to_the_session_that_its_id_names_and_a_session_that_is_over_stays_over() {
    on_every_store(|make| {
        let store = &mut *make();
        let run = |id: &str, parent: Option<&str>| {
            let parent = parent.map(str::to_owned);
            Row { parent, ..Row::kept(id.to_owned(), "{}".into()) }
        };
        for bad in [run("s/1", None), run("s/1", Some("t")), run("st", Some("s"))] {
            assert!(is_failed(step(store, |tx| tx.save(Table::Feed, &bad, true))), "{bad:?}");
        }
        step(store, |tx| tx.save(Table::Feed, &run("s/1", Some("s")), true)).unwrap();
        let open = Row::kept("s".into(), "{}".into());
        let over = Row { phase: Phase::Ended, ..open.clone() };
        step(store, |tx| tx.save(Table::Session, &open, true)).unwrap();
        step(store, |tx| tx.save(Table::Session, &over, false)).unwrap();
        assert!(is_failed(step(store, |tx| tx.save(Table::Session, &open, false))));
        step(store, |tx| tx.remove(Table::Session, "s")).unwrap();
    });
}
