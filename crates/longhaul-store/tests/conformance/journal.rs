//! The journal: positions grow by one, entries never change, and they go as wholes.

use crate::on_every_store;
use crate::sample::{ask, event, general, job_id, step};
use longhaul_core::event::{Event, NewEvent};
use longhaul_core::port::{Position, Store, StoreError};

fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.position.0).collect()
}

fn append(store: &mut dyn Store, events: &[NewEvent]) -> Result<Position, StoreError> {
    step(store, |tx| tx.append(events))
}

#[test]
fn entries_are_numbered_after_the_head_and_come_back_as_written() {
    on_every_store(|make| {
        let store = &mut *make();
        assert_eq!(ask(store, |tx| tx.head()), Position(0));
        assert_eq!(append(store, &[]).unwrap(), Position(0));
        let new = [event(1, 1), general(1), event(2, 1)];
        assert_eq!(append(store, &new).unwrap(), Position(3));
        assert_eq!(append(store, &[event(1, 2)]).unwrap(), Position(4));
        let reader = &mut *store.reader().unwrap();
        let all = reader.events(None, Position(0), 9).unwrap();
        assert_eq!(positions(&all), [1, 2, 3, 4]);
        for (event, new) in all.iter().zip(&new) {
            let found = (&event.job, event.seq, event.at, &event.body);
            assert_eq!(found, (&new.job, new.seq, new.at, &new.body));
        }
        assert_eq!(positions(&reader.events(None, Position(1), 2).unwrap()), [2, 3]);
        assert_eq!(reader.events(None, Position(4), 9).unwrap(), []);
        assert_eq!(reader.head().unwrap(), Position(4));
    });
}

#[test]
fn the_entries_of_one_job_are_found_by_their_numbers() {
    on_every_store(|make| {
        let store = &mut *make();
        append(store, &[event(1, 1), event(2, 1), event(1, 2), general(1), event(1, 3)]).unwrap();
        let reader = &mut *store.reader().unwrap();
        let mut of = |number, seq, limit| {
            let found = reader.entries(&job_id(number), seq, limit).unwrap();
            found.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        assert_eq!((of(1, 0, 9), of(1, 2, 9), of(1, 2, 1)), (vec![1, 2, 3], vec![2, 3], vec![2]));
        assert_eq!((of(2, 2, 9), of(3, 0, 9)), (vec![], vec![]));
    });
}

#[test]
fn the_entries_of_one_job_are_paged_by_position() {
    on_every_store(|make| {
        let store = &mut *make();
        for seq in 1..=5 {
            append(store, &[event(1, seq), event(2, seq), general(seq)]).unwrap();
        }
        let reader = &mut *store.reader().unwrap();
        let first = job_id(1);
        let after = |reader: &mut dyn longhaul_core::port::Reader, position, limit| {
            positions(&reader.events(Some(&first), Position(position), limit).unwrap())
        };
        assert_eq!(after(reader, 0, 9), [1, 4, 7, 10, 13]);
        assert_eq!(after(reader, 4, 2), [7, 10]);
        assert_eq!(after(reader, 6, 2), [7, 10]);
        assert_eq!(after(reader, 13, 2), Vec::<u64>::new());
        assert_eq!(reader.events(Some("job_none"), Position(0), 9).unwrap(), []);
        assert_eq!(positions(&reader.latest(&first, 2).unwrap()), [10, 13]);
        assert_eq!(positions(&reader.latest(&first, 9).unwrap()), [1, 4, 7, 10, 13]);
        assert_eq!(reader.latest("job_none", 9).unwrap(), []);
    });
}

#[test]
fn a_job_numbers_its_entries_once() {
    on_every_store(|make| {
        let store = &mut *make();
        append(store, &[event(1, 1)]).unwrap();
        assert!(matches!(append(store, &[event(1, 1)]), Err(StoreError::Failed(_))));
        let unnumbered = NewEvent { seq: 0, ..event(1, 1) };
        let numbered = NewEvent { seq: 1, ..general(1) };
        for bad in [unnumbered, numbered] {
            assert!(matches!(append(store, &[bad]), Err(StoreError::Failed(_))));
        }
        assert_eq!(ask(store, |tx| tx.head()), Position(1));
    });
}

#[test]
fn forgetting_a_job_removes_its_entries_and_no_position_comes_again() {
    on_every_store(|make| {
        let store = &mut *make();
        append(store, &[event(1, 1), event(2, 1), event(1, 2)]).unwrap();
        step(store, |tx| tx.forget(&job_id(1))).unwrap();
        step(store, |tx| tx.forget("job_none")).unwrap();
        let reader = &mut *store.reader().unwrap();
        assert_eq!(positions(&reader.events(None, Position(0), 9).unwrap()), [2]);
        assert_eq!(reader.head().unwrap(), Position(3));
        assert_eq!(append(store, &[event(2, 2)]).unwrap(), Position(4));
    });
}

#[test]
fn trimming_keeps_the_newest_entries_without_a_job_and_all_others() {
    on_every_store(|make| {
        let store = &mut *make();
        append(store, &[general(1), event(1, 1), general(2), general(3)]).unwrap();
        for (keep, left) in [(3, vec![1, 2, 3, 4]), (2, vec![2, 3, 4]), (0, vec![2])] {
            step(store, |tx| tx.trim_general(keep)).unwrap();
            let found = store.reader().unwrap().events(None, Position(0), 9).unwrap();
            assert_eq!(positions(&found), left, "keeping {keep}");
        }
        assert_eq!(append(store, &[general(4)]).unwrap(), Position(5));
    });
}

#[test]
fn what_is_not_committed_never_happened() {
    on_every_store(|make| {
        let store = &mut *make();
        append(store, &[event(1, 1), general(1)]).unwrap();
        let mut tx = store.begin().unwrap();
        tx.append(&[event(1, 2)]).unwrap();
        tx.forget(&job_id(1)).unwrap();
        tx.trim_general(0).unwrap();
        assert_eq!(tx.append(&[event(3, 1)]).unwrap(), Position(4));
        drop(tx);
        let reader = &mut *store.reader().unwrap();
        assert_eq!(positions(&reader.events(None, Position(0), 9).unwrap()), [1, 2]);
        assert_eq!(positions(&reader.events(Some(&job_id(1)), Position(0), 9).unwrap()), [1]);
        assert_eq!(append(store, &[event(1, 2)]).unwrap(), Position(3));
    });
}
