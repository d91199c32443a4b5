//! The commonest words of languages that the component may not know.
//!
//! The models answer with a relative of those, and are sure of it: Afrikaans is Dutch to them, and any Bantu language
//! Indonesian. Words like "and" and "of" tell a language within a sentence, long before their absence tells anything.
//! The words are those of grammar; none of them is a common word in a language that has models.

use std::collections::BTreeSet;

use crate::codes;
use crate::words::{Word, Words};

/// Common words of a language, none of which is left when the words of the language that was answered are taken away.
const STRANGERS: &[(&str, &str)] = &[
    ("af", "nie n vir sy hulle hierdie daardie ek jy baie haar"),
    ("az", "və bu ilə bir üçün da də olan edir var idi onun kimi isə daha"),
    ("bs", "na za od koji koje koja kao ali bi iz što kako ili sa"),
    ("ca", "els amb per és dels les què aquest aquesta al com més són també seva"),
    ("cs", "se na v že do pro jsou jako který která které ale by jsem byl nebo při není"),
    ("cy", "yn yr ar ei wedi mae bod gan oedd fel hyn sydd ac eu ond"),
    ("da", "og i at det er på til en af som med for ikke den har de et fra kan var"),
    ("eo", "la kaj estas de en al ne por pri ke li kiu kun sed ili mi el ĝi tiu ankaŭ"),
    ("et", "ja on ei et see oli mis ka kui oma aga ning selle seda ta siis nii või"),
    ("eu", "eta bat ez ere dira izan baina bere hau egin dute den zen egiten duen"),
    ("fi", "ja on ei se että oli hän mutta kun niin myös ovat sen tai joka mukaan ole kuin"),
    ("ga", "na agus i ar le ag tá sé bhí ach níl sin chun leis seo mar"),
    ("hr", "na za od koji koje koja kao ali bi iz što kako ili sa"),
    ("hu", "az és hogy nem egy meg ez csak de volt vagy mint már még amely kell"),
    ("is", "og að í er á sem til við með ekki fyrir var það ég hann hafa eru því"),
    ("la", "et in est non ad ut cum quod sed qui ab esse sunt quae eius autem atque"),
    ("lg", "nga mu ku na okuva abantu era omu kubanga nti bwe ate awamu oba gye eyo"),
    ("lt", "ir yra į kad iš su kaip tai bet už jo buvo ar nuo tik jau dėl apie jis ne"),
    ("lv", "un ir ar uz par ka kas lai bet tas arī pēc kā vai gan viņš jau tika ko"),
    ("mi", "ki ka ngā kua hoki tētahi mō taua kia rātou nō mai"),
    ("ms", "yang dan ini itu dalam dengan untuk pada kerana ialah bahawa sahaja"),
    ("nb", "og i det er på til en av som med for ikke den har de et fra kan var jeg"),
    ("nn", "og i det er på til ein av som med for ikkje den har dei eit frå kan var eg"),
    ("ro", "și şi în de cu pe nu din că pentru sunt mai fost sau lui"),
    ("sk", "sa na v že do pre sú ako ktorý ktorá ktoré ale by som bol alebo pri nie"),
    ("sl", "v na za pa ki bi ne po tudi kot ali pri od bil lahko ter sem"),
    ("sn", "kuti uye kana asi iyi vanhu kuna pane ari vari zvino izvi nekuti kubva kwete"),
    ("so", "oo ku waa iyo ee ayaa uu aan soo waxaa wuxuu laga kale"),
    ("sq", "dhe në të një për që nga është se por nuk më ishte"),
    ("st", "le ka ba ke hore tsa sa mme empa bona kapa teng haholo bile"),
    ("sv", "och i att det är på en som för med av den till inte har de om ett jag var från"),
    ("sw", "na wa kwa ni katika la za kuwa hiyo cha kama yake watu hii lakini huo"),
    ("tl", "ang ng sa mga na ay ni kung ito siya hindi si nang isang ako niya"),
    ("tn", "le mo ka ba ke fa gore tse kgotsa batho jaaka mme bone tla"),
    ("ts", "na ku swi ka xi leswaku ri eka ni vanhu kumbe loko wa naswona laha"),
    ("xh", "ukuba kunye ngokuba kwaye abantu okanye ke xa ngenxa yakhe nje loo kakhulu"),
    ("yo", "ni ti àwọn ó sí náà pé tí wọ́n kan fún nínú jẹ́ àti lọ bá ṣe kí láti"),
    ("zu", "ukuthi futhi kanye ngoba abantu noma uma ukuze kodwa kule lokhu nje ngesikhathi"),
    ("be", "і ў не на што з гэта як за ён але па ад яго таксама быў гэтага або"),
    ("bg", "на и се за от е в с не си че ще са като това той тя беше"),
    ("kk", "және бұл мен бір үшін деп да де жылы болып туралы осы сол бар оның еді"),
    ("mk", "на и во се за од е со не што ќе како тоа ги беше која кој"),
    ("mn", "нь юм байна энэ бол болон гэж тухай дээр их хийх бид тэр байсан"),
    ("sr", "је и у на се да су за од који које која као али би из што како или са"),
    ("uk", "і в на не що з та як до за це він але його у від про також бути був або"),
    ("ur", "کے کی میں ہے کا سے اور کو نے پر ہیں یہ کہ بھی نہیں ایک اس تھا ہو"),
];

