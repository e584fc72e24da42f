//! A view of the running server: the arena in characters, and a line per player. Without a terminal
//! only the lines are printed.
//!
//!     cargo run -p mp-examples --bin arena -- serve --view | cat
//!
//! Each second, with a bot (`arena -- bots --count 1`), it prints
//!
//! ```text
//!     1 player, 8 coins, … B/s in, … B/s out
//!     Bot 1 is at (…, …) with … coins; round trip … ms; … B/s in, … B/s out
//! ```

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use mp::Server;
use mp::actor::CallError;
use mp::core::variant::Vector2;

use crate::arena::HALF_SIZE;
use crate::snapshot::{Observer, Row, Snapshot};

/// Shows the server until it ends.
///
/// # Errors
///
/// Returns an error if the server has ended.
pub(crate) async fn run(server: &Server) -> Result<(), CallError> {
    let is_terminal = io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(if is_terminal { REDRAW } else { PRINT });
    ticks.tick().await;
    let mut observer = Observer::new();
    loop {
        ticks.tick().await;
        let snapshot = observer.take(server).await?;
        let text = if is_terminal { drawn(&snapshot) } else { lines(&snapshot) };
        let mut out = io::stdout().lock();
        // Fails if the reader of the output has ended; the server goes on.
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    }
}

/// Returns a line with totals, and a line per player.
pub(crate) fn lines(snapshot: &Snapshot) -> String {
    let mut text = format!("{}\n", totals(snapshot));
    for row in &snapshot.players {
        let Row { name, position, score, .. } = row;
        let (x, y) = (position.x, position.y);
        let traffic = traffic(row.received, row.sent);
        let time = round_trip(row);
        let _ = writeln!(
            text,
            "{name} is at ({x:.0}, {y:.0}) with {score} coins; round trip {time}; {traffic}"
        );
    }
    text
}

/// Returns the escape sequences that replace the content of the terminal by the arena, and a table
/// of the players.
pub(crate) fn drawn(snapshot: &Snapshot) -> String {
    let mut text = format!("\x1b[H\x1b[J{}\n", totals(snapshot));
    let mut cells = vec![vec![Cell::Empty; WIDTH]; HEIGHT];
    for &coin in &snapshot.coins {
        let (column, line) = place(coin);
        cells[line][column] = Cell::Coin;
    }
    for (index, row) in snapshot.players.iter().enumerate() {
        let (column, line) = place(row.position);
        cells[line][column] = Cell::Player(index);
    }
    let border = "─".repeat(WIDTH);
    let _ = writeln!(text, "┌{border}┐");
    for line in cells {
        text.push('│');
        line.into_iter().for_each(|cell| cell.draw(&mut text));
        text.push_str("│\n");
    }
    let _ = writeln!(text, "└{border}┘");
    for (index, row) in snapshot.players.iter().enumerate() {
        Cell::Player(index).draw(&mut text);
        let (name, score, time) = (&row.name, row.score, round_trip(row));
        let traffic = traffic(row.received, row.sent);
        let _ = writeln!(text, " {name:<16} {score:>4} coins  {time:>7}  {traffic}");
    }
    text
}

/// A character of the drawn arena.
#[derive(Clone, Copy)]
enum Cell {
    Empty,
    Coin,
    /// The player of this index.
    Player(usize),
}

impl Cell {
    fn draw(self, text: &mut String) {
        match self {
            Self::Empty => text.push(' '),
            Self::Coin => text.push_str("\x1b[33m∘\x1b[m"),
            Self::Player(index) => {
                let (letter, color) =
                    (LETTERS[index % LETTERS.len()], COLORS[index % COLORS.len()]);
                let _ = write!(text, "\x1b[1;{color}m{}\x1b[m", char::from(letter));
            }
        }
    }
}

/// Returns the column and line of a position.
fn place(position: Vector2) -> (usize, usize) {
    let cell = |value: f32, half: f32, cells: usize| {
        let part = ((value + half) / (2.0 * half)).clamp(0.0, 1.0);
        ((part * cells as f32) as usize).min(cells - 1)
    };
    (cell(position.x, HALF_SIZE.x, WIDTH), cell(position.y, HALF_SIZE.y, HEIGHT))
}

fn totals(snapshot: &Snapshot) -> String {
    let players = snapshot.players.len();
    let sum = |rate: fn(&Row) -> f64| snapshot.players.iter().map(rate).fold(0.0, |a, b| a + b);
    let (received, sent) = (sum(|row| row.received), sum(|row| row.sent));
    let s = if players == 1 { "" } else { "s" };
    let coins = snapshot.coins.len();
    format!("{players} player{s}, {coins} coins, {}", traffic(received, sent))
}

fn traffic(received: f64, sent: f64) -> String {
    format!("{received:.0} B/s in, {sent:.0} B/s out")
}

fn round_trip(row: &Row) -> String {
    row.round_trip_time
        .map_or_else(|| "unknown".to_owned(), |time| format!("{} ms", time.as_millis()))
}

const REDRAW: Duration = Duration::from_millis(200);
const PRINT: Duration = Duration::from_secs(1);
/// Size of the drawn arena in characters, which are about twice as high as wide.
const WIDTH: usize = 72;
const HEIGHT: usize = 20;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Foreground colors of ANSI terminals, without yellow, which coins have.
const COLORS: [u8; 5] = [36, 32, 35, 34, 31];
