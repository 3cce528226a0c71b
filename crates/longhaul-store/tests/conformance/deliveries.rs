//! What is asked of deliveries alone: who is next in each lane, what a lane holds, how many are under
//! way; their lists; and what no store lets happen to one.

use crate::on_every_store;
use crate::sample::{ask, at, enter, host, job, job_id, step};
use longhaul_core::port::{DeliveryFilter, Phase, Row, Store, StoreError, Table};

fn delivery_id(number: u64) -> String {
    format!("dlv_{number:026}")
}

fn ids(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|&number| delivery_id(number)).collect()
}

/// Delivery `number`, made in step `number`, in lane `l` of pool `p`.
fn delivery(number: u64, phase: Phase) -> Row {
    let mut row = Row::kept(delivery_id(number), format!(r#"{{"number":{number}}}"#));
    row.seq = number;
    (row.lane, row.pool) = (Some("l".into()), Some("p".into()));
    enter(&mut row, phase);
    if phase == Phase::Ended {
        row.outcome = Some("acked".into());
    }
    row
}

fn in_lane(number: u64, lane: &str) -> Row {
    Row { lane: Some(lane.into()), ..delivery(number, Phase::Ready) }
}

fn insert(store: &mut dyn Store, rows: &[Row]) {
    step(store, |tx| rows.iter().try_for_each(|row| tx.save(Table::Delivery, row, true))).unwrap();
}

fn change(store: &mut dyn Store, row: &Row) -> Result<(), StoreError> {
    step(store, |tx| tx.save(Table::Delivery, row, false))
}

fn found(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn each_lane_of_a_pool_gives_its_oldest_and_lanes_come_in_turn() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(
            store,
            &[
                in_lane(5, "b"),
                in_lane(3, "b"),
                in_lane(4, "a"),
                // Made in the same step as another of its lane: the lower id goes first.
                Row { seq: 6, ..in_lane(8, "c") },
                Row { seq: 6, ..in_lane(7, "c") },
                Row { lane: Some("a".into()), ..delivery(1, Phase::Delayed) },
                Row { lane: Some("b".into()), ..delivery(2, Phase::Active) },
                Row { lane: Some("d".into()), ..delivery(9, Phase::Ended) },
                Row { pool: Some("q".into()), ..in_lane(10, "a") },
                Row { pool: None, ..in_lane(11, "a") },
                Row { lane: None, ..delivery(12, Phase::Ready) },
            ],
        );
        let lane = |lane: &str, number| (lane.to_owned(), delivery_id(number));
        let all = [lane("a", 4), lane("b", 3), lane("c", 7)];
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "", 9)), all);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "", 2)), all[..2]);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "", 0)), []);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "a", 9)), all[1..]);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "aa", 1)), all[1..2]);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "c", 9)), []);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("q", "", 9)), [lane("a", 10)]);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("", "", 9)), []);
    });
}

