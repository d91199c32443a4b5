//! English words that are split, or kept whole, against the rules for marks.
//!
//! Which they are is a fact about the tokenizer that the published filters count with; here they are made from the
//! words and endings that they consist of.

use std::collections::BTreeSet;

/// Contractions: who, and the endings that follow, each ending as its parts.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("i", "'m 'm|a"),
    ("i you he she it we they", "'ll 'll|'ve 'd 'd|'ve"),
    ("i you we they", "'ve"),
    ("you we they", "'re"),
    ("he she it", "'s"),
    ("who what when where why how there that this", "'s"),
    ("who what when where why how there that this these those", "'ll 'll|'ve 'd 'd|'ve"),
    ("who what when where why how there these those", "'re 've"),
    ("ca could do does did had may might must need ought sha should wo would", "n't n't|'ve"),
    ("could might must should would", "'ve"),
    ("ai are is was were have has dare", "n't"),
];

/// Contractions without an apostrophe that are words of their own.
const WORDS: &str = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore";

const SPLIT: &str = "y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na \
                     got|ta Got|ta let|'s Let|'s c'm|on C'm|on";

/// One token whatever marks they have. Months, states, titles and other abbreviations among them.
const WHOLE: &str = "doin doin' Doin Doin' goin goin' Goin Goin' nothin nothin' Nothin Nothin' nuthin nuthin' Nuthin \
                     Nuthin' ol ol' Ol Ol' somethin somethin' Somethin Somethin' lovin lovin' Lovin Lovin' havin \
                     havin' Havin Havin' em 'em ll 'll nuff 'nuff 'S 's ‘S ‘s 're 'd and/or w/o 'Cause 'cause 'cos \
                     'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock Mt. Ak. Ala. Apr. Ariz. Ark. Aug. \
                     Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. \
                     Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. \
                     Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. \
                     E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. \
                     Prof. Rep. Rev. Sen. St. vs. v.s.";

/// One token in every language: initials and faces.
const ANY_LANGUAGE: &str = r#"\t \n — ' \") <space> '' C++ a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u.
    v. w. x. y. z. ä. ö. ü. :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-)
    (; (-; :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O
    :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^
    >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33
    <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>"#;

/// The exceptions of any language, each as its parts.
pub(super) fn any_language() -> Vec<Vec<String>> {
    let degrees = "cfkCFK".chars().map(|unit| vec!["°".to_owned(), unit.to_string(), ".".to_owned()]);
    ANY_LANGUAGE.split_whitespace().map(|word| vec![word.to_owned()]).chain(degrees).collect()
}

/// The exceptions of English, each as its parts.
pub(super) fn english() -> Vec<Vec<String>> {
    let mut all = any_language();
    for (hosts, endings) in CONTRACTIONS {
        for host in hosts.split(' ').flat_map(|host| [host.to_owned(), title(host)]) {
            for ending in endings.split(' ') {
                all.push(contraction(&host, ending));
                all.push(contraction(&host, &ending.replace('\'', "")));
            }
        }
    }
    for hour in 1..=12 {
        all.extend(["a.m.", "am", "p.m.", "pm"].map(|half| vec![hour.to_string(), half.to_owned()]));
    }
    let listed = WHOLE.split_whitespace().chain(SPLIT.split_whitespace());
    all.extend(listed.map(|word| word.split('|').map(str::to_owned).collect()));
    let excluded: BTreeSet<&str> = WORDS.split(' ').collect();
    all.retain(|parts: &Vec<String>| !excluded.contains(parts.concat().as_str()));
    let curly = |parts: &Vec<String>| parts.iter().map(|part| part.replace('\'', "’")).collect::<Vec<_>>();
    let curled: Vec<Vec<String>> = all.iter().map(curly).collect();
    all.extend(curled);
    all
}

fn contraction(host: &str, ending: &str) -> Vec<String> {
    std::iter::once(host).chain(ending.split('|')).map(str::to_owned).collect()
}

fn title(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
