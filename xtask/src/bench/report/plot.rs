//! The figures as grouped bars in SVG: how each subject does relative to plain hosts.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};

use super::table::ratio;
use crate::bench::{
    Case, Name,
    case::{Metric, Place},
    statistics::Series,
    suite::Results,
};

const BAR: f64 = 18.0;
const GAP: f64 = 22.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 40.0;
const LEGEND: f64 = 110.0;

/// Colours that stay apart for the colour-blind (Okabe and Ito's).
const COLOURS: [(Name, &str); 5] = [
    (Name::Host, "#999999"),
    (Name::Kernel, "#e69f00"),
    (Name::Overlay, "#0072b2"),
    (Name::OverlayDevice, "#56b4e9"),
    (Name::Docker, "#cc79a7"),
];

/// One case: its name and each subject's height, host being 1.
struct Group {
    case: Case,
    bars: Vec<(Name, f64)>,
}

/// Plots `results` into `path`. Fails without the subject host, the yardstick.
pub(crate) fn write_plot(path: &Path, results: &Results) -> Result<()> {
    let groups = groups(results);
    if groups.is_empty() {
        bail!("the plot shows ratios to the subject host, which was not measured");
    }
    let mut svg = String::new();
    draw(&mut svg, &groups).context("drawing the plot")?;
    fs::write(path, svg).with_context(|| format!("writing {}", path.display()))?;
    println!("plot written to {}", path.display());
    Ok(())
}

fn groups(results: &Results) -> Vec<Group> {
    let mut groups = Vec::new();
    for ((case, metric), subjects) in &results.series {
        let Some(host) = subjects
            .get(&Name::Host)
            .filter(|_| *metric == case.main_metric())
        else {
            continue;
        };
        let height = |(name, series): (&Name, &Series)| {
            Some((*name, better_is_higher(*metric, ratio(series, host)?)))
        };
        groups.push(Group {
            case: *case,
            bars: subjects.iter().filter_map(height).collect(),
        });
    }
    groups
}

fn better_is_higher(metric: Metric, ratio: f64) -> f64 {
    if metric.more_is_better() || ratio <= 0.0 {
        ratio
    } else {
        1.0 / ratio
    }
}

/// A panel for the cases across hosts, and one below for those on one host.
fn draw(svg: &mut String, groups: &[Group]) -> fmt::Result {
    let names: BTreeSet<Name> = groups
        .iter()
        .flat_map(|group| group.bars.iter().map(|(name, _)| *name))
        .collect();
    let of = |place| groups.iter().filter(move |group| group.case.place == place);
    let panels: Vec<Vec<&Group>> = [Place::Remote, Place::Local]
        .into_iter()
        .map(|place| of(place).collect())
        .filter(|panel: &Vec<&Group>| !panel.is_empty())
        .collect();
    let width = panels
        .iter()
        .map(|panel| panel_width(panel))
        .fold(LEGEND * 5.0 + LEFT, f64::max);
    let height = panels
        .iter()
        .fold(TOP, |height, _| height + HEIGHT + BOTTOM);
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">
<rect width="{width}" height="{height}" fill="#ffffff"/>
<text x="{LEFT}" y="20" font-size="13">Relative to plain hosts (1.0); higher is better, latency and CPU time are inverted</text>"##
    )?;
    legend(svg, &names)?;
    let mut base = TOP + HEIGHT;
    for panel in panels {
        draw_panel(svg, &panel, base, width)?;
        base += HEIGHT + BOTTOM;
    }
    svg.write_str("</svg>\n")
}

fn panel_width(panel: &[&Group]) -> f64 {
    let bars = |group: &&Group| group.bars.iter().map(|_| BAR).sum::<f64>() + GAP;
    LEFT + panel.iter().map(bars).sum::<f64>() + GAP
}

/// Draws the bars that stand on the line at height `base`.
fn draw_panel(svg: &mut String, panel: &[&Group], base: f64, width: f64) -> fmt::Result {
    let heights = panel
        .iter()
        .flat_map(|group| group.bars.iter().map(|(_, height)| *height));
    // Whole tenths, with air above the tallest bar.
    let top = (heights.fold(1.0, f64::max) * 10.0).ceil() / 10.0 + 0.1;
    axis(svg, base, width, top)?;
    let mut x = LEFT + GAP;
    for group in panel {
        let start = x;
        for (name, height) in &group.bars {
            bar(svg, *name, x, base, HEIGHT * height / top, *height)?;
            x += BAR;
        }
        writeln!(
            svg,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
            f64::midpoint(start, x),
            base + 16.0,
            group.case
        )?;
        x += GAP;
    }
    Ok(())
}

fn legend(svg: &mut String, names: &BTreeSet<Name>) -> fmt::Result {
    let mut x = LEFT;
    for name in names {
        let colour = colour(*name);
        writeln!(
            svg,
            r#"<rect x="{x}" y="32" width="10" height="10" fill="{colour}"/><text x="{}" y="41">{name}</text>"#,
            x + 14.0
        )?;
        x += LEGEND;
    }
    Ok(())
}

fn axis(svg: &mut String, base: f64, width: f64, top: f64) -> fmt::Result {
    let mut mark = 0.0;
    while mark <= top + 1e-9 {
        let y = base - HEIGHT * mark / top;
        let colour = if (mark - 1.0_f64).abs() < 1e-9 {
            "#444444"
        } else {
            "#dddddd"
        };
        writeln!(
            svg,
            r#"<line x1="{LEFT}" x2="{width}" y1="{y:.1}" y2="{y:.1}" stroke="{colour}"/><text x="{}" y="{:.1}" text-anchor="end">{mark:.1}</text>"#,
            LEFT - 6.0,
            y + 4.0
        )?;
        mark += 0.2;
    }
    Ok(())
}

fn bar(svg: &mut String, name: Name, x: f64, base: f64, tall: f64, value: f64) -> fmt::Result {
    let y = base - tall;
    writeln!(
        svg,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{tall:.1}" fill="{}"><title>{name}: {value:.2}</title></rect>"#,
        BAR - 2.0,
        colour(name)
    )?;
    writeln!(
        svg,
        r#"<text x="{:.1}" y="{:.1}" font-size="7.5" text-anchor="middle">{value:.2}</text>"#,
        x + BAR / 2.0 - 1.0,
        y - 2.0
    )
}

fn colour(name: Name) -> &'static str {
    COLOURS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("#000000", |(_, colour)| colour)
}