#[test]
fn a_scan_of_lanes_sees_what_its_transaction_saved_before() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[in_lane(1, "a"), in_lane(2, "a"), in_lane(3, "b")]);
        let mut tx = store.begin().unwrap();
        let taken = Row { lane: Some("a".into()), ..delivery(1, Phase::Active) };
        tx.save(Table::Delivery, &taken, false).unwrap();
        tx.remove(Table::Delivery, &delivery_id(3)).unwrap();
        assert_eq!(tx.next_in_lanes("p", "", 9).unwrap(), [("a".to_owned(), delivery_id(2))]);
        assert_eq!((tx.active_in_pool("p").unwrap(), tx.active_in_lane("a").unwrap()), (1, 1));
        assert_eq!(tx.active_on(Table::Delivery, &host(1), "", 9).unwrap(), ids(&[1]));
        drop(tx);
        assert_eq!(ask(store, |tx| tx.next_in_lanes("p", "", 9)).len(), 2);
        assert_eq!(ask(store, |tx| tx.active_in_pool("p")), 0);
        assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_lane_tells_what_waits_in_it_and_what_is_open() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(
            store,
            &[
                Row { seq: 4, ..delivery(7, Phase::Ready) },
                Row { seq: 4, ..delivery(6, Phase::Ready) },
                delivery(3, Phase::Active),
                delivery(2, Phase::Delayed),
                delivery(1, Phase::Ended),
                in_lane(5, "m"),
            ],
        );
        assert_eq!(ask(store, |tx| tx.waiting_in_lane("l", 9)), ids(&[6, 7]));
        assert_eq!(ask(store, |tx| tx.waiting_in_lane("l", 1)), ids(&[6]));
        assert_eq!(ask(store, |tx| tx.open_in_lane("l", 9)), ids(&[2, 3, 6, 7]));
        assert_eq!(ask(store, |tx| tx.open_in_lane("l", 3)), ids(&[2, 3, 6]));
        assert_eq!(ask(store, |tx| tx.open_in_lane("", 9)), Vec::<String>::new());
        let reader = &mut *store.reader().unwrap();
        let after = |seq, number| Some((seq, delivery_id(number)));
        let mut open = |after, limit| found(&reader.open_in_lane("l", after, limit).unwrap());
        assert_eq!(open(None, 9), ids(&[2, 3, 6, 7]));
        assert_eq!(open(None, 2), ids(&[2, 3]));
        assert_eq!(open(after(3, 3), 9), ids(&[6, 7]));
        assert_eq!(open(after(4, 6), 9), ids(&[7]));
        assert_eq!(open(after(4, 7), 9), ids(&[]));
    });
}

#[test]
fn several_deliveries_of_a_lane_may_be_under_way_and_are_counted() {
    on_every_store(|make| {
        let store = &mut *make();
        let away = Row { host: Some(host(2).to_string()), ..delivery(3, Phase::Active) };
        insert(store, &[delivery(1, Phase::Active), delivery(2, Phase::Active), away]);
        insert(store, &[Row { lane: Some("m".into()), ..delivery(4, Phase::Active) }]);
        insert(store, &[delivery(5, Phase::Ready)]);
        assert_eq!(ask(store, |tx| tx.active_in_lane("l")), 3);
        assert_eq!(ask(store, |tx| tx.active_in_pool("p")), 4);
        assert_eq!(ask(store, |tx| tx.active_in_pool("q")), 0);
        let mut active = |after: &str, limit| {
            ask(store, |tx| tx.active_on(Table::Delivery, &host(1), after, limit))
        };
        assert_eq!(active("", 2), ids(&[1, 2]));
        assert_eq!(active(&delivery_id(2), 9), ids(&[4]));
        // A job that is active on the same host is another matter.
        step(store, |tx| tx.save(Table::Job, &job(9, Phase::Active), true)).unwrap();
        assert_eq!(ask(store, |tx| tx.active_on(Table::Job, &host(1), "", 9)), [job_id(9)]);
        assert_eq!(
            ask(store, |tx| tx.active_on(Table::Delivery, &host(1), "", 9)),
            ids(&[1, 2, 4])
        );
        assert_eq!(ask(store, |tx| tx.active_on(Table::Sink, &host(1), "", 9)), ids(&[]));
    });
}

#[test]
fn deliveries_owners_and_presences_are_found_by_what_they_are_under() {
    on_every_store(|make| {
        let store = &mut *make();
        for table in [Table::Delivery, Table::Owner, Table::Presence] {
            let under = |id: &str, parent: &str| Row {
                parent: Some(parent.into()),
                ..Row::kept(format!("{} {id}", table.name()), "{}".into())
            };
            step(store, |tx| {
                tx.save(table, &under("b", "x"), true)?;
                tx.save(table, &under("a", "x"), true)?;
                tx.save(table, &under("c", "y"), true)
            })
            .unwrap();
            let expected = [format!("{} a", table.name()), format!("{} b", table.name())];
            assert_eq!(ask(store, |tx| tx.children(table, "x", "", 9)), expected);
        }
        let reader = &mut *store.reader().unwrap();
        let prefixed = reader.by_prefix(Table::Delivery, "delivery ", 2).unwrap();
        assert_eq!(prefixed, ["delivery a", "delivery b"]);
        assert_eq!(reader.by_prefix(Table::Job, "delivery ", 2).unwrap(), Vec::<String>::new());
    });
}

