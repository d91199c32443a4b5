//! The built-in stage `language`: which language a text is in, and whether the run wants it.
//!
//! The models are lingua's and live in the component, which is why it is large. Which ones is decided when it is built:
//! the ones of most web pages, or with
//! `cargo build --profile plugin --target wasm32-wasip2 -p palimpsest-language --no-default-features --features all`
//! all 75.

mod codes;
mod detect;
mod evidence;
mod look;
#[doc(hidden)]
pub mod sample;
mod script;
mod settings;
mod signs;
mod strangers;
#[cfg(test)]
mod testdata;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column};

use codes::{UNKNOWN, Wanted};
use detect::{Answer, Detector, Windows};

pub use settings::{Mixed, Settings};

/// The stage.
pub struct LanguageStage {
    detector: Detector,
    keep: Vec<Wanted>,
    min_confidence: f64,
    thresholds: BTreeMap<String, f64>,
    mixed: Mixed,
    mixed_share: f64,
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
    Mixed(Answer),
    LowConfidence(Answer),
}

impl Reject {
    fn outcome(&self) -> Outcome {
        let told = |answer: &Answer| format!("{} {}", answer.language, answer.score);
        match self {
            Self::TooShort => Outcome::drop("too_short"),
            Self::Language(answer) => Outcome::drop_with("language", told(answer)),
            Self::Mixed(answer) => Outcome::drop_with("mixed", shares(answer).join(" ")),
            Self::LowConfidence(answer) => Outcome::drop_with("low_confidence", told(answer)),
        }
    }
}

/// `en:0.75`, for each language of a text that has several.
fn shares(answer: &Answer) -> Vec<String> {
    answer.shares.iter().map(|(language, share)| format!("{language}:{share:.2}")).collect()
}

impl Stage for LanguageStage {
    const NAME: &'static str = "language";
    const SUMMARY: &'static str = "says which language a text is in and keeps the wanted ones";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let windows = Windows { count: settings.windows as usize, chars: settings.window_chars as usize };
        Ok(Self {
            detector: Detector::new(windows),
            keep: settings.wanted()?,
            min_confidence: settings.min_confidence,
            thresholds: settings.thresholds()?,
            mixed: settings.mixed,
            mixed_share: settings.mixed_share,
            min_letters: settings.min_letters as usize,
        })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("language", Kind::Text),
            column("language_iso639_3", Kind::Text),
            column("language_script", Kind::Text),
            column("language_score", Kind::Number),
            column("languages", Kind::Texts),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        Ok(match self.judge(page.text()) {
            Ok(answer) => Outcome::keep(draft(&answer)),
            Err(reject) => reject.outcome(),
        })
    }
}

fn draft(answer: &Answer) -> Draft {
    let draft = Draft::new()
        .with("language", answer.language.as_str())
        .with("language_iso639_3", codes::iso639_3(&answer.language))
        .with("language_script", answer.script)
        .with("language_score", answer.score);
    if answer.shares.is_empty() { draft } else { draft.with("languages", shares(answer)) }
}

