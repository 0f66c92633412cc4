//! The program in a pseudo-terminal, and a terminal emulator that looks at what it draws.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Only a program that hangs takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// The program, to be run with `args` in an environment that is the same everywhere.
pub(crate) fn observer(args: &[&str]) -> CommandBuilder {
    command(&[&[env!("CARGO_BIN_EXE_observer")], args].concat())
}

/// Any command, in an environment that is the same everywhere.
pub(crate) fn command(words: &[impl AsRef<str>]) -> CommandBuilder {
    let mut words = words.iter().map(AsRef::as_ref);
    let mut command = CommandBuilder::new(words.next().unwrap());
    command.args(words);
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command.env_remove("NO_COLOR");
    command
}

/// A running program and its terminal.
pub(crate) struct Pty {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    program: Program,
    output: Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
    emulator: vt100::Parser,
    modes_before: String,
    saw_alternate_screen: bool,
}

/// The program itself; killed when dropped.
struct Program(Box<dyn Child + Send + Sync>);

impl Drop for Program {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) = (self.0.try_wait(), self.0.process_id()) {
            // It runs, or has ended just now; then there is nothing to kill.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

/// How the program left its terminal.
pub(crate) struct End {
    /// Exit status.
    pub(crate) status: u32,
    /// What stood on the screen at the end.
    pub(crate) contents: String,
    /// Whether the view was there.
    pub(crate) saw_alternate_screen: bool,
    /// What of the view was left on.
    left: Vec<&'static str>,
    modes: (String, String),
}

impl End {
    /// The view was there, and nothing of it is left.
    pub(crate) fn assert_restored(&self) {
        assert!(self.saw_alternate_screen, "the view was never there");
        assert_eq!(self.left, [""; 0], "something was left on");
        assert_eq!(self.modes.0, self.modes.1, "the modes of the terminal");
    }
}

impl Pty {
    /// Starts `command` in a new terminal.
    pub(crate) fn spawn(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let modes_before = modes(&*pair.master);
        let program = Program(pair.slave.spawn_command(command).unwrap());
        let mut source = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose program has ended gives an error (EIO).
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keyboard: pair.master.take_writer().unwrap(),
            master: pair.master,
            program,
            output,
            reader,
            emulator: emulator(columns, rows),
            modes_before,
            saw_alternate_screen: false,
        }
    }

    /// Waits until `text` stands on the screen.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |pty| pty.contents().contains(text));
    }

    /// Waits until the view has the terminal, whether or not it finds room to show anything.
    pub(crate) fn wait_for_view(&mut self) {
        self.wait_until("the view", |pty| pty.saw_alternate_screen);
    }

    /// Waits until something has come true of the screen.
    pub(crate) fn wait_until(&mut self, what: &str, has_come: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !has_come(self) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.show(&bytes),
                Err(error) => panic!("{what:?} did not come ({error}):\n{}", self.contents()),
            }
        }
    }

    /// Types on the keyboard.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.emulator = emulator(columns, rows);
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// What stands on the screen.
    pub(crate) fn contents(&self) -> String {
        self.emulator.screen().contents()
    }

    /// Whether the view is on the screen, and not what was there before.
    pub(crate) fn shows_view(&self) -> bool {
        self.emulator.screen().alternate_screen()
    }

    /// Whether the terminal tells of the mouse.
    pub(crate) fn has_mouse(&self) -> bool {
        self.emulator.screen().mouse_protocol_mode() != vt100::MouseProtocolMode::None
    }

    /// Whether it tells of presses only and in the form that knows every column.
    pub(crate) fn has_mouse_presses(&self) -> bool {
        let screen = self.emulator.screen();
        screen.mouse_protocol_mode() == vt100::MouseProtocolMode::PressRelease
            && screen.mouse_protocol_encoding() == vt100::MouseProtocolEncoding::Sgr
    }

    /// Presses and releases a button of the mouse where `text` begins: 0 is the left one, 64 and 65 are the wheel (XTerm
    /// Control Sequences, Mouse Tracking).
    pub(crate) fn press_button(&mut self, button: u8, text: &str) {
        let contents = self.contents();
        let found = contents.lines().zip(1..).find_map(|(line, row)| {
            let before = line.split_once(text)?.0;
            Some((before.chars().count() + 1, row))
        });
        let (column, row) = found.unwrap_or_else(|| panic!("{text} is not on the screen:\n{contents}"));
        self.type_keys(&format!("\x1b[<{button};{column};{row}M\x1b[<{button};{column};{row}m"));
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn has_colour(&self) -> bool {
        let screen = self.emulator.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default)
    }

    /// Waits until the program has ended and everything it wrote is on the screen.
    pub(crate) fn wait_for_end(mut self) -> End {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.show(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program did not end:\n{}", self.contents()),
            }
        }
        let status = self.program.0.wait().unwrap().exit_code();
        let screen = self.emulator.screen();
        let left = [
            ("the alternate screen", screen.alternate_screen()),
            ("the hidden cursor", screen.hide_cursor()),
            ("the mouse", self.has_mouse()),
        ];
        End {
            left: left.into_iter().filter_map(|(what, is_on)| is_on.then_some(what)).collect(),
            status,
            contents: screen.contents(),
            saw_alternate_screen: self.saw_alternate_screen,
            modes: (self.modes_before, modes(&*self.master)),
        }
    }

    /// Closes the terminal and waits until the program has ended because of it.
    pub(crate) fn hang_up(mut self) {
        // The reader has the terminal open too; it lets go when a byte comes that nobody wants.
        self.type_keys("\x0c");
        let Self { master, keyboard, mut program, output, reader, .. } = self;
        drop(output);
        reader.join().unwrap();
        drop((keyboard, master));
        let mut killer = program.0.clone_killer();
        let (ended, has_ended) = channel::<()>();
        let watchdog = std::thread::spawn(move || {
            let hangs = has_ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
            if hangs {
                killer.kill().unwrap();
            }
            hangs
        });
        program.0.wait().unwrap();
        drop(ended);
        assert!(!watchdog.join().unwrap(), "the program did not end when its terminal was closed");
    }

    fn show(&mut self, bytes: &[u8]) {
        // Byte by byte: a view that comes and goes within one chunk was there too.
        for byte in bytes {
            self.emulator.process(std::slice::from_ref(byte));
            self.saw_alternate_screen |= self.emulator.screen().alternate_screen();
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.program.0.process_id().unwrap().try_into().unwrap())
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// No emulator is smaller than one cell.
fn emulator(columns: u16, rows: u16) -> vt100::Parser {
    let least = |count| NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN);
    vt100::Parser::new(least(rows), least(columns), 0)
}

/// The modes of a terminal, in a form that can be compared and printed.
fn modes(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios().expect("a terminal has modes"))
}
