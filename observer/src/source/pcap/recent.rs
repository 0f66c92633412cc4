//! The same packet captured twice.
//!
//! On the device `any` a packet is seen on every device it passes, on each with its own stamp.

use std::time::Duration;

use observer_core::Timestamp;

/// Packets of a direction that are remembered: as many as may be queued between two devices.
const REMEMBERED: usize = 16;

/// A packet passes the devices of a host within this time. No retransmission and no probe comes so soon.
const PASSAGE: Duration = Duration::from_millis(10);

/// The packets of one direction that were seen last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    fingerprints: [u32; REMEMBERED],
    /// The lower half of the stamps in microseconds.
    stamps: [u32; REMEMBERED],
    next: u8,
}

impl Recent {
    /// Notes a packet. Whether it was seen before.
    pub(super) fn note(&mut self, at: Timestamp, fingerprint: u32) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the distance of two stamps is less than an hour"
        )]
        let stamp = at.as_micros() as u32;
        let passage = u32::try_from(PASSAGE.as_micros()).unwrap_or(u32::MAX);
        let seen = self.fingerprints.iter().zip(&self.stamps).any(|(&known, &when)| {
            // Packets of several devices may be a little out of order.
            known == fingerprint && stamp.wrapping_sub(when).wrapping_add(passage) <= 2 * passage
        });
        if !seen {
            let place = usize::from(self.next) % REMEMBERED;
            self.fingerprints[place] = fingerprint;
            self.stamps[place] = stamp;
            self.next = self.next.wrapping_add(1);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_packet_is_the_same_only_within_its_passage() {
        let mut recent = Recent::default();
        assert!(!recent.note(at(1_000_000), 7));
        assert!(recent.note(at(1_000_300), 7));
        assert!(recent.note(at(999_900), 7), "a little out of order");
        assert!(!recent.note(at(1_000_300), 8));
        assert!(!recent.note(at(1_200_000), 7), "a probe");
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut recent = Recent::default();
        for fingerprint in 1..=REMEMBERED {
            assert!(!recent.note(at(0), u32::try_from(fingerprint).unwrap()));
        }
        assert!(recent.note(at(0), 1));
        assert!(!recent.note(at(0), 99));
        assert!(!recent.note(at(0), 1), "it made room");
    }
}
