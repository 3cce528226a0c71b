//! What is asked of messages alone: what waits in a mailbox, what has ended and may go, their lists; and
//! what no store lets happen to one.

use crate::on_every_store;
use crate::sample::{ask, at, enter, job, job_id, step};
use longhaul_core::port::{MailFilter, Phase, Row, Store, StoreError, Table};

fn mail_id(number: u64) -> String {
    format!("mail_{number:026}")
}

fn ids(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|&number| mail_id(number)).collect()
}

/// Message `number`, sent as `number` by `boss` to `ann`, first of its own thread.
fn mail(number: u64, phase: Phase) -> Row {
    let mut row = Row::kept(mail_id(number), format!(r#"{{"number":{number}}}"#));
    row.seq = number;
    enter(&mut row, phase);
    let text = |text: &str| Some(text.to_owned());
    (row.lane, row.pool, row.name) = (text("ann"), text("boss"), text("status"));
    (row.parent, row.host) = (Some(mail_id(number)), None);
    row.outcome = row.outcome.and_then(|_| text("read"));
    row
}

fn to(number: u64, mailbox: &str, phase: Phase) -> Row {
    Row { lane: Some(mailbox.into()), ..mail(number, phase) }
}

fn insert(store: &mut dyn Store, rows: &[Row]) {
    step(store, |tx| rows.iter().try_for_each(|row| tx.save(Table::Mail, row, true))).unwrap();
}

fn change(store: &mut dyn Store, row: &Row) -> Result<(), StoreError> {
    step(store, |tx| tx.save(Table::Mail, row, false))
}

fn assert_checked(store: &dyn Store) {
    assert_eq!(store.reader().unwrap().check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_waits_in_a_mailbox_comes_in_the_order_it_was_sent() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(
            store,
            &[
                mail(9, Phase::Ready),
                mail(2, Phase::Ready),
                mail(3, Phase::Active),
                mail(1, Phase::Ended),
                to(4, "bob", Phase::Ready),
                Row { lane: None, ..mail(5, Phase::Ready) },
                mail(6, Phase::Ready),
            ],
        );
        assert_eq!(ask(store, |tx| tx.unread("ann", 9)), ids(&[2, 6, 9]));
        assert_eq!(ask(store, |tx| tx.unread("ann", 2)), ids(&[2, 6]));
        assert_eq!(ask(store, |tx| tx.unread("ann", 0)), ids(&[]));
        assert_eq!(ask(store, |tx| tx.unread("", 9)), ids(&[]));
        assert_eq!(ask(store, |tx| tx.unread_count("ann")), 3);
        assert_eq!(ask(store, |tx| tx.unread_count("")), 0);
        assert_eq!(store.reader().unwrap().unread_count("bob").unwrap(), 1);
        assert_eq!(store.reader().unwrap().unread_count("eve").unwrap(), 0);
    });
}

#[test]
fn the_count_of_a_mailbox_follows_every_change_and_a_change_undone() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[mail(1, Phase::Ready), mail(2, Phase::Ready), mail(3, Phase::Active)]);
        let counts =
            |store: &mut dyn Store| ["ann", "bob"].map(|of| ask(store, |tx| tx.unread_count(of)));
        assert_eq!(counts(store), [2, 0]);
        change(store, &mail(1, Phase::Active)).unwrap();
        assert_eq!(counts(store), [1, 0]);
        // Put back by a turn that failed, and readdressed.
        change(store, &mail(3, Phase::Ready)).unwrap();
        change(store, &to(2, "bob", Phase::Ready)).unwrap();
        assert_eq!(counts(store), [1, 1]);
        let mut tx = store.begin().unwrap();
        tx.remove(Table::Mail, &mail_id(3)).unwrap();
        tx.save(Table::Mail, &to(2, "bob", Phase::Ended), false).unwrap();
        assert_eq!((tx.unread_count("ann").unwrap(), tx.unread_count("bob").unwrap()), (0, 0));
        drop(tx);
        assert_eq!(counts(store), [1, 1]);
        step(store, |tx| tx.remove(Table::Mail, &mail_id(2))).unwrap();
        assert_eq!(counts(store), [1, 0]);
        assert_checked(store);
    });
}