#[test]
fn lists_of_deliveries_are_newest_first_narrowed_and_paged() {
    on_every_store(|make| {
        let store = &mut *make();
        let of = |number, phase, parent: &str, owner: &str| Row {
            parent: Some(parent.into()),
            owner: Some(owner.into()),
            ..delivery(number, phase)
        };
        let dead = Row { outcome: Some("dead".into()), ..of(2, Phase::Ended, "j", "ann") };
        insert(
            store,
            &[
                of(1, Phase::Ready, "j", "ann"),
                dead,
                Row { seq: 2, ..of(3, Phase::Ready, "k", "bob") },
                Row { pool: Some("q".into()), ..of(4, Phase::Active, "k", "ann") },
            ],
        );
        let reader = &mut *store.reader().unwrap();
        let mut list = |filter: DeliveryFilter, before: Option<(u64, String)>, limit| {
            found(&reader.deliveries(&filter, before, limit).unwrap())
        };
        let all = DeliveryFilter::default;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(list(all(), None, 9), ids(&[4, 3, 2, 1]));
        assert_eq!(list(all(), None, 2), ids(&[4, 3]));
        assert_eq!(list(all(), Some((2, delivery_id(3))), 9), ids(&[2, 1]));
        assert_eq!(list(all(), Some((2, delivery_id(2))), 9), ids(&[1]));
        assert_eq!(list(DeliveryFilter { job: text("j"), ..all() }, None, 9), ids(&[2, 1]));
        assert_eq!(list(DeliveryFilter { owner: text("ann"), ..all() }, None, 2), ids(&[4, 2]));
        assert_eq!(list(DeliveryFilter { pool: text("p"), ..all() }, None, 9), ids(&[3, 2, 1]));
        let states = vec!["ready".to_owned(), "ended".to_owned(), "ready".to_owned()];
        let states = DeliveryFilter { states, ..all() };
        assert_eq!(list(states.clone(), None, 9), ids(&[3, 2, 1]));
        assert_eq!(list(states.clone(), None, 2), ids(&[3, 2]));
        let both = DeliveryFilter { owner: text("ann"), ..states.clone() };
        assert_eq!(list(both.clone(), None, 9), ids(&[2, 1]));
        assert_eq!(list(DeliveryFilter { job: text("j"), ..both }, None, 1), ids(&[2]));
        assert_eq!(list(DeliveryFilter { job: text("x"), ..states }, None, 9), ids(&[]));
    });
}

#[test]
fn what_is_open_and_what_is_dead_is_counted_by_pool_and_the_dead_in_all() {
    on_every_store(|make| {
        let store = &mut *make();
        let dead = |number, pool: Option<&str>| Row {
            outcome: Some("dead".into()),
            pool: pool.map(str::to_owned),
            ..delivery(number, Phase::Ended)
        };
        insert(store, &[delivery(1, Phase::Ready), delivery(2, Phase::Active)]);
        insert(store, &[delivery(3, Phase::Ended), delivery(4, Phase::Delayed)]);
        insert(store, &[dead(5, Some("p")), dead(6, Some("q")), dead(7, None)]);
        let reader = &mut *store.reader().unwrap();
        assert_eq!(reader.delivery_counts("p").unwrap(), (3, 1));
        assert_eq!(reader.delivery_counts("q").unwrap(), (0, 1));
        assert_eq!(reader.delivery_counts("").unwrap(), (0, 0));
        assert_eq!(reader.dead_deliveries().unwrap(), 3);
        change(store, &delivery(5, Phase::Ready)).unwrap();
        assert_eq!(reader.delivery_counts("p").unwrap(), (4, 0));
        assert_eq!(reader.dead_deliveries().unwrap(), 2);
    });
}

