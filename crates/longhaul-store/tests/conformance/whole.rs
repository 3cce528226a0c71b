//! Transactions as wholes: undone when dropped, seen whole by readers, failed when told to.

use crate::on_every_store;
use crate::sample::{ask, change, event, insert, job, job_id, step};
use longhaul_core::port::{Filter, Phase, Position, Row, Store, StoreError, Table};
use longhaul_store::{Faulty, MemoryStore};

#[test]
fn a_dropped_transaction_undoes_everything() {
    on_every_store(|make| {
        let store = &mut *make();
        let kept = Row { key: Some("k".into()), ..job(1, Phase::Ready) };
        insert(store, &[kept.clone(), job(2, Phase::Ended)]);
        let mut tx = store.begin().unwrap();
        tx.save(Table::Job, &Row { key: Some("k".into()), ..job(1, Phase::Active) }, false)
            .unwrap();
        tx.save(Table::Job, &job(1, Phase::Ended), false).unwrap();
        tx.remove(Table::Job, &job_id(2)).unwrap();
        tx.save(Table::Job, &job(2, Phase::Active), true).unwrap();
        tx.save(Table::Job, &job(3, Phase::Ready), true).unwrap();
        tx.append(&[event(1, 1)]).unwrap();
        drop(tx);
        assert_eq!(ask(store, |tx| tx.ids(Table::Job, "", 9)), [job_id(1), job_id(2)]);
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &job_id(1))), Some(kept));
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &job_id(2))), Some(job(2, Phase::Ended)));
        assert_eq!(ask(store, |tx| tx.ended_totals()), (1, 0));
        assert_eq!(ask(store, |tx| tx.by_key("k")), Some(job_id(1)));
        assert_eq!(ask(store, |tx| tx.head()), Position(0));
        assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_refused_save_leaves_the_rest_of_its_transaction_as_it_was() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[job(1, Phase::Ended)]);
        let mut tx = store.begin().unwrap();
        tx.save(Table::Job, &job(2, Phase::Ready), true).unwrap();
        tx.save(Table::Job, &job(1, Phase::Ready), false).unwrap_err();
        tx.save(Table::Job, &job(2, Phase::Ready), true).unwrap_err();
        tx.save(Table::Job, &job(3, Phase::Ready), true).unwrap();
        tx.commit().unwrap();
        let all = [job_id(1), job_id(2), job_id(3)];
        assert_eq!(ask(store, |tx| tx.ids(Table::Job, "", 9)), all);
        assert_eq!(ask(store, |tx| tx.load(Table::Job, &job_id(1))), Some(job(1, Phase::Ended)));
    });
}

#[test]
fn a_reader_beside_a_writer_sees_whole_commits_only() {
    const STEPS: u64 = 200;
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[job(1, Phase::Ready), job(2, Phase::Ready)]);
        let mut reader = store.reader().unwrap();
        std::thread::scope(|scope| {
            let seen = scope.spawn(move || {
                let mut last = 0;
                while last < STEPS {
                    let rows = reader.list(&Filter::default(), None, 9).unwrap();
                    assert_eq!(rows[0].bytes, rows[1].bytes, "half a commit was seen");
                    assert!(rows[0].bytes >= last, "a commit was taken back");
                    last = rows[0].bytes;
                }
                last
            });
            for bytes in 1..=STEPS {
                step(store, |tx| {
                    tx.save(Table::Job, &Row { bytes, ..job(1, Phase::Ready) }, false)?;
                    tx.save(Table::Job, &Row { bytes, ..job(2, Phase::Ready) }, false)
                })
                .unwrap();
            }
            assert_eq!(seen.join().unwrap(), STEPS);
        });
    });
}

#[test]
fn a_commit_fails_when_the_schedule_says_so_and_leaves_nothing() {
    on_every_store(|make| {
        struct Inner(Box<dyn Store>);
        impl Store for Inner {
            fn begin(&mut self) -> Result<Box<dyn longhaul_core::port::Tx + '_>, StoreError> {
                self.0.begin()
            }
            fn reader(&self) -> Result<Box<dyn longhaul_core::port::Reader>, StoreError> {
                self.0.reader()
            }
        }
        let full = StoreError::Full("test".into());
        let told = full.clone();
        let schedule = move |commit: u64| (commit == 2).then(|| told.clone());
        let store = &mut Faulty::new(Inner(make()), schedule);
        insert(store, &[job(1, Phase::Ready)]);
        assert_eq!(change(store, &job(1, Phase::Ended)), Err(full));
        assert_eq!(store.reader().unwrap().counts().unwrap(), [("ready".to_owned(), 1)]);
        change(store, &job(1, Phase::Ended)).unwrap();
        assert_eq!(ask(store, |tx| tx.ended_totals()), (1, 0));
    });
}

#[test]
fn clones_of_a_memory_store_share_their_content_and_survive_a_panic() {
    let mut store = MemoryStore::new();
    let mut other = store.clone();
    insert(&mut store, &[job(1, Phase::Ready)]);
    let panicked = std::thread::spawn(move || {
        let mut tx = store.begin().unwrap();
        tx.remove(Table::Job, &job_id(1)).unwrap();
        panic!("in the middle of a transaction");
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(ask(&mut other, |tx| tx.ids(Table::Job, "", 9)), [job_id(1)]);
}
