//! Reads the files of a report, those that speak of the same connections as one.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use anyhow::ensure;
use observer_core::{Config, Flow, Timestamp};

use super::join::{self, Segments, Shift, Tellers};
use super::judgement::Judgement;
use super::{File, Options, Report};
use crate::progress::Progress;
use crate::source::recording::{Moment, Recording, Source};

/// Reads `sources` and judges what they tell.
///
/// # Errors
///
/// When one of them cannot be read: which, where, and why.
pub fn build(sources: &[Source], options: &Options) -> anyhow::Result<Report> {
    let one = sources.len() == 1;
    ensure!(
        one || sources.iter().all(Source::is_lasting),
        "of several files each is read twice, which standard input and pipes cannot be; save it to a file first"
    );
    let mut progress = Progress::begin();
    let groups = if one { vec![Group::of(0)] } else { groups(sources, options, &mut progress)? };
    let mut report = Report::default();
    let mut files: Vec<(usize, File)> = Vec::new();
    for group in &groups {
        let (judged, read) = judge(sources, group, options, report.open(), &mut progress)?;
        files.extend(group.members.iter().map(|(index, _)| *index).zip(read));
        report.take(judged, options.all);
    }
    // The worst is what is looked for; those that are as bad stay in the order of time.
    report.accounts.sort_by_key(|account| Reverse(account.severity));
    files.sort_by_key(|(index, _)| *index);
    report.files = files.into_iter().map(|(_, file)| file).collect();
    Ok(report)
}

impl Report {
    /// The connections that may go on in a later recording.
    fn open(&self) -> HashSet<Flow> {
        let open = self.accounts.iter().filter(|account| account.closed_at.is_none());
        open.map(|account| account.flow).collect()
    }

    /// Tells of what another has told as well, that of a later recording. With `all`, connections without trouble have an
    /// account.
    fn take(&mut self, other: Self, all: bool) {
        // Of several with the same addresses only the last can go on.
        let known: HashMap<_, _> =
            self.accounts.iter().enumerate().map(|(index, account)| (account.flow, index)).collect();
        self.connections += other.connections;
        for account in other.accounts {
            let before = known.get(&account.flow).and_then(|index| self.accounts.get_mut(*index));
            match before.filter(|before| before.goes_on_as(&account)) {
                Some(before) => {
                    before.go_on(account);
                    self.connections -= 1;
                }
                None if all || account.severity.is_some() => self.accounts.push(account),
                None => {}
            }
        }
        self.left_out += other.left_out;
        self.left_out_in_trouble += other.left_out_in_trouble;
        self.severity = self.severity.max(other.severity);
        for degradation in other.degraded {
            if !self.degraded.contains(&degradation) {
                self.degraded.push(degradation);
            }
        }
        for (place, count) in other.lost {
            match self.lost.iter_mut().find(|(known, _)| *known == place) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => self.lost.push((place, count)),
            }
        }
    }
}

/// Files that speak of the same connections.
#[derive(Debug)]
struct Group {
    /// Each by its index, with its shift to the clock of the first.
    members: Vec<(usize, Shift)>,
    segments: Segments,
    /// Its first moment, by the clock of the first; `None` where there is none.
    began: Option<Timestamp>,
}

impl Group {
    fn of(index: usize) -> Self {
        let none = Shift { micros: 0, segments: 0 };
        Self { members: vec![(index, none)], segments: Segments::default(), began: None }
    }
}

/// Reads all files once, and puts together those that have segments in common.
fn groups(sources: &[Source], options: &Options, progress: &mut Progress) -> anyhow::Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let mut group = Group::of(index);
        let mut recording = Recording::open(source, &options.reading)?;
        while let Some(moment) = recording.next() {
            let moment = moment?;
            group.began = Some(group.began.map_or(moment.at(), |began| began.min(moment.at())));
            if let Moment::Event(event) = moment {
                group.segments.note(&event);
            }
            progress.step(|| recording.how_far("comparing"));
        }
        // A file may belong to several groups that had nothing in common before.
        while let Some((found, shift)) = groups
            .iter()
            .enumerate()
            .find_map(|(found, known)| Some((found, join::shift(&group.segments, &known.segments)?)))
        {
            let mut known = groups.remove(found);
            known.absorb(group, shift);
            group = known;
        }
        groups.push(group);
    }
    // What is later may go on with what was before.
    groups.sort_by_key(|group| (group.began, group.members[0].0));
    Ok(groups)
}

