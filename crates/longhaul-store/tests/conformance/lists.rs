//! What people ask: lists with filters, names, prefixes, counts.

use crate::on_every_store;
use crate::sample::{insert, job, job_id};
use longhaul_core::port::{Filter, Phase, Reader, Row, Store, Table};

fn seqs(reader: &mut dyn Reader, filter: &Filter, before: Option<u64>, limit: u32) -> Vec<u64> {
    let rows = reader.list(filter, before, limit).unwrap();
    rows.iter().map(|row| row.seq).collect()
}

fn filled(make: &dyn Fn() -> Box<dyn Store>) -> Box<dyn Store> {
    let mut store = make();
    let labels = r#"{"env":"prod","team \"a\".b":"x'y"}"#.to_owned();
    insert(
        &mut *store,
        &[
            Row { pool: Some("p".into()), name: Some("n".into()), ..job(1, Phase::Ready) },
            Row { lane: Some("l".into()), labels: Some(labels), ..job(2, Phase::Active) },
            Row { owner: Some("o".into()), name: Some("n".into()), ..job(3, Phase::Ended) },
            Row { outcome: Some("failed".into()), ..job(4, Phase::Ended) },
            Row { parent: Some("q".into()), ..job(5, Phase::Ready) },
            Row {
                labels: Some(r#"{"env":"dev"}"#.into()),
                pool: Some("p".into()),
                ..job(6, Phase::Ended)
            },
        ],
    );
    store
}

#[test]
fn lists_are_newest_first_and_paged() {
    on_every_store(|make| {
        let reader = &mut *filled(make).reader().unwrap();
        let all = Filter::default();
        assert_eq!(seqs(reader, &all, None, 99), [6, 5, 4, 3, 2, 1]);
        assert_eq!(seqs(reader, &all, None, 2), [6, 5]);
        assert_eq!(seqs(reader, &all, Some(5), 2), [4, 3]);
        assert_eq!(seqs(reader, &all, Some(1), 2), Vec::<u64>::new());
        assert_eq!(seqs(reader, &all, None, 0), Vec::<u64>::new());
        let row = reader.list(&all, None, 1).unwrap().remove(0);
        assert_eq!(reader.load(Table::Job, &row.id).unwrap(), Some(row));
    });
}

#[test]
fn every_part_of_a_filter_narrows() {
    on_every_store(|make| {
        let reader = &mut *filled(make).reader().unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let label = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let none = Filter::default;
        let cases = [
            (Filter { states: texts(&["ready"]), ..none() }, vec![5, 1]),
            (Filter { states: texts(&["active", "ready", "ready"]), ..none() }, vec![5, 2, 1]),
            (Filter { states: texts(&["unknown"]), ..none() }, vec![]),
            (Filter { outcomes: texts(&["failed"]), ..none() }, vec![4]),
            (Filter { outcomes: texts(&["failed", "succeeded"]), ..none() }, vec![6, 4, 3]),
            (Filter { outcomes: texts(&["failed"]), states: texts(&["ready"]), ..none() }, vec![]),
            (
                Filter { outcomes: texts(&["failed"]), states: texts(&["x", "ended"]), ..none() },
                vec![4],
            ),
            (Filter { pool: Some("p".into()), ..none() }, vec![6, 1]),
            (Filter { lane: Some("l".into()), ..none() }, vec![2]),
            (Filter { owner: Some("o".into()), ..none() }, vec![3]),
            (Filter { parent: Some("q".into()), ..none() }, vec![5]),
            (Filter { labels: label("env", "prod"), ..none() }, vec![2]),
            (Filter { labels: label("team \"a\".b", "x'y"), ..none() }, vec![2]),
            (Filter { labels: label("env", "test"), ..none() }, vec![]),
            (
                Filter {
                    labels: [label("env", "prod"), label("team \"a\".b", "z")].concat(),
                    ..none()
                },
                vec![],
            ),
            (Filter { states: texts(&["ended"]), pool: Some("p".into()), ..none() }, vec![6]),
        ];
        for (filter, expected) in cases {
            assert_eq!(seqs(reader, &filter, None, 99), expected, "{filter:?}");
        }
        let two_states = Filter { states: texts(&["ready", "ended"]), ..none() };
        assert_eq!(seqs(reader, &two_states, Some(6), 3), [5, 4, 3]);
    });
}

#[test]
fn prefixes_and_names_find_ids() {
    on_every_store(|make| {
        let mut store = make();
        let named =
            |id: &str, seq| Row { id: id.into(), name: Some("n".into()), ..job(seq, Phase::Ready) };
        insert(&mut *store, &[named("job_ab", 3), named("job_b", 1), named("job_a", 2)]);
        let reader = &mut *store.reader().unwrap();
        assert_eq!(reader.by_prefix(Table::Job, "job_a", 9).unwrap(), ["job_a", "job_ab"]);
        assert_eq!(reader.by_prefix(Table::Job, "", 2).unwrap(), ["job_a", "job_ab"]);
        assert_eq!(reader.by_prefix(Table::Job, "job_%", 2).unwrap(), Vec::<String>::new());
        assert_eq!(reader.by_name("n", 2).unwrap(), ["job_ab", "job_a"]);
        assert_eq!(reader.by_name("m", 2).unwrap(), Vec::<String>::new());
    });
}

#[test]
fn counts_are_by_state_in_order_and_name_no_empty_state() {
    on_every_store(|make| {
        let mut store = filled(make);
        let count = |state: &str, count| (state.to_owned(), count);
        let expected = [count("active", 1), count("ended", 3), count("ready", 2)];
        assert_eq!(store.reader().unwrap().counts().unwrap(), expected);
        let mut tx = store.begin().unwrap();
        tx.remove(Table::Job, &job_id(2)).unwrap();
        tx.commit().unwrap();
        assert_eq!(store.reader().unwrap().counts().unwrap(), expected[1..]);
    });
}

#[test]
fn the_oldest_first_are_those_after_a_place_and_of_an_owner() {
    on_every_store(|make| {
        let mut store = make();
        let owned = |seq, owner: &str| Row {
            owner: Some(owner.to_owned()).filter(|owner| !owner.is_empty()),
            ..job(seq, Phase::Ready)
        };
        let rows = [owned(4, "a"), owned(2, "b"), owned(3, ""), owned(1, "a"), owned(5, "a")];
        insert(&mut *store, &rows);
        let reader = &mut *store.reader().unwrap();
        let mut seqs = |owner, after, limit| -> Vec<u64> {
            let rows = reader.list_from(owner, after, limit).unwrap();
            rows.iter().map(|row| row.seq).collect()
        };
        assert_eq!(seqs(None, 0, 9), [1, 2, 3, 4, 5]);
        assert_eq!(seqs(None, 2, 2), [3, 4]);
        assert_eq!(seqs(Some("a"), 0, 2), [1, 4]);
        assert_eq!(seqs(Some("a"), 4, 9), [5]);
        assert_eq!(seqs(Some("c"), 0, 9), [0; 0]);
        assert_eq!(seqs(None, 5, 9), [0; 0]);
    });
}

#[test]
fn the_last_row_under_a_parent_up_to_an_id_is_found() {
    on_every_store(|make| {
        let mut store = make();
        let under = |id: &str, seq, parent: &str| Row {
            id: id.to_owned(),
            parent: Some(parent.to_owned()),
            ..job(seq, Phase::Ready)
        };
        insert(&mut *store, &[under("b/1", 1, "b"), under("b/5", 2, "b"), under("b/3", 3, "c")]);
        let reader = &mut *store.reader().unwrap();
        let mut up_to =
            |parent, id| reader.row_up_to(Table::Job, parent, id).unwrap().map(|row| row.id);
        assert_eq!(up_to("b", "b/4").as_deref(), Some("b/1"));
        assert_eq!(up_to("b", "b/5").as_deref(), Some("b/5"));
        assert_eq!(up_to("b", "b/0"), None);
        assert_eq!(up_to("d", "z"), None);
    });
}
