//! Tables of a workload's metrics, for the terminal and for the document.

use crate::goal::ratio;
use crate::measure::Measured;
use crate::sample::Metric;
use crate::workload::{Area, Workload, is_own};

/// Returns a table for the terminal, aligned with blanks, and the goals.
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
        let result = goal.result(measured);
        let word = match result.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "open",
        };
        text.push_str(&format!("  goal {}: {} ({word})\n", result.goal, result.seen));
    }
    for absent in &measured.absent {
        text.push_str(&format!("  skipped: {absent}\n"));
    }
    for failure in &measured.failures {
        text.push_str(&format!("  failed: {failure}\n"));
    }
    text
}

/// Returns a Markdown table and the goals, for the document.
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
        let result = goal.result(measured);
        let (word, why) = match result.met {
            Some(true) => ("met", ""),
            Some(false) => ("**not met**", goal.why_not),
            None => ("open", ""),
        };
        let why = if why.is_empty() { String::new() } else { format!(" {why}") };
        text.push_str(&format!("- Goal {}: {} – {word}.{why}\n", result.goal, result.seen));
    }
    for absent in &measured.absent {
        text.push_str(&format!("- Skipped: {absent}\n"));
    }
    for failure in &measured.failures {
        text.push_str(&format!("- Failed: {failure}\n"));
    }
    text
}

/// Returns the header, and a row per contender: its medians, and the ratio of mp's first contender
/// to it.
fn rows(workload: &Workload, measured: &Measured) -> Vec<Vec<String>> {
    let metrics: Vec<Metric> = COLUMNS
        .into_iter()
        .filter(|&metric| is_shown(workload, metric))
        .filter(|&metric| {
            measured.contenders.iter().any(|(name, _)| !measured.values(name, metric).is_empty())
        })
        .collect();
    let own = workload.contenders.iter().map(|contender| contender.name).find(|name| is_own(name));
    let mut head = vec![String::new()];
    for &metric in &metrics {
        head.push(metric.head().to_owned());
        if metric == Metric::Cpu {
            head.push("range".to_owned());
            head.extend(own.map(|own| format!("{own} / this")));
        }
    }
    let mut rows = vec![head];
    for (name, _) in &measured.contenders {
        let mut row = vec![name.clone()];
        for &metric in &metrics {
            let show = |value: Option<f64>| {
                value.map_or_else(|| "–".to_owned(), |value| metric.show(value))
            };
            row.push(show(measured.median(name, metric)));
            if metric == Metric::Cpu {
                let values = measured.values(name, metric);
                let least = values.iter().copied().reduce(f64::min);
                let most = values.iter().copied().reduce(f64::max);
                row.push(format!("{}–{}", show(least), show(most)));
                if let Some(own) = own {
                    let ratio = ratio(measured, metric, own, name);
                    row.push(ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
                }
            }
        }
        rows.push(row);
    }
    rows
}

fn is_shown(workload: &Workload, metric: Metric) -> bool {
    match metric {
        Metric::Memory | Metric::Resident | Metric::Anonymous | Metric::ClientShare => {
            workload.is_idle
        }
        Metric::Cpu | Metric::NatsCpu | Metric::Rate | Metric::Delivered => !workload.is_idle,
        // The clients of replicated nodes measure no latency.
        Metric::P50 | Metric::P99 => !workload.is_idle && workload.area != Area::Replication,
        Metric::P999 => workload.area == Area::Latency,
        Metric::AtEnd | Metric::Joined => workload.area == Area::Idle && !workload.is_idle,
        // Of servers over UDP, whose datagrams and wake-ups bound their CPU time.
        Metric::Datagrams | Metric::WakeUps => {
            let areas = [Area::Enet, Area::Relay, Area::Actors, Area::Replication];
            areas.contains(&workload.area)
        }
        Metric::Share | Metric::Least | Metric::Allocations | Metric::Bytes | Metric::Ticks => true,
        Metric::RoomMemory
        | Metric::NodeMemory
        | Metric::Recorded
        | Metric::Rooms
        | Metric::CreateP50
        | Metric::CreateP99
        | Metric::Scrape => true,
    }
}

const COLUMNS: [Metric; 27] = [
    Metric::Cpu,
    Metric::NatsCpu,
    Metric::RoomMemory,
    Metric::NodeMemory,
    Metric::Memory,
    Metric::Resident,
    Metric::Anonymous,
    Metric::AtEnd,
    Metric::Joined,
    Metric::Share,
    Metric::ClientShare,
    Metric::Rate,
    Metric::Ticks,
    Metric::Delivered,
    Metric::Least,
    Metric::P50,
    Metric::P99,
    Metric::P999,
    Metric::Bytes,
    Metric::Datagrams,
    Metric::WakeUps,
    Metric::Allocations,
    Metric::Recorded,
    Metric::Rooms,
    Metric::CreateP50,
    Metric::CreateP99,
    Metric::Scrape,
];