impl Group {
    /// Takes in another group, whose first clock is `shift` apart from that of this one.
    fn absorb(&mut self, other: Self, shift: Shift) {
        self.segments.add(other.segments, shift.micros);
        let began = other.began.map(|began| join::shifted(began, shift.micros));
        self.began = self.began.into_iter().chain(began).min();
        self.members.extend(other.members.into_iter().map(|(index, own)| {
            (index, Shift { micros: own.micros.saturating_add(shift.micros), segments: shift.segments })
        }));
    }
}

/// Reads the files of one group as one; of connections that were `open_before` it tells in any case.
fn judge(
    sources: &[Source],
    group: &Group,
    options: &Options,
    open_before: HashSet<Flow>,
    progress: &mut Progress,
) -> anyhow::Result<(Report, Vec<File>)> {
    let mut readers = Vec::with_capacity(group.members.len());
    for (position, (index, shift)) in group.members.iter().enumerate() {
        let recording = Recording::open(&sources[*index], &options.reading)?;
        let joined = (position > 0).then_some((group.members[0].0, *shift));
        readers.push(Reader::new(recording, joined)?);
    }
    let mut judgement = Judgement::new(config(&readers, options), options.all, open_before);
    let mut tellers = Tellers::default();
    let several = readers.len() > 1;
    while let Some(next) = earliest(&readers) {
        let Some(moment) = readers[next].advance()? else { continue };
        match moment {
            Moment::Event(event) => {
                let has_ended = |index: usize| readers[index].next.is_none();
                let counts = !several || tellers.tells(&event, next, has_ended);
                if counts && options.client.is_none_or(|client| client.concerns(&event)) {
                    judgement.event(&event);
                }
            }
            Moment::Reached(at) => judgement.reach(at),
        }
        progress.step(|| readers[next].recording.how_far("judging"));
    }
    Ok((judgement.finish(), readers.into_iter().map(Reader::into_file).collect()))
}

/// What the judgement is told: what the first file was judged with, with the best known timeout of all of them.
fn config(readers: &[Reader], options: &Options) -> Config {
    let mut configs = readers.iter().map(|reader| options.given.config(reader.recording.origin()));
    let mut config = configs.next().unwrap_or_default();
    for other in configs {
        if other.net_write_timeout.source < config.net_write_timeout.source {
            config.net_write_timeout = other.net_write_timeout;
        }
        config.server_timeouts.extend(other.server_timeouts);
    }
    config
}

/// The reader whose next moment is the earliest.
fn earliest(readers: &[Reader]) -> Option<usize> {
    let next =
        readers.iter().enumerate().filter_map(|(index, reader)| Some((reader.next.as_ref()?.at(), index)));
    next.min().map(|(_, index)| index)
}

/// A file that is read together with others.
struct Reader {
    recording: Recording,
    /// Its next moment, by the clock of the first file; `None` when it has ended.
    next: Option<Moment>,
    events: u64,
    time: Option<(Timestamp, Timestamp)>,
    joined: Option<(usize, Shift)>,
}

impl Reader {
    fn new(recording: Recording, joined: Option<(usize, Shift)>) -> anyhow::Result<Self> {
        let mut reader = Self { recording, next: None, events: 0, time: None, joined };
        reader.advance()?;
        Ok(reader)
    }

    /// Gives the next moment and reads the one after it.
    fn advance(&mut self) -> anyhow::Result<Option<Moment>> {
        let mut following = self.recording.next().transpose()?;
        if let Some(moment) = &mut following {
            let at = moment.at();
            let (first, last) = self.time.unwrap_or((at, at));
            self.time = Some((first.min(at), last.max(at)));
            self.events += u64::from(matches!(moment, Moment::Event(_)));
            if let Some((_, Shift { micros, .. })) = self.joined {
                match moment {
                    Moment::Event(event) => join::shift_event(event, micros),
                    Moment::Reached(at) => *at = join::shifted(*at, micros),
                }
            }
        }
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn into_file(self) -> File {
        let Self { recording, events, time, joined, .. } = self;
        File {
            name: recording.name().to_owned(),
            origin: recording.origin().clone(),
            events,
            time,
            gaps: recording.gaps().clone(),
            server_elsewhere: recording.server_elsewhere(),
            joined,
        }
    }
}
