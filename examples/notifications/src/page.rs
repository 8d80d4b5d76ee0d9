use example_support::Asset;

/// The files of the page.
pub(crate) fn files() -> Vec<Asset> {
    vec![
        Asset::base_style(),
        Asset::new("/", include_str!("../page/index.html")),
        Asset::new("/style.css", include_str!("../page/style.css")),
        Asset::new("/app.js", include_str!("../page/app.js")),
        Asset::new("/actions.js", include_str!("../page/actions.js")),
        Asset::new("/streams.js", include_str!("../page/streams.js")),
        Asset::new("/lib.js", include_str!("../page/lib.js")),
        Asset::new("/icon.svg", include_str!("../page/icon.svg")),
    ]
}
