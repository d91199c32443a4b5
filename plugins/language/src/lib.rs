//! The built-in stage `language`: which language a text is in, and whether the run wants it.
//!
//! The models are lingua's and live in the component, which is why it is large. Which ones is decided when it is built:
//! the ones of most web pages, or with
//! `cargo build --profile plugin --target wasm32-wasip2 -p palimpsest-language --no-default-features --features all`
//! all 75.

mod detect;
mod evidence;
mod sample;
mod script;

use std::fmt;

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column};
use schemars::JsonSchema;
use serde::Deserialize;

use detect::{Answer, Detector, UNKNOWN, Windows};

/// FineWeb's threshold.
const DEFAULT_MIN_CONFIDENCE: f64 = 0.65;

/// The beginning, the middle and the end: a page in two languages shows both.
const DEFAULT_WINDOWS: u32 = 3;

/// Just above 120 letters, from which on the models look at triples of letters only and are four times as fast.
const DEFAULT_WINDOW_CHARS: u32 = 200;

/// With fewer letters the models guess.
const DEFAULT_MIN_LETTERS: u32 = 20;

/// Settings of the stage `language`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The languages that pass, as ISO 639-1 codes, `und` for one that the component does not know. All others are
    /// dropped as `language`. Empty: all pass.
    pub keep: Vec<String>,
    /// A text whose language is less sure than this, between 0 and 1, is dropped as `low_confidence`. Does not apply to
    /// `und`, whose score is 0.
    pub min_confidence: f64,
    /// A text with fewer letters is dropped as `too_short`. Addresses and numbers do not count.
    pub min_letters: u32,
    /// In how many places of the text to look.
    pub windows: u32,
    /// How many characters to look at in each place. Below 200 it becomes slower, not faster.
    pub window_chars: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep: Vec::new(),
            min_confidence: DEFAULT_MIN_CONFIDENCE,
            min_letters: DEFAULT_MIN_LETTERS,
            windows: DEFAULT_WINDOWS,
            window_chars: DEFAULT_WINDOW_CHARS,
        }
    }
}

/// The stage.
pub struct LanguageStage {
    detector: Detector,
    keep: Vec<String>,
    min_confidence: f64,
    min_letters: usize,
}

impl fmt::Debug for LanguageStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanguageStage").field("keep", &self.keep).finish_non_exhaustive()
    }
}

/// Why a text does not go on.
#[derive(Debug, Clone, PartialEq)]
enum Reject {
    TooShort,
    Language(Answer),
    LowConfidence(Answer),
}

impl Reject {
    fn outcome(&self) -> Outcome {
        let told = |answer: &Answer| format!("{} {}", answer.language, answer.score);
        match self {
            Self::TooShort => Outcome::drop("too_short"),
            Self::Language(answer) => Outcome::drop_with("language", told(answer)),
            Self::LowConfidence(answer) => Outcome::drop_with("low_confidence", told(answer)),
        }
    }
}

impl Stage for LanguageStage {
    const NAME: &'static str = "language";
    const SUMMARY: &'static str = "says which language a text is in and keeps the wanted ones";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let known = detect::known();
        for code in &settings.keep {
            if !known.contains(code) && code != UNKNOWN {
                return Err(format!(
                    "keep: this component does not know `{code}`; it knows {} and {UNKNOWN}",
                    known.join(", ")
                ));
            }
        }
        if !(0.0..=1.0).contains(&settings.min_confidence) {
            return Err(format!("min_confidence: {} is not between 0 and 1", settings.min_confidence));
        }
        for (key, value, most) in
            [("windows", settings.windows, 16), ("window_chars", settings.window_chars, 10_000)]
        {
            if !(1..=most).contains(&value) {
                return Err(format!("{key}: {value} is not between 1 and {most}"));
            }
        }
        let windows = Windows { count: settings.windows as usize, chars: settings.window_chars as usize };
        Ok(Self {
            detector: Detector::new(windows),
            keep: settings.keep,
            min_confidence: settings.min_confidence,
            min_letters: settings.min_letters as usize,
        })
    }

    fn columns(&self) -> Vec<Column> {
        vec![column("language", Kind::Text), column("language_score", Kind::Number)]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        Ok(match self.judge(page.text()) {
            Ok(answer) => Outcome::keep(
                Draft::new().with("language", answer.language).with("language_score", answer.score),
            ),
            Err(reject) => reject.outcome(),
        })
    }
}

impl LanguageStage {
    fn judge(&self, text: &str) -> Result<Answer, Reject> {
        let answer = self.detector.detect(text, self.min_letters).ok_or(Reject::TooShort)?;
        if !self.keep.is_empty() && !self.keep.contains(&answer.language) {
            return Err(Reject::Language(answer));
        }
        if answer.language != UNKNOWN && answer.score < self.min_confidence {
            return Err(Reject::LowConfidence(answer));
        }
        Ok(answer)
    }
}

palimpsest_plugin::register!(LanguageStage);

#[cfg(test)]
mod tests {
    use palimpsest_plugin::Value;
    use palimpsest_plugin::testing::{self, Verdict, document};

    use super::*;

    const ENGLISH: &str =
        "The river had been rising since the morning, and by noon the lower fields were under water.";
    const GERMAN: &str =
        "Der Fluss war seit dem Morgen gestiegen, und am Mittag standen die unteren Felder unter Wasser.";

    fn stage(keep: &[&str]) -> LanguageStage {
        let keep = keep.iter().map(|code| (*code).to_owned()).collect();
        LanguageStage::configure(Settings { keep, ..Settings::default() }).unwrap()
    }

