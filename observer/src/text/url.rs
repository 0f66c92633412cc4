//! Web addresses without what may be a secret in them.

use std::borrow::Cow;

/// What stands for what is not told.
const MASK: &str = "***";
/// What ends an address in a text.
const ENDS: [char; 9] = ['"', '\'', '<', '>', '|', ';', '`', ')', '\\'];

/// A text with nothing of the `http://` and `https://` addresses in it but scheme, host and port: the path and the query of a
/// webhook are its password, and so is what stands before an `@`.
pub fn without_paths(text: &str) -> Cow<'_, str> {
    let Some(mut address) = next(text) else { return Cow::Borrowed(text) };
    let (mut told, mut rest) = (String::new(), text);
    loop {
        let (before, after) = rest.split_at(address);
        let end = after.find(|c: char| c.is_whitespace() || ENDS.contains(&c)).unwrap_or(after.len());
        told.push_str(before);
        told.push_str(&place(&after[..end]));
        rest = &after[end..];
        match next(rest) {
            Some(another) => address = another,
            None => break,
        }
    }
    told.push_str(rest);
    Cow::Owned(told)
}

/// Where in a text the host of the first address begins.
fn next(text: &str) -> Option<usize> {
    let is_web = |at: &usize| {
        let scheme = text[..*at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    };
    text.match_indices("://").map(|(at, _)| at).find(is_web).map(|at| at + 3)
}

/// Host and port of an address whose scheme is taken away, and whether there is more.
fn place(address: &str) -> String {
    let (authority, path) = address.split_at(address.find(['/', '?', '#']).unwrap_or(address.len()));
    let (user, host) = authority.rsplit_once('@').map_or((false, authority), |(_, host)| (true, host));
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|_| !host.ends_with(']'));
    // A password may have a slash in it: then what looks like a host with a port is a user with half of a password.
    if port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return MASK.to_owned();
    }
    let user = if user { format!("{MASK}@") } else { String::new() };
    match path {
        "" | "/" => format!("{user}{host}{path}"),
        _ => format!("{user}{host}/{MASK}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_web_address_only_scheme_host_and_port_are_told() {
        for (text, told) in [
            ("https://hooks.example.com/services/HIDDEN", "https://hooks.example.com/***"),
            ("HTTPS://hooks.example.com:8443?token=HIDDEN", "HTTPS://hooks.example.com:8443/***"),
            ("http://[2001:db8::1]:80/HIDDEN x", "http://[2001:db8::1]:80/*** x"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]/"),
            ("https://HIDDEN:HIDDEN@example.com/HIDDEN", "https://***@example.com/***"),
            ("https://etl:HID/DEN@example.com/", "https://***"),
            ("https://example.com#HIDDEN", "https://example.com/***"),
            ("curl -d @- 'https://a.example/HIDDEN'; echo", "curl -d @- 'https://a.example/***'; echo"),
            (
                "a=https://a.example/HIDDEN b=http://b.example/HIDDEN",
                "a=https://a.example/*** b=http://b.example/***",
            ),
            ("mysql://etl@10.2.0.5/shop", "mysql://etl@10.2.0.5/shop"),
            ("https://", "https://"),
            ("no address: //x", "no address: //x"),
        ] {
            assert_eq!(without_paths(text), told, "{text}");
            assert!(!told.contains("HIDDEN"), "{told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_does_no_harm(text in "\\PC{0,40}|(https?://)?[a-z:/@?#' ]{0,20}(https?://)?\\PC{0,10}") {
            let told = without_paths(&text);
            proptest::prop_assert_eq!(without_paths(&told).into_owned(), told.clone().into_owned());
        }
    }
}
