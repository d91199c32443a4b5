//! The pages in German, French, Spanish, Russian and Japanese: those that were sent in something other than UTF-8.

use super::{Charset, Coding, Page, page};

pub(super) const PAGES: &[Page] = &[
    page(
        "de",
        "encyclopedia",
        "https://offene.example/Wattenmeer",
        include_str!("../../pages/de-wattenmeer.html"),
    )
    .says("Auf den ersten Blick wirkt das Watt leer")
    .amid("Zufälliger Artikel"),
    // What servers call ISO-8859-1 is windows-1252: the dash in its menu is in the second and not in the first.
    page(
        "de",
        "recipe",
        "https://kuechenzettel.example/spaetzle",
        include_str!("../../pages/de-spaetzle.html"),
    )
    .typed("text/html; charset=ISO-8859-1")
    .charset(Charset::Windows1252)
    .says("wenn die Schulter es nicht mehr ist")
    .amid("Jetzt 20 % auf alle Pfannen sichern"),
    page(
        "de",
        "news",
        "https://abendblatt.example/kultur/gutenberg",
        include_str!("../../pages/de-buchdruck.html"),
    )
    .coded(Coding::Gzip)
    .says("Zusammen machten sie aus dem Abschreiben eine Industrie")
    .amid("vier Wochen kostenlos"),
    page(
        "fr",
        "travel",
        "https://occitanie.example/canal-du-midi",
        include_str!("../../pages/fr-canal.html"),
    )
    .typed("text/html; charset=windows-1252")
    .charset(Charset::Windows1252)
    .says("et même les jours de pluie leur étaient comptés")
    .amid("Dormir dans une péniche, à partir de 85 €"),
    page(
        "fr",
        "recipe",
        "https://cuillere.example/ratatouille",
        include_str!("../../pages/fr-ratatouille.html"),
    )
    .says("Chaque légume y cuit à part, selon son caractère")
    .amid("Recevez notre recette du jour"),
    // The mark at the front outranks a header that is wrong.
    page(
        "fr",
        "grammar",
        "https://sanslarmes.example/participe",
        include_str!("../../pages/fr-participe.html"),
    )
    .typed("text/html; charset=iso-8859-1")
    .charset(Charset::Utf8WithMark)
    .says("puisque la chanson ne chante pas")
    .amid("Signaler une coquille"),
    page("es", "travel", "https://conpausa.example/alhambra", include_str!("../../pages/es-alhambra.html"))
        .says("en el de los Leones corre por cuatro canales")
        .amid("Hoteles con encanto desde 49 €"),
    page("es", "recipe", "http://tortilla.example/receta.html", include_str!("../../pages/es-tortilla.html"))
        .typed("text/html")
        .says("nadie se lo reprochará en voz alta")
        .amid("Síguenos en las redes sociales"),
    page(
        "es",
        "science",
        "https://curiosidad.example/bisiesto",
        include_str!("../../pages/es-bisiesto.html"),
    )
    .coded(Coding::Zstd)
    .says("al jueves 4 de octubre le siguió el viernes 15")
    .amid("El origen de la ñ"),
    page(
        "ru",
        "encyclopedia",
        "https://sibspravka.example/baikal",
        include_str!("../../pages/ru-baikal.html"),
    )
    .typed("text/html; charset=windows-1251")
    .charset(Charset::Windows1251)
    .says("а вытекает только одна Ангара")
    .amid("При перепечатке ссылка обязательна"),
    page("ru", "recipe", "https://domstol.example/syrniki", include_str!("../../pages/ru-syrniki.html"))
        .coded(Coding::ChunkedGzip)
        .says("холодные сырники хороши с чаем")
        .amid("Подписывайтесь на нашу рассылку"),
    // Nobody says what this one is in: neither header nor page.
    page("ru", "travel", "http://transsib.example/put.html", include_str!("../../pages/ru-transsib.html"))
        .typed("text/html")
        .charset(Charset::Windows1251)
        .says("прочесть толстый роман и разучиться следить за часами")
        .amid("Счётчик посещений"),
    page(
        "ja",
        "encyclopedia",
        "https://hirakareta.example/fujisan",
        include_str!("../../pages/ja-fujisan.html"),
    )
    .says("夜明け前に出発して頂上で御来光を拝む")
    .amid("おまかせ表示"),
    // The page alone says it.
    page("ja", "recipe", "http://daidokoro.example/miso.html", include_str!("../../pages/ja-misoshiru.html"))
        .typed("text/html")
        .charset(Charset::ShiftJis)
        .says("味噌を入れたあとは煮立てないでください")
        .amid("人目のお客様です"),
    page("ja", "blog", "https://kotoba.example/furuike", include_str!("../../pages/ja-haiku.html"))
        .typed("text/html; charset=EUC-JP")
        .charset(Charset::EucJp)
        .says("まず注目したいのは、蛙が鳴かないことです")
        .amid("メールマガジンに登録する"),
];