impl LanguageStage {
    fn judge(&self, text: &str) -> Result<Answer, Reject> {
        let mut answer = self.detector.detect(text, self.min_letters).ok_or(Reject::TooShort)?;
        let is_wanted = |wanted: &Wanted| wanted.is(&answer.language, answer.script);
        if !self.keep.is_empty() && !self.keep.iter().any(is_wanted) {
            return Err(Reject::Language(answer));
        }
        if answer.shares.get(1).is_some_and(|(_, share)| self.mixed_share <= *share) {
            match self.mixed {
                Mixed::Score => {}
                Mixed::Keep => answer.score = answer.own_score,
                Mixed::Drop => return Err(Reject::Mixed(answer)),
            }
        }
        let threshold = self.thresholds.get(&answer.language).copied().unwrap_or(self.min_confidence);
        if answer.language != UNKNOWN && answer.score < threshold {
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

    fn drafted(stage: &LanguageStage, text: &str) -> Result<Draft, String> {
        match testing::run(stage, &document(text), &[]).unwrap() {
            Verdict::Emit(mut drafts) => {
                assert!(drafts[0].text.is_none(), "the text stays");
                Ok(drafts.remove(0))
            }
            Verdict::Drop(said) => Err(said),
            Verdict::Ask(_) => panic!("asks nothing"),
        }
    }

    fn field(draft: &Draft, name: &str) -> Option<String> {
        let field = draft.fields.iter().find(|field| field.name == name)?;
        Some(match &field.value {
            Value::Text(text) => text.clone(),
            Value::Texts(texts) => texts.join(" "),
            Value::Number(number) => number.to_string(),
            Value::Integer(_) | Value::Flag(_) => panic!("{field:?}"),
        })
    }

    /// The language that the text goes on with, or the word that it is dropped under.
    fn outcome(stage: &LanguageStage, text: &str) -> Result<(String, f64), String> {
        let draft = drafted(stage, text).map_err(|said| said.split(':').next().unwrap().to_owned())?;
        let score = field(&draft, "language_score").unwrap().parse().unwrap();
        Ok((field(&draft, "language").unwrap(), score))
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
        assert!(outcome(&stage(&["eng"]), ENGLISH).is_ok());
        assert!(outcome(&stage(&["deu_Latn", "eng_Latn"]), ENGLISH).is_ok());
        assert_eq!(outcome(&stage(&["en", "fr"]), GERMAN), Err("language".to_owned()));
        assert_eq!(outcome(&stage(&["eng_Arab"]), ENGLISH), Err("language".to_owned()));
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
    }

    /// So many parts of each.
    fn mixed(english: usize, german: usize) -> String {
        format!("{}\n{}", vec![ENGLISH; english].join(" "), vec![GERMAN; german].join(" "))
    }

    #[test]
    fn pages_in_several_languages_are_as_the_run_wants() {
        let check = |settings, text: &str, expected: Result<(&str, &str), &str>| {
            let stage = LanguageStage::configure(settings).unwrap();
            let said = drafted(&stage, text).map(|draft| {
                (field(&draft, "language").unwrap(), field(&draft, "languages").unwrap_or_default())
            });
            let said = said.as_ref().map(|(one, all)| (one.as_str(), all.as_str())).map_err(String::as_str);
            assert_eq!(said, expected);
        };
        let with = |mixed| Settings { mixed, ..Settings::default() };
        for (text, shares) in [(mixed(24, 24), "de:0.50 en:0.50"), (mixed(16, 32), "de:0.67 en:0.33")] {
            check(with(Mixed::Keep), &text, Ok(("de", shares)));
            check(with(Mixed::Drop), &text, Err(&format!("mixed: {shares}")));
        }
        let unsure = LanguageStage::configure(with(Mixed::Score)).unwrap();
        assert_eq!(outcome(&unsure, &mixed(24, 24)), Err("low_confidence".to_owned()));
        check(with(Mixed::Drop), &mixed(24, 0), Ok(("en", "")));
        let tolerant = Settings { mixed_share: 0.4, ..with(Mixed::Drop) };
        check(tolerant, &mixed(16, 32), Ok(("de", "de:0.67 en:0.33")));
    }

    #[test]
    fn a_part_that_no_model_knows_is_a_part() {
        let text = format!(
            "{}\n{}",
            [ENGLISH; 24].join(" "),
            ["ನದಿ ಬೆಳಿಗ್ಗೆಯಿಂದ ಏರುತ್ತಿತ್ತು ಮತ್ತು ಮಧ್ಯಾಹ್ನದ ಹೊತ್ತಿಗೆ"; 24].join(" ")
        );
        let keep = LanguageStage::configure(Settings { mixed: Mixed::Keep, ..Settings::default() }).unwrap();
        let draft = drafted(&keep, &text).unwrap();
        assert_eq!(field(&draft, "languages").unwrap(), "en:0.67 und:0.33");
        assert_eq!(field(&draft, "language_script").unwrap(), "Latn");
    }

    #[test]
    fn languages_have_their_own_thresholds() {
        let with = |min_confidence, thresholds: &[(&str, f64)]| {
            let thresholds = thresholds.iter().map(|(code, value)| ((*code).to_owned(), *value)).collect();
            LanguageStage::configure(Settings {
                min_confidence,
                thresholds,
                windows: 2,
                ..Settings::default()
            })
        };
        let text = mixed(24, 24);
        let low = Err("low_confidence".to_owned());
        assert_eq!(outcome(&with(0.65, &[("fr", 0.1)]).unwrap(), &text), low);
        assert!(outcome(&with(0.65, &[("deu", 0.4)]).unwrap(), &text).is_ok());
        assert_eq!(outcome(&with(0.1, &[("de", 0.9)]).unwrap(), &text), low);
        let complaint = |thresholds| with(0.65, thresholds).unwrap_err();
        assert!(complaint(&[("xx", 0.5)]).starts_with("thresholds: this component does not know `xx`"));
        assert!(complaint(&[("und", 0.5)]).contains("`und`"));
        assert_eq!(complaint(&[("de", 2.0)]), "thresholds.de: 2 is not between 0 and 1");
        assert_eq!(complaint(&[("de", 0.5), ("deu", 0.6)]), "thresholds.deu: there is another one for `de`");
    }

    #[test]
    fn both_codes_and_the_script_are_told() {
        let check = |text, expected: [&str; 3]| {
            let draft = drafted(&stage(&[]), text).unwrap();
            let told =
                ["language", "language_iso639_3", "language_script"].map(|name| field(&draft, name).unwrap());
            assert_eq!(told, expected);
        };
        check(ENGLISH, ["en", "eng", "Latn"]);
        check("川の水は朝から増え続け、昼には低い畑は水の中に沈んでいました。", ["ja", "jpn", "Jpan"]);
        check(
            "河水从早上开始上涨，到中午时低处的田地已经被淹没了，人们纷纷往高处走。",
            ["zh", "zho", "Hani"],
        );
        check("ನದಿ ಬೆಳಿಗ್ಗೆಯಿಂದ ಏರುತ್ತಿತ್ತು ಮತ್ತು ಮಧ್ಯಾಹ್ನದ ಹೊತ್ತಿಗೆ", ["und", "und", "Zzzz"]);
    }

    #[test]
    fn settings_are_checked() {
        let complaint = |settings| LanguageStage::configure(settings).unwrap_err();
        let keep = complaint(Settings { keep: vec!["xx".to_owned()], ..Settings::default() });
        let script = complaint(Settings { keep: vec!["eng_Xxxx".to_owned()], ..Settings::default() });
        assert!(script.starts_with("keep: there is no script `Xxxx`; there are Arab, "), "{script}");
        assert!(complaint(Settings { mixed_share: -0.1, ..Settings::default() }).starts_with("mixed_share"));
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
