//! What the documents have of a shell's language: words, quotes, comments, pipes, redirections, lines that go on.

/// The commands of a block, by their words. Where standard input and output go is left out.
pub(crate) fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    joined.lines().flat_map(of_line).collect()
}

fn of_line(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut words = words(line).into_iter();
    while let Some((word, is_quoted)) = words.next() {
        match word.as_str() {
            "|" | "&&" | ";" if !is_quoted => commands.push(Vec::new()),
            "<" | ">" | ">>" if !is_quoted => drop(words.next()),
            // Who runs a command is not what it is.
            "sudo" if commands.last().unwrap().is_empty() => {}
            _ => commands.last_mut().unwrap().push(word),
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// The words of a line up to its comment, and whether a quote is in them.
fn words(line: &str) -> Vec<(String, bool)> {
    let (mut words, mut word) = (Vec::new(), None::<(String, bool)>);
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default().1 = true;
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().0.push(letter),
        }
    }
    assert!(quote.is_none(), "a quote without its end: {line}");
    words.extend(word);
    words
}

#[test]
fn lines_are_read_as_a_shell_does() {
    let block = "one 'two three' # four\n\n# five\nsix \\\n  --seven | eight \"|\" > nine && ten#\n";
    assert_eq!(
        commands(block),
        [vec!["one", "two three"], vec!["six", "--seven"], vec!["eight", "|"], vec!["ten#"]]
    );
}
