//! What the parser knows about element names.

/// A name in lower case. Longer ones than any that HTML has are cut: they are all alike to the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    bytes: [u8; 16],
    len: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Void,
    Formatting,
    Special,
    Ordinary,
}

impl Name {
    pub(super) fn new(source: &[u8]) -> Self {
        let mut name = Self { bytes: [0; 16], len: 0 };
        for (to, from) in name.bytes.iter_mut().zip(source) {
            *to = from.to_ascii_lowercase();
            name.len += 1;
        }
        name
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(super) fn is(self, name: &[u8]) -> bool {
        self.bytes() == name
    }

    pub(super) fn kind(self) -> Kind {
        match self.bytes() {
            b"area" | b"base" | b"basefont" | b"bgsound" | b"br" | b"col" | b"embed" | b"frame" | b"hr"
            | b"img" | b"image" | b"input" | b"keygen" | b"link" | b"meta" | b"param" | b"source"
            | b"track" | b"wbr" => Kind::Void,
            b"a" | b"b" | b"big" | b"code" | b"em" | b"font" | b"i" | b"nobr" | b"s" | b"small"
            | b"strike" | b"strong" | b"tt" | b"u" => Kind::Formatting,
            b"address" | b"applet" | b"article" | b"aside" | b"blockquote" | b"body" | b"button"
            | b"caption" | b"center" | b"colgroup" | b"dd" | b"details" | b"dir" | b"div" | b"dl" | b"dt"
            | b"fieldset" | b"figcaption" | b"figure" | b"footer" | b"form" | b"frameset" | b"h1" | b"h2"
            | b"h3" | b"h4" | b"h5" | b"h6" | b"head" | b"header" | b"hgroup" | b"html" | b"li"
            | b"listing" | b"main" | b"marquee" | b"menu" | b"nav" | b"noscript" | b"object" | b"ol"
            | b"p" | b"pre" | b"search" | b"section" | b"select" | b"summary" | b"table" | b"tbody"
            | b"td" | b"template" | b"tfoot" | b"th" | b"thead" | b"tr" | b"ul" => Kind::Special,
            _ => Kind::Ordinary,
        }
    }

    /// What an end tag does not reach across.
    pub(super) fn is_scope(self) -> bool {
        matches!(
            self.bytes(),
            b"applet"
                | b"caption"
                | b"html"
                | b"table"
                | b"td"
                | b"th"
                | b"marquee"
                | b"object"
                | b"template"
        )
    }

    /// What the tags of rows and cells do not reach across.
    pub(super) fn is_table(self) -> bool {
        matches!(self.bytes(), b"table" | b"template")
    }

    pub(super) fn is_table_part(self) -> bool {
        matches!(self.bytes(), b"tbody" | b"thead" | b"tfoot")
    }

    pub(super) fn is_in_table(self) -> bool {
        self.is_table_part() || matches!(self.bytes(), b"table" | b"tr" | b"td" | b"th" | b"caption")
    }

    /// Formatting does not go on past the end of these.
    pub(super) fn clears_formatting(self) -> bool {
        matches!(self.bytes(), b"td" | b"th" | b"caption" | b"applet" | b"object" | b"marquee" | b"template")
    }

    /// Whether the start tag closes an open paragraph.
    pub(super) fn ends_paragraph(self) -> bool {
        self.kind() == Kind::Special
            && !self.is_in_table()
            && !matches!(
                self.bytes(),
                b"applet"
                    | b"body"
                    | b"button"
                    | b"html"
                    | b"marquee"
                    | b"noscript"
                    | b"object"
                    | b"select"
                    | b"template"
            )
            || self.is(b"table")
    }

    /// Whether what follows the start tag is text up to the end tag, whatever it looks like.
    pub(super) fn holds_text(self) -> bool {
        matches!(
            self.bytes(),
            b"script"
                | b"style"
                | b"textarea"
                | b"title"
                | b"xmp"
                | b"iframe"
                | b"noembed"
                | b"noframes"
                | b"plaintext"
        )
    }
}
