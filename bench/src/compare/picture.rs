use std::fmt::Write;

use super::{rounds::Rounds, scenario::Scenario};

const WIDTH: f64 = 760.0;
const NAMES: f64 = 200.0;
const BAR: f64 = 22.0;
const TOP: f64 = 48.0;

/// The processor time a delivery of each server, as bars (SVG).
pub(super) fn of(scenario: &Scenario, rounds: &Rounds) -> String {
    let cpu = scenario.contestants.iter().filter_map(|contestant| {
        let cpu = rounds.median(scenario, contestant, |it| it.cpu_a_delivery)?;
        Some((contestant.name, cpu))
    });
    let bars: Vec<(&str, f64)> = cpu.collect();
    draw(scenario, &bars).expect("a text takes all that is written")
}

fn draw(scenario: &Scenario, bars: &[(&str, f64)]) -> Result<String, std::fmt::Error> {
    let most = bars
        .iter()
        .map(|(_, cpu)| *cpu)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + BAR * bars.len() as f64 + 12.0;
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">"
    )?;
    writeln!(svg, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>")?;
    let (name, question) = (scenario.name, scenario.question);
    writeln!(
        svg,
        "<text x=\"8\" y=\"18\" font-weight=\"bold\">{name}: CPU µs a delivery</text>\n\
         <text x=\"8\" y=\"36\" fill=\"#555\">{question}</text>"
    )?;
    for (at, (name, cpu)) in bars.iter().enumerate() {
        let y = TOP + BAR * at as f64;
        let width = (WIDTH - NAMES - 70.0) * cpu / most;
        let text = y + BAR * 0.65;
        let (bar, end) = (BAR - 5.0, NAMES + width + 6.0);
        writeln!(
            svg,
            "<text x=\"8\" y=\"{text}\">{name}</text>\
             <rect x=\"{NAMES}\" y=\"{y}\" width=\"{width:.1}\" height=\"{bar}\" fill=\"#4477aa\"/>\
             <text x=\"{end:.1}\" y=\"{text}\">{cpu:.2}</text>"
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::{super::scenario::SCENARIOS, *};

    #[test]
    fn the_longest_bar_is_as_long_as_there_is_room() {
        let svg = draw(&SCENARIOS[0], &[("a", 1.0), ("b", 4.0)]).unwrap();
        assert!(
            svg.contains("width=\"490.0\"") && svg.contains("width=\"122.5\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 3);
    }
}
