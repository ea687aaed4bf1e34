//! The chart of the last hour, drawn by the service.

use countersign_core::time::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::pieces::{list, text};
use super::scope::Scope;
use crate::call::Call;

/// Logins, refusals and sessions of the last hour. Who may not know them sees no chart.
pub(super) fn chart(call: &mut Call<'_>, scope: &Scope) -> Markup {
    let told = Ask::get("/api/v1/stats").word("tenant", scope.tenant());
    match told.value(call) {
        Ok(told) => drawn(list(&told, "minutes"), call.now),
        Err(_) => html! {},
    }
}

/// A minute of the chart.
struct Bar {
    /// From the left.
    x: i64,
    time: String,
    logins: u64,
    refused: u64,
    sessions: Option<u64>,
}

fn drawn(minutes: &[Value], now: Timestamp) -> Markup {
    let last = now.as_millis().div_euclid(60_000);
    let bars: Vec<_> = minutes.iter().filter_map(|it| Bar::of(it, last)).collect();
    let most = |of: fn(&Bar) -> u64| bars.iter().map(of).max().unwrap_or_default();
    let (logins, refused) = (most(|it| it.logins), most(|it| it.refused));
    let sessions = most(|it| it.sessions.unwrap_or_default());
    let counted = logins.max(refused);
    let sum = |of: fn(&Bar) -> u64| bars.iter().map(of).fold(0, u64::saturating_add);
    let line: Vec<_> = bars
        .iter()
        .filter_map(|bar| {
            let y = BASE.saturating_sub(scaled(bar.sessions?, sessions));
            Some(format!("{},{y}", bar.x.saturating_add(HALF)))
        })
        .collect();
    html! {
        section.card.chart aria-labelledby="hour" {
            h2 id="hour" { "The last hour" }
            div.hour {
            div.numbers {
                p.number { b { (sum(|it| it.logins)) } span { "logins" } }
                p.number { b { (sum(|it| it.refused)) } span { "refused logins" } }
                @if let Some(bar) = bars.last() { @if let Some(sessions) = bar.sessions { p.number { b { (sessions) } span { "sessions now" } } } }
            }
            @if counted == 0 && sessions == 0 { (super::pieces::empty("Nobody logged in, and nobody was refused.")) }
            @else { svg viewBox="0 0 760 236" role="img" aria-labelledby="chart-title" {
                title id="chart-title" { "Logins above the line and refused logins below it, by minute" }
                line.grid x1="40" x2="720" y1="20" y2="20" {}
                line.grid x1="40" x2="720" y1="65" y2="65" {}
                line.grid x1="40" x2="720" y1="155" y2="155" {}
                line.grid x1="40" x2="720" y1="200" y2="200" {}
                @for bar in &bars {
                    @let up = scaled(bar.logins, counted);
                    @let down = scaled(bar.refused, counted);
                    @if up > 0 { rect.logins x=(bar.x) y=(BASE.saturating_sub(up)) width="9" height=(up) rx="1.5" {} }
                    @if down > 0 { rect.refused x=(bar.x) y=(BASE) width="9" height=(down) rx="1.5" {} }
                }
                @if line.len() > 1 { polyline.sessions points=(line.join(" ")) {} }
                line.axis x1="40" x2="720" y1="110" y2="110" {}
                text x="34" y="24" text-anchor="end" { (counted) }
                text x="34" y="114" text-anchor="end" { "0" }
                text x="34" y="204" text-anchor="end" { (counted) }
                @if sessions > 0 { text x="726" y="24" { (sessions) } text x="726" y="114" { "0" } }
                @for (x, words) in [(40, "60 min ago"), (267, "40"), (494, "20"), (720, "now")] {
                    text x=(x) y="226" text-anchor=(match x { 40 => "start", 720 => "end", _ => "middle" }) { (words) }
                }
            }
            } }
            ul.legend {
                li { svg aria-hidden="true" viewBox="0 0 14 9" { rect.logins x="2" y="0" width="10" height="9" rx="1.5" {} } "logins, upwards" }
                li { svg aria-hidden="true" viewBox="0 0 14 9" { rect.refused x="2" y="0" width="10" height="9" rx="1.5" {} } "refused logins, downwards" }
                @if sessions > 0 { li { svg aria-hidden="true" viewBox="0 0 14 9" { polyline.sessions points="0,7 5,3 9,5 14,1" {} } "sessions, with the scale on the right" } }
            }
            details {
                summary { "As a table" }
                (table(&bars))
            }
        }
    }
}

fn table(bars: &[Bar]) -> Markup {
    let row = |bar: &Bar| {
        vec![
            html! { (bar.time) },
            html! { (bar.logins) },
            html! { (bar.refused) },
            html! { @if let Some(sessions) = bar.sessions { (sessions) } },
        ]
    };
    let rows: Vec<_> = bars.iter().rev().map(row).collect();
    let heads = ["Minute (UTC)", "Logins", "Refused", "Sessions"];
    super::pieces::table("The last hour by minute", &heads, &rows)
}

impl Bar {
    fn of(minute: &Value, last: i64) -> Option<Self> {
        let time = text(minute, "time");
        let instant: jiff::Timestamp = time.parse().ok()?;
        let ago = last.saturating_sub(instant.as_millisecond().div_euclid(60_000));
        let place = 59_i64.saturating_sub(ago);
        let count = |key| minute[key].as_u64();
        (0..60).contains(&place).then(|| Self {
            x: place.saturating_mul(680).div_euclid(60).saturating_add(41),
            time: instant.strftime("%H:%M").to_string(),
            logins: count("logins").unwrap_or_default(),
            refused: count("refused").unwrap_or_default(),
            sessions: count("sessions"),
        })
    }
}

/// A count as a height; what is there at all is seen.
fn scaled(count: u64, most: u64) -> u64 {
    let height = count
        .saturating_mul(HEIGHT)
        .checked_div(most)
        .unwrap_or_default();
    if count > 0 { height.max(2) } else { 0 }
}

/// Where the line of nothing is.
const BASE: u64 = 110;
const HEIGHT: u64 = 90;
/// From the left side of a minute to its middle.
const HALF: i64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_at_all_is_seen_and_nothing_is_higher_than_the_chart() {
        assert_eq!(scaled(0, 0), 0);
        assert_eq!(scaled(0, 10), 0);
        assert_eq!(scaled(1, 1_000_000), 2);
        assert_eq!(scaled(10, 10), HEIGHT);
        assert!(scaled(u64::MAX, u64::MAX) <= HEIGHT);
    }
}