#[test]
fn the_oldest_ended_messages_are_known_and_how_many_have_ended() {
    on_every_store(|make| {
        let store = &mut *make();
        // In the order they were sent, whenever they were read.
        let late = Row { ended_at: Some(at(1)), ..mail(4, Phase::Ended) };
        insert(store, &[late, mail(2, Phase::Ended), mail(1, Phase::Ready), mail(3, Phase::Ended)]);
        assert_eq!(ask(store, |tx| tx.oldest_ended_mail(2)), ids(&[2, 3]));
        assert_eq!(ask(store, |tx| tx.oldest_ended_mail(9)), ids(&[2, 3, 4]));
        assert_eq!(ask(store, |tx| tx.ended_mail_count()), 3);
        change(store, &mail(1, Phase::Ended)).unwrap();
        step(store, |tx| tx.remove(Table::Mail, &mail_id(3))).unwrap();
        assert_eq!(ask(store, |tx| tx.oldest_ended_mail(9)), ids(&[1, 2, 4]));
        assert_eq!(ask(store, |tx| tx.ended_mail_count()), 3);
        assert_checked(store);
    });
}

#[test]
fn lists_of_mail_are_newest_first_narrowed_and_paged() {
    on_every_store(|make| {
        let store = &mut *make();
        let text = |text: &str| Some(text.to_owned());
        insert(
            store,
            &[
                mail(1, Phase::Ended),
                Row { parent: Some(mail_id(1)), ..mail(2, Phase::Ready) },
                Row { pool: text("eve"), ..to(3, "bob", Phase::Ready) },
                Row { name: text("result"), ..mail(4, Phase::Ready) },
                Row { parent: Some(mail_id(1)), ..to(5, "bob", Phase::Ended) },
                mail(6, Phase::Active),
            ],
        );
        let reader = &mut *store.reader().unwrap();
        let mut list = |filter: MailFilter, before: Option<u64>, limit| {
            let rows = reader.mail(&filter, before, limit).unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let all = MailFilter::default;
        let ann = || MailFilter { to: text("ann"), ..all() };
        let boss = || MailFilter { from: text("boss"), ..all() };
        let open = || vec!["ready".to_owned(), "active".to_owned(), "ready".to_owned()];
        assert_eq!(list(all(), None, 9), ids(&[6, 5, 4, 3, 2, 1]));
        assert_eq!(list(all(), Some(5), 2), ids(&[4, 3]));
        assert_eq!(list(all(), Some(0), 2), ids(&[]));
        assert_eq!(list(all(), None, 0), ids(&[]));
        assert_eq!(list(MailFilter { states: open(), ..all() }, None, 9), ids(&[6, 4, 3, 2]));
        assert_eq!(list(ann(), None, 9), ids(&[6, 4, 2, 1]));
        assert_eq!(list(MailFilter { states: open(), ..ann() }, Some(6), 1), ids(&[4]));
        assert_eq!(list(boss(), Some(6), 9), ids(&[5, 4, 2, 1]));
        assert_eq!(list(MailFilter { states: open(), ..boss() }, None, 9), ids(&[6, 4, 2]));
        assert_eq!(list(MailFilter { to: text("bob"), ..boss() }, None, 9), ids(&[5]));
        let thread = || MailFilter { thread: Some(mail_id(1)), ..all() };
        assert_eq!(list(thread(), None, 9), ids(&[5, 2, 1]));
        assert_eq!(list(MailFilter { to: text("ann"), ..thread() }, None, 9), ids(&[2, 1]));
        assert_eq!(list(MailFilter { states: open(), ..thread() }, None, 9), ids(&[2]));
        assert_eq!(list(MailFilter { kind: text("result"), ..ann() }, None, 9), ids(&[4]));
        assert_eq!(list(MailFilter { to: text("eve"), ..all() }, None, 9), ids(&[]));
    });
}

#[test]
fn a_message_obeys_the_rules_of_what_ends_and_ends_read_or_returned() {
    on_every_store(|make| {
        let store = &mut *make();
        let ended = mail(1, Phase::Ended);
        let ready = mail(1, Phase::Ready);
        let bad = [
            Row { outcome: None, ..ended.clone() },
            Row { ended_at: None, ..ended.clone() },
            Row { outcome: Some("acked".into()), ..ended.clone() },
            Row { outcome: Some("read".into()), ..ready.clone() },
            Row { ended_at: Some(at(1)), ..ready },
            Row { due_at: Some(at(1)), ..ended },
        ];
        for row in bad {
            let refused = step(store, |tx| tx.save(Table::Mail, &row, true));
            assert!(matches!(refused, Err(StoreError::Failed(_))), "{row:?}");
        }
        assert_eq!(ask(store, |tx| tx.ids(Table::Mail, "", 9)), ids(&[]));
        assert_eq!(ask(store, |tx| tx.ended_mail_count()), 0);
    });
}

#[test]
fn what_was_read_or_returned_stays_so() {
    on_every_store(|make| {
        let store = &mut *make();
        let read = mail(1, Phase::Ended);
        let returned = Row { outcome: Some("returned".into()), ..mail(2, Phase::Ended) };
        insert(store, &[read.clone(), returned.clone()]);
        let refused = [
            mail(1, Phase::Ready),
            mail(1, Phase::Active),
            Row { outcome: Some("returned".into()), ..read.clone() },
            Row { ended_at: Some(at(1)), ..read.clone() },
            mail(2, Phase::Ready),
            Row { outcome: Some("read".into()), ..returned },
        ];
        for row in refused {
            assert!(matches!(change(store, &row), Err(StoreError::Failed(_))), "{row:?}");
        }
        change(store, &Row { body: "[]".into(), ..read }).unwrap();
    });
}

#[test]
fn two_messages_never_have_one_place_in_the_order() {
    on_every_store(|make| {
        let store = &mut *make();
        insert(store, &[mail(1, Phase::Ready)]);
        let racing = Row { seq: 1, ..mail(2, Phase::Ready) };
        let refused = step(store, |tx| tx.save(Table::Mail, &racing, true));
        assert_eq!(refused, Err(StoreError::Conflict));
        // A job's place is another matter.
        step(store, |tx| tx.save(Table::Job, &job(1, Phase::Ready), true)).unwrap();
    });
}

#[test]
fn an_hour_is_refused_where_no_step_would_ask_for_it() {
    on_every_store(|make| {
        let store = &mut *make();
        for table in Table::ALL {
            let row = Row { due_at: Some(at(1)), ..Row::kept(table.name().into(), "{}".into()) };
            let saved = step(store, |tx| tx.save(table, &row, true));
            let is_timed = Table::TIMED.contains(&table);
            assert_eq!(saved.is_ok(), is_timed, "{table:?} {saved:?}");
        }
        let due = ask(store, |tx| tx.due(&crate::sample::host(1), at(1), 99));
        assert_eq!(due, Table::TIMED.map(|table| (table, table.name().to_owned())));
    });
}

#[test]
fn the_open_jobs_of_a_lane_come_in_the_order_of_admission() {
    on_every_store(|make| {
        let store = &mut *make();
        let laned = |number, phase| Row { lane: Some("l".into()), ..job(number, phase) };
        let rows = [
            laned(4, Phase::Behind),
            laned(1, Phase::Ended),
            laned(3, Phase::Active),
            laned(2, Phase::Delayed),
            job(5, Phase::Ready),
        ];
        crate::sample::insert(store, &rows);
        assert_eq!(ask(store, |tx| tx.open_jobs_in_lane("l", 9)), [2, 3, 4].map(job_id));
        assert_eq!(ask(store, |tx| tx.open_jobs_in_lane("l", 1)), [job_id(2)]);
        assert_eq!(ask(store, |tx| tx.open_jobs_in_lane("", 9)), Vec::<String>::new());
    });
}

#[test]
fn rows_of_a_small_table_are_paged_by_id_and_by_parent() {
    on_every_store(|make| {
        let store = &mut *make();
        let under = |id: &str, parent: Option<&str>| Row {
            parent: parent.map(str::to_owned),
            ..Row::kept(id.into(), "{}".into())
        };
        let agents = [under("a", None), under("b", Some("a")), under("c", Some("a"))];
        step(store, |tx| agents.iter().try_for_each(|row| tx.save(Table::Agent, row, true)))
            .unwrap();
        let reader = &mut *store.reader().unwrap();
        assert_eq!(reader.rows(Table::Agent, None, "", 9).unwrap(), agents);
        assert_eq!(reader.rows(Table::Agent, None, "a", 1).unwrap(), agents[1..2]);
        assert_eq!(reader.rows(Table::Agent, Some("a"), "", 9).unwrap(), agents[1..]);
        assert_eq!(reader.rows(Table::Agent, Some("a"), "b", 9).unwrap(), agents[2..]);
        assert_eq!(reader.rows(Table::Agent, Some("b"), "", 9).unwrap(), []);
        assert_eq!(reader.rows(Table::Quota, None, "", 9).unwrap(), []);
    });
}
