//! Writes the blocks of HTML files for training: `blocks OUT FILE…` writes `OUT.f32` and `OUT.jsonl`.
use std::io::Write;
fn main() {
    let mut args = std::env::args().skip(1);
    let out = args.next().unwrap();
    let mut f = std::io::BufWriter::new(std::fs::File::create(format!("{out}.f32")).unwrap());
    let mut j = std::io::BufWriter::new(std::fs::File::create(format!("{out}.jsonl")).unwrap());
    for path in std::io::stdin().lines() {
        let path = path.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let html = String::from_utf8_lossy(&bytes);
        let samples = palimpsest_extract::training::samples(&html);
        let width = samples.first().map_or(0, |s| s.features.len());
        for s in &samples {
            assert_eq!(s.features.len(), width);
            for x in &s.features {
                f.write_all(&x.to_le_bytes()).unwrap();
            }
        }
        let texts: Vec<_> = samples.iter().map(|s| &s.text).collect();
        let containers: Vec<_> = samples.iter().map(|s| &s.containers).collect();
        let groups: Vec<_> = samples.iter().map(|s| s.group).collect();
        writeln!(j, "{}", serde_json::json!({"path": path, "width": width, "texts": texts, "containers": containers, "groups": groups})).unwrap();
    }
}
