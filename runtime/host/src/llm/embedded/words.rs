//! The model's tokens, and the frame that its training put around a prompt.

use llama_cpp_2::model::{LlamaChatMessage, LlamaModel};
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;

use super::EmbeddedError;
use crate::prompt::Prompt;

/// Stand for what a prompt says while the chat template is taken apart. Private characters, which no template has.
const SYSTEM: &str = "\u{E0A1}system\u{E0A1}";
const USER: &str = "\u{E0A2}user\u{E0A2}";

/// The vocabulary of a model. Token ids here are indexes, as llama.cpp counts them.
pub(super) struct Words<'m> {
    vocab: LlamaVocab<'m>,
    /// The text of all tokens, one behind the other. Control tokens have none.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Those that have a text, in its order.
    sorted: Vec<u32>,
    /// Those that end a reply.
    last: Vec<u32>,
    /// Bytes of the longest token's text.
    longest: usize,
    with_system: [Vec<LlamaToken>; 3],
    without_system: [Vec<LlamaToken>; 2],
}

impl<'m> Words<'m> {
    pub(super) fn of(model: &'m LlamaModel) -> Result<Self, EmbeddedError> {
        let vocab = model.vocab();
        let (mut text, mut ends, mut longest) = (Vec::new(), Vec::new(), 1);
        for token in vocab.tokens() {
            let piece = vocab.token_to_piece(token, false, None);
            longest = longest.max(piece.len());
            text.extend(piece);
            ends.push(text.len());
        }
        let (with_system, without_system) = frames(model, &vocab)?;
        let last =
            (0..).zip(vocab.tokens()).filter(|(_, token)| vocab.is_eog(*token)).map(|(id, _)| id).collect();
        let sorted = Vec::new();
        let mut words = Self { vocab, text, ends, sorted, last, longest, with_system, without_system };
        let mut sorted: Vec<u32> =
            (0..words.ends.len() as u32).filter(|&id| !words.piece(id).is_empty()).collect();
        sorted.sort_unstable_by(|&one, &other| words.piece(one).cmp(words.piece(other)));
        words.sorted = sorted;
        Ok(words)
    }

    pub(super) fn piece(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.text[start..self.ends[id]]
    }

    /// All tokens that have a text, in its order.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.sorted.iter().map(|&id| (id, self.piece(id)))
    }

    pub(super) fn ends_reply(&self, id: u32) -> bool {
        self.last.contains(&id)
    }

    pub(super) fn last(&self) -> &[u32] {
        &self.last
    }

    /// The tokens of a prompt in its frame, or None where they are certainly more than `most`.
    ///
    /// What a prompt says is read as plain text: a page that spells out the model's control tokens, to close the
    /// question and open another, gets the letters and not the tokens.
    pub(super) fn read(&self, prompt: &Prompt, most: usize) -> Option<Vec<LlamaToken>> {
        let system = prompt.system.as_deref();
        // Reading takes time by length, and no token covers more than so many bytes.
        if most.saturating_mul(self.longest) < prompt.user.len().saturating_add(system.map_or(0, str::len)) {
            return None;
        }
        let said = [system, Some(&prompt.user)].into_iter().flatten();
        let frame = if system.is_some() { &self.with_system[..] } else { &self.without_system[..] };
        let mut tokens = Vec::new();
        let mut said = said.map(|text| self.vocab.tokenize(text.as_bytes(), false, false));
        for part in frame {
            tokens.extend(part);
            tokens.extend(said.next().into_iter().flatten());
        }
        (tokens.len() <= most).then_some(tokens)
    }
}

type Frames = ([Vec<LlamaToken>; 3], [Vec<LlamaToken>; 2]);

/// What the model's chat template puts before, between and behind the messages.
///
/// The template is read from the weights and matched by llama.cpp with those that it knows, which leaves out what a
/// template would say of its own accord: a prompt without a system message is asked without one.
fn frames(model: &LlamaModel, vocab: &LlamaVocab<'_>) -> Result<Frames, EmbeddedError> {
    let template = model.chat_template(None).map_err(|error| EmbeddedError::Template(error.to_string()))?;
    let fill = |messages: &[(&str, &str)]| {
        let chat: Result<Vec<_>, _> = messages
            .iter()
            .map(|&(role, text)| LlamaChatMessage::new(role.to_owned(), text.to_owned()))
            .collect();
        let chat = chat.map_err(|error| EmbeddedError::Template(error.to_string()))?;
        model
            .apply_chat_template(&template, &chat, true)
            .map_err(|error| EmbeddedError::Template(error.to_string()))
    };
    let lost = || EmbeddedError::Template("it leaves out what it is given".to_owned());
    let begin = |text: &str| vocab.tokenize(text.as_bytes(), vocab.should_add_bos(), true);
    let go_on = |text: &str| vocab.tokenize(text.as_bytes(), false, true);

    let both = fill(&[("system", SYSTEM), ("user", USER)])?;
    let (before, rest) = both.split_once(SYSTEM).ok_or_else(lost)?;
    let (between, behind) = rest.split_once(USER).ok_or_else(lost)?;
    let with_system = [begin(before), go_on(between), go_on(behind)];
    let alone = fill(&[("user", USER)])?;
    let (before, behind) = alone.split_once(USER).ok_or_else(lost)?;
    Ok((with_system, [begin(before), go_on(behind)]))
}
