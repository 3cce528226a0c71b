//! What the engine asks in each step: due rows, runnable jobs, lanes, hosts, what has ended. Every
//! scan sees what was saved before it in the same transaction.

use crate::on_every_store;
use crate::sample::{ask, at, change, enter, host, insert, job, job_id, step};
use longhaul_core::port::{Phase, Row, Table};

fn ids(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|&number| job_id(number)).collect()
}

#[test]
fn due_rows_come_by_hour_then_table_then_id_and_only_mine_or_nobodys() {
    on_every_store(|make| {
        let store = &mut *make();
        let due = |number, millis, holder: Option<u64>| Row {
            due_at: Some(at(millis)),
            host: holder.map(|number| host(number).to_string()),
            ..job(number, Phase::Kept)
        };
        step(store, |tx| {
            tx.save(Table::Pool, &Row { seq: 0, ..due(1, 20, None) }, true)?;
            tx.save(Table::Job, &due(3, 20, None), true)?;
            tx.save(Table::Job, &due(2, 20, Some(1)), true)?;
            tx.save(Table::Job, &due(4, 10, None), true)?;
            tx.save(Table::Job, &due(5, 5, Some(2)), true)?;
            tx.save(Table::Job, &due(6, 21, None), true)?;
            tx.save(Table::Job, &job(7, Phase::Ready), true)
        })
        .unwrap();
        let all = [
            (Table::Job, job_id(4)),
            (Table::Job, job_id(2)),
            (Table::Job, job_id(3)),
            (Table::Pool, job_id(1)),
        ];
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(20), 9)), all);
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(20), 3)), all[..3]);
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(9), 9)), []);
        assert_eq!(ask(store, |tx| tx.next_due(&host(1))), Some(at(10)));
        assert_eq!(ask(store, |tx| tx.next_due(&host(2))), Some(at(5)));
        assert_eq!(ask(store, |tx| tx.due(&host(2), at(5), 9)), [(Table::Job, job_id(5))]);
    });
}

#[test]
fn an_empty_store_has_nothing_due_and_nothing_to_run() {
    on_every_store(|make| {
        let store = &mut *make();
        assert_eq!(ask(store, |tx| tx.next_due(&host(1))), None);
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(i64::MAX), 9)), []);
        assert_eq!(ask(store, |tx| tx.runnable("default", 9)), Vec::<String>::new());
        assert_eq!(ask(store, |tx| tx.occupied("default")), 0);
        assert_eq!(ask(store, |tx| tx.ended_totals()), (0, 0));
    });
}

#[test]
fn runnable_jobs_come_by_priority_then_admission() {
    on_every_store(|make| {
        let store = &mut *make();
        let ready = |number, priority, pool: &str| Row {
            priority,
            pool: Some(pool.into()),
            ..job(number, Phase::Ready)
        };
        insert(
            store,
            &[
                ready(1, 5, "p"),
                ready(2, 9, "p"),
                ready(3, 0, "p"),
                ready(4, 9, "p"),
                ready(5, 9, "q"),
                Row { pool: None, ..ready(6, 9, "p") },
                Row { pool: Some("p".into()), ..job(7, Phase::Active) },
            ],
        );
        assert_eq!(ask(store, |tx| tx.runnable("p", 9)), ids(&[2, 4, 1, 3]));
        assert_eq!(ask(store, |tx| tx.runnable("p", 2)), ids(&[2, 4]));
        assert_eq!(ask(store, |tx| tx.runnable("q", 9)), ids(&[5]));
        assert_eq!(ask(store, |tx| tx.occupied("p")), 1);
        let reader = &mut *store.reader().unwrap();
        assert_eq!(reader.pool_load("p").unwrap(), (1, 4));
        assert_eq!(reader.ahead_of("p", 5, 1).unwrap(), 2);
        assert_eq!(reader.ahead_of("p", 9, 4).unwrap(), 1);
        assert_eq!(reader.ahead_of("p", 0, 9).unwrap(), 4);
    });
}

#[test]
fn a_scan_sees_what_its_transaction_saved_before() {
    on_every_store(|make| {
        let store = &mut *make();
        let pooled = |phase| Row { pool: Some("p".into()), ..job(1, phase) };
        insert(store, &[pooled(Phase::Ready)]);
        let mut tx = store.begin().unwrap();
        tx.save(Table::Job, &pooled(Phase::Active), false).unwrap();
        assert_eq!(tx.runnable("p", 9).unwrap(), Vec::<String>::new());
        assert_eq!(tx.occupied("p").unwrap(), 1);
        assert_eq!(tx.active_on(Table::Job, &host(1), "", 9).unwrap(), ids(&[1]));
        drop(tx);
        assert_eq!(ask(store, |tx| tx.runnable("p", 9)), ids(&[1]));
        assert_eq!(ask(store, |tx| tx.occupied("p")), 0);
    });
}

