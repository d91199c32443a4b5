//! The pages in English, each another kind of page and another kind of HTML.

use super::{Coding, Damage, Page, page};

pub(super) const PAGES: &[Page] = &[
    page(
        "en",
        "encyclopedia",
        "https://openalmanac.example/wiki/Tide",
        include_str!("../../pages/en-tides.html"),
    )
    .says("the Earth needs about fifty minutes more to catch up with it")
    .amid("Donate to the Almanac"),
    page(
        "en",
        "how-to",
        "https://homekeeper.example/heating/bleed",
        include_str!("../../pages/en-radiator.html"),
    )
    .coded(Coding::Chunked)
    .says("never test the escaping gas with a flame")
    .amid("Join 40,000 readers"),
    page(
        "en",
        "recipe",
        "https://longtable.example/bread/soda/",
        include_str!("../../pages/en-soda-bread.html"),
    )
    .says("a smooth one bakes into a brick")
    .amid("Your email address will not be published"),
    page(
        "en",
        "product",
        "https://panandladle.example/p/harrow-10",
        include_str!("../../pages/en-skillet.html"),
    )
    .coded(Coding::Gzip)
    .says("Acid strips seasoning")
    .amid("FREE SHIPPING ON ORDERS"),
    page(
        "en",
        "forum",
        "https://spokes.example/viewtopic.php?t=9120",
        include_str!("../../pages/en-forum-gears.html"),
    )
    .says("If they lean like little shark fins, that is your answer")
    .amid("Delete all board cookies"),
    page(
        "en",
        "news",
        "https://meridianpost.example/2024/eclipse",
        include_str!("../../pages/en-eclipse-news.html"),
    )
    .coded(Coding::Gzip)
    .says("hidden for four minutes and twenty-eight seconds")
    .amid("What your umbrella says about you"),
    page("en", "blog", "https://wetboots.example/?p=214", include_str!("../../pages/en-wall-blog.html"))
        .typed("text/html")
        .says("I am not a person who cries at ribbons")
        .amid("Proudly powered by stubbornness"),
    page(
        "en",
        "documentation",
        "https://plaintext.example/2.1/sort.html",
        include_str!("../../pages/en-sort-docs.html"),
    )
    .says("The shell empties the file before")
    .amid("Last updated on Nov 02, 2025"),
    page(
        "en",
        "questions",
        "https://askprog.example/q/588004",
        include_str!("../../pages/en-qa-floats.html"),
    )
    .coded(Coding::Deflate)
    .says("Your processor adds correctly")
    .amid("Can a dragon file taxes jointly?"),
    page(
        "en",
        "lecture",
        "http://stats.northfield.example/104/lec6.html",
        include_str!("../../pages/en-bayes-notes.html"),
    )
    .typed("text/html")
    .says("Do not reach for the formula; imagine 1,000 people instead"),
    page(
        "en",
        "faq",
        "https://riverbend.example/rubbish/composting",
        include_str!("../../pages/en-compost-faq.html"),
    )
    .says("A heap of grass alone turns to slime")
    .amid("Report a problem with this page"),
    page("en", "travel", "https://slowtrains.example/ghent", include_str!("../../pages/en-ghent.html"))
        .damaged(Damage::Truncated)
        .says("found in an Austrian salt mine in 1945")
        .amid("Rail tips"),
    page("en", "museum", "https://measuredtime.example/o/3", include_str!("../../pages/en-antikythera.html"))
        .says("to which nobody paid much attention until May 1902")
        .amid("laser-cut wooden kit"),
    page(
        "en",
        "sports",
        "https://touchline.example/archive/1954",
        include_str!("../../pages/en-four-minutes.html"),
    )
    .says("The rest was lost in the roar")
    .amid("Bet responsibly"),
    page(
        "en",
        "changelog",
        "https://lanternfish.example/changelog",
        include_str!("../../pages/en-changelog.html"),
    )
    .says("a daily sync fell from 61 GB to 2.3 GB")
    .amid("Made with care in a damp basement"),
    page("en", "poetry", "https://smallhours.example/19/clocks", include_str!("../../pages/en-sonnet.html"))
        .says("The metre is a frame and not a fence")
        .amid("four issues for $28"),
    page("en", "classifieds", "https://dunmore.example/c/4", include_str!("../../pages/en-classifieds.html"))
        .says("it has made the legs of every chair in this house")
        .amid("Never pay for goods you have not seen"),
    page("en", "health", "https://soundhealth.example/burns", include_str!("../../pages/en-burns.html"))
        .coded(Coding::ChunkedGzip)
        .says("the reaction gives off heat of its own")
        .amid("does not replace the advice of a clinician"),
    page(
        "en",
        "finance",
        "https://pennywort.example/learn/compound",
        include_str!("../../pages/en-interest.html"),
    )
    .says("each year’s interest was itself earning by the next")
    .amid("7 money habits"),
    page(
        "en",
        "astronomy",
        "https://skywatch.example/planets/pluto",
        include_str!("../../pages/en-pluto.html"),
    )
    .coded(Coding::RawDeflate)
    .says("What changed, on 24 August 2006, was the meaning of a word")
    .amid("40% off this week only"),
    page(
        "en",
        "gardening",
        "http://allotment.example/garlic.htm",
        include_str!("../../pages/en-garlic.html"),
    )
    .typed("text/html")
    .says("which is too late for the one and too early for the other")
    .amid("Best viewed at 800x600"),
    page("en", "biography", "https://lives.example/mary-anning", include_str!("../../pages/en-anning.html"))
        .says("Cuvier looked at the drawings again and admitted that he had been wrong")
        .amid("make your own plaster ammonite"),
    page(
        "en",
        "timetable",
        "https://skerraferries.example/timetable",
        include_str!("../../pages/en-ferry.html"),
    )
    .says("the master may turn back even when the island is in sight")
    .amid("Conditions of carriage"),
    page("en", "science", "https://plainphysics.example/anc", include_str!("../../pages/en-headphones.html"))
        .coded(Coding::Brotli)
        .says("while the baby three rows ahead comes through")
        .amid("explains one everyday thing a week"),
    page(
        "en",
        "review",
        "https://backpage.example/middlemarch",
        include_str!("../../pages/en-middlemarch.html"),
    )
    .coded(Coding::Zstd)
    .says("You close the chapter ashamed")
    .amid("are open to subscribers"),
    page("en", "interview", "https://tradesecrets.example/58", include_str!("../../pages/en-roaster.html"))
        .says("It will taste of your onions")
        .amid("leave us a review"),
    page(
        "en",
        "timeline",
        "https://measures.example/length/metre",
        include_str!("../../pages/en-metre.html"),
    )
    .coded(Coding::ClaimedChunked)
    .says("War, arrest and illness make it seven")
    .amid("Corrections welcome"),
    page(
        "en",
        "table",
        "https://openalmanac.example/wiki/8000",
        include_str!("../../pages/en-eight-thousanders.html"),
    )
    .says("states have been known to prefer their own figures")
    .amid("Disclaimers"),
    page("en", "job", "https://craftsjobs.example/j/7741", include_str!("../../pages/en-job.html"))
        .coded(Coding::ClaimedGzip)
        .says("The sense to ask before you cut")
        .amid("Recruiters must not charge applicants a fee"),
    page(
        "en",
        "chess",
        "https://sixtyfour.example/italian",
        include_str!("../../pages/en-italian-game.html"),
    )
    .says("improve the worst of your pieces")
    .amid("Master the Italian in 30 days"),
];
