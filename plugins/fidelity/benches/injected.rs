//! explore
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and stops at the first surprise")]
use std::io::Read;
use palimpsest_fidelity::{inject::{Kind, inject}, values};
fn main() {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open("/work/shared/data/rephrase/onestopenglish_docs.jsonl.gz").unwrap()).take(1 << 26).read_to_string(&mut text).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let get = |i: usize, k: &str| rows[i][k].as_str().unwrap();
    let levels = ["advanced", "intermediate", "elementary"];
    let half = std::env::var("HALF").unwrap_or("0".into());
    let mut out = Vec::new();
    for i in 0..rows.len() {
        let id = get(i, "id");
        if (palimpsest_plugin::seed(&[id]) % 2).to_string() != half { continue; }
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            let (s, r) = (get(i, levels[a]), get(i, levels[b]));
            let mut dump = |kind: &str, n: u64, text: &str| {
                let a = r.bytes().zip(text.bytes()).take_while(|(x, y)| x == y).count(); let from = text.floor_char_boundary(a.saturating_sub(120)); let to = text.floor_char_boundary(a + 120); let edit = text[from..to].replace('\n', " ");
                let v = values(s, text);
                let o: serde_json::Map<String, serde_json::Value> = v.into_iter().map(|(k, v, p)| (k.to_string(), serde_json::json!([v, p]))).collect();
                out.push(serde_json::json!({"id": id, "pair": format!("{a}{b}"), "kind": kind, "n": n, "edit": edit, "v": o}));
            };
            dump("human", 0, r);
            for kind in Kind::ALL { for n in 0..5u64 {
                let other = get((i + 1 + n as usize * 7) % rows.len(), levels[b]);
                if let Some(t) = inject(kind, r, other, n) { dump(kind.word(), n, &t); }
            }}
        }
    }
    let mut s = String::new();
    for o in &out { s.push_str(&o.to_string()); s.push('\n'); }
    std::fs::write("/tmp/lab/fid-values.jsonl", s).unwrap();
    let t = std::time::Instant::now();
    for i in 0..rows.len() { values(get(i, "advanced"), get(i, "intermediate")); }
    println!("{:?} per pair", t.elapsed() / rows.len() as u32);
}
