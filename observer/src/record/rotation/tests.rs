use std::cell::Cell;
use std::fs;
use std::io::Read as _;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};

use observer_core::{Config, Event, EventKind, SourceEvent};

use super::*;
use crate::log::{Line, Reader};
use crate::record::parts;

const START: Timestamp = Timestamp::from_micros(1_714_831_421_204_007);
const LIMITS: Limits = Limits { size: 1000, age: Duration::from_secs(60) };

fn header() -> Header {
    Header {
        version: "0.1.0".to_owned(),
        host: "db1".to_owned(),
        kernel: "6.1.0".to_owned(),
        started_at: START,
        ports: vec![3306],
        ..Header::of(&Config::default())
    }
}

/// A recording with a clock that is set by hand.
struct Recording {
    place: tempfile::TempDir,
    now: Rc<Cell<Timestamp>>,
    asked: Arc<AtomicBool>,
    finished: Receiver<Part>,
    writer: Writer<Rotation<Box<dyn Fn() -> Timestamp>>>,
    written: u64,
}

impl Recording {
    fn begin() -> Self {
        let place = tempfile::tempdir().unwrap();
        let now = Rc::new(Cell::new(START));
        let clock: Box<dyn Fn() -> Timestamp> = Box::new({
            let now = now.clone();
            move || now.get()
        });
        let (asked, (sender, finished)) = (Arc::<AtomicBool>::default(), mpsc::channel());
        let directory = Directory::take(&place.path().join("log")).unwrap();
        let writer = Rotation::begin(directory, LIMITS, &header(), clock, asked.clone(), sender).unwrap();
        Self { place, now, asked, finished, writer, written: 0 }
    }

    /// An event a second later, which gets to the file at once.
    fn event(&mut self) {
        self.written += 1;
        let at = START + Duration::from_secs(self.written);
        self.now.set(at);
        let kind = EventKind::Source(SourceEvent::SocketsPolled { period: Duration::from_secs(1) });
        self.writer.event(&Event { at, kind }, at);
        self.writer.flush(at);
    }

    fn parts(&self) -> Vec<Part> {
        parts(&self.place.path().join("log")).unwrap()
    }

    /// The number in the header of each part, and how many events are in it; all can be read.
    fn content(&self) -> Vec<(u32, usize)> {
        let read = |part: &Part| {
            let mut text = Vec::new();
            let path = self.place.path().join("log").join(part.name());
            fs::File::open(path).unwrap().read_to_end(&mut text).unwrap();
            let reader = Reader::new(&text[..]).unwrap();
            let number = reader.header().part;
            let lines: Vec<_> = reader.map(Result::unwrap).collect();
            assert!(lines.iter().all(|line| matches!(line, Line::Event(_))));
            (number, lines.len())
        };
        self.parts().iter().map(read).collect()
    }
}

#[test]
fn a_full_part_is_followed_by_the_next_and_nothing_is_lost() {
    let mut recording = Recording::begin();
    (0..20).for_each(|_| recording.event());
    let content = recording.content();
    let (numbers, counts): (Vec<u32>, Vec<usize>) = content.into_iter().unzip();
    assert_eq!(numbers, (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    assert!(numbers.len() > 2, "{numbers:?}");
    assert_eq!(counts.iter().sum::<usize>(), 20);
    let mut finished = recording.parts();
    finished.pop();
    assert_eq!(recording.finished.try_iter().collect::<Vec<_>>(), finished);
}

#[test]
fn an_old_part_is_followed_by_the_next() {
    let mut recording = Recording::begin();
    recording.event();
    recording.written = 60;
    recording.event();
    assert_eq!(recording.content(), [(1, 1), (2, 1)]);
}

#[test]
fn the_next_part_begins_when_that_is_asked_for() {
    let mut recording = Recording::begin();
    recording.event();
    recording.asked.store(true, Ordering::Relaxed);
    recording.event();
    recording.event();
    assert_eq!(recording.content(), [(1, 1), (2, 2)]);
}

#[test]
fn a_directory_that_somebody_removed_is_made_again() {
    let mut recording = Recording::begin();
    recording.event();
    fs::remove_dir_all(recording.place.path().join("log")).unwrap();
    recording.event();
    assert_eq!(recording.content(), [(2, 1)]);
    assert_eq!(recording.writer.status().failing, None);
}

#[test]
fn what_cannot_be_followed_goes_on() {
    let mut recording = Recording::begin();
    recording.event();
    // The next part's name is taken.
    let next = recording.place.path().join("log").join(recording.parts()[0].next().name());
    fs::create_dir(&next).unwrap();
    recording.asked.store(true, Ordering::Relaxed);
    recording.event();
    assert_eq!(recording.writer.status().failing, None);
    fs::remove_dir(&next).unwrap();
    recording.event();
    assert_eq!(recording.content(), [(1, 2), (2, 1)]);
}

#[test]
fn what_is_half_written_is_taken_back_in_the_part_it_is_in() {
    let mut recording = Recording::begin();
    recording.event();
    let mut rotation = {
        let Recording { place, now, .. } = &recording;
        let (sender, _finished) = mpsc::channel();
        let now = now.clone();
        let directory = Directory::take(&place.path().join("other")).unwrap();
        let header_line = log::header_line(&header()).unwrap();
        let part = directory.begin(START).unwrap();
        let mut file = LogFile::create(&directory.path_of(&part)).unwrap();
        file.write_all(&header_line).unwrap();
        let own = header_line.len() as u64;
        Rotation {
            directory,
            limits: LIMITS,
            clock: move || now.get(),
            asked: Arc::default(),
            finished: sender,
            header: header(),
            part,
            file,
            begun: START,
            size: own,
            own,
            before: 5000,
            is_whole: true,
        }
    };
    rotation.write_all(b"whole\n").unwrap();
    rotation.flush().unwrap();
    rotation.write_all(b"half").unwrap();
    rotation.cut(5006).unwrap();
    let text = fs::read_to_string(rotation.directory.path_of(&rotation.part)).unwrap();
    assert!(text.ends_with("}\nwhole\n"), "{text}");
}
