//! A workload's figures as a table, for the terminal and for the document.

use crate::goal::ratio;
use crate::measure::Measured;
use crate::sample::Figure;
use crate::workload::{Workload, is_own};

/// For the terminal: columns in blanks, goals below.
pub(crate) fn terminal(workload: &Workload, measured: &Measured) -> String {
    let rows = rows(workload, measured);
    let columns = rows[0].len();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        text.push(' ');
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => text.push_str(&format!(" {cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push('\n');
    }
    for goal in &workload.goals {
        let verdict = goal.verdict(measured);
        let word = match verdict.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "open",
        };
        text.push_str(&format!("  goal {}: {} ({word})\n", verdict.goal, verdict.seen));
    }
    for absent in &measured.absent {
        text.push_str(&format!("  left out: {absent}\n"));
    }
    text
}

/// For the document: Markdown, goals below.
pub(crate) fn markdown(workload: &Workload, measured: &Measured) -> String {
    let mut text = String::new();
    for (number, row) in rows(workload, measured).iter().enumerate() {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
        if number == 0 {
            text.push_str(&format!("|---|{}\n", "---:|".repeat(row.len() - 1)));
        }
    }
    text.push('\n');
    for goal in &workload.goals {
        let verdict = goal.verdict(measured);
        let (word, why) = match verdict.met {
            Some(true) => ("met", ""),
            Some(false) => ("**not met**", goal.why_not),
            None => ("open", ""),
        };
        let why = if why.is_empty() { String::new() } else { format!(" {why}") };
        text.push_str(&format!("- Goal {}: {} – {word}.{why}\n", verdict.goal, verdict.seen));
    }
    for absent in &measured.absent {
        text.push_str(&format!("- Left out: {absent}\n"));
    }
    for failure in &measured.failures {
        text.push_str(&format!("- Failed: {failure}\n"));
    }
    text
}

/// The head, and a row for each contender: its medians, and how mp's first contender compares.
fn rows(workload: &Workload, measured: &Measured) -> Vec<Vec<String>> {
    let figures: Vec<Figure> = COLUMNS
        .into_iter()
        .filter(|&figure| is_shown(workload, figure))
        .filter(|&figure| {
            measured.contenders.iter().any(|(name, _)| !measured.values(name, figure).is_empty())
        })
        .collect();
    let own = workload.contenders.iter().map(|contender| contender.name).find(|name| is_own(name));
    let mut head = vec![String::new()];
    for &figure in &figures {
        head.push(figure.head().to_owned());
        if figure == Figure::Cpu {
            head.push("range".to_owned());
            head.extend(own.map(|own| format!("{own} / it")));
        }
    }
    let mut rows = vec![head];
    for (name, _) in &measured.contenders {
        let mut row = vec![name.clone()];
        for &figure in &figures {
            let show = |value: Option<f64>| {
                value.map_or_else(|| "–".to_owned(), |value| figure.show(value))
            };
            row.push(show(measured.median(name, figure)));
            if figure == Figure::Cpu {
                let values = measured.values(name, figure);
                let least = values.iter().copied().reduce(f64::min);
                let most = values.iter().copied().reduce(f64::max);
                row.push(format!("{}–{}", show(least), show(most)));
                if let Some(own) = own {
                    let ratio = ratio(measured, figure, own, name);
                    row.push(ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
                }
            }
        }
        rows.push(row);
    }
    rows
}

fn is_shown(workload: &Workload, figure: Figure) -> bool {
    match figure {
        Figure::Memory | Figure::Resident => workload.is_idle,
        Figure::Cpu | Figure::Rate | Figure::Delivered | Figure::P50 | Figure::P99 => {
            !workload.is_idle
        }
        Figure::Share | Figure::Allocations | Figure::Bytes | Figure::Ticks => true,
    }
}

const COLUMNS: [Figure; 11] = [
    Figure::Cpu,
    Figure::Memory,
    Figure::Resident,
    Figure::Share,
    Figure::Rate,
    Figure::Ticks,
    Figure::Delivered,
    Figure::P50,
    Figure::P99,
    Figure::Bytes,
    Figure::Allocations,
];
