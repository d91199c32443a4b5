//! 256 centroids for a few columns of a matrix, as the official tool finds them, up to their beginnings.

use std::ops::Range;

use super::CENTROIDS;
use crate::matrix::Dense;
use crate::random::Random;

/// Of more rows a sample of so many is looked at: 256 for each centroid.
const MAX_POINTS: usize = CENTROIDS * 256;
const ROUNDS: usize = 25;
/// How far the two halves of a split centroid are moved apart.
const APART: f32 = 1e-7;

/// Centroids of the columns, one after the other. There must be at least 256 rows.
pub(super) fn learn(dense: &Dense, columns: Range<usize>, random: &mut Random) -> Vec<f32> {
    let width = columns.len();
    let mut rows: Vec<usize> = (0..dense.rows()).collect();
    random.shuffle(&mut rows);
    rows.truncate(MAX_POINTS);
    let points: Vec<f32> = rows
        .iter()
        .flat_map(|&row| dense.row(row).get(columns.clone()).unwrap_or_default())
        .copied()
        .collect();
    // The rows are in no order, so the first are as good as any.
    let mut centroids: Vec<f32> = points.iter().copied().take(CENTROIDS * width).collect();
    for _ in 0..ROUNDS {
        let codes: Vec<u8> = points.chunks(width).map(|point| nearest(&centroids, point)).collect();
        let mut counts = means(&points, &codes, width, &mut centroids);
        split(&mut centroids, &mut counts, width, rows.len(), random);
    }
    centroids
}

/// The number of the centroid that is nearest; of equally near ones the first.
pub(super) fn nearest(centroids: &[f32], point: &[f32]) -> u8 {
    let mut best = (f32::INFINITY, 0);
    for (number, centroid) in (0..=u8::MAX).zip(centroids.chunks(point.len())) {
        let distance = centroid.iter().zip(point).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
        if distance < best.0 {
            best = (distance, number);
        }
    }
    best.1
}

/// Moves every centroid to the middle of its points, and says how many those are.
fn means(points: &[f32], codes: &[u8], width: usize, centroids: &mut [f32]) -> Vec<usize> {
    let mut counts = vec![0_usize; CENTROIDS];
    centroids.fill(0.0);
    for (point, &code) in points.chunks(width).zip(codes) {
        counts[usize::from(code)] += 1;
        let start = usize::from(code) * width;
        let centroid = centroids.get_mut(start..start + width).unwrap_or_default();
        for (sum, x) in centroid.iter_mut().zip(point) {
            *sum += x;
        }
    }
    for (centroid, &count) in centroids.chunks_mut(width).zip(&counts) {
        if 0 < count {
            centroid.iter_mut().for_each(|x| *x /= count as f32);
        }
    }
    counts
}

/// Gives a centroid without points half of another's, the more likely the more it has.
fn split(centroids: &mut [f32], counts: &mut [usize], width: usize, points: usize, random: &mut Random) {
    let spare = points.saturating_sub(CENTROIDS);
    for empty in 0..CENTROIDS {
        if counts[empty] != 0 {
            continue;
        }
        // Some centroid has two points or more, since one of as many centroids as points has none; the chance of never
        // hitting it is bounded by taking the largest after a while.
        let found = (0..CENTROIDS * CENTROIDS)
            .map(|step| step % CENTROIDS)
            .find(|&other| 1 < counts[other] && random.unit() * (spare as f64) < (counts[other] - 1) as f64);
        let full = found.unwrap_or_else(|| (0..CENTROIDS).max_by_key(|&other| counts[other]).unwrap_or(0));
        for column in 0..width {
            let apart = if column % 2 == 0 { -APART } else { APART };
            let x = centroids[full * width + column];
            centroids[empty * width + column] = x + apart;
            centroids[full * width + column] = x - apart;
        }
        counts[empty] = counts[full] / 2;
        counts[full] -= counts[empty];
    }
}
