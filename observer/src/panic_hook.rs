//! A panic anywhere ends the program.

use crate::view::terminal;

/// The exit status of a program that panicked, as the standard library has it.
const STATUS: i32 = 101;

/// From now on a panic in any thread or task gives back the terminal, prints its message, and ends the program. It
/// would go on without a part of itself otherwise, and what that part does not see would look like calm.
pub fn install() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        terminal::give_back();
        print(panic);
        std::process::exit(STATUS);
    }));
}
