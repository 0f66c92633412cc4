//! Whatever comes, nothing panics, and nothing is told that must not be.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Bytes that often begin like packets.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let packet = (0_u8..80, 0_u8..3, vec(any::<u8>(), 0..80))
        .prop_map(|(length, sequence, payload)| [&[length, 0, 0, sequence], &payload[..]].concat());
    prop_oneof![vec(any::<u8>(), 0..100), vec(packet, 0..4).prop_map(|packets| packets.concat())]
}

proptest! {
    #[test]
    fn every_reader_takes_whatever_comes(bytes in bytes()) {
        let _ = (greeting(&bytes), Login::parse(&bytes), Reply::parse(&bytes), lone_error(&bytes));
        let _ = (stored(&bytes, 0), Command::parse(&bytes), tellable(&bytes));
    }

    #[test]
    fn a_tail_takes_whatever_comes(segments in vec(bytes(), 0..6), capabilities in any::<Option<u32>>()) {
        let mut tail = Tail::default();
        for segment in &segments {
            tail.push(segment);
            let _ = tail.ends_a_result(capabilities);
        }
    }

    #[test]
    fn a_secret_in_a_literal_is_never_told(
        before in "[ -~]{0,20}",
        secret in "[a-z]{8}",
        after in "[ -~]{0,20}",
        cut in 0_usize..120,
    ) {
        prop_assume!(!before.contains(['\'', '"', '`', '/', '-', '#', '\\']) && !after.contains(&secret));
        let statement = format!("\u{3}SET wait_timeout=5, @a='hidden {secret} hidden', @b='{after}");
        let payload = [&statement.as_bytes()[..1], before.as_bytes(), &statement.as_bytes()[1..]].concat();
        let told = tellable(&payload[..cut.min(payload.len())]);
        prop_assert!(!told.is_some_and(|told| told.contains(&secret)));
    }
}
