use super::*;
use crate::ids;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

const RECORDED: &str =
    include_str!("../../../../../longhaul-agents/fixtures/claude/write-accept.ndjson");

struct Place {
    root: tempfile::TempDir,
    folder: Folder,
    job: JobId,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("attempt")).unwrap();
        Self { root, folder, job: ids::job_id().unwrap() }
    }

    fn write(&self, stream: &str, bytes: &[u8]) {
        let path = self.root.path().join("attempt").join(stream);
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn reading(&self, kind: &str, stored: Option<&Stored>) -> Reading {
        let adapter = longhaul_agents::adapter(kind).unwrap();
        Reading::new((self.job.clone(), 1), adapter, &Turn::default(), stored)
    }

    fn open<'a>(&self, reading: &'a mut Reading) -> &'a mut Reading {
        reading.open(&self.folder).unwrap();
        reading
    }

    fn sizes(&self) -> Sizes {
        Sizes { out: self.folder.spool_bytes("out"), err: self.folder.spool_bytes("err") }
    }
}

/// What a store would have after these batches; each has to begin where the last ended.
#[derive(Default)]
struct Journal {
    events: Vec<String>,
    stored: Option<Stored>,
}

impl Journal {
    fn commit(&mut self, taking: Taking) {
        let at = self.stored.as_ref().map(|stored| stored.taken).unwrap_or_default();
        assert_eq!(taking.from, at);
        self.events.extend(taking.events);
        let Taking { job, attempt, to, memory, .. } = taking;
        self.stored = Some(Stored { job, attempt, taken: to, memory });
    }

    /// Takes all that is left.
    fn close(&mut self, place: &Place, reading: &mut Reading) {
        while let Some(taking) = place.open(reading).last(place.sizes()).unwrap() {
            self.commit(taking);
        }
    }
}

fn in_one_go(kind: &str, out: &[u8], err: &[u8]) -> Journal {
    let (place, mut journal) = (Place::new(), Journal::default());
    place.write("out", out);
    place.write("err", err);
    journal.close(&place, &mut place.reading(kind, None));
    journal
}

#[test]
fn a_recording_that_is_read_as_it_grows_and_by_a_new_reader_each_time_says_the_same() {
    let whole = in_one_go("claude", RECORDED.as_bytes(), b"");
    assert!(whole.events.len() > 5, "{:#?}", whole.events);
    let (place, mut journal) = (Place::new(), Journal::default());
    for chunk in RECORDED.as_bytes().chunks(97) {
        place.write("out", chunk);
        let mut reading = place.reading("claude", journal.stored.as_ref());
        while let Some(taking) = place.open(&mut reading).next().unwrap() {
            journal.commit(taking);
        }
    }
    let mut reading = place.reading("claude", journal.stored.as_ref());
    journal.close(&place, &mut reading);
    assert_eq!(journal.events, whole.events);
    let (stored, expected) = (journal.stored.unwrap(), whole.stored.unwrap());
    assert_eq!((stored.taken, stored.memory), (expected.taken, expected.memory));
}

#[test]
fn what_a_batch_comes_to_is_said_with_it() {
    let (place, mut journal) = (Place::new(), Journal::default());
    place.write("out", RECORDED.as_bytes());
    let mut reading = place.reading("claude", None);
    let taking = place.open(&mut reading).next().unwrap().unwrap();
    assert!(taking.seen.is_answered && taking.seen.conversation.is_some(), "{:?}", taking.seen);
    assert!(taking.seen.used.output > 0 && taking.seen.used.nano_usd.is_some());
    journal.commit(taking);
    assert!(place.open(&mut reading).next().unwrap().is_none());
    journal.close(&place, &mut reading);
    assert!(journal.stored.unwrap().taken.is_closed);
    assert!(place.open(&mut reading).last(place.sizes()).unwrap().is_none(), "it was closed");
}

#[test]
fn many_lines_are_many_batches_of_a_bounded_size() {
    let lines: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let (place, mut journal, mut batches) = (Place::new(), Journal::default(), 0);
    place.write("out", lines.as_bytes());
    place.write("err", b"noise\nwithout an end");
    let mut reading = place.reading("plain", None);
    while let Some(taking) = place.open(&mut reading).next().unwrap() {
        assert!(taking.events.len() <= TAKING_EVENTS_MAX);
        journal.commit(taking);
        batches += 1;
    }
    assert!(!reading.is_behind() && batches > 10, "{batches} batches");
    journal.close(&place, &mut reading);
    assert_eq!(journal.events.len(), 20_002);
    let at = journal.stored.unwrap().taken;
    assert_eq!((at.out, at.err), (lines.len() as u64, 20));
}

#[test]
fn a_line_that_is_too_long_is_taken_in_bounded_memory() {
    let long = vec![b'x'; 3 * LINE_BYTES_MAX];
    let (place, mut journal) = (Place::new(), Journal::default());
    place.write("out", b"first\n");
    place.write("out", &long);
    let mut reading = place.reading("plain", None);
    let mut most = 0;
    while let Some(taking) = place.open(&mut reading).next().unwrap() {
        journal.commit(taking);
        most = most.max(reading.out.rest.capacity());
    }
    assert!(most <= LOOK_BYTES_MAX, "{most} bytes are held");
    place.write("out", b"\nlast\n");
    journal.close(&place, &mut reading);
    assert!(journal.events.last().unwrap().contains("last"));
    assert_eq!(
        journal.events.len(),
        in_one_go(
            "plain",
            &{
                let mut all = b"first\n".to_vec();
                all.extend(&long);
                all.extend(b"\nlast\n");
                all
            },
            b""
        )
        .events
        .len()
    );
}

#[test]
fn what_was_written_after_the_end_is_not_its_output() {
    let (place, mut journal) = (Place::new(), Journal::default());
    place.write("out", b"one\ntwo");
    let sizes = place.sizes();
    place.write("out", b" and more\nthree\n");
    let mut reading = place.reading("plain", None);
    while let Some(taking) = place.open(&mut reading).last(sizes).unwrap() {
        journal.commit(taking);
    }
    assert_eq!(journal.events.len(), 2);
    assert_eq!(journal.stored.unwrap().taken.out, 7);
}

#[test]
fn output_that_is_gone_is_closed_where_it_was_taken_to() {
    let place = Place::new();
    let mut reading = place.reading("plain", None);
    assert!(place.open(&mut reading).next().unwrap().is_none(), "there is no spool yet");
    let taking = place.open(&mut reading).last(Sizes { out: 9, err: 9 }).unwrap().unwrap();
    assert_eq!(taking.to, Offsets { out: 0, err: 0, is_closed: true });
}