    /// The language that the text goes on with, or the word that it is dropped under.
    fn outcome(stage: &LanguageStage, text: &str) -> Result<(String, f64), String> {
        match testing::run(stage, &document(text), &[]).unwrap() {
            Verdict::Emit(drafts) => {
                assert!(drafts[0].text.is_none(), "the text stays");
                let [language, score] = drafts[0].fields.as_slice() else { panic!("two fields") };
                match (&language.value, &score.value) {
                    (Value::Text(language), Value::Number(score)) => Ok((language.clone(), *score)),
                    other => panic!("{other:?}"),
                }
            }
            Verdict::Drop(said) => Err(said.split(':').next().unwrap_or_default().to_owned()),
            Verdict::Ask(_) => panic!("asks nothing"),
        }
    }

    #[track_caller]
    fn check(text: &str, language: &str) {
        let (told, score) = outcome(&stage(&[]), text).unwrap();
        assert_eq!(told, language, "{score}");
    }

    #[test]
    fn languages_are_told() {
        check(ENGLISH, "en");
        check(GERMAN, "de");
        check("Le fleuve montait depuis le matin et à midi les champs étaient sous l'eau.", "fr");
        check("Rzeka przybierała od rana, a w południe dolne pola były już pod wodą.", "pl");
        check("Река поднималась с самого утра, и к полудню нижние поля были под водой.", "ru");
        check("河水从早上开始上涨，到中午时低处的田地已经被淹没了，人们纷纷往高处走。", "zh");
        check("川の水は朝から増え続け、昼には低い畑は水の中に沈んでいました。", "ja");
        check("강물은 아침부터 불어나기 시작했고 정오에는 낮은 밭이 물에 잠겼다.", "ko");
        check("كان النهر يرتفع منذ الصباح وعند الظهر كانت الحقول المنخفضة تحت الماء.", "ar");
    }

    #[cfg(not(feature = "all"))]
    #[test]
    fn languages_that_no_model_knows_are_not_guessed() {
        check("แม่น้ำเพิ่มสูงขึ้นตั้งแต่เช้า และตอนเที่ยงทุ่งนาด้านล่างก็จมอยู่ใต้น้ำ", "und");
        check("הנהר עלה מאז הבוקר, ועד הצהריים השדות הנמוכים היו מתחת למים.", "und");
        check("Ο ποταμός ανέβαινε από το πρωί και το μεσημέρι τα χωράφια ήταν κάτω από το νερό.", "und");
        check("Річка піднімалася зранку, і до полудня нижні поля були під водою.", "und");
        check(
            "A folyó reggel óta emelkedett, és délre az alsó földek már víz alatt álltak, őrült idő ez.",
            "und",
        );
        let found = outcome(&stage(&["und"]), "ನದಿ ಬೆಳಿಗ್ಗೆಯಿಂದ ಏರುತ್ತಿತ್ತು ಮತ್ತು ಮಧ್ಯಾಹ್ನದ ಹೊತ್ತಿಗೆ");
        assert_eq!(found, Ok(("und".to_owned(), 0.0)));
    }

    #[test]
    fn only_wanted_languages_pass() {
        assert!(outcome(&stage(&["en", "fr"]), ENGLISH).is_ok());
        assert_eq!(outcome(&stage(&["en", "fr"]), GERMAN), Err("language".to_owned()));
        let dropped = testing::run(&stage(&["en"]), &document(GERMAN), &[]);
        let Ok(Verdict::Drop(said)) = dropped else { panic!("drops: {dropped:?}") };
        assert!(said.starts_with("language: de 0.9"), "{said}");
    }

    #[test]
    fn texts_that_say_too_little_are_dropped() {
        for text in
            ["", "ok", "12345 67890 https://example.com/a-long-address-with-words 2026", "\0\0\0", "🙂🙂🙂"]
        {
            assert_eq!(outcome(&stage(&[]), text), Err("too_short".to_owned()), "{text:?}");
        }
        let half = format!("{}\n{}", [ENGLISH; 10].join(" "), [GERMAN; 10].join(" "));
        let unsure = LanguageStage::configure(Settings { windows: 2, ..Settings::default() }).unwrap();
        assert_eq!(outcome(&unsure, &half), Err("low_confidence".to_owned()));
    }

    #[test]
    fn settings_are_checked() {
        let complaint = |settings| LanguageStage::configure(settings).unwrap_err();
        let keep = complaint(Settings { keep: vec!["xx".to_owned()], ..Settings::default() });
        assert!(keep.contains("`xx`") && keep.contains("de, en") && keep.ends_with("and und"), "{keep}");
        assert!(
            complaint(Settings { min_confidence: 1.5, ..Settings::default() }).starts_with("min_confidence")
        );
        assert!(
            complaint(Settings { min_confidence: f64::NAN, ..Settings::default() })
                .starts_with("min_confidence")
        );
        assert!(complaint(Settings { windows: 0, ..Settings::default() }).starts_with("windows"));
        assert!(complaint(Settings { window_chars: 0, ..Settings::default() }).starts_with("window_chars"));
    }

    #[test]
    fn the_same_text_has_the_same_answer() {
        let texts = [ENGLISH, GERMAN, "casa de la rosa con una banda nova en el centro"];
        for text in texts {
            let first = outcome(&stage(&[]), text);
            for _ in 0..10 {
                assert_eq!(outcome(&stage(&[]), text), first);
            }
        }
    }

    #[test]
    fn huge_texts_cost_no_more_than_their_windows() {
        let start = std::time::Instant::now();
        for text in ["x".repeat(1 << 20), "word ".repeat(1 << 18), "\n".repeat(1 << 20), "字".repeat(1 << 20)]
        {
            let first = outcome(&stage(&[]), &text);
            assert_eq!(outcome(&stage(&[]), &text), first);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
