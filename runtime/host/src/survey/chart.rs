//! Lines with their intervals as SVG.

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, LineSeries, PathElement, RGBColor, SVGBackend,
    SeriesLabelPosition, WHITE,
};

const SIZE: (u32, u32) = (960, 420);
/// An interval that reaches further above the highest point than this goes out of the picture.
const OPEN: f64 = 4.0;
/// Told apart by people who do not see all colours as well (Okabe and Ito 2008, "Color universal design").
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
const BLACK: RGBColor = RGBColor(0, 0, 0);

/// A picture of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: String,
    pub y: String,
    /// What stands at 0, 1, 2 and so on of the x-axis; empty where it is a number.
    pub names: Vec<String>,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub name: String,
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub low: f64,
    pub high: f64,
}

/// The picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the chart `{title}`: {says}")]
pub struct ChartError {
    title: String,
    says: String,
}

impl Chart {
    /// The picture, which takes its font from whoever shows it.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut svg = String::new();
        self.draw(&mut svg)
            .map_err(|error| ChartError { title: self.title.clone(), says: error.to_string() })?;
        Ok(svg)
    }

    fn draw(&self, to: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let right = points().map(|point| point.x).fold(self.names.len().saturating_sub(1) as f64, f64::max);
        let left = if self.names.is_empty() { 0.0 } else { -0.5 };
        let right = if self.names.is_empty() { right.max(1.0) } else { right + 0.5 };
        let top = points().map(|point| point.high).fold(0.0, f64::max);
        // Where hardly anything was counted the interval is huge; the lines matter more.
        let highest = points().map(|point| point.y).fold(0.0, f64::max);
        let top = if 0.0 < highest { top.min(OPEN * highest) } else { top };
        let top = if 0.0 < top { top * 1.05 } else { 1.0 };
        let root = SVGBackend::with_string(to, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 18).into_font())
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(left..right, 0.0..top)?;
        let name = |x: &f64| self.label(*x);
        chart
            .configure_mesh()
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_labels(self.names.len().clamp(8, 12))
            .x_label_formatter(&name)
            .light_line_style(WHITE)
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            for point in line.points.iter().filter(|point| point.low < point.high) {
                let bar = vec![(point.x, point.low), (point.x, point.high.min(top))];
                chart.draw_series(std::iter::once(PathElement::new(bar, colour.mix(0.4).stroke_width(2))))?;
            }
            let path = line.points.iter().map(|point| (point.x, point.y));
            let colour = *colour;
            let mut series = LineSeries::new(path, colour.stroke_width(2));
            if !self.names.is_empty() {
                series = series.point_size(3);
            }
            chart
                .draw_series(series)?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        if 1 < self.lines.len() {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.3))
                .draw()?;
        }
        root.present()?;
        Ok(())
    }

    /// Only whole places have names; the axis may want others too.
    fn label(&self, x: f64) -> String {
        if self.names.is_empty() {
            return format!("{x:.0}");
        }
        let place = x.round();
        let is_whole = (x - place).abs() < 1e-6 && 0.0 <= place;
        let name = self.names.iter().enumerate().find(|(index, _)| is_whole && *index as f64 == place);
        name.map_or_else(String::new, |(_, name)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_lines_its_names_and_no_markup_of_others() {
        let point = |x: f64, y: f64| Point { x, y, low: y / 2.0, high: y * 2.0 };
        let line =
            |name: &str| Line { name: name.to_owned(), points: vec![point(0.0, 1.0), point(1.0, 3.0)] };
        let chart = Chart {
            title: "A <b>title</b> & more".to_owned(),
            x: "x".to_owned(),
            y: "y".to_owned(),
            names: vec!["CC-2022".to_owned(), "CC-2024".to_owned()],
            lines: vec![line("en"), line("<script>")],
        };
        let svg = chart.svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("CC-2022") && svg.contains("CC-2024"), "{svg}");
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        assert!(svg.matches("<polyline").count() >= 2, "{svg}");
        for lines in [Vec::new(), vec![Line { name: "none".to_owned(), points: Vec::new() }]] {
            let empty = Chart { names: Vec::new(), lines, ..chart.clone() };
            assert!(empty.svg().is_ok());
        }
    }
}