#[test]
fn what_is_acked_stays_acked_and_what_is_dead_may_be_sent_again() {
    on_every_store(|make| {
        let store = &mut *make();
        let acked = delivery(1, Phase::Ended);
        let dead = Row { outcome: Some("dead".into()), ..delivery(2, Phase::Ended) };
        insert(store, &[acked.clone(), dead.clone()]);
        let refused = [
            delivery(1, Phase::Ready),
            Row { outcome: Some("dead".into()), ..acked.clone() },
            Row { ended_at: Some(at(1)), ..acked.clone() },
        ];
        for row in refused {
            let refused = change(store, &row);
            assert!(matches!(refused, Err(StoreError::Failed(_))), "{row:?}");
        }
        change(store, &Row { body: "[]".into(), ..acked }).unwrap();
        change(store, &Row { ended_at: Some(at(1)), ..dead.clone() }).unwrap();
        change(store, &delivery(2, Phase::Ready)).unwrap();
        assert_eq!(ask(store, |tx| tx.waiting_in_lane("l", 9)), ids(&[2]));
        change(store, &Row { outcome: Some("acked".into()), ..dead.clone() }).unwrap();
        assert!(matches!(change(store, &dead), Err(StoreError::Failed(_))));
    });
}

#[test]
fn a_delivery_obeys_the_rules_of_what_is_scheduled_and_ends_acked_or_dead() {
    on_every_store(|make| {
        let store = &mut *make();
        let ended = delivery(1, Phase::Ended);
        let ready = delivery(1, Phase::Ready);
        let bad = [
            Row { outcome: None, ..ended.clone() },
            Row { ended_at: None, ..ended.clone() },
            Row { outcome: Some("succeeded".into()), ..ended },
            Row { outcome: Some("dead".into()), ..ready.clone() },
            Row { ended_at: Some(at(1)), ..ready },
            Row { host: None, ..delivery(1, Phase::Active) },
        ];
        for row in bad {
            let refused = step(store, |tx| tx.save(Table::Delivery, &row, true));
            assert!(matches!(refused, Err(StoreError::Failed(_))), "{row:?}");
        }
        assert_eq!(ask(store, |tx| tx.ids(Table::Delivery, "", 9)), Vec::<String>::new());
    });
}

#[test]
fn due_deliveries_come_among_all_others_whoever_holds_them() {
    on_every_store(|make| {
        let store = &mut *make();
        let due = |row: Row| Row { due_at: Some(at(5)), ..row };
        let there = |row: Row| Row { host: Some(host(2).to_string()), ..row };
        step(store, |tx| {
            tx.save(Table::Owner, &due(Row::kept("o".into(), "{}".into())), true)?;
            tx.save(Table::Delivery, &due(delivery(1, Phase::Delayed)), true)?;
            // A host that never comes back keeps its jobs, and nobody's notices.
            let claimed = there(delivery(2, Phase::Active));
            tx.save(Table::Delivery, &Row { due_at: Some(at(3)), ..claimed }, true)?;
            let held = there(job(2, Phase::Active));
            tx.save(Table::Job, &Row { due_at: Some(at(2)), ..held }, true)?;
            tx.save(Table::Job, &due(job(1, Phase::Delayed)), true)
        })
        .unwrap();
        let all = [
            (Table::Delivery, delivery_id(2)),
            (Table::Job, job_id(1)),
            (Table::Delivery, delivery_id(1)),
            (Table::Owner, "o".to_owned()),
        ];
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(9), 9)), all);
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(9), 2)), all[..2]);
        assert_eq!(ask(store, |tx| tx.due(&host(1), at(3), 9)), all[..1]);
        assert_eq!(ask(store, |tx| tx.next_due(&host(1))), Some(at(3)));
        assert_eq!(ask(store, |tx| tx.next_due(&host(2))), Some(at(2)));
    });
}