/// Words of close relatives that a language never has. Relatives share their common words, so one of these in a
/// sentence says more than all that the sentence shares.
const RELATIVES: &[(&str, &str, &str)] = &[
    ("nl", "af", "nie n vir hulle hierdie daardie ek jy baie"),
    (
        "id",
        "ms",
        "kerana ialah bahawa sahaja ianya manakala selepas apabila iaitu mengikut pelbagai syarikat kerajaan \
         semasa awak hendaklah memberitahu terhadapnya",
    ),
    ("es", "ca", "i els amb és dels aquest aquesta seva també però perquè són als més"),
    ("ru", "bg", "се ще са че това беше който която които съм няма също тази този"),
    ("ru", "mk", "во ќе се што беше кој која кои овој оваа ги тоа сè"),
    ("ru", "uk", "що та це він його також або бути є із щоб які який"),
    ("ru", "sr", "је су се који које која као што али ће није"),
    ("ru", "be", "што гэта таксама або ён яго быў гэтага ў"),
];

/// Fewer different ones would be a name or a word that two languages have.
const MIN_DIFFERENT: usize = 2;

/// One word in so many, of those that a language never has, is no accident.
const RELATIVE: usize = 25;

/// Each list's place and words, of the languages that the component does not know.
pub(crate) fn lists() -> impl Iterator<Item = (usize, &'static str)> {
    let lists = STRANGERS.iter().enumerate();
    lists.filter(|(_, (code, _))| is_stranger(code)).map(|(at, (_, words))| (at, *words))
}

/// The same of the close relatives.
pub(crate) fn relatives() -> impl Iterator<Item = (usize, &'static str)> {
    let lists = RELATIVES.iter().enumerate();
    lists.filter(|(_, (_, code, _))| is_stranger(code)).map(|(at, (_, _, words))| (at, *words))
}

fn is_stranger(code: &str) -> bool {
    codes::resolve(code).is_none()
}

/// Whether the words are rather those of a language that the component does not know.
pub(crate) fn are_likelier(language: &str, words: &Words) -> bool {
    are_of_relative(language, words) || are_of_stranger(language, words)
}

fn are_of_relative(language: &str, words: &Words) -> bool {
    RELATIVES.iter().enumerate().filter(|(_, (of, _, _))| *of == language).any(|(at, _)| {
        let hits = words.known.iter().filter(|word| word.is_of_relative(at)).count();
        words.all < hits * RELATIVE
    })
}

fn are_of_stranger(language: &str, words: &Words) -> bool {
    let own_hits = words.common_in(language);
    let hits: Vec<&Word> = words.known.iter().filter(|word| !word.is_common_in(language)).collect();
    (0..STRANGERS.len()).any(|at| {
        let of_list = || hits.iter().filter(|word| word.is_of_stranger(at)).map(|word| word.id);
        own_hits < of_list().count() && MIN_DIFFERENT <= of_list().collect::<BTreeSet<_>>().len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_a_bit() {
        assert!(STRANGERS.len() <= u64::BITS as usize);
        assert!(RELATIVES.len() <= u8::BITS as usize);
    }

    #[cfg(not(feature = "all"))]
    #[test]
    fn words_of_other_languages_speak_for_those() {
        let check = |language, text: &str, expected| {
            assert_eq!(are_likelier(language, &Words::of(text)), expected, "{text}");
        };
        check("nl", "hy het vir hulle gesê dat die boek nie in die kamer is nie", true);
        check("nl", "hij heeft hun gezegd dat het boek niet in de kamer is", false);
        check("de", "jag vet inte om det är sant att han har varit på månen", true);
        check("de", "das Album von Och und Det erschien im Juni", false);
        check("en", "kuti vanhu ari", true);
    }
}
