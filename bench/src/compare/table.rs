use std::fmt::Write;

use super::{rounds::Rounds, scenario::Scenario};
use crate::load::Report;

/// A column: its head, its figure, and how many digits it has behind the point.
type Column = (&'static str, fn(&Report) -> f64, usize);

const COLUMNS: &[Column] = &[
    ("CPU µs a delivery", |it| it.cpu_a_delivery, 2),
    ("deliveries/s", |it| it.deliveries_a_second, 0),
    ("segments a delivery", |it| it.segments_a_delivery, 2),
    ("p50 ms", |it| it.delay_p50 / 1e3, 1),
    ("p99 ms", |it| it.delay_p99 / 1e3, 1),
    ("max ms", |it| it.delay_max / 1e3, 1),
    ("bytes a connection", |it| it.bytes_a_connection, 0),
    ("peak MB", |it| it.peak_bytes as f64 / 1e6, 0),
    ("CPU µs to connect", |it| it.cpu_to_connect, 0),
];

/// A table of each scenario, in Markdown: medians over the rounds.
pub(super) fn of(scenarios: &[&Scenario], rounds: &Rounds) -> String {
    let mut text = String::new();
    for scenario in scenarios {
        table(&mut text, scenario, rounds).expect("a text takes all that is written");
    }
    text
}

fn table(text: &mut String, scenario: &Scenario, rounds: &Rounds) -> std::fmt::Result {
    let (name, question, terms) = (scenario.name, scenario.question, scenario.terms());
    writeln!(text, "## {name}\n\n{question}. {terms}\n")?;
    write!(text, "| server | of the idiom's CPU |")?;
    for (head, ..) in COLUMNS {
        write!(text, " {head} |")?;
    }
    write!(text, "\n|---|{}\n", "---:|".repeat(1 + COLUMNS.len()))?;
    for contestant in scenario.contestants {
        write!(text, "| {} |", contestant.name)?;
        let idiom = contestant.idiom();
        let cpu = |report: &Report| report.cpu_a_delivery;
        match idiom.and_then(|idiom| rounds.median_ratio(scenario, contestant, idiom, cpu)) {
            Some(ratio) => write!(text, " {ratio:.2} |")?,
            None => write!(text, " |")?,
        }
        for (_, figure, digits) in COLUMNS {
            match rounds.median(scenario, contestant, figure) {
                Some(figure) => write!(text, " {figure:.digits$} |")?,
                None => write!(text, " – |")?,
            }
        }
        writeln!(text)?;
    }
    writeln!(text)
}