#[test]
fn the_head_of_a_lane_is_its_oldest_job_that_has_not_ended() {
    on_every_store(|make| {
        let store = &mut *make();
        let lane = |number, phase| Row { lane: Some("l".into()), ..job(number, phase) };
        insert(store, &[lane(3, Phase::Behind), lane(1, Phase::Ended), lane(2, Phase::Delayed)]);
        assert_eq!(ask(store, |tx| tx.lane_head("l")), Some(job_id(2)));
        assert_eq!(store.reader().unwrap().lane_head("l").unwrap(), Some(job_id(2)));
        change(store, &lane(2, Phase::Ended)).unwrap();
        assert_eq!(ask(store, |tx| tx.lane_head("l")), Some(job_id(3)));
        change(store, &lane(3, Phase::Ended)).unwrap();
        assert_eq!(ask(store, |tx| tx.lane_head("l")), None);
        assert_eq!(ask(store, |tx| tx.lane_head("")), None);
    });
}

#[test]
fn a_hosts_active_jobs_are_paged_by_id() {
    on_every_store(|make| {
        let store = &mut *make();
        let on = |number, holder| Row {
            host: Some(host(holder).to_string()),
            ..job(number, Phase::Active)
        };
        insert(store, &[on(4, 1), on(1, 1), on(2, 2), on(3, 1), job(5, Phase::Ready)]);
        assert_eq!(ask(store, |tx| tx.active_on(Table::Job, &host(1), "", 2)), ids(&[1, 3]));
        assert_eq!(ask(store, |tx| tx.active_on(Table::Job, &host(1), &job_id(3), 2)), ids(&[4]));
        assert_eq!(ask(store, |tx| tx.active_on(Table::Job, &host(2), "", 9)), ids(&[2]));
    });
}

#[test]
fn children_and_ids_come_by_id_and_stay_in_their_table() {
    on_every_store(|make| {
        let store = &mut *make();
        let under =
            |id: &str| Row { parent: Some("p".into()), ..Row::kept(id.into(), "{}".into()) };
        step(store, |tx| {
            tx.save(Table::Dependency, &under("b"), true)?;
            tx.save(Table::Dependency, &under("a"), true)?;
            tx.save(Table::Dependency, &Row::kept("c".into(), "{}".into()), true)?;
            tx.save(Table::Environment, &under("d"), true)
        })
        .unwrap();
        assert_eq!(ask(store, |tx| tx.children(Table::Dependency, "p", "", 9)), ["a", "b"]);
        assert_eq!(ask(store, |tx| tx.children(Table::Dependency, "p", "", 1)), ["a"]);
        assert_eq!(ask(store, |tx| tx.children(Table::Dependency, "p", "a", 9)), ["b"]);
        assert_eq!(ask(store, |tx| tx.children(Table::Dependency, "p", "b", 9)), [""; 0]);
        assert_eq!(ask(store, |tx| tx.children(Table::Job, "p", "", 9)), Vec::<String>::new());
        assert_eq!(ask(store, |tx| tx.ids(Table::Dependency, "a", 9)), ["b", "c"]);
        let reader = &mut *store.reader().unwrap();
        assert_eq!(reader.ids(Table::Dependency, "", 2).unwrap(), ["a", "b"]);
    });
}

#[test]
fn what_ended_first_is_found_first_and_totals_follow_every_change() {
    on_every_store(|make| {
        let store = &mut *make();
        let ended = |number, millis, bytes| Row {
            ended_at: Some(at(millis)),
            bytes,
            ..job(number, Phase::Ended)
        };
        insert(store, &[ended(1, 9, 10), ended(3, 5, 20), ended(2, 5, 30), job(4, Phase::Ready)]);
        assert_eq!(ask(store, |tx| tx.oldest_ended(9)), ids(&[2, 3, 1]));
        assert_eq!(ask(store, |tx| tx.oldest_ended(1)), ids(&[2]));
        assert_eq!(ask(store, |tx| tx.ended_totals()), (3, 60));
        change(store, &ended(3, 5, 1)).unwrap();
        let mut fourth = job(4, Phase::Ready);
        enter(&mut fourth, Phase::Ended);
        fourth.bytes = 100;
        change(store, &fourth).unwrap();
        assert_eq!(ask(store, |tx| tx.ended_totals()), (4, 141));
        step(store, |tx| tx.remove(Table::Job, &job_id(2))).unwrap();
        assert_eq!(ask(store, |tx| tx.ended_totals()), (3, 111));
        assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
    });
}
